"""Heads of requests as text: where one ends, and how it is said to a parser that has no words for some of it.

A head is what RFC 9112 calls a request line and the fields below it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import urlsplit

MAX_METHOD_LENGTH: Final = 32
"""A longer one is no method of anybody; whatever is let through stands in the log and the journal."""

_HEAD_END: Final = re.compile(rb"\n\r?\n")
_TOKEN: Final = re.compile(rb"[!#$%%&'*+.^_`|~0-9A-Za-z-]{1,%d} " % MAX_METHOD_LENGTH)
_UPGRADE: Final = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
_SAID_AS: Final = b"GET"
_KNOWN: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
"""Those that routes have, and the parser takes as any other."""


class NotHttp11(Exception):
    """The head breaks a rule of RFC 9112 that the parser does not know."""


class Head(NamedTuple):
    """The head of a request, and what was read beyond it."""

    text: bytes
    """As the parser is to get it."""
    rest: bytes
    method: str | None
    """Where the text names another."""


def parted(data: bytes, *, looked_at: int = 0) -> Head | None:
    """Return the head that bytes begin with, or all of them where they begin no request; None while it has no end.

    `looked_at` bytes were seen before, and had none.
    """
    end = _HEAD_END.search(data, max(0, looked_at - 2))
    if end is None:
        # What begins with no method is no HTTP (TLS, for one), and its end is not waited for.
        return None if _may_begin_request(data) else Head(data, b"", None)
    text, rest = _without_upgrade(data[: end.end()]), data[end.end() :]
    token = _TOKEN.match(text)
    if token is None or (method := token.group()[:-1]) in _KNOWN:
        return Head(text, rest, None)
    # The parser refuses a method that is not in its list, and takes a few as the beginning of something else.
    return Head(_SAID_AS + text[len(method) :], rest, method.decode())


def target_in_origin_form(target: bytes) -> tuple[bytes, bytes | None]:
    """Return path and query of a request's target, and the host that it names, if it does; NotHttp11."""
    if target == b"*":
        return target, None
    try:
        parts = urlsplit(target)
    except ValueError as error:
        raise NotHttp11 from error
    # RFC 9110 section 4.2.4: who names a user there wants a host to be taken for another.
    if parts.scheme.lower() not in (b"http", b"https") or not parts.netloc or b"@" in parts.netloc:
        raise NotHttp11
    return (parts.path or b"/") + (b"?" + parts.query if parts.query else b""), parts.netloc


def _may_begin_request(data: bytes) -> bool:
    return not data or _TOKEN.match(data[: MAX_METHOD_LENGTH + 1] + b" ") is not None


def _without_upgrade(head: bytes) -> bytes:
    """Return a head that offers another protocol as one that does not.

    The parser takes what follows such an offer for that protocol, and with it the body of the request. Who offers one
    (Java's client does, HTTP/2) is to be served without (RFC 9110 section 7.8).
    """
    return head if _UPGRADE.search(head) is None else _UPGRADE.sub(b"\r\nx-upgrade:", head)

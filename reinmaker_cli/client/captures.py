"""A captured webhook request, as a file holds it -> headers and the exact body.

Two forms: the raw text of the request (request line or not, headers, an empty line, body), and JSON with `headers` and
`body`, as serverless platforms log it (`isBase64Encoded` where the body is not text).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError

MAX_CAPTURE_BYTES: Final = 8 * 1024 * 1024

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_REQUEST_LINE = re.compile(rb"[A-Z]{3,10} \S+(?: HTTP/[0-9.]+)?\Z")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*?)[ \t]*\Z")


@dataclass(frozen=True, slots=True)
class Capture:
    """A request that somebody kept."""

    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)


def parse_capture(raw: bytes) -> Capture:
    """Return the request in a file. UsageError `capture-unreadable` says what is missing."""
    if raw.lstrip().startswith(b"{"):
        return _from_json(raw)
    head = _END_OF_HEAD.search(raw)
    if head is None:
        raise _unreadable("no empty line between headers and body")
    lines = raw[: head.start()].strip().splitlines()
    if lines and _REQUEST_LINE.match(lines[0]):
        del lines[0]
    headers: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _HEADER.match(line)
        if match is None:
            raise _unreadable(f"line {number} of the headers is not `name: value`")
        _add(headers, match[1].decode("ascii"), match[2].decode("latin-1"))
    return Capture(headers, _cut(raw[head.end() :], headers))


def _from_json(raw: bytes) -> Capture:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _unreadable("neither headers nor JSON") from error
    given, body = document.get("headers"), document.get("body")
    if not isinstance(given, dict):
        raise _unreadable("the JSON has no object `headers`")
    if not isinstance(body, str):
        raise _unreadable("`body` must be the exact text that was received, as one JSON string")
    headers: dict[str, str] = {}
    for name, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            _add(headers, name, str(one))
    return Capture(headers, _decoded(body, document))


def _decoded(body: str, document: Mapping[str, Any]) -> bytes:
    if document.get("isBase64Encoded") is not True:
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _unreadable("`isBase64Encoded` is true and `body` is not base64") from error


def _add(headers: dict[str, str], name: str, value: str) -> None:
    """Add a header; one that stands twice is one with both values, and signatures have spaces between."""
    lower = name.lower()
    headers[lower] = f"{headers[lower]} {value}" if lower in headers else value


def _cut(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return the body up to its length: editors add a line end, and the signature is not over that."""
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and len(length) < 10:
        return body[: int(length)]
    return body


def _unreadable(why: str) -> UsageError:
    return UsageError(
        f"not a captured request: {why}", code=codes.CAPTURE_UNREADABLE, hint=codes.CAPTURE_UNREADABLE.cure
    )

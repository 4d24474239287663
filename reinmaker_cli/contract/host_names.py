"""Host names that are not in ASCII: taken nowhere as they are, for two that look alike may be two hosts."""

from __future__ import annotations

import re
from typing import Final

_HOST: Final = re.compile(r"[^/?#]*://(?:[^/?#@]*@)?([^/?#:]*)")
# RFC 5892 has labels for these four, and the older rules that Python knows (RFC 3490) read something else into them.
_READ_DIFFERENTLY: Final = frozenset("ßς\u200c\u200d")


def hint_for_host(host: str) -> str:
    """Return what to do about a host name that is not in ASCII; nothing where it is."""
    if host.isascii():
        return ""
    try:
        label = "" if _READ_DIFFERENTLY & set(host) else host.encode("idna").decode("ascii")
    except UnicodeError:
        label = ""
    return f"write the host as DNS has it: `{label or 'xn--…'}`"


def hint_for_host_of(url: str) -> str:
    """Return the same for the host of a URL."""
    host = _HOST.match(url)
    return hint_for_host(host[1]) if host else ""

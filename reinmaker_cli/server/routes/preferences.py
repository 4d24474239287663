"""What a caller prefers and already has: `Prefer: wait` (RFC 7240) and `If-None-Match` (RFC 9110)."""

from __future__ import annotations

import re

from starlette.requests import Request

from reinmaker_cli.contract.names import MAX_PREFER_WAIT_S

_WAIT = re.compile(r'wait\s*=\s*"?0*([0-9]+)"?', re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?("[^"]*")')


def preferred_wait(request: Request) -> int | None:
    """Return the seconds of `Prefer: wait=N`, at most 30; None where there is none that can be read.

    RFC 7240 section 2: the first of several counts, and what cannot be read is ignored.
    """
    for field in request.headers.getlist("prefer"):
        for preference in field.split(","):
            if match := _WAIT.fullmatch(preference.partition(";")[0].strip()):
                return min(int(match[1][:9]), MAX_PREFER_WAIT_S)
    return None


def waited(seconds: int | None) -> dict[str, str]:
    """Return the `Preference-Applied` field for what was used."""
    return {} if seconds is None else {"Preference-Applied": f"wait={seconds}"}


def is_known(request: Request, etag: str) -> bool:
    """Return whether `If-None-Match` names this ETag; weak comparison, RFC 9110 section 13.1.2."""
    given = ", ".join(request.headers.getlist("if-none-match"))
    return given.strip() == "*" or etag in _ETAG.findall(given)

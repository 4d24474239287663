"""What a caller prefers and already has: `Prefer: wait` (RFC 7240) and `If-None-Match` (RFC 9110)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from reinmaker_cli.contract.names import MAX_PREFER_WAIT_S
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.routes.fields import field_of

_WAIT = re.compile(r'wait\s*=\s*"?0*([0-9]+)"?', re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?("[^"]*")')


def preferred_wait(request: Request) -> int | None:
    """Return the seconds of `Prefer: wait=N`, at most 30; None where there is none that can be read.

    RFC 7240 section 2: the first of several counts, and what cannot be read is ignored.
    """
    if field_of(request.scope, b"prefer") is None:
        return None
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
    if field_of(request.scope, b"if-none-match") is None:
        return False
    given = ", ".join(request.headers.getlist("if-none-match"))
    return given.strip() == "*" or etag in _ETAG.findall(given)


async def answer_when_changed(
    request: Request, changes: Changes, news: str, look: Callable[[], Awaitable[dict[str, Any]]]
) -> Response:
    """Answer with a document and its ETag; with If-None-Match and `Prefer: wait`, once it is another one."""

    async def encoded() -> bytes:
        return json.dumps(await look(), ensure_ascii=False, separators=(",", ":")).encode()

    return await answer_when_other(request, changes, (news,), encoded, "application/json")


async def answer_when_other(
    request: Request,
    changes: Changes,
    news: Sequence[str],
    look: Callable[[], Awaitable[bytes]],
    media_type: str,
    fields: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """Answer with bytes and their ETag; with If-None-Match and `Prefer: wait`, once there are others."""
    wait_s = preferred_wait(request)

    async def tagged() -> tuple[bytes, str]:
        text = await look()
        return text, f'"{hashlib.sha256(text).hexdigest()[:32]}"'

    def is_another(latest: tuple[bytes, str]) -> bool:
        return not is_known(request, latest[1])

    text, etag = await tagged()
    if wait_s is not None and is_known(request, etag):
        text, etag = await changes.wait_for_any(news, tagged, is_another, timeout_s=wait_s)
    headers = {"ETag": etag, "Cache-Control": "no-cache", **fields, **waited(wait_s)}
    if is_known(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(text, headers=headers, media_type=media_type)

"""Request bodies: read within their limits, inflated, and large ones only two at a time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request

from reinmaker_cli.contract import codes
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.workers import LARGE_BODY_BYTES

LARGE_AT_ONCE = 2
BUSY_RETRY_AFTER_S = 2  # about what examining 28 MB takes
_INFLATE_STEP = 1024 * 1024  # inflated bytes between two looks at the limit: a bomb grows a thousandfold


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it was meant: inflated, within its limit."""

    content: bytearray
    is_large: bool
    """True above 1 MiB: to be examined in a worker process."""


class Bodies:
    """Reads bodies, and keeps count of the large ones in hand."""

    def __init__(self) -> None:
        self._large_in_hand = 0

    @asynccontextmanager
    async def receive(self, request: Request, *, limit: int) -> AsyncIterator[Body]:
        """Yield the JSON body of the request; ApiProblem 413, 415, 400 or 503 otherwise.

        A large body counts as in hand until the block is left.
        """
        is_gzip = _check_headers(request, limit)
        content = bytearray()
        holds_place = False
        try:
            async for piece in _inflated(request, limit) if is_gzip else request.stream():
                content += piece
                if len(content) > limit:
                    raise _too_large(limit)
                if len(content) > LARGE_BODY_BYTES and not holds_place:
                    self._take_place()
                    holds_place = True
            yield Body(content, holds_place)
        finally:
            if holds_place:
                self._large_in_hand -= 1

    def _take_place(self) -> None:
        if self._large_in_hand >= LARGE_AT_ONCE:
            raise ApiProblem(
                codes.SERVER_BUSY,
                f"{LARGE_AT_ONCE} bodies above {LARGE_BODY_BYTES} bytes are in hand",
                headers={"Retry-After": str(BUSY_RETRY_AFTER_S)},
            )
        self._large_in_hand += 1


def _check_headers(request: Request, limit: int) -> bool:
    """Refuse what the header fields alone say, before a byte is read; return whether the body is gzip."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiProblem(codes.MEDIA_TYPE_UNSUPPORTED, f"Content-Type is `{media_type[:100]}`, not application/json")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise ApiProblem(
            codes.MEDIA_TYPE_UNSUPPORTED,
            f"Content-Encoding is `{encoding[:100]}`, not gzip",
            headers={"Accept-Encoding": "gzip, identity"},  # RFC 7694 section 3
        )
    return encoding != "identity"


async def _inflated(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Yield the inflated body. RFC 1952: one member is taken, and nothing may follow it."""
    inflater = zlib.decompressobj(wbits=31)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limit:
            raise _too_large(limit)
        if inflater.eof and chunk:
            raise ApiProblem(codes.BAD_REQUEST, "bytes after the end of the gzip member")
        try:
            for piece in _steps(inflater, chunk):
                yield piece
                await asyncio.sleep(0)
        except zlib.error as error:
            raise ApiProblem(codes.BAD_REQUEST, f"not gzip: {error}") from error
    if not inflater.eof:
        raise ApiProblem(codes.BAD_REQUEST, "the gzip body ends early")


def _steps(inflater: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    while chunk:
        yield inflater.decompress(chunk, _INFLATE_STEP)
        if inflater.unused_data:
            raise ApiProblem(codes.BAD_REQUEST, "bytes after the end of the gzip member")
        chunk = inflater.unconsumed_tail


def _too_large(limit: int) -> ApiProblem:
    return ApiProblem(codes.BODY_TOO_LARGE, f"the body has more than {limit} bytes")

"""Connections to receivers, kept for a while: each is used by one request at a time.

httpcore's own pool looks at all its connections and takes several locks for each request and each answer, because
requests may wait in it for a connection. Here none ever waits: where none is free, one is made.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpcore

IDLE_S: Final = 2.0
"""How long an unused connection is kept: servers close theirs after 5 s and more, so a POST never meets the closing."""
MAX_AGE_S: Final = 60.0
"""How long a busy connection is kept: then the name is looked up again, and its address checked."""
MAX_IDLE: Final = 100

Connect = Callable[[httpcore.Origin, float], httpcore.AsyncHTTPConnection]
"""Origin, seconds to be kept -> a connection that is made with its first request."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A connection, and when it was made, in monotonic seconds."""

    connection: httpcore.AsyncHTTPConnection
    made_s: float


class KeptConnections:
    """Connections to any number of origins. Lives on one event loop."""

    def __init__(self, connect: Connect, monotonic: Callable[[], float]) -> None:
        self._connect, self._monotonic = connect, monotonic
        self._idle: list[_Kept] = []
        """In the order in which they became idle."""

    @asynccontextmanager
    async def answer(self, request: httpcore.Request) -> AsyncIterator[httpcore.Response]:
        """Yield the answer to a request; its connection is kept where the answer was read to its end."""
        kept = await self._free(request.url.origin)
        if kept is None:
            kept = _Kept(self._connect(request.url.origin, IDLE_S), self._monotonic())
        connection = kept.connection
        try:
            response = await connection.handle_async_request(request)
            try:
                yield response
            finally:
                await response.aclose()
        finally:
            if connection.is_idle() and not connection.is_closed() and len(self._idle) < MAX_IDLE:
                self._idle.append(kept)
            elif not connection.is_closed():
                await connection.aclose()

    async def close(self) -> None:
        """Close those that nobody uses."""
        while self._idle:
            await self._idle.pop().connection.aclose()

    async def _free(self, origin: httpcore.Origin) -> _Kept | None:
        """Return the connection that was used last, and close those that are too old or that the other end closed."""
        while self._idle and self._is_over(self._idle[0]):
            await self._idle.pop(0).connection.aclose()
        while (kept := self._taken(origin)) is not None:
            if not self._is_over(kept):
                return kept
            await kept.connection.aclose()
        return None

    def _is_over(self, kept: _Kept) -> bool:
        return kept.connection.has_expired() or self._monotonic() - kept.made_s >= MAX_AGE_S

    def _taken(self, origin: httpcore.Origin) -> _Kept | None:
        for place in reversed(range(len(self._idle))):
            if self._idle[place].connection.can_handle_request(origin):
                return self._idle.pop(place)
        return None

"""How far the turns of the deliveries have come, and who waits for that. Lives on their event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class TurnFailed(Exception):
    """What is due could not be done; the log says why, and it is tried again."""


class DeliveriesStopped(Exception):
    """Nothing is delivered any more: the server is stopping, or its database is about to be another."""


class Turns:
    """How far the turns have come, and who waits for that."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        """The number of the last turn that ended well."""
        self.failed = 0
        self.has_chores = False
        """There was more to do than one turn does."""
        self.is_stopped = True
        self._awaited = 0
        self._news = asyncio.Condition()

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for all that is due to be done."""
        return self._awaited > 0

    def has_ended_since(self, ended: int) -> bool:
        """Return whether another turn has ended."""
        return self.ended > ended

    async def tell(self) -> None:
        """Let those who wait look again."""
        async with self._news:
            self._news.notify_all()

    async def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Return when it is so; DeliveriesStopped where there are no more turns, TurnFailed where one fails."""
        failed = self.failed
        self._awaited += 1
        try:
            async with self._news:
                await self._news.wait_for(lambda: self.is_stopped or self.failed > failed or is_so())
        finally:
            self._awaited -= 1
        if self.is_stopped:
            raise DeliveriesStopped
        if self.failed > failed:
            raise TurnFailed

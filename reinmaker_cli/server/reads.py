"""Reads of the store, answered from memory for as long as nobody wrote: who asks again and again costs no query.

The store says with a number whether anything was committed, by whomever; what was read before is then forgotten, all of
it. A store that cannot say so is asked each time. Lives on the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from reinmaker_cli.server.threads import Threads

T = TypeVar("T")

CAPACITY: Final = 256
"""Answers; with the first 100 errors of a manifest in it, one takes up to 50 KB."""


class Unknown:
    """Memory does not say; it may well know that there is nothing."""


UNKNOWN: Final = Unknown()


class Reads:
    """The reads that may be answered from memory."""

    def __init__(self, threads: Threads, revision: Callable[[], int | None]) -> None:
        self._threads, self._revision = threads, revision
        self._loop = asyncio.get_running_loop()
        self._found: dict[Hashable, Any] = {}
        self._found_at: int | None = None
        self._is_fresh = False
        """Whether the revision was asked for in this turn of the loop."""

    async def read(self, function: Callable[..., T], *args: Hashable) -> T:
        """Return what the function reads from the store now; it must read all of it in one transaction."""
        known = self.known(function, *args)
        if not isinstance(known, Unknown):
            return known
        found = self._found
        read = await self._threads.read(function, *args)
        if self._found_at is not None:
            # What was committed since the revision was asked for may be in it, and then the next look forgets it.
            found[function, args] = read
        return read

    def known(self, function: Callable[..., T], *args: Hashable) -> T | Unknown:
        """Return what the function would read now, where that is known without asking the store."""
        if not self._is_fresh or len(self._found) >= CAPACITY:
            self._ask()
        known: T | Unknown = self._found.get((function, args), UNKNOWN)
        return known

    def _ask(self) -> None:
        revision = self._revision()
        if revision != self._found_at or len(self._found) >= CAPACITY:
            self._found, self._found_at = {}, revision
        if revision is not None and not self._is_fresh:
            # Whoever asks in the same turn has asked before it could hear of a later commit: what is told to anybody
            # goes out when the turn ends.
            self._is_fresh = True
            self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._is_fresh = False

"""The journal where several processes answer: each gathers what it has seen and writes it down a few times a second.

Whoever looks lets all of them write first, so that a request that was answered anywhere is there. As in memory, nothing
of it survives the last process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from reinmaker_cli.server.access_log import SERVER_LOG
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.clock import Clock
from reinmaker_cli.server.journal import CAPACITY, NEWS, TOUCHED_AT_ONCE, Counted, Entry, Journal, Page
from reinmaker_cli.server.store.database import DatabaseUnreachable, WriteConflict
from reinmaker_cli.server.store.requests import Requests
from reinmaker_cli.server.threads import Threads

WRITE_EVERY_S: Final = 0.25
READ_AT_ONCE: Final = 1000


class SharedJournal(Journal):
    """The last requests that any process answered."""

    def __init__(
        self, clock: Clock, changes: Changes, kept: Requests, threads: Threads, others: Callable[[], Awaitable[None]]
    ) -> None:
        """`others` returns when all processes have written what they had."""
        super().__init__(clock, changes)
        self._kept, self._threads, self._others = kept, threads, others
        self._new: list[dict[str, Any]] = []
        self._touched: dict[str, int] = {}
        self._counted = 0
        self._writing = asyncio.Lock()
        self._timer: asyncio.Task[None] | None = None
        self._is_closed = False

    def touch(self, trace_id: str) -> None:
        """Say that there is news of what the requests with this trace id caused."""
        self._touched[trace_id] = 1
        self._write_soon()

    async def begin(self, delivered: int, dead_letters: int) -> None:
        """Count from now, unless another process counts already."""
        await self._threads.write(self._kept.begin, delivered, dead_letters)

    async def counted(self) -> Counted:
        """Return how much was asked of all processes."""
        await self._others()
        state = await self._threads.write(self._kept.state)
        return Counted(state.epoch, state.requests, state.delivered, state.dead_letters)

    async def look(self, matches: Callable[[Entry], bool], *, after: int | None, limit: int) -> Page:
        """Return entries as `entries`, of all processes."""
        await self._others()
        state = await self._threads.write(self._kept.state)
        found = await self._threads.read(self._find, matches, after, limit)
        is_whole = after is None or len(found) < limit
        revision = state.revision if is_whole else found[-1].revision
        return Page(found, revision, max(1, state.last_no - CAPACITY + 1), state.epoch)

    async def write(self) -> None:
        """Write down what there is, in the order in which it was answered."""
        async with self._writing:
            rows, touched, counted = self._new, self._touched, self._counted
            if not rows and not touched:
                return
            self._new, self._touched, self._counted = [], {}, 0
            try:
                add = self._kept.add
                await self._threads.write(add, rows, touched, counted, capacity=CAPACITY, most=TOUCHED_AT_ONCE)
            except (DatabaseUnreachable, WriteConflict):
                SERVER_LOG.info("the journal waits for the database")
                self._new = (rows + self._new)[-CAPACITY:]
                self._touched, self._counted = touched | self._touched, counted + self._counted
                return
        self._changes.announce(NEWS)

    async def close(self) -> None:
        """Write down the last of it; what is answered after this, cut short by the end, is in no journal."""
        self._is_closed = True
        await self.write()
        if self._timer is not None:
            self._timer.cancel()

    def _append(self, *values: Any, is_mark: bool = False) -> None:
        names = ("method", "route", "status", "ms", "trace_id", "client_id", "code")
        self._new.append({**dict(zip(names, values, strict=True)), "at": self._clock.now(), "is_mark": is_mark})
        self._counted, self.requests = self._counted + self.requests, 0
        self._write_soon()

    def _write_soon(self) -> None:
        if not self._is_closed and (self._timer is None or self._timer.done()):
            self._timer = asyncio.create_task(self._write_later())

    async def _write_later(self) -> None:
        await asyncio.sleep(WRITE_EVERY_S)
        await self.write()

    def _find(self, matches: Callable[[Entry], bool], after: int | None, limit: int) -> list[Entry]:
        found: list[Entry] = []
        before_no: int | None = None
        while len(found) < limit:
            rows = self._kept.entries(after=after, before_no=before_no, limit=READ_AT_ONCE)
            entries = [Entry(**row) for row in rows]
            found += [entry for entry in entries if matches(entry)][: limit - len(found)]
            if len(rows) < READ_AT_ONCE:
                break
            after, before_no = (entries[-1].revision, None) if after is not None else (None, entries[-1].no)
        return found if after is not None else found[::-1]

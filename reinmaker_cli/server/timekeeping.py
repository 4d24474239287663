"""The server's clock as it is moved, forward only; what it was set to is in the database and survives a restart."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from reinmaker_cli.server.clock import MovableClock, VirtualClock, WallClock, rfc3339
from reinmaker_cli.server.config import ClockMode
from reinmaker_cli.server.store.facts import UNMOVED, Facts
from reinmaker_cli.server.threads import Threads

LATEST_S: Final = 253_370_764_800
"""9999-01-01: the ends of tokens and secrets are still times that can be written."""

RealTime = Callable[[], float]


class NotForward(Exception):
    """The clock cannot be moved to that time."""


class ClockLost(Exception):
    """Another process has moved the clock in the middle of a move: the lock went with the connection that held it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The clock at one moment."""

    mode: ClockMode
    now: float
    """Unix seconds."""
    ahead_s: float
    """How far it is ahead of real time, in seconds; below 0 it is behind."""
    etag: str
    """Another one after each move."""


class Agenda(Protocol):
    """What the clock makes due."""

    async def settle(self) -> None:
        """Return when all that is due by now was done."""
        ...

    async def next_due(self) -> float | None:
        """Return when the next is due, in Unix seconds of the clock; None where nothing is."""
        ...


class Others(Protocol):
    """The other processes on the same database."""

    def alone(self, name: str) -> AbstractAsyncContextManager[None]:
        """Be the only one that does this, in all processes, for as long as the database is connected."""
        ...

    async def tell_state(self) -> None:
        """Return when all have loaded anew what they have in memory."""
        ...


class Timekeeper:
    """The one who moves the clock, one move at a time, from due instant to due instant.

    So what follows from what, such as a retry of a retry, happens at its own instant, however far the clock is moved.
    """

    def __init__(
        self,
        clock: MovableClock,
        facts: Facts,
        threads: Threads,
        agenda: Agenda,
        real_time: RealTime = time.time,
        others: Others | None = None,
    ) -> None:
        """`others` are the processes that have the same clock, in the database and each in its memory."""
        self._others = others
        self._clock, self._facts, self._threads, self._agenda = clock, facts, threads, agenda
        self._real_time = real_time
        self._moving = asyncio.Lock()
        self._putting = asyncio.Lock()
        """Held from when the database is asked or told what the clock is set to until it is set to that."""

    def look(self) -> Reading:
        """Return the clock as it is now."""
        mode, setting, now = self._clock.mode, self._clock.setting, self._clock.now()
        etag = f'"{hashlib.sha256(_text(mode, setting).encode()).hexdigest()[:32]}"'
        ahead_s = setting if mode == "wall" else now - self._real_time()
        return Reading(mode, now, round(ahead_s, 3), etag)

    async def advance(self, seconds: float) -> Reading:
        """Move the clock forward by so many seconds, beside the time that passes by itself; NotForward, ClockLost."""
        async with self.standing_still():
            setting = self._clock.setting + seconds
            return await self._move(lambda: setting - self._clock.setting)

    async def set_to(self, unix_s: float) -> Reading:
        """Move the clock forward to a time; NotForward, ClockLost."""
        async with self.standing_still():
            return await self._move(lambda: unix_s - self._clock.now())

    @asynccontextmanager
    async def standing_still(self) -> AsyncIterator[None]:
        """Let nobody move the clock until the block is left."""
        async with self._moving:
            if self._others is None:
                yield
                return
            async with self._others.alone("clock"):
                await self.follow()
                yield

    def kept_text(self) -> str:
        """Return what the clock is set to, as the database keeps it."""
        return _text(self._clock.mode, self._clock.setting)

    async def follow(self) -> None:
        """Set the clock to what another process has set it to; one that stands still is of one process alone."""
        if self._clock.mode == "wall":
            async with self._putting:
                await self._threads.read(self.reload)

    def reload(self) -> Reading:
        """Set the clock to what the database says, also back: another state was put into it. Blocks."""
        self._clock.put(_kept_setting(self._facts, self._clock.mode, self._real_time))
        return self.look()

    async def _move(self, left_s: Callable[[], float]) -> Reading:
        """Move the clock until nothing is `left_s`."""
        if left_s() < 0:
            raise NotForward(f"the clock moves forward only, and it is {rfc3339(self._clock.now())}")
        if self._clock.now() + left_s() >= LATEST_S:
            raise NotForward("the clock stays before the year 9999")
        await self._agenda.settle()
        while (due := await self._agenda.next_due()) is not None and due - self._clock.now() <= left_s():
            await self._step(due - self._clock.now())
            await self._agenda.settle()
        await self._step(left_s())
        return self.look()

    async def _step(self, seconds: float) -> None:
        if seconds <= 0:  # time has passed by itself
            return
        async with self._putting:
            await self._keep_and_put(seconds)
        if self._others is not None:
            await self._others.tell_state()

    async def _keep_and_put(self, seconds: float) -> None:
        # Kept first: what has happened at a time must not be in the future after a restart.
        mode, setting = self._clock.mode, self._clock.setting + seconds
        if self._others is None or mode == "virtual":  # which is of one process alone
            await self._threads.write(self._facts.keep_clock, _text(mode, setting))
        else:
            known = _text(mode, self._clock.setting)
            if not await self._threads.write(self._facts.move_clock, _text(mode, setting), known=known):
                raise ClockLost("the clock was moved elsewhere, and not from here; see where it is, and move it again")
        self._clock.put(setting)


def resume_clock(facts: Facts, mode: ClockMode, real_time: RealTime = time.time) -> MovableClock:
    """Return the clock of an earlier run, or a new one that shows real time."""
    setting = _kept_setting(facts, mode, real_time)
    return WallClock(setting) if mode == "wall" else VirtualClock(setting)


def _kept_setting(facts: Facts, mode: ClockMode, real_time: RealTime) -> float:
    """Return what a clock of this mode is to be set to, by what was kept; that is kept from now on.

    With another mode than before, time goes on from where it was: it never goes back.
    """
    kept = facts.clock()
    kept_mode, _, kept_text = (kept or UNMOVED).partition(" ")
    setting, real_s = float(kept_text), real_time()
    if mode != kept_mode:
        # Virtual from a whole second: times that stand still are read and compared.
        setting = max(0.0, setting - real_s) if mode == "wall" else float(math.ceil(real_s + setting))
    text = _text(mode, setting)
    if text != (kept or UNMOVED):
        facts.keep_clock(text)
    return setting


def _text(mode: ClockMode, setting: float) -> str:
    return f"{mode} {setting!r}"

"""The server's clock as it is moved, forward only; what it was set to is in the database and survives a restart."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from reinmaker_cli.server.clock import MovableClock, VirtualClock, WallClock, rfc3339
from reinmaker_cli.server.config import ClockMode
from reinmaker_cli.server.store.facts import Facts

LATEST_S: Final = 253_370_764_800
"""9999-01-01: the ends of tokens and secrets are still times that can be written."""

RealTime = Callable[[], float]


class NotForward(Exception):
    """The clock cannot be moved to that time."""


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


class Timekeeper:
    """The one who moves the clock. Moves block, and are made one at a time: in the thread that writes."""

    def __init__(self, clock: MovableClock, facts: Facts, real_time: RealTime = time.time) -> None:
        self._clock, self._facts, self._real_time = clock, facts, real_time

    def look(self) -> Reading:
        """Return the clock as it is now."""
        now, text = self._clock.now(), _text(self._clock.mode, self._clock.setting)
        etag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
        return Reading(self._clock.mode, now, round(now - self._real_time(), 3), etag)

    def advance(self, seconds: float) -> Reading:
        """Move the clock forward by so many seconds."""
        return self._move(seconds)

    def set_to(self, unix_s: float) -> Reading:
        """Move the clock forward to a time."""
        return self._move(unix_s - self._clock.now())

    def kept_text(self) -> str:
        """Return what the clock is set to, as the database keeps it."""
        return _text(self._clock.mode, self._clock.setting)

    def reload(self) -> Reading:
        """Set the clock to what the database says, also back: another state was put into it. Blocks."""
        self._clock.put(_kept_setting(self._facts, self._clock.mode, self._real_time))
        return self.look()

    def _move(self, seconds: float) -> Reading:
        if seconds < 0:
            raise NotForward(f"the clock moves forward only, and it is {rfc3339(self._clock.now())}")
        if self._clock.now() + seconds >= LATEST_S:
            raise NotForward("the clock stays before the year 9999")
        # Kept first: what has happened at a time must not be in the future after a restart.
        self._facts.keep_clock(_text(self._clock.mode, self._clock.setting + seconds))
        self._clock.advance(seconds)
        return self.look()


def resume_clock(facts: Facts, mode: ClockMode, real_time: RealTime = time.time) -> MovableClock:
    """Return the clock of an earlier run, or a new one that shows real time."""
    setting = _kept_setting(facts, mode, real_time)
    return WallClock(setting) if mode == "wall" else VirtualClock(setting)


def _kept_setting(facts: Facts, mode: ClockMode, real_time: RealTime) -> float:
    """Return what a clock of this mode is to be set to, by what was kept; that is kept from now on.

    With another mode than before, time goes on from where it was: it never goes back.
    """
    kept = facts.clock()
    kept_mode, _, kept_text = (kept or "wall 0.0").partition(" ")
    setting, real_s = float(kept_text), real_time()
    if mode != kept_mode:
        # Virtual from a whole second: times that stand still are read and compared.
        setting = max(0.0, setting - real_s) if mode == "wall" else float(math.ceil(real_s + setting))
    text = _text(mode, setting)
    if text != (kept or "wall 0.0"):
        facts.keep_clock(text)
    return setting


def _text(mode: ClockMode, setting: float) -> str:
    return f"{mode} {setting!r}"

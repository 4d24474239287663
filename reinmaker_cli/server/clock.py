"""The one clock under tokens, secret ages and time stamps: every time that the server writes or compares comes from it.

Waiting (`Prefer: wait`, time limits of sockets) is real monotonic time and never asks this clock.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

from reinmaker_cli.server.config import ClockMode

DAY_S = 86_400


class Clock(Protocol):
    """What the server asks for the time; picklable, so that a worker process reads the same clock."""

    def now(self) -> float:
        """Return the time in Unix seconds."""
        ...


class MovableClock(Clock, Protocol):
    """A clock that is moved forward."""

    @property
    def mode(self) -> ClockMode:
        """How time passes by itself."""
        ...

    @property
    def setting(self) -> float:
        """What the clock was set to, in seconds; it changes when the clock is moved and at no other time."""
        ...

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        ...

    def put(self, setting: float) -> None:
        """Set it to what `setting` was, also back: for a snapshot that is restored."""
        ...


class WallClock:
    """Real time plus an offset in seconds, which is its setting."""

    mode: ClockMode = "wall"

    def __init__(self, offset_s: float = 0.0) -> None:
        self.setting = offset_s

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return time.time() + self.setting

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        _require_forward(seconds)
        self.setting += seconds

    def put(self, setting: float) -> None:
        """Set the offset, also to less than it is."""
        self.setting = setting


class VirtualClock:
    """A clock that stands still until it is moved; its setting is the time."""

    mode: ClockMode = "virtual"

    def __init__(self, start_s: float) -> None:
        self.setting = start_s

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return self.setting

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        _require_forward(seconds)
        self.setting += seconds

    def put(self, setting: float) -> None:
        """Set the time, also to an earlier one."""
        self.setting = setting


def _require_forward(seconds: float) -> None:
    if seconds < 0:
        raise ValueError(f"the clock moves forward only: `{seconds}`")


def rfc3339(unix_s: float) -> str:
    """Return the time as RFC 3339 UTC with milliseconds and `Z`, as all times on the wire are written."""
    # Not strftime: its %Y has no leading zeros.
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def unix_time(utc: str) -> float:
    """Return an RFC 3339 time with `Z` in Unix seconds; a leap second, :60, is the second after :59."""
    minute = datetime.fromisoformat(utc[:16]).replace(tzinfo=UTC)
    return minute.timestamp() + float(utc[17:-1])

"""The one clock under tokens, secret ages and time stamps: every time that the server writes or compares comes from it.

Waiting (`Prefer: wait`, time limits of sockets) is real monotonic time and never asks this clock.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

DAY_S = 86_400


class Clock(Protocol):
    """What the server asks for the time; picklable, so that a worker process reads the same clock."""

    def now(self) -> float:
        """Return the time in Unix seconds."""
        ...


class WallClock:
    """Real time plus an offset in seconds."""

    def __init__(self, offset_s: float = 0.0) -> None:
        self.offset_s = offset_s

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return time.time() + self.offset_s


class VirtualClock:
    """A clock that stands still until it is moved, forward only."""

    def __init__(self, start_s: float) -> None:
        self._now_s = start_s

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        if seconds < 0:
            raise ValueError(f"the clock moves forward only: `{seconds}`")
        self._now_s += seconds


def rfc3339(unix_s: float) -> str:
    """Return the time as RFC 3339 UTC with milliseconds and `Z`, as all times on the wire are written."""
    # Not strftime: its %Y has no leading zeros.
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

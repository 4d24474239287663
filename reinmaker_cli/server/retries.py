"""What comes after an attempt to deliver: done, once more and when, or given up. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, Literal

GONE: Final = 410
_BUSY: Final = frozenset({429, 503})

Failure = Literal["dns", "address-refused", "connect", "tls", "timeout", "connection-broken"]


@dataclass(frozen=True, slots=True)
class Answered:
    """The receiver answered, and the answer was read in time."""

    status: int
    retry_after_s: float | None = None
    """What `Retry-After` asks for, in seconds from the end of the attempt."""


@dataclass(frozen=True, slots=True)
class Failed:
    """There was no complete answer."""

    failure: Failure
    detail: str


Outcome = Answered | Failed


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Not delivered; to be tried again at this time of the server's clock."""

    at: float


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Given up."""

    reason: str
    disables_endpoint: bool = False
    """The receiver said that it is gone for good."""


Decision = Delivered | RetryAt | DeadLetter


@dataclass(frozen=True, slots=True)
class Schedule:
    """When failed attempts are repeated."""

    delays_s: tuple[float, ...] = (30, 120, 600, 3600, 21_600)
    """After the end of the first, the second, … attempt; when all are used up, that was the last one."""
    max_attempts: int | None = None
    """At most so many attempts, however many delays there are."""

    def delay_after(self, attempt: int) -> float | None:
        """Return the seconds to wait after this attempt, counted from 1; None after the last."""
        is_last = attempt > len(self.delays_s) or (self.max_attempts is not None and attempt >= self.max_attempts)
        return None if is_last else self.delays_s[attempt - 1]


CONTRACT_SCHEDULE: Final = Schedule()
"""The draft's five delays, read as five retries: six attempts."""


def decide(outcome: Outcome, attempt: int, now: float, schedule: Schedule = CONTRACT_SCHEDULE) -> Decision:
    """Return what follows from the outcome of an attempt (counted from 1) that ended `now`, by the server's clock."""
    if isinstance(outcome, Answered) and 200 <= outcome.status < 300:
        return Delivered()
    if isinstance(outcome, Answered) and outcome.status == GONE:
        return DeadLetter(reason_of(outcome), disables_endpoint=True)
    delay_s = schedule.delay_after(attempt)
    if delay_s is None:
        return DeadLetter(reason_of(outcome))
    if isinstance(outcome, Answered) and outcome.status in _BUSY and outcome.retry_after_s is not None:
        # At most twice the delay: "Retry-After: 86400" must not hold a delivery for a day.
        delay_s = min(max(delay_s, outcome.retry_after_s), 2 * delay_s)
    return RetryAt(now + delay_s)


def reason_of(outcome: Outcome) -> str:
    """Return an outcome in words."""
    return f"HTTP {outcome.status}" if isinstance(outcome, Answered) else outcome.detail


def retry_after_seconds(value: str, real_now: float) -> float | None:
    """Return what a `Retry-After` field asks for in seconds, None where it cannot be read.

    RFC 9110 section 10.2.3: seconds, or a date, which the receiver wrote by real time.
    """
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        seconds = parsedate_to_datetime(text).timestamp() - real_now
    except (ValueError, OverflowError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None

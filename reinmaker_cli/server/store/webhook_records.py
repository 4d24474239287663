"""Deliveries as the store gives and takes them: the steps of an attempt are types that only the step before makes.

`Claimed` is made by `Deliveries.turn`, `Sent` by `sending.py` from a `Claimed`, and `turn` records a `Sent`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from reinmaker_cli.contract.names import EventType
from reinmaker_cli.server.retries import Outcome

DeliveryStatus = Literal["open", "delivered", "dead"]
AttemptKind = Literal["scheduled", "resend"]


@dataclass(frozen=True, slots=True)
class Claimed:
    """The right to make one attempt, until the lease ends or somebody claims it again."""

    no: int
    delivery_id: str
    event_id: str
    type: EventType
    trace_id: str
    endpoint_no: int
    url: str = field(repr=False)
    body: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """Those that sign now, newest first."""
    attempt: int
    """Counted from 1."""
    kind: AttemptKind
    fence: int


@dataclass(frozen=True, slots=True)
class Sent:
    """An attempt that was made."""

    claimed: Claimed
    outcome: Outcome
    started_at: float
    ended_at: float
    """Times of the server's clock."""
    duration_ms: float
    """Of real time."""
    webhook_timestamp: int


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """One POST."""

    attempt: int
    kind: AttemptKind
    started_at: float
    ended_at: float
    duration_ms: float
    webhook_timestamp: int
    status: int | None
    outcome: str
    """`delivered`, `http-status`, or the name of a failure."""
    error: str | None


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """One event to one endpoint, with all attempts, oldest first."""

    no: int
    delivery_id: str
    event_id: str
    type: str
    endpoint_id: str
    url: str = field(repr=False)
    status: DeliveryStatus
    attempt: int
    due_at: float | None
    created_at: float
    updated_at: float
    trace_id: str
    body: str = field(repr=False)
    fence: int
    """Grows with each claim, so one that died twice is told from itself."""
    attempts: Sequence[StoredAttempt]


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A delivery that was given up."""

    delivery: StoredDelivery
    reason: str
    attempts: int
    died_at: float
    expires_at: float
    forwarded_to: str | None
    forwarded_at: float | None

"""What became of events: deliveries, attempts and dead letters as they are shown, and how many there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, select

from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.endpoint_secrets import PREPARE_BEFORE_S, next_rotation
from reinmaker_cli.server.store.webhook_records import StoredAttempt, StoredDeadLetter, StoredDelivery
from reinmaker_cli.server.store.webhook_tables import (
    dead_letters,
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries are asked for; None asks for any."""

    endpoint_id: str | None = None
    event_id: str | None = None
    status: str | None = None
    trace_id: str | None = None
    after_no: int | None = None
    """Those that are older than this one, newest first."""


@dataclass(frozen=True, slots=True)
class OutboxState:
    """The outbox at one moment."""

    depth: int
    """Deliveries that are still to be made."""
    oldest_due_at: float | None
    """When the oldest of them is or was due; None where there is none."""
    dead_letters: int
    unforwarded: int
    """Dead letters that went to no hub yet."""
    rotates_at: float | None
    """When the next secret is due to be followed by another; None without endpoints."""
    next_fetched: bool
    """Whether somebody was told the next secret: without that it does not take over."""

    def oldest_due_s_at(self, now: float) -> float:
        """Return for how long the oldest due delivery has been due; 0 where none is."""
        return 0.0 if self.oldest_due_at is None else max(0.0, now - self.oldest_due_at)

    def rotation_at(self, now: float) -> Literal["ok", "due", "overdue"]:
        """Return whether a secret waits to be fetched (`due`), and whether it should have taken over (`overdue`)."""
        if self.rotates_at is None or self.next_fetched or now < self.rotates_at - PREPARE_BEFORE_S:
            return "ok"
        return "overdue" if now >= self.rotates_at else "due"


class DeliveryLog:
    """Reads what the deliveries write."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def deliveries(self, wanted: Wanted, *, limit: int) -> tuple[StoredDelivery, ...]:
        """Return deliveries, newest first."""
        query = _narrowed(_all(), wanted).order_by(webhook_deliveries.c.no.desc()).limit(limit)
        with self._database.read() as connection:
            return _deliveries(connection, connection.execute(query).all())

    def delivery(self, delivery_id: str) -> StoredDelivery | None:
        """Return one delivery, or None."""
        with self._database.read() as connection:
            rows = connection.execute(_all().where(webhook_deliveries.c.delivery_id == delivery_id)).all()
            return next(iter(_deliveries(connection, rows)), None)

    def dead(self, wanted: Wanted, *, limit: int) -> tuple[StoredDeadLetter, ...]:
        """Return dead letters, newest delivery first."""
        query = _narrowed(_all_dead(), wanted).order_by(webhook_deliveries.c.no.desc()).limit(limit)
        with self._database.read() as connection:
            return _dead(connection, connection.execute(query).all())

    def dead_letter(self, delivery_id: str) -> StoredDeadLetter | None:
        """Return one dead letter, or None."""
        with self._database.read() as connection:
            rows = connection.execute(_all_dead().where(webhook_deliveries.c.delivery_id == delivery_id)).all()
            return next(iter(_dead(connection, rows)), None)

    def unforwarded(self, *, limit: int, without: Sequence[int]) -> tuple[StoredDeadLetter, ...]:
        """Return dead letters that went to no hub yet, the oldest first, but not those of these delivery numbers."""
        waiting = _all_dead().where(dead_letters.c.forwarded_at.is_(None), webhook_deliveries.c.no.not_in(without))
        query = waiting.order_by(dead_letters.c.died_at, webhook_deliveries.c.no).limit(limit)
        with self._database.read() as connection:
            return _dead(connection, connection.execute(query).all())

    def state(self) -> OutboxState:
        """Return how much there is to do and what went wrong."""
        is_open = webhook_deliveries.c.status == "open"
        with self._database.read() as connection:
            open_ones = select(func.count(), func.min(webhook_deliveries.c.due_at)).where(is_open)
            depth, oldest = connection.execute(open_ones).one()
            # count(column) counts those that have one
            counted = select(func.count(), func.count() - func.count(dead_letters.c.forwarded_at))
            dead, unforwarded = connection.execute(counted.select_from(dead_letters)).one()
            rotates_at, next_fetched = next_rotation(connection)
        return OutboxState(depth, oldest, dead, unforwarded, rotates_at, next_fetched)


def _all(*more: Any) -> Any:
    deliveries = webhook_deliveries
    return (
        select(
            deliveries,
            *(webhook_events.c.event_id, webhook_events.c.type, webhook_events.c.trace_id, webhook_events.c.body),
            *(webhook_endpoints.c.endpoint_id, webhook_endpoints.c.url),
            *more,
        )
        .join(webhook_events, webhook_events.c.no == deliveries.c.event_no)
        .join(webhook_endpoints, webhook_endpoints.c.no == deliveries.c.endpoint_no)
    )


def _all_dead() -> Any:
    letters = dead_letters.c
    columns = (letters.reason, letters.attempts, letters.died_at, letters.expires_at)
    query = _all(*columns, letters.forwarded_to, letters.forwarded_at)
    return query.join(dead_letters, letters.delivery_no == webhook_deliveries.c.no)


def _narrowed(query: Any, wanted: Wanted) -> Any:
    conditions = (
        (webhook_endpoints.c.endpoint_id, wanted.endpoint_id),
        (webhook_events.c.event_id, wanted.event_id),
        (webhook_deliveries.c.status, wanted.status),
        (webhook_events.c.trace_id, wanted.trace_id),
    )
    for column, value in conditions:
        if value is not None:
            query = query.where(column == value)
    return query if wanted.after_no is None else query.where(webhook_deliveries.c.no < wanted.after_no)


def _deliveries(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[StoredDelivery, ...]:
    attempts: defaultdict[int, list[StoredAttempt]] = defaultdict(list)
    mine = webhook_attempts.c.delivery_no.in_([row.no for row in rows])
    for row in connection.execute(select(webhook_attempts).where(mine).order_by(webhook_attempts.c.no)).all():
        attempts[row.delivery_no].append(_attempt(row))
    return tuple(
        StoredDelivery(
            no=row.no,
            delivery_id=row.delivery_id,
            event_id=row.event_id,
            type=row.type,
            endpoint_id=row.endpoint_id,
            url=row.url,
            status=row.status,
            attempt=row.attempt,
            due_at=row.due_at,
            created_at=row.created_at,
            updated_at=row.updated_at,
            trace_id=row.trace_id,
            body=row.body,
            fence=row.fence,
            attempts=attempts[row.no],
        )
        for row in rows
    )


def _attempt(row: Row[Any]) -> StoredAttempt:
    return StoredAttempt(
        attempt=row.attempt,
        kind=row.kind,
        started_at=row.started_at,
        ended_at=row.ended_at,
        duration_ms=row.duration_ms,
        webhook_timestamp=row.webhook_timestamp,
        status=row.status,
        outcome=row.outcome,
        error=row.error,
    )


def _dead(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[StoredDeadLetter, ...]:
    return tuple(
        StoredDeadLetter(
            delivery=delivery,
            reason=row.reason,
            attempts=row.attempts,
            died_at=row.died_at,
            expires_at=row.expires_at,
            forwarded_to=row.forwarded_to,
            forwarded_at=row.forwarded_at,
        )
        for delivery, row in zip(_deliveries(connection, rows), rows, strict=True)
    )

"""What the requests with a trace id caused, and what came of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select

from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.tables import submissions, telemetry_batches
from reinmaker_cli.server.store.webhook_tables import (
    dead_letters,
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)

MOST: Final = 500
"""Of each kind, the newest: a caller may send all it has under one trace id."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Effects:
    """What there is in the store under one trace id, oldest first; times are Unix seconds."""

    submissions: Sequence[Row] = ()
    """`submission_id`, `manifest_id`, `version`, `status`."""
    batches: Sequence[Row] = ()
    """`batch_id`, `events`, `accepted`."""
    events: Sequence[Row] = ()
    """`no`, `event_id`, `type`, `undelivered`."""
    deliveries: Sequence[Row] = ()
    """`no`, `event_no`, `delivery_id`, `endpoint_id`, `status`, `due_at`, and why it is dead: `reason`."""
    attempts: Sequence[Row] = ()
    """`delivery_no`, `attempt`, `kind`, `ended_at`, `duration_ms`, `status`, `outcome`."""


class EffectsOf:
    """Reads them for many trace ids at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def traces(self, trace_ids: Sequence[str]) -> dict[str, Effects]:
        """Return trace id → what it caused; those that caused nothing are left out."""
        found: defaultdict[str, defaultdict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
        if trace_ids:
            with self._database.read() as connection:
                for kind, query in _queries(trace_ids):
                    for row in _newest(connection, query):
                        found[row.pop("trace_id")][kind].append(row)
        return {trace: Effects(**kinds) for trace, kinds in found.items()}

    def totals(self) -> tuple[int, int]:
        """Return how many deliveries have reached their receiver, and how many are dead letters."""
        delivered = select(func.count()).where(webhook_deliveries.c.status == "delivered")
        dead = select(func.count()).select_from(dead_letters)
        with self._database.read() as connection:
            return connection.execute(delivered).scalar_one(), connection.execute(dead).scalar_one()

    def due(self, *, now: float) -> int:
        """Return how many deliveries are to be attempted by now, or on their way."""
        due = select(func.count()).where(webhook_deliveries.c.status == "open", webhook_deliveries.c.due_at <= now)
        with self._database.read() as connection:
            return connection.execute(due).scalar_one()


def _queries(trace_ids: Sequence[str]) -> Iterator[tuple[str, Select[Any]]]:
    sub, batch, event = submissions.c, telemetry_batches.c, webhook_events.c
    delivery, attempt = webhook_deliveries.c, webhook_attempts.c
    yield (
        "submissions",
        select(sub.trace_id, sub.submission_id, sub.manifest_id, sub.version, sub.status)
        .where(sub.trace_id.in_(trace_ids))
        .order_by(sub.no.desc()),
    )
    yield (
        "batches",
        select(batch.trace_id, batch.batch_id, batch.events, batch.accepted)
        .where(batch.trace_id.in_(trace_ids))
        .order_by(batch.no.desc()),
    )
    mine = event.trace_id.in_(trace_ids)
    yield (
        "events",
        select(event.trace_id, event.no, event.event_id, event.type, event.undelivered)
        .where(mine)
        .order_by(event.no.desc()),
    )
    yield (
        "deliveries",
        select(
            *(event.trace_id, delivery.no, delivery.event_no, delivery.delivery_id, delivery.status, delivery.due_at),
            webhook_endpoints.c.endpoint_id,
            dead_letters.c.reason,
        )
        .join(webhook_events, event.no == delivery.event_no)
        .join(webhook_endpoints, webhook_endpoints.c.no == delivery.endpoint_no)
        .outerjoin(dead_letters, dead_letters.c.delivery_no == delivery.no)
        .where(mine)
        .order_by(delivery.no.desc()),
    )
    yield (
        "attempts",
        select(
            *(event.trace_id, attempt.delivery_no, attempt.attempt, attempt.kind, attempt.ended_at),
            *(attempt.duration_ms, attempt.status, attempt.outcome),
        )
        .join(webhook_deliveries, delivery.no == attempt.delivery_no)
        .join(webhook_events, event.no == delivery.event_no)
        .where(mine)
        .order_by(attempt.no.desc()),
    )


def _newest(connection: Connection, query: Select[Any]) -> list[Row]:
    rows = connection.execute(query.limit(MOST)).mappings().all()
    return [dict(row) for row in reversed(rows)]

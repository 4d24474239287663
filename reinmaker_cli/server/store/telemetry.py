"""Gameplay events: one transaction per batch, each event once, remembered for 14 days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from reinmaker_cli.contract.names import EVENT_MEMORY_S, EventType
from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.store.database import Database, insert_or_skip
from reinmaker_cli.server.store.outbox import Emitted, NewEvent, emit
from reinmaker_cli.server.store.tables import telemetry_batches, telemetry_events

FORGOTTEN_AT_ONCE = 2000
"""Old events that one batch takes along out of the store: a few times what it brings, a few milliseconds."""

EventRow = Mapping[str, Any]
"""`event_id`, `type`, `occurred_at`, `user_id`, `session_id` and `properties` (JSON text) of one event, checked."""


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch that is to be stored."""

    batch_id: str
    client_id: str
    trace_id: str
    events: Sequence[EventRow]


@dataclass(frozen=True, slots=True)
class Added:
    """What of a batch was new."""

    accepted: int
    told: Emitted | None
    """The webhook that tells of it; a batch with nothing new is told to nobody."""


class Telemetry:
    """The events of all clients."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, batch: NewBatch, *, now: float) -> Added:
        """Store all events of the batch that are new, durably."""
        with self._database.write() as connection:
            until = now - EVENT_MEMORY_S
            if _has_old(connection, until):
                if self._database.alone_at_once(connection, "old events"):
                    _forget_old(connection, until)
                _forget_again(connection, batch, until)
            no = connection.execute(
                insert(telemetry_batches).values(
                    batch_id=batch.batch_id,
                    client_id=batch.client_id,
                    trace_id=batch.trace_id,
                    events=len(batch.events),
                    accepted=0,
                    received_at=now,
                )
            ).inserted_primary_key[0]  # type: ignore[index]  # there is one: the table has a primary key
            common = {"client_id": batch.client_id, "batch_no": no, "received_at": now}
            events: Sequence[EventRow] = batch.events
            if self._database.is_shared:  # another process may be storing the same ones
                events = sorted(events, key=_event_id)
            accepted = insert_or_skip(connection, telemetry_events, [{**common, **event} for event in events])
            connection.execute(update(telemetry_batches).where(telemetry_batches.c.no == no).values(accepted=accepted))
            told = _tell(connection, batch, accepted, now) if accepted else None
        return Added(accepted, told)


def _tell(connection: Connection, batch: NewBatch, accepted: int, now: float) -> Emitted:
    data = {"batchId": batch.batch_id, "events": accepted, "processedAt": rfc3339(now)}
    return emit(connection, NewEvent(EventType.TELEMETRY_FLUSHED, data, batch.trace_id), now=now)


def _event_id(event: EventRow) -> str:
    return str(event["event_id"])


def _has_old(connection: Connection, until: float) -> bool:
    oldest = select(telemetry_events.c.received_at).order_by(telemetry_events.c.no).limit(1)
    first = connection.execute(oldest).scalar_one_or_none()
    return first is not None and first <= until


def _forget_old(connection: Connection, until: float) -> None:
    """Delete old events and batches, oldest first, a bounded number."""
    table = telemetry_events
    some = select(table.c.no).order_by(table.c.no).limit(FORGOTTEN_AT_ONCE)
    connection.execute(delete(table).where(table.c.no.in_(some), table.c.received_at <= until))
    some_batches = select(telemetry_batches.c.no).order_by(telemetry_batches.c.no).limit(FORGOTTEN_AT_ONCE)
    connection.execute(
        delete(telemetry_batches).where(
            telemetry_batches.c.no.in_(some_batches), telemetry_batches.c.received_at <= until
        )
    )


def _forget_again(connection: Connection, batch: NewBatch, until: float) -> None:
    """Delete those old events whose ids the batch brings again, all of them."""
    table = telemetry_events
    mine = (table.c.client_id == batch.client_id, table.c.event_id == bindparam("again"), table.c.received_at <= until)
    again = [{"again": event["event_id"]} for event in sorted(batch.events, key=_event_id)]
    connection.execute(delete(table).where(*mine), again)

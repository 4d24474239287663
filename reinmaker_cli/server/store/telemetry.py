"""Gameplay events: one transaction per batch, each event once, remembered for 14 days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from reinmaker_cli.contract.names import EVENT_MEMORY_S, EventType
from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.inserts import insert_or_skip
from reinmaker_cli.server.store.outbox import Emitted, NewEvent, emit
from reinmaker_cli.server.store.tables import telemetry_batches, telemetry_events

FORGOTTEN_AT_ONCE = 2000
"""Old events that one batch takes along out of the store: a few times what it brings, a few milliseconds."""


EventRow = tuple[str, str, str, str | None, str | None, str | None]
"""One event, checked: the values of `_OF_EVENT`. Plain, for 500 objects of a class take as long as 2,000 of these."""

_OF_EVENT: Final = ("event_id", "type", "occurred_at", "user_id", "session_id", "properties")
_COLUMNS: Final = ("client_id", *_OF_EVENT, "batch_no", "received_at")
_EVENT_ID: Final = itemgetter(0)


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
            no = _insert_batch(connection, batch, now)
            events = batch.events
            if self._database.is_shared:  # another process may be storing the same ones
                events = sorted(events, key=_EVENT_ID)
            head, tail = (batch.client_id,), (no, now)
            rows = [head + event + tail for event in events]
            accepted = insert_or_skip(connection, telemetry_events, _COLUMNS, rows)
            if accepted != len(rows):
                connection.execute(_FEWER, {"batch": no, "new": accepted})
            told = _tell(connection, batch, accepted, now) if accepted else None
        return Added(accepted, told)


# Made once: SQLAlchemy takes longer to make a statement than SQLite to carry it out.
_INSERT_BATCH = insert(telemetry_batches).returning(telemetry_batches.c.no)
_FEWER = update(telemetry_batches).where(telemetry_batches.c.no == bindparam("batch")).values(accepted=bindparam("new"))
_OLDEST = select(telemetry_events.c.received_at).order_by(telemetry_events.c.no).limit(1)


def _insert_batch(connection: Connection, batch: NewBatch, now: float) -> int:
    """Write down that the batch came, with all its events new, and return its number."""
    row = {
        "batch_id": batch.batch_id,
        "client_id": batch.client_id,
        "trace_id": batch.trace_id,
        "events": len(batch.events),
        "accepted": len(batch.events),
        "received_at": now,
    }
    return int(connection.execute(_INSERT_BATCH, row).scalar_one())


def _tell(connection: Connection, batch: NewBatch, accepted: int, now: float) -> Emitted:
    data = {"batchId": batch.batch_id, "events": accepted, "processedAt": rfc3339(now)}
    return emit(connection, NewEvent(EventType.TELEMETRY_FLUSHED, data, batch.trace_id), now=now)


def _has_old(connection: Connection, until: float) -> bool:
    first = connection.execute(_OLDEST).scalar_one_or_none()
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
    again = [{"again": event_id} for event_id in sorted(map(_EVENT_ID, batch.events))]
    connection.execute(delete(table).where(*mine), again)

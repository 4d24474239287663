"""Events, written in the transaction of the change that they tell of, with a delivery for each endpoint."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, insert, or_, select

from reinmaker_cli.contract.names import EventType
from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.dead_letters import erase_old_events
from reinmaker_cli.server.store.webhook_tables import webhook_deliveries, webhook_endpoints, webhook_events

NO_ENDPOINT: Final = "no endpoint"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """What is to be told."""

    type: EventType
    data: Mapping[str, Any] = field(repr=False)
    trace_id: str
    user_id: str | None = field(default=None, repr=False)
    """Whose event it is: forgotten with the user."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """An event in the outbox."""

    event_id: str
    type: EventType
    trace_id: str
    delivery_ids: tuple[str, ...]
    """One for each endpoint that was enabled for its type; none: the event is kept as undelivered."""


class Outbox:
    """Events that no other change causes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def request_content(
        self, phase_dna_id: str, locale: str, age_persona: str, *, trace_id: str, now: float
    ) -> Emitted:
        """Ask for a lesson that is not there yet."""
        wanted = {"phaseDNAId": phase_dna_id, "locale": locale, "agePersona": age_persona}
        with self._database.write() as connection:
            return emit(connection, NewEvent(EventType.CONTENT_REQUESTED, wanted, trace_id), now=now)


# Made once: SQLAlchemy takes longer to make a statement than SQLite to carry it out.
_RECEIVERS = {
    event_type: select(webhook_endpoints.c.no)
    .where(
        webhook_endpoints.c.enabled,
        # A list joined by spaces: no type is part of another's name.
        or_(webhook_endpoints.c.types == "", webhook_endpoints.c.types.contains(event_type.value, autoescape=True)),
    )
    .order_by(webhook_endpoints.c.no)
    for event_type in EventType
}
_INSERT_EVENT = insert(webhook_events).returning(webhook_events.c.no)
_INSERT_DELIVERIES = insert(webhook_deliveries)


def emit(connection: Connection, event: NewEvent, *, now: float) -> Emitted:
    """Write an event and its deliveries, due at once, in the caller's transaction.

    It takes a few events older than 14 days along out of the store.
    """
    erase_old_events(connection, now=now)
    receivers = connection.execute(_RECEIVERS[event.type]).scalars().all()
    event_id = "msg_" + secrets.token_hex(12)
    row = {
        "event_id": event_id,
        "type": event.type.value,
        "trace_id": event.trace_id,
        "user_id": event.user_id,
        "body": _body(event, now),
        "created_at": now,
        "undelivered": None if receivers else NO_ENDPOINT,
    }
    no = connection.execute(_INSERT_EVENT, row).scalar_one()
    rows = [
        {
            "delivery_id": "del_" + secrets.token_hex(12),
            "event_no": no,
            "endpoint_no": endpoint_no,
            "status": "open",
            "attempt": 0,
            "due_at": now,
            "fence": 0,
            "created_at": now,
            "updated_at": now,
        }
        for endpoint_no in receivers
    ]
    if rows:
        connection.execute(_INSERT_DELIVERIES, rows)
    return Emitted(event_id, event.type, event.trace_id, tuple(str(row["delivery_id"]) for row in rows))


def _body(event: NewEvent, now: float) -> str:
    document = {"type": event.type.value, "timestamp": rfc3339(now), "data": event.data}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

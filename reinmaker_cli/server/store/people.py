"""What the store holds of one user, and how it is forgotten."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import delete, func, or_

from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.dead_letters import erase_events_of
from reinmaker_cli.server.store.tables import entitlements, telemetry_events


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much of a user there was."""

    entitlements: int
    events: int
    webhooks: int
    """Events of the outbox, with their deliveries, attempts and dead letters."""


class People:
    """All that is kept of users, whatever table it is in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def forget(self, user_id: str) -> Forgotten:
        """Erase a user: entitlements, webhooks, and events of the user or with the user's id among their properties.

        Reads all events: a second for a million of them. `leave_no_bytes` is to follow.
        """
        # JSON text as it is stored: the id in its quotes, as a name or as a value. `replace` is in every database.
        quoted = json.dumps(user_id, ensure_ascii=False)
        properties = telemetry_events.c.properties
        names_user = func.replace(properties, quoted, "") != properties
        with self._database.write() as connection:
            plans = connection.execute(delete(entitlements).where(entitlements.c.user_id == user_id)).rowcount
            is_of_user = or_(telemetry_events.c.user_id == user_id, names_user)
            events = connection.execute(delete(telemetry_events).where(is_of_user)).rowcount
            webhooks = erase_events_of(connection, user_id)
        return Forgotten(plans, events, webhooks)

    def leave_no_bytes(self) -> None:
        """Write the database anew, without what was erased: seconds for a large one.

        For itself: a write that another process was in the way of is made again, and there is nobody to forget then.
        """
        self._database.forget_deleted()

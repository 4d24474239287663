"""Deliveries that were given up: kept 14 days, delivered once more when somebody asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, delete, exists, insert, or_, select, update

from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.webhook_records import StoredDeadLetter
from reinmaker_cli.server.store.webhook_tables import (
    dead_letters,
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)

KEPT_S: Final = 14 * 86_400
"""How long dead letters are kept, and all else that is left of deliveries."""

ERASED_AT_ONCE: Final = 20
"""Old events that a new one takes along out of the store."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which dead letters are meant: one, those of an endpoint, or all."""

    delivery_id: str | None = None
    endpoint_id: str | None = None


@dataclass(frozen=True, slots=True)
class Redriven:
    """Dead letters that are deliveries again, and those that nobody is there to take."""

    deliveries: tuple[str, ...]
    """Their ids."""
    left: int


class DeadLetters:
    """What could not be delivered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def redrive(self, chosen: Chosen, *, now: float) -> Redriven:
        """Begin the schedule of dead letters anew, due at once.

        Those of an endpoint that was removed go to the newest one of the same URL that takes their type; those of one
        that is disabled, and those that nobody takes, stay where they are.
        """
        with self._database.write() as connection:
            rows = connection.execute(_chosen(chosen)).all()
            receivers = _receivers(connection, rows)
            for row in rows:
                if receivers.get(row.no, row.endpoint_no) != row.endpoint_no:
                    moved = update(webhook_deliveries).where(webhook_deliveries.c.no == row.no)
                    connection.execute(moved.values(endpoint_no=receivers[row.no]))
            nos = list(receivers)
            connection.execute(delete(dead_letters).where(dead_letters.c.delivery_no.in_(nos)))
            again = {
                "status": "open",
                "attempt": 0,
                "fence": webhook_deliveries.c.fence + 1,
                "due_at": now,
                "leased_until": None,
                "leased_by": None,
                "updated_at": now,
            }
            connection.execute(update(webhook_deliveries).where(webhook_deliveries.c.no.in_(nos)).values(again))
        deliveries = tuple(row.delivery_id for row in rows if row.no in receivers)
        return Redriven(deliveries, left=len(rows) - len(deliveries))

    def purge(self, chosen: Chosen) -> int:
        """Erase dead letters, with their deliveries, and return how many they were."""
        with self._database.write() as connection:
            nos = connection.execute(_chosen(chosen)).scalars().all()
            erase(connection, nos)
        return len(nos)

    def mark_forwarded(self, letters: Sequence[StoredDeadLetter], to: str, *, now: float) -> None:
        """Write down that a hub has these; one that was redriven meanwhile and died again is another."""
        with self._database.write() as connection:
            for letter in letters:
                delivery = letter.delivery
                is_same = exists().where(
                    webhook_deliveries.c.no == dead_letters.c.delivery_no,
                    webhook_deliveries.c.delivery_id == delivery.delivery_id,
                    webhook_deliveries.c.fence == delivery.fence,
                )
                this_one = and_(
                    dead_letters.c.delivery_no == delivery.no, dead_letters.c.died_at == letter.died_at, is_same
                )
                connection.execute(update(dead_letters).where(this_one).values(forwarded_to=to, forwarded_at=now))


def bury(connection: Connection, which: ColumnElement[bool], reason: str, *, now: float) -> int:
    """Give up the open deliveries that `which` chooses, in the caller's transaction; return how many."""
    chosen = and_(which, webhook_deliveries.c.status == "open")
    dead = {"status": "dead", "due_at": None, "leased_until": None, "leased_by": None, "updated_at": now}
    given_up = update(webhook_deliveries).where(chosen).values(dead)
    # One statement says which: another process may be adding to them.
    buried = connection.execute(given_up.returning(webhook_deliveries.c.no, webhook_deliveries.c.attempt)).all()
    common = {"reason": reason, "died_at": now, "expires_at": now + KEPT_S}
    letters = [{"delivery_no": row.no, "attempts": row.attempt, **common} for row in buried]
    if letters:
        connection.execute(insert(dead_letters), letters)
    return len(letters)


def erase(connection: Connection, delivery_nos: Sequence[int]) -> None:
    """Erase deliveries with all that hangs on them, and events that have no other."""
    mine = webhook_deliveries.c.no.in_(delivery_nos)
    # Locked: what another process writes down of an attempt is there by now, or never will be.
    locked = select(webhook_deliveries.c.event_no).where(mine).order_by(webhook_deliveries.c.no).with_for_update()
    events = set(connection.execute(locked).scalars())
    connection.execute(delete(dead_letters).where(dead_letters.c.delivery_no.in_(delivery_nos)))
    connection.execute(delete(webhook_attempts).where(webhook_attempts.c.delivery_no.in_(delivery_nos)))
    connection.execute(delete(webhook_deliveries).where(mine))
    others = select(webhook_deliveries.c.event_no).where(webhook_deliveries.c.event_no == webhook_events.c.no)
    connection.execute(delete(webhook_events).where(webhook_events.c.no.in_(events), ~others.exists()))


_IS_WANTED = or_(webhook_deliveries.c.status != "delivered", webhook_deliveries.c.updated_at > bindparam("old"))
# Made once, for each event asks it: SQLAlchemy takes longer to make a statement than SQLite to carry it out.
_OLD_EVENTS = (
    select(webhook_events.c.no)
    .where(
        webhook_events.c.created_at <= bindparam("old"),
        ~exists().where(webhook_deliveries.c.event_no == webhook_events.c.no, _IS_WANTED),
    )
    .order_by(webhook_events.c.created_at)
    .limit(ERASED_AT_ONCE)
    .with_for_update(skip_locked=True)
)


def erase_old_events(connection: Connection, *, now: float) -> None:
    """Erase a few events older than 14 days whose deliveries are done, oldest first."""
    nos = connection.execute(_OLD_EVENTS, {"old": now - KEPT_S}).scalars().all()
    if nos:
        mine = select(webhook_deliveries.c.no).where(webhook_deliveries.c.event_no.in_(nos))
        erase(connection, connection.execute(mine).scalars().all())
        connection.execute(delete(webhook_events).where(webhook_events.c.no.in_(nos)))


def erase_events_of(connection: Connection, user_id: str) -> int:
    """Erase the events of a user and all that hangs on them; return how many events they were."""
    mine = webhook_events.c.user_id == user_id
    events = connection.execute(select(webhook_events.c.no).where(mine)).scalars().all()
    of_events = select(webhook_deliveries.c.no).where(webhook_deliveries.c.event_no.in_(events))
    erase(connection, connection.execute(of_events).scalars().all())
    # Those that went to nobody. By number: another process may be telling of the user again.
    connection.execute(delete(webhook_events).where(webhook_events.c.no.in_(events)))
    return len(events)


def _receivers(connection: Connection, letters: Sequence[Row[Any]]) -> dict[int, int]:
    """Return for each delivery that somebody takes, by its number, that of the endpoint."""
    enabled = select(webhook_endpoints).where(webhook_endpoints.c.enabled).order_by(webhook_endpoints.c.no.desc())
    there = connection.execute(enabled).all()

    def takes(endpoint: Row[Any], letter: Row[Any]) -> bool:
        if letter.removed_at is None:
            return bool(endpoint.no == letter.endpoint_no)
        return endpoint.url == letter.url and (not endpoint.types or letter.type in endpoint.types.split())

    found = ((one.no, next((endpoint.no for endpoint in there if takes(endpoint, one)), None)) for one in letters)
    return {no: endpoint_no for no, endpoint_no in found if endpoint_no is not None}


def _chosen(chosen: Chosen) -> Any:
    delivery, endpoint = webhook_deliveries.c, webhook_endpoints.c
    query = (
        select(delivery.no, delivery.delivery_id, delivery.endpoint_no, endpoint.url, endpoint.removed_at)
        .add_columns(webhook_events.c.type)
        .join(dead_letters, dead_letters.c.delivery_no == webhook_deliveries.c.no)
        .join(webhook_endpoints, webhook_endpoints.c.no == webhook_deliveries.c.endpoint_no)
        .join(webhook_events, webhook_events.c.no == webhook_deliveries.c.event_no)
        .order_by(webhook_deliveries.c.no)
        # The letter too: whoever waited for another process would else take one that is none any more.
        .with_for_update(of=[webhook_deliveries, dead_letters])
    )
    if chosen.delivery_id is not None:
        query = query.where(webhook_deliveries.c.delivery_id == chosen.delivery_id)
    if chosen.endpoint_id is not None:
        query = query.where(webhook_endpoints.c.endpoint_id == chosen.endpoint_id)
    return query

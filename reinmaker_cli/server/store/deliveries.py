"""Deliveries under way: claiming what is due, and recording what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Float, and_, bindparam, exists, func, or_, select, update

from reinmaker_cli.contract.names import EventType
from reinmaker_cli.server.retries import Schedule
from reinmaker_cli.server.store.chores import do_chores, next_chore
from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.endpoint_secrets import signing_secrets
from reinmaker_cli.server.store.recording import bury_disabled, record_attempts, unrecorded
from reinmaker_cli.server.store.webhook_records import Claimed, Sent
from reinmaker_cli.server.store.webhook_tables import (
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)

IN_FLIGHT_PER_ENDPOINT: Final = 5
LEASE_S: Final = 60.0
"""Real time. An attempt ends within 5 s; the rest is for a database that is slow to write it down."""

_IS_OPEN = webhook_deliveries.c.status == "open"
_IS_DUE = webhook_deliveries.c.due_at <= bindparam("due_by")
_ENABLED = select(webhook_endpoints.c.no).where(webhook_endpoints.c.enabled).order_by(webhook_endpoints.c.no)
_CLAIMABLE = (
    select(
        *(webhook_deliveries.c.no, webhook_deliveries.c.delivery_id, webhook_deliveries.c.endpoint_no),
        *(webhook_deliveries.c.attempt, webhook_deliveries.c.fence),
        *(webhook_events.c.event_id, webhook_events.c.type, webhook_events.c.trace_id, webhook_events.c.body),
        webhook_endpoints.c.url,
    )
    .join(webhook_events, webhook_events.c.no == webhook_deliveries.c.event_no)
    .join(webhook_endpoints, webhook_endpoints.c.no == webhook_deliveries.c.endpoint_no)
)
_LATER = select(func.min(webhook_deliveries.c.due_at)).where(_IS_OPEN, webhook_deliveries.c.due_at > bindparam("now"))


@dataclass(frozen=True, slots=True)
class Ask:
    """What a turn is to look at."""

    in_flight: Mapping[int, int]
    """Endpoint → attempts under way, without those that the turn records."""
    with_chores: bool
    """Look at what else is due, and when the next is: while attempts are under way, another turn follows anyway."""
    now: float
    real_now: float
    """For leases."""
    again: bool = False
    """The turn before failed: attempts may be written down although nobody heard of it."""


@dataclass(frozen=True, slots=True)
class NoRoom:
    """As many attempts are under way as may be, or this delivery's is one of them."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of the deliveries came to."""

    claimed: tuple[Claimed, ...]
    next_at: float | None
    """When something becomes due by the server's clock, beside the deliveries that are due already; what is due by now
    is more than one turn does. None also where chores were not looked at."""
    has_done_chores: bool
    has_skipped: bool
    """Another process claims at this moment what could not be looked at here."""


class Deliveries:
    """The durable queue of deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Made once: SQLAlchemy takes longer to make a statement than SQLite to carry it out.
        real_now = database.real_time(bindparam("real_now", type_=Float))
        self._first_due = (
            _CLAIMABLE.where(webhook_deliveries.c.endpoint_no == bindparam("endpoint"), _IS_OPEN, _IS_DUE)
            .where(_is_free(real_now))
            .order_by(webhook_deliveries.c.due_at, webhook_deliveries.c.no)
            .limit(bindparam("room"))
            .with_for_update(of=webhook_deliveries, skip_locked=True)
        )
        self._lease = (
            update(webhook_deliveries)
            .where(webhook_deliveries.c.no == bindparam("claimed_no"))
            .values(
                fence=webhook_deliveries.c.fence + 1,
                leased_until=real_now + LEASE_S,
                leased_by=bindparam("claimant"),
            )
        )

    def turn(self, sent: Sequence[Sent], schedule: Schedule, asked: Ask) -> Turn:
        """Record attempts, do what the clock makes due, and claim what may be sent next, in one transaction."""
        with self._database.write() as connection:
            mine = self._record(connection, sent, schedule, again=asked.again)
            chore = next_chore(connection) if asked.with_chores else None
            is_due = chore is not None and chore <= asked.now
            does_chores = is_due and self._database.alone_at_once(connection, "chores")
            if does_chores:
                self._database.alone(connection, "secrets")
                do_chores(connection, now=asked.now)
            claimed, has_skipped = self._claim(connection, asked, mine)
            next_at = _next_at(connection, asked.now) if asked.with_chores else None
            return Turn(claimed, next_at, does_chores, has_skipped)

    def record(self, sent: Sequence[Sent], schedule: Schedule, *, again: bool) -> None:
        """Write attempts down, and claim nothing; `again` as in `Ask`."""
        with self._database.write() as connection:
            self._record(connection, sent, schedule, again=again)

    def _record(
        self, connection: Connection, sent: Sequence[Sent], schedule: Schedule, *, again: bool
    ) -> Sequence[int]:
        """Write attempts down; return the endpoints that others cannot claim for until the transaction has ended."""
        mine: Sequence[int] = ()
        if self._database.is_shared and sent:
            # Before what they free is looked at: else nobody might claim it. In one order, or two would wait.
            theirs = webhook_endpoints.c.no.in_({one.claimed.endpoint_no for one in sent})
            locked = select(webhook_endpoints.c.no).where(theirs).order_by(webhook_endpoints.c.no)
            mine = connection.execute(locked.with_for_update(key_share=True)).scalars().all()
        record_attempts(connection, unrecorded(connection, sent) if again and sent else sent, schedule)
        return mine

    def _claim(self, connection: Connection, asked: Ask, mine: Sequence[int]) -> tuple[tuple[Claimed, ...], bool]:
        """Claim what is due, per endpoint at most as many as may be on their way; whether one was left to another."""
        if not self._database.is_shared:
            in_flight = asked.in_flight
            nos = connection.execute(_ENABLED).scalars().all()
            has_skipped = False
        else:
            due = (webhook_deliveries.c.endpoint_no == webhook_endpoints.c.no, _IS_OPEN, _IS_DUE)
            # None is locked whose places are taken: whoever frees one claims for it in the same transaction.
            under_way = select(func.count()).where(webhook_deliveries.c.endpoint_no == webhook_endpoints.c.no)
            taken = under_way.where(~_is_free(self._database.real_time(asked.real_now))).scalar_subquery()
            has_room = or_(webhook_endpoints.c.no.in_(mine), taken < IN_FLIGHT_PER_ENDPOINT)
            having = _ENABLED.where(has_room, exists().where(*due))
            wanted = connection.execute(having, {"due_by": asked.now}).scalars().all()
            free = _ENABLED.where(webhook_endpoints.c.no.in_(wanted))
            # One process at a time claims for an endpoint, so none has more on its way than may be. Not for update of
            # the key: whoever writes an event for it does not wait.
            nos = connection.execute(free.with_for_update(key_share=True, skip_locked=True)).scalars().all()
            has_skipped = len(nos) < len(wanted)
            in_flight = self._under_way(connection, nos, asked.real_now)
        rooms = {no: IN_FLIGHT_PER_ENDPOINT - in_flight.get(no, 0) for no in nos}
        claimed = [
            one for no, room in rooms.items() if room > 0 for one in self._claim_for(connection, asked, no, room)
        ]
        return tuple(claimed), has_skipped

    def _claim_for(self, connection: Connection, asked: Ask, endpoint_no: int, room: int) -> list[Claimed]:
        """Claim the first deliveries that are due of an endpoint."""
        wanted = {"endpoint": endpoint_no, "due_by": asked.now, "real_now": asked.real_now, "room": room}
        rows = connection.execute(self._first_due, wanted).all()
        if not rows:
            return []
        claimant = self._database.claimant()
        leases = [{"claimed_no": row.no, "claimant": claimant, "real_now": asked.real_now} for row in rows]
        connection.execute(self._lease, leases)
        secrets = signing_secrets(connection, endpoint_no, now=asked.now)
        return [_claimed(row, secrets, row.attempt + 1, "scheduled", row.fence + 1) for row in rows]

    def next_due(self, *, now: float) -> float | None:
        """Return when something becomes due, beside the deliveries that are due already; None where nothing will."""
        with self._database.read() as connection:
            return _next_at(connection, now)

    def take_over(self, *, now: float) -> None:
        """End the leases of servers that died: all of them where one server at a time uses a database.

        Where several do, the session of each looks after those (`session.py`).
        """
        with self._database.write() as connection:
            if not self._database.is_shared:
                leased = and_(_IS_OPEN, webhook_deliveries.c.leased_until.is_not(None))
                connection.execute(update(webhook_deliveries).where(leased).values(leased_until=None))
            bury_disabled(connection, now)

    def claim_resend(self, delivery_id: str, *, now: float, real_now: float) -> Claimed | NoRoom | None:
        """Return what one POST beside the schedule needs; None where there is no such delivery, or no receiver.

        Where other processes have attempts under way too, it is leased, if there is room, and raises the fence as every
        lease does: an attempt whose lease is over counts for nothing from then on. Where there are none, it holds
        nothing, and whoever asks knows how many are under way.
        """
        mine = (webhook_deliveries.c.delivery_id == delivery_id, webhook_endpoints.c.removed_at.is_(None))
        access = self._database.write if self._database.is_shared else self._database.read
        with access() as connection:
            row = connection.execute(_CLAIMABLE.where(*mine)).one_or_none()
            if row is None:
                return None
            fence = self._lease_resend(connection, row, real_now) if self._database.is_shared else row.fence
            if fence is None:
                return NoRoom()
            secrets = signing_secrets(connection, row.endpoint_no, now=now)
            return _claimed(row, secrets, max(row.attempt, 1), "resend", fence)

    def _lease_resend(self, connection: Connection, row: Any, real_now: float) -> int | None:
        """Return the fence of the lease; None where there is no room."""
        endpoint = select(webhook_endpoints.c.no).where(
            webhook_endpoints.c.no == row.endpoint_no, webhook_endpoints.c.removed_at.is_(None)
        )
        if connection.execute(endpoint.with_for_update(key_share=True)).one_or_none() is None:
            return None  # it was removed just now, with its secrets
        if self._under_way(connection, [row.endpoint_no], real_now).get(row.endpoint_no, 0) >= IN_FLIGHT_PER_ENDPOINT:
            return None
        leased = {
            "fence": webhook_deliveries.c.fence + 1,
            "leased_by": self._database.claimant(),
            "leased_until": self._database.real_time(real_now) + LEASE_S,
        }
        free = (webhook_deliveries.c.no == row.no, _is_free(self._database.real_time(real_now)))
        lease = update(webhook_deliveries).where(*free).values(leased).returning(webhook_deliveries.c.fence)
        return connection.execute(lease).scalar_one_or_none()

    def _under_way(self, connection: Connection, endpoint_nos: Sequence[int], real_now: float) -> Mapping[int, int]:
        """Return how many attempts all processes have under way, resends included."""
        counted = select(webhook_deliveries.c.endpoint_no, func.count())
        leased = (webhook_deliveries.c.endpoint_no.in_(endpoint_nos), ~_is_free(self._database.real_time(real_now)))
        rows = connection.execute(counted.where(*leased).group_by(webhook_deliveries.c.endpoint_no)).all()
        return {row[0]: row[1] for row in rows}

    def last_no(self) -> int:
        """Return the number of the newest delivery, 0 where there is none."""
        with self._database.read() as connection:
            return connection.execute(select(func.max(webhook_deliveries.c.no))).scalar_one() or 0

    def has_due(self, *, now: float, last_no: int) -> bool:
        """Return whether a delivery up to that number is still to be attempted, or on its way."""
        due = and_(_IS_OPEN, webhook_deliveries.c.due_at <= now, webhook_deliveries.c.no <= last_no)
        with self._database.read() as connection:
            return bool(connection.execute(select(exists().where(due))).scalar_one())


def _is_free(real_time: Any) -> Any:
    """Return whether nobody has a delivery under way: also where whoever had has let its lease end."""
    until = webhook_deliveries.c.leased_until
    return or_(until.is_(None), until <= real_time)


def _claimed(row: Any, secrets: tuple[str, ...], attempt: int, kind: Any, fence: int) -> Claimed:
    return Claimed(
        no=row.no,
        delivery_id=row.delivery_id,
        event_id=row.event_id,
        type=EventType(row.type),
        trace_id=row.trace_id,
        endpoint_no=row.endpoint_no,
        url=row.url,
        body=row.body,
        secrets=secrets,
        attempt=attempt,
        kind=kind,
        fence=fence,
    )


def _next_at(connection: Connection, now: float) -> float | None:
    """Return when something becomes due, beside the deliveries that are due already."""
    instants = (connection.execute(_LATER, {"now": now}).scalar_one(), next_chore(connection))
    return min((instant for instant in instants if instant is not None), default=None)

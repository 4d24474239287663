"""What the clock makes due beside deliveries: ends of entitlements, secrets, and of what is kept for a time."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, and_, delete, exists, or_, select

from reinmaker_cli.server.store.dead_letters import KEPT_S, erase
from reinmaker_cli.server.store.endpoint_secrets import next_secret_change, renew_secrets
from reinmaker_cli.server.store.entitlements import next_end, tell_expired
from reinmaker_cli.server.store.webhook_tables import dead_letters, webhook_deliveries, webhook_events

AT_ONCE: Final = 200
"""Rows of a kind that one turn takes: a few milliseconds, in which nobody else writes."""


def do_chores(connection: Connection, *, now: float) -> bool:
    """Do what is due, some of it where it is much; return whether there is more."""
    expired = tell_expired(connection, now=now, at_most=AT_ONCE)
    renew_secrets(connection, now=now)
    ended = select(dead_letters.c.delivery_no).where(dead_letters.c.expires_at <= now).limit(AT_ONCE)
    letters = connection.execute(ended).scalars().all()
    if letters:
        erase(connection, letters)
    _erase_old(connection, now - KEPT_S)
    return expired == AT_ONCE or len(letters) == AT_ONCE


def next_chore(connection: Connection) -> float | None:
    """Return when the next of them is due."""
    letters = select(dead_letters.c.expires_at).order_by(dead_letters.c.expires_at).limit(1)
    instants = (
        connection.execute(next_end()).scalar_one(),
        connection.execute(letters).scalar_one_or_none(),
        next_secret_change(connection),
    )
    return min((instant for instant in instants if instant is not None), default=None)


def _erase_old(connection: Connection, until: float) -> None:
    """Erase events from before that time whose deliveries are all done, oldest first, a bounded number."""
    is_open = exists().where(
        webhook_deliveries.c.event_no == webhook_events.c.no,
        or_(webhook_deliveries.c.status != "delivered", webhook_deliveries.c.updated_at > until),
    )
    old = select(webhook_events.c.no).where(and_(webhook_events.c.created_at <= until, ~is_open))
    nos = connection.execute(old.order_by(webhook_events.c.created_at).limit(AT_ONCE)).scalars().all()
    if nos:
        mine = select(webhook_deliveries.c.no).where(webhook_deliveries.c.event_no.in_(nos))
        erase(connection, connection.execute(mine).scalars().all())
        connection.execute(delete(webhook_events).where(webhook_events.c.no.in_(nos)))

"""What the clock makes due beside deliveries: ends of entitlements, secrets, and of what is kept for a time.

And what a process that died, or wrote an event just then, has left for an endpoint that is disabled.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, select

from reinmaker_cli.server.store.dead_letters import erase
from reinmaker_cli.server.store.endpoint_secrets import next_secret_change, renew_secrets
from reinmaker_cli.server.store.entitlements import NEXT_END, tell_expired
from reinmaker_cli.server.store.recording import bury_disabled, has_stranded
from reinmaker_cli.server.store.webhook_tables import dead_letters, webhook_deliveries

_FIRST_LETTER = select(dead_letters.c.expires_at).order_by(dead_letters.c.expires_at).limit(1)
AT_ONCE: Final = 200
"""Rows of a kind that one turn takes: a few milliseconds, in which nobody else writes."""
_AT_ANY_TIME: Final = 0.0
# Both rows are locked: another process that redrives a letter takes it out, and what it redrives must not be erased.
_ENDED_LETTERS = (
    select(dead_letters.c.delivery_no)
    .join(webhook_deliveries, webhook_deliveries.c.no == dead_letters.c.delivery_no)
    .where(dead_letters.c.expires_at <= bindparam("now"))
    .limit(AT_ONCE)
    .with_for_update(skip_locked=True)
)


def do_chores(connection: Connection, *, now: float) -> None:
    """Do what is due, some of it where it is much."""
    tell_expired(connection, now=now, at_most=AT_ONCE)
    renew_secrets(connection, now=now)
    bury_disabled(connection, now)
    letters = connection.execute(_ENDED_LETTERS, {"now": now}).scalars().all()
    if letters:
        erase(connection, letters)


def next_chore(connection: Connection) -> float | None:
    """Return when the next of them is due, now or later; None where none will be."""
    instants = (
        connection.execute(NEXT_END).scalar_one(),
        connection.execute(_FIRST_LETTER).scalar_one_or_none(),
        next_secret_change(connection),
        _AT_ANY_TIME if has_stranded(connection) else None,
    )
    return min((instant for instant in instants if instant is not None), default=None)

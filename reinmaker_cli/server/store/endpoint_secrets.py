"""The signing secrets of an endpoint: the current one, the next, and older ones that sign for a while yet.

A secret is due to be followed by the next after 60 days. The next is made a week before, so that the receiver can be
given it, and takes over only once somebody fetched it: a rotation that nobody heard of would break every receiver.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, and_, bindparam, delete, exists, func, insert, or_, select, update

from reinmaker_cli.contract.signing import new_secret
from reinmaker_cli.server.store.webhook_tables import webhook_endpoints, webhook_secrets

DAY_S: Final = 86_400
ROTATE_AFTER_S: Final = 60 * DAY_S
PREPARE_BEFORE_S: Final = 7 * DAY_S
OVERLAP_S: Final = DAY_S
MAX_OVERLAP_S: Final = 7 * DAY_S

_IS_NEXT = webhook_secrets.c.active_from.is_(None)
_IS_CURRENT = and_(webhook_secrets.c.active_from.is_not(None), webhook_secrets.c.signs_until.is_(None))
_SECOND = webhook_secrets.alias("second")
_HAS_NEXT = exists().where(_SECOND.c.endpoint_no == webhook_secrets.c.endpoint_no, _SECOND.c.active_from.is_(None))
_NEXT_IS_FETCHED = exists().where(
    _SECOND.c.endpoint_no == webhook_secrets.c.endpoint_no,
    _SECOND.c.active_from.is_(None),
    _SECOND.c.fetched_at.is_not(None),
)
_NEWEST_FIRST = (webhook_secrets.c.active_from.desc(), webhook_secrets.c.no.desc())

# Made once: each turn of the deliveries asks these.
_SIGNING = (
    select(webhook_secrets.c.secret)
    .where(
        webhook_secrets.c.endpoint_no == bindparam("endpoint"),
        webhook_secrets.c.active_from.is_not(None),
        or_(webhook_secrets.c.signs_until.is_(None), webhook_secrets.c.signs_until > bindparam("now")),
    )
    .order_by(*_NEWEST_FIRST)
)
_CURRENT_SINCE = select(func.min(webhook_secrets.c.active_from)).where(_IS_CURRENT)
_UNPREPARED_SINCE = _CURRENT_SINCE.where(~_HAS_NEXT)
_FETCHED_SINCE = _CURRENT_SINCE.where(_NEXT_IS_FETCHED)


@dataclass(frozen=True, slots=True)
class SecretState:
    """Where the rotation of an endpoint's secret stands."""

    created_at: float
    rotates_at: float
    """When the next secret takes over, where it was fetched."""
    next_ready: bool
    next_fetched: bool

    def is_overdue_at(self, now: float) -> bool:
        """Return whether the secret should have been followed by another."""
        return self.rotates_at <= now


@dataclass(frozen=True, slots=True)
class Shown:
    """A secret, told once."""

    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotShown:
    """The current secret was told before."""


def add_first_secret(connection: Connection, endpoint_no: int, *, now: float, fetched: bool) -> str:
    """Give a new endpoint its secret, and return it."""
    return _add(connection, endpoint_no, now=now, active_from=now, fetched_at=now if fetched else None)


def signing_secrets(connection: Connection, endpoint_no: int, *, now: float) -> tuple[str, ...]:
    """Return the secrets that sign for an endpoint, newest first."""
    return tuple(connection.execute(_SIGNING, {"endpoint": endpoint_no, "now": now}).scalars())


def secret_state(connection: Connection, endpoint_no: int) -> SecretState | None:
    """Return where the rotation stands; None for an endpoint that was removed."""
    current = _one(connection, endpoint_no, _IS_CURRENT)
    following = _one(connection, endpoint_no, _IS_NEXT)
    if current is None:
        return None
    return SecretState(
        created_at=current.created_at,
        rotates_at=current.active_from + ROTATE_AFTER_S,
        next_ready=following is not None,
        next_fetched=following is not None and following.fetched_at is not None,
    )


def show_secret(
    connection: Connection, endpoint_no: int, which: Literal["current", "next"], *, now: float
) -> Shown | NotShown:
    """Tell a secret and remember that it was told.

    `next` is made where there is none, and takes over at once where that is overdue.
    """
    if which == "next" and _one(connection, endpoint_no, _IS_NEXT) is None:
        _add(connection, endpoint_no, now=now, active_from=None, fetched_at=None)
    row = _one(connection, endpoint_no, _IS_NEXT if which == "next" else _IS_CURRENT)
    if row is None or (which == "current" and row.fetched_at is not None):
        return NotShown()
    connection.execute(update(webhook_secrets).where(webhook_secrets.c.no == row.no).values(fetched_at=now))
    renew_secrets(connection, now=now)
    return Shown(row.secret)


def rotate(connection: Connection, endpoint_no: int, *, overlap_s: float, now: float) -> bool:
    """Let the next secret take over; False, and nothing happens, where nobody fetched it."""
    following = _one(connection, endpoint_no, _IS_NEXT)
    if following is None or following.fetched_at is None:
        return False
    current = and_(webhook_secrets.c.endpoint_no == endpoint_no, _IS_CURRENT)
    connection.execute(update(webhook_secrets).where(current).values(signs_until=now + overlap_s))
    connection.execute(update(webhook_secrets).where(webhook_secrets.c.no == following.no).values(active_from=now))
    return True


def renew_secrets(connection: Connection, *, now: float) -> None:
    """Make next secrets that are due, let those take over that are due and fetched, end those that sign no more."""
    old = and_(webhook_secrets.c.signs_until.is_not(None), webhook_secrets.c.signs_until <= now)
    connection.execute(delete(webhook_secrets).where(old))
    young = select(webhook_secrets.c.endpoint_no).where(_IS_CURRENT)
    unprepared = young.where(~_HAS_NEXT, webhook_secrets.c.active_from <= now - ROTATE_AFTER_S + PREPARE_BEFORE_S)
    for endpoint_no in connection.execute(unprepared).scalars().all():
        _add(connection, endpoint_no, now=now, active_from=None, fetched_at=None)
    due = young.where(_NEXT_IS_FETCHED, webhook_secrets.c.active_from <= now - ROTATE_AFTER_S)
    for endpoint_no in connection.execute(due).scalars().all():
        rotate(connection, endpoint_no, overlap_s=OVERLAP_S, now=now)


def next_secret_change(connection: Connection) -> float | None:
    """Return when the next of these is due; a secret that nobody fetched is due for nothing."""
    unprepared = connection.execute(_UNPREPARED_SINCE).scalar_one()
    fetched = connection.execute(_FETCHED_SINCE).scalar_one()
    instants = (
        None if unprepared is None else unprepared + ROTATE_AFTER_S - PREPARE_BEFORE_S,
        None if fetched is None else fetched + ROTATE_AFTER_S,
    )
    return min((instant for instant in instants if instant is not None), default=None)


def next_rotation(connection: Connection) -> tuple[float | None, bool]:
    """Return when the oldest current secret is due to be followed, and whether its next one was fetched."""
    live = select(webhook_endpoints.c.no).where(webhook_endpoints.c.enabled)
    current = select(webhook_secrets.c.active_from, _NEXT_IS_FETCHED).where(
        _IS_CURRENT, webhook_secrets.c.endpoint_no.in_(live)
    )
    row = connection.execute(current.order_by(webhook_secrets.c.active_from).limit(1)).one_or_none()
    return (None, False) if row is None else (row[0] + ROTATE_AFTER_S, bool(row[1]))


def _add(
    connection: Connection, endpoint_no: int, *, now: float, active_from: float | None, fetched_at: float | None
) -> str:
    secret = new_secret()
    row = {"endpoint_no": endpoint_no, "secret": secret, "created_at": now}
    connection.execute(insert(webhook_secrets).values(row | {"active_from": active_from, "fetched_at": fetched_at}))
    return secret


def _one(connection: Connection, endpoint_no: int, which: Any) -> Row[Any] | None:
    return connection.execute(
        select(webhook_secrets).where(webhook_secrets.c.endpoint_no == endpoint_no, which)
    ).one_or_none()

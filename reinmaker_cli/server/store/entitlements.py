"""Which plans a user has."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, or_, select, update

from reinmaker_cli.contract.names import EntitlementStatus, EventType
from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.inserts import insert_or_replace
from reinmaker_cli.server.store.outbox import Emitted, NewEvent, emit
from reinmaker_cli.server.store.tables import entitlements

LISTED_AT_MOST = 1000


@dataclass(frozen=True, slots=True)
class Entitlement:
    """One plan of one user, as it is stored."""

    user_id: str = field(repr=False)
    plan: str
    product: str
    is_revoked: bool
    issued_at: float
    expires_at: float | None
    """Unix seconds of the server's clock; None: never."""
    features: tuple[str, ...] = ()
    source: str = ""
    region: str | None = None

    def status_at(self, now: float) -> EntitlementStatus:
        """Return the status at a time of the server's clock; at `expires_at` itself it is over."""
        if self.is_revoked:
            return EntitlementStatus.REVOKED
        is_over = self.expires_at is not None and self.expires_at <= now
        return EntitlementStatus.EXPIRED if is_over else EntitlementStatus.ACTIVE


class Entitlements:
    """The entitlements of all users: one per user and plan."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def active(self, user_id: str, *, now: float) -> tuple[Entitlement, ...]:
        """Return what a user may use now, by plan; nothing for an unknown user."""
        lasts = or_(entitlements.c.expires_at.is_(None), entitlements.c.expires_at > now)
        is_active = entitlements.c.status == EntitlementStatus.ACTIVE.value
        return self._read(_ordered().where(entitlements.c.user_id == user_id, is_active, lasts))

    def all(self, user_id: str | None = None) -> tuple[Entitlement, ...]:
        """Return what there is, of one user or of all, the first 1000 by user and plan; over and revoked ones too."""
        query = _ordered().limit(LISTED_AT_MOST)
        return self._read(query if user_id is None else query.where(entitlements.c.user_id == user_id))

    def put(self, entitlement: Entitlement, *, trace_id: str, now: float) -> Emitted | None:
        """Give a user a plan, in place of what the user had of it; None where that changes nothing."""
        this_one = _of(entitlement.user_id, entitlement.plan)
        with self._database.write() as connection:
            self._database.alone(connection, f"entitlement {entitlement.user_id} {entitlement.plan}")
            before = _find(connection, this_one, now)
            insert_or_replace(connection, entitlements, _row(entitlement, now))
            if before is not None and _told(before, now) == _told(entitlement, now):
                return None
            return _tell(connection, entitlement, trace_id, now)

    def revoke(self, user_id: str, plan: str, *, trace_id: str, now: float) -> Entitlement | None:
        """Take a plan from a user and return what is left of it; None where the user never had it."""
        this_one = _of(user_id, plan)
        with self._database.write() as connection:
            self._database.alone(connection, f"entitlement {user_id} {plan}")
            before = _find(connection, this_one, now)
            if before is None or before.is_revoked:
                return before
            connection.execute(update(entitlements).where(*this_one).values(status=EntitlementStatus.REVOKED.value))
            revoked = replace(before, is_revoked=True)
            _tell(connection, revoked, trace_id, now)
        return revoked

    def _read(self, query: Select[Any]) -> tuple[Entitlement, ...]:
        with self._database.read() as connection:
            return tuple(_entitlement(row) for row in connection.execute(query).mappings())


def tell_expired(connection: Connection, *, now: float, at_most: int) -> int:
    """Tell of entitlements that ended by the clock, each once, in the order of their ends; return how many."""
    ended = select(entitlements).where(*_IS_UNTOLD, entitlements.c.expires_at <= now)
    in_order = ended.order_by(entitlements.c.expires_at, entitlements.c.user_id, entitlements.c.plan).limit(at_most)
    rows = connection.execute(in_order.with_for_update(skip_locked=True)).mappings().all()
    for row in rows:
        _tell_end(connection, _entitlement(row), now)
    return len(rows)


_IS_UNTOLD = (entitlements.c.status == EntitlementStatus.ACTIVE.value, entitlements.c.expiry_told_at.is_(None))
NEXT_END = select(func.min(entitlements.c.expires_at)).where(*_IS_UNTOLD)
"""The query for when the next entitlement ends of which nobody was told."""


def _find(connection: Connection, this_one: Sequence[ColumnElement[bool]], now: float) -> Entitlement | None:
    """Return an entitlement that is about to change, its end told of where that is still to be done."""
    row = connection.execute(select(entitlements).where(*this_one).with_for_update()).mappings().one_or_none()
    if row is None:
        return None
    found = _entitlement(row)
    if found.status_at(now) is EntitlementStatus.EXPIRED and row["expiry_told_at"] is None:
        _tell_end(connection, found, now)
    return found


def _tell_end(connection: Connection, ended: Entitlement, now: float) -> None:
    told = update(entitlements).where(*_of(ended.user_id, ended.plan)).values(expiry_told_at=now)
    connection.execute(told)
    _tell(connection, ended, secrets.token_hex(16), now)  # no request caused it, so it has a trace of its own


def _tell(connection: Connection, entitlement: Entitlement, trace_id: str, now: float) -> Emitted:
    data = {
        "userId": entitlement.user_id,
        "productTier": entitlement.plan,
        "status": entitlement.status_at(now).value,
        "expiresAt": None if entitlement.expires_at is None else rfc3339(entitlement.expires_at),
    }
    event = NewEvent(EventType.ENTITLEMENT_UPDATED, data, trace_id, entitlement.user_id)
    return emit(connection, event, now=now)


def _told(entitlement: Entitlement, now: float) -> tuple[Any, ...]:
    """Return what of an entitlement is worth telling when it changes: all but when it was given."""
    return replace(entitlement, issued_at=0.0), entitlement.status_at(now)


def _of(user_id: str, plan: str) -> tuple[ColumnElement[bool], ...]:
    return (entitlements.c.user_id == user_id, entitlements.c.plan == plan)


def _row(entitlement: Entitlement, now: float) -> dict[str, Any]:
    status = EntitlementStatus.REVOKED if entitlement.is_revoked else EntitlementStatus.ACTIVE
    return {
        "user_id": entitlement.user_id,
        "plan": entitlement.plan,
        "product": entitlement.product,
        "status": status.value,
        "issued_at": entitlement.issued_at,
        "expires_at": entitlement.expires_at,
        "features": json.dumps(entitlement.features),
        "source": entitlement.source,
        "region": entitlement.region,
        "expiry_told_at": now if entitlement.status_at(now) is EntitlementStatus.EXPIRED else None,
    }


def _ordered() -> Select[Any]:
    return select(entitlements).order_by(entitlements.c.user_id, entitlements.c.plan)


def _entitlement(row: RowMapping) -> Entitlement:
    return Entitlement(
        user_id=row["user_id"],
        plan=row["plan"],
        product=row["product"],
        is_revoked=row["status"] == EntitlementStatus.REVOKED.value,
        issued_at=row["issued_at"],
        expires_at=row["expires_at"],
        features=tuple(json.loads(row["features"])),
        source=row["source"],
        region=row["region"],
    )

"""Which plans a user has."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping, Select, or_, select, update

from reinmaker_cli.contract.names import EntitlementStatus
from reinmaker_cli.server.store.database import Database, insert_or_replace
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

    def put(self, entitlement: Entitlement) -> None:
        """Give a user a plan, in place of what the user had of it."""
        status = EntitlementStatus.REVOKED if entitlement.is_revoked else EntitlementStatus.ACTIVE
        row = {
            "user_id": entitlement.user_id,
            "plan": entitlement.plan,
            "product": entitlement.product,
            "status": status.value,
            "issued_at": entitlement.issued_at,
            "expires_at": entitlement.expires_at,
            "features": json.dumps(entitlement.features),
            "source": entitlement.source,
            "region": entitlement.region,
        }
        with self._database.write() as connection:
            insert_or_replace(connection, entitlements, row)

    def revoke(self, user_id: str, plan: str) -> Entitlement | None:
        """Take a plan from a user and return what is left of it; None where the user never had it."""
        this_one = (entitlements.c.user_id == user_id, entitlements.c.plan == plan)
        with self._database.write() as connection:
            connection.execute(update(entitlements).where(*this_one).values(status=EntitlementStatus.REVOKED.value))
            row = connection.execute(select(entitlements).where(*this_one)).mappings().one_or_none()
        return None if row is None else _entitlement(row)

    def _read(self, query: Select[Any]) -> tuple[Entitlement, ...]:
        with self._database.read() as connection:
            return tuple(_entitlement(row) for row in connection.execute(query).mappings())


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

"""Receivers of webhooks: what they want, whether they are enabled, their secrets."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from reinmaker_cli.server.store import endpoint_secrets
from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.dead_letters import bury
from reinmaker_cli.server.store.endpoint_secrets import NotShown, SecretState, Shown
from reinmaker_cli.server.store.webhook_tables import webhook_deliveries, webhook_endpoints, webhook_secrets

ENDPOINT_DISABLED: Final = "endpoint disabled"
ENDPOINT_REMOVED: Final = "endpoint removed"

Source = Literal["option", "control"]


@dataclass(frozen=True, slots=True)
class StoredEndpoint:
    """One receiver."""

    endpoint_id: str
    url: str = field(repr=False)
    types: tuple[str, ...]
    """Empty: all."""
    enabled: bool
    disabled_reason: str | None
    source: Source
    created_at: float
    last_delivered_at: float | None
    secret: SecretState
    open: int
    """Deliveries that are still to be made."""
    dead_letters: int


class Endpoints:
    """The receivers that were not removed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[StoredEndpoint, ...]:
        """Return every endpoint, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(_live().order_by(webhook_endpoints.c.no)).all()
            return tuple(_endpoint(connection, row) for row in rows)

    def find(self, endpoint_id: str) -> StoredEndpoint | None:
        """Return the endpoint, or None."""
        with self._database.read() as connection:
            row = _row(connection, endpoint_id)
            return None if row is None else _endpoint(connection, row)

    def add(self, url: str, types: Sequence[str], *, now: float) -> tuple[StoredEndpoint, str]:
        """Add a receiver and return it with its secret, which is told this once."""
        with self._database.write() as connection:
            row = _add(connection, url, types, "control", now)
            secret = endpoint_secrets.add_first_secret(connection, row.no, now=now, fetched=True)
            return _endpoint(connection, row), secret

    def keep_option(self, url: str, types: Sequence[str], *, now: float) -> None:
        """Add the receiver of an option, unless it is there from an earlier start."""
        same = (webhook_endpoints.c.url == url, webhook_endpoints.c.types == _joined(types))
        with self._database.write() as connection:
            self._database.alone(connection, "endpoints of options")
            if connection.execute(_live().where(*same, webhook_endpoints.c.source == "option")).first() is None:
                row = _add(connection, url, types, "option", now)
                endpoint_secrets.add_first_secret(connection, row.no, now=now, fetched=False)

    def enable(self, endpoint_id: str) -> StoredEndpoint | None:
        """Let an endpoint have events from now on; None where there is none."""
        with self._database.write() as connection:
            row = _row(connection, endpoint_id)
            if row is None:
                return None
            enabled = {"enabled": True, "disabled_reason": None}
            connection.execute(update(webhook_endpoints).where(webhook_endpoints.c.no == row.no).values(enabled))
            return _endpoint(connection, _row(connection, endpoint_id) or row)

    def disable(self, endpoint_id: str, reason: str, *, now: float) -> StoredEndpoint | None:
        """Stop telling an endpoint anything; what is open becomes dead letters. None where there is none."""
        with self._database.write() as connection:
            row = _row(connection, endpoint_id)
            if row is None:
                return None
            disable_endpoint(connection, row.no, reason, now=now)
            return _endpoint(connection, _row(connection, endpoint_id) or row)

    def remove(self, endpoint_id: str, *, now: float) -> bool:
        """Remove an endpoint and its secrets; what is open becomes dead letters. False where there is none."""
        with self._database.write() as connection:
            self._database.alone(connection, "secrets")
            row = _row(connection, endpoint_id)
            if row is None:
                return False
            disable_endpoint(connection, row.no, ENDPOINT_REMOVED, now=now)
            this_one = webhook_endpoints.c.no == row.no
            connection.execute(update(webhook_endpoints).where(this_one).values(removed_at=now))
            connection.execute(delete(webhook_secrets).where(webhook_secrets.c.endpoint_no == row.no))
        return True

    def show_secret(
        self, endpoint_id: str, which: Literal["current", "next"], *, now: float
    ) -> Shown | NotShown | None:
        """Tell a secret that was not told before; None where there is no such endpoint."""
        with self._database.write() as connection:
            self._database.alone(connection, "secrets")
            row = _row(connection, endpoint_id)
            return None if row is None else endpoint_secrets.show_secret(connection, row.no, which, now=now)

    def rotate(self, endpoint_id: str, *, overlap_s: float, now: float) -> StoredEndpoint | Literal[False] | None:
        """Let the next secret take over; False where nobody fetched it, None where there is no such endpoint."""
        with self._database.write() as connection:
            self._database.alone(connection, "secrets")
            row = _row(connection, endpoint_id)
            if row is None:
                return None
            done = endpoint_secrets.rotate(connection, row.no, overlap_s=overlap_s, now=now)
            return _endpoint(connection, row) if done else False


def disable_endpoint(connection: Connection, no: int, reason: str, *, now: float) -> None:
    """Disable an endpoint in the caller's transaction; what is not on its way yet becomes dead letters."""
    disabled = {"enabled": False, "disabled_reason": reason}
    connection.execute(update(webhook_endpoints).where(webhook_endpoints.c.no == no).values(disabled))
    waiting = (webhook_deliveries.c.endpoint_no == no) & webhook_deliveries.c.leased_until.is_(None)
    bury(connection, waiting, reason if reason == ENDPOINT_REMOVED else ENDPOINT_DISABLED, now=now)


def _live() -> Any:
    return select(webhook_endpoints).where(webhook_endpoints.c.removed_at.is_(None))


def _row(connection: Connection, endpoint_id: str) -> Row[Any] | None:
    return connection.execute(_live().where(webhook_endpoints.c.endpoint_id == endpoint_id)).one_or_none()


def _add(connection: Connection, url: str, types: Sequence[str], source: Source, now: float) -> Row[Any]:
    endpoint_id = "ep_" + secrets.token_hex(12)
    row = {"endpoint_id": endpoint_id, "url": url, "types": _joined(types), "source": source}
    connection.execute(insert(webhook_endpoints).values(row | {"enabled": True, "created_at": now}))
    return connection.execute(_live().where(webhook_endpoints.c.endpoint_id == endpoint_id)).one()


def _joined(types: Sequence[str]) -> str:
    return " ".join(sorted(set(types)))


def _endpoint(connection: Connection, row: Row[Any]) -> StoredEndpoint:
    state = endpoint_secrets.secret_state(connection, row.no)
    assert state is not None  # every endpoint that is not removed has a secret
    return StoredEndpoint(
        endpoint_id=row.endpoint_id,
        url=row.url,
        types=tuple(row.types.split()),
        enabled=row.enabled,
        disabled_reason=row.disabled_reason,
        source=row.source,
        created_at=row.created_at,
        last_delivered_at=row.last_delivered_at,
        secret=state,
        open=_count(connection, row.no, "open"),
        dead_letters=_count(connection, row.no, "dead"),
    )


def _count(connection: Connection, endpoint_no: int, status: str) -> int:
    mine = (webhook_deliveries.c.endpoint_no == endpoint_no, webhook_deliveries.c.status == status)
    return connection.execute(select(func.count()).where(*mine)).scalar_one()

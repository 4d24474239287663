"""OAuth clients and the hashes of their secrets."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Row, delete, insert, select

from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.tables import client_secrets, clients

LIVE_SECRETS = 2
"""During a rotation the old secret still works; the one before it does not."""


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """One live secret of a client, hashed."""

    sha256: bytes = field(repr=False)
    created_at: float
    """Unix seconds of the server's clock."""

    def fits(self, secret: str) -> bool:
        """Return whether this is the secret, in a time that does not depend on where it differs."""
        return hmac.compare_digest(self.sha256, _hashed(secret))


@dataclass(frozen=True, slots=True)
class StoredClient:
    """A client with its live secrets, newest first."""

    client_id: str
    name: str
    scopes: tuple[str, ...]
    is_development: bool
    created_at: float
    secrets: tuple[StoredSecret, ...]


class Clients:
    """The clients that the token endpoint knows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, client_id: str) -> StoredClient | None:
        """Return the client, or None."""
        with self._database.read() as connection:
            row = connection.execute(select(clients).where(clients.c.client_id == client_id)).one_or_none()
            return None if row is None else _client(connection, row)

    def development(self, known_id: str | None = None) -> StoredClient | None:
        """Return the development client, or None before the first start.

        Servers on one database have one each, so that none renews the secret of another: that of `known_id`.
        """
        query = select(clients).where(clients.c.is_development)
        if self._database.is_shared:
            query = query.where(clients.c.client_id == known_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else _client(connection, row)

    def all(self) -> tuple[StoredClient, ...]:
        """Return every client, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(clients).order_by(clients.c.created_at, clients.c.client_id)).all()
            return tuple(_client(connection, row) for row in rows)

    def add(
        self,
        client_id: str,
        secret: str,
        *,
        name: str,
        scopes: Sequence[str],
        now: float,
        is_development: bool = False,
    ) -> None:
        """Add a client with its first secret."""
        with self._database.write() as connection:
            connection.execute(
                insert(clients).values(
                    client_id=client_id,
                    name=name,
                    scopes=" ".join(scopes),
                    is_development=is_development,
                    created_at=now,
                )
            )
            _add_secret(connection, client_id, secret, now)

    def add_secret(self, client_id: str, secret: str, *, now: float) -> None:
        """Give the client a new secret; the newest one before it goes on working, older ones end."""
        with self._database.write() as connection:
            self._database.alone(connection, f"client {client_id}")
            _add_secret(connection, client_id, secret, now)
            mine = client_secrets.c.client_id == client_id
            newest = select(client_secrets.c.no).where(mine).order_by(client_secrets.c.no.desc()).limit(LIVE_SECRETS)
            kept = connection.execute(newest).scalars().all()
            connection.execute(delete(client_secrets).where(mine, client_secrets.c.no.not_in(kept)))


def _add_secret(connection: Connection, client_id: str, secret: str, now: float) -> None:
    connection.execute(insert(client_secrets).values(client_id=client_id, sha256=_hashed(secret), created_at=now))


def _client(connection: Connection, row: Row[tuple[str, str, str, bool, float]]) -> StoredClient:
    secrets = connection.execute(
        select(client_secrets.c.sha256, client_secrets.c.created_at)
        .where(client_secrets.c.client_id == row.client_id)
        .order_by(client_secrets.c.no.desc())
    ).all()
    return StoredClient(
        client_id=row.client_id,
        name=row.name,
        scopes=tuple(row.scopes.split()),
        is_development=row.is_development,
        created_at=row.created_at,
        secrets=tuple(StoredSecret(secret.sha256, secret.created_at) for secret in secrets),
    )


def _hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()

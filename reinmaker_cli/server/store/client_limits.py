"""Limits that a client has instead of those of a policy."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.inserts import insert_or_replace
from reinmaker_cli.server.store.tables import client_limits


class ClientLimits:
    """Which clients were given limits of their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[tuple[str, str], int]:
        """Return client id and name of the policy → how many requests."""
        with self._database.read() as connection:
            rows = connection.execute(select(client_limits)).all()
        return {(row.client_id, row.policy): row.quota for row in rows}

    def put(self, client_id: str, quotas: Mapping[str, int]) -> None:
        """Keep what a client's limits are now; policies that are not named stay as they are."""
        with self._database.write() as connection:
            for policy, quota in quotas.items():
                insert_or_replace(connection, client_limits, {"client_id": client_id, "policy": policy, "quota": quota})

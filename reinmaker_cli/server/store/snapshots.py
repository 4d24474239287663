"""The database as a whole: copied into a file, and replaced by what a file holds.

Readers see the state before or the state after, and a copy is one moment, whatever is being written beside it. What
is put into the database begins a new epoch: no claim from before it counts (`facts.epoch`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, insert, select

from reinmaker_cli.server.store.database import Database, SnapshotUnreadable, open_database, read_facts, sync_file
from reinmaker_cli.server.store.facts import begin_epoch
from reinmaker_cli.server.store.people import People
from reinmaker_cli.server.store.tables import client_secrets, clients, facts, signing_keys
from reinmaker_cli.server.store.webhook_tables import webhook_endpoints, webhook_secrets

_TAKEN_AT: Final = "snapshotTakenAt"
_CLOCK: Final = "clock"
_KEPT_FACTS: Final = ("logKey",)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a snapshot says of itself."""

    taken_at: float
    """By the clock of the server that took it."""
    clock: str
    """What that clock was set to."""
    schema_version: int


class Snapshots:
    """Whole states of one database. Calls block for as long as it takes to write the file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def copy_into(self, file: Path, *, clock: str, now: float) -> None:
        """Write all that the database holds into a file that is not there yet; `clock` is what the clock is set to."""
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))  # it holds the keys that sign
        self._database.copy_into(file, {_TAKEN_AT: repr(now), _CLOCK: clock})

    def prepare_restore(self, file: Path) -> None:
        """Make a copy of a snapshot fit to become this database: its tables those of today, its epoch a new one."""
        copy = open_database(file, is_scratch=True)
        try:
            with copy.write() as connection:
                begin_epoch(connection)
                connection.execute(delete(facts).where(facts.c.name == _TAKEN_AT))
        finally:
            copy.close()

    def prepare_reset(self, file: Path, *, now: float) -> None:
        """Make the file a database as at a first start, with what programs around this server know it by.

        That is: the development client with its secrets, the keys that sign tokens, and the webhook endpoints that the
        server was started with, with the secrets that sign for them. `now` is the time after the reset.
        """
        fresh = open_database(file, is_scratch=True)
        try:
            with self._database.read() as source, fresh.write() as target:
                begin_epoch(target)
                for table, condition in _kept():
                    rows = source.execute(select(table).where(condition)).mappings().all()
                    _insert(target, table, [_as_new(row, now) for row in rows])
        finally:
            fresh.close()

    def forget_user(self, file: Path, user_id: str) -> None:
        """Erase a user from a copy of a snapshot, durably."""
        copy = open_database(file, is_scratch=True)
        try:
            people = People(copy)
            people.forget(user_id)
            people.leave_no_bytes()
        finally:
            copy.close()
        sync_file(file)

    def replace_with(self, file: Path) -> None:
        """Put what a prepared file holds in the place of all that the database holds, durably and in one step."""
        self._database.replace_with(file)


def look_at(file: Path) -> Taken | None:
    """Return what a snapshot says of itself; None where the file is no snapshot."""
    try:
        found = read_facts(file)
        return Taken(float(found[_TAKEN_AT]), found[_CLOCK], int(found["schemaVersion"]))
    except (SnapshotUnreadable, KeyError, ValueError):
        return None


def _kept() -> tuple[tuple[Table, Any], ...]:
    mine = select(clients.c.client_id).where(clients.c.is_development)
    given = webhook_endpoints.c.source == "option", webhook_endpoints.c.removed_at.is_(None)
    endpoints = select(webhook_endpoints.c.no).where(*given)
    signs = webhook_secrets.c.active_from.is_not(None) & webhook_secrets.c.signs_until.is_(None)
    return (
        (facts, facts.c.name.in_(_KEPT_FACTS)),
        (clients, clients.c.is_development),
        (client_secrets, client_secrets.c.client_id.in_(mine)),
        (signing_keys, signing_keys.c.kid.is_not(None)),
        (webhook_endpoints, webhook_endpoints.c.no.in_(endpoints)),
        (webhook_secrets, webhook_secrets.c.endpoint_no.in_(endpoints) & signs),
    )


def _as_new(row: Mapping[Any, Any], now: float) -> dict[str, Any]:
    """Return a row as it is at a first start: nothing in it is later than that, and an endpoint is enabled."""
    new = dict(row)
    for name in ("created_at", "active_from", "fetched_at"):
        if new.get(name) is not None:
            new[name] = min(new[name], now)
    if "enabled" in new:
        new |= {"enabled": True, "disabled_reason": None, "last_delivered_at": None}
    return new


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)

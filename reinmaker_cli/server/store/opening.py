"""Opening a database, whichever it is: its tables made, or those of today, or an error that says why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection, insert, inspect, select, update

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError
from reinmaker_cli.server.store import webhook_tables  # noqa: F401  (they are part of METADATA)
from reinmaker_cli.server.store.tables import METADATA, SCHEMA_VERSION, facts
from reinmaker_cli.server.store.upgrades import upgrade


class _Closable(Protocol):
    def close(self) -> None: ...


D = TypeVar("D", bound=_Closable)


def opened(database: D, make: Callable[[D], None]) -> D:
    """Return the database once its tables are made or brought up to date; it is closed where that fails."""
    try:
        make(database)
    except BaseException:
        database.close()
        raise
    return database


def unusable(shown: str, reason: object, hint: str) -> UsageError:
    """Return the error for a database that cannot be opened."""
    return UsageError(f"cannot use the database: `{shown}` ({reason})", code=codes.DATABASE_FAILED, hint=hint)


def make_or_upgrade(connection: Connection, shown: str, otherwise: str) -> None:
    """Make the tables, or make them those of today; `database-newer`. In one transaction: cut short, nothing happened.

    `shown` names the database in an error, `otherwise` says what else could be used.
    """
    if not inspect(connection).has_table(facts.name):
        METADATA.create_all(connection)
        connection.execute(insert(facts).values(name="schemaVersion", value=str(SCHEMA_VERSION)))
    found = int(connection.execute(select(facts.c.value).where(facts.c.name == "schemaVersion")).scalar_one())
    if found > SCHEMA_VERSION:
        raise UsageError(
            f"a newer reinmaker wrote the database: {shown} (schema {found}, this one knows {SCHEMA_VERSION})",
            code=codes.DATABASE_NEWER,
            hint=f"upgrade reinmaker, or {otherwise}",
        )
    if found < SCHEMA_VERSION:
        upgrade(connection, found)
        connection.execute(update(facts).where(facts.c.name == "schemaVersion").values(value=str(SCHEMA_VERSION)))

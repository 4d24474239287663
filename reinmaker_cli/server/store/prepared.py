"""Statements that are carried out all the time, made once: on SQLite their text goes to the driver itself.

SQLAlchemy takes 20 to 40 µs for each execution, SQLite 4.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.dialects import sqlite


class Prepared:
    """A statement of texts, numbers and bytes: on SQLite, SQLAlchemy would change none of them on their way."""

    def __init__(self, statement: Executable, columns: Sequence[str] | None = None) -> None:
        """`columns`: those that an insert has values for."""
        self._statement, self._columns = statement, columns
        self._sqlite: tuple[str, tuple[str, ...], Mapping[str, Any]] | None = None

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Return the rows of it with these values."""
        if connection.dialect.name == "sqlite":
            return self._driven(connection, values).fetchall()
        return connection.execute(self._statement, values).all()

    def one(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Any] | None:
        """Return its only row, or None where there is none."""
        rows = self.rows(connection, values)
        assert len(rows) <= 1, self._statement
        return rows[0] if rows else None

    def run(self, connection: Connection, values: Mapping[str, Any]) -> None:
        """Carry it out; it returns no rows."""
        if connection.dialect.name == "sqlite":
            self._driven(connection, values)
        else:
            connection.execute(self._statement, values)

    def _driven(self, connection: Connection, values: Mapping[str, Any]) -> sqlite3.Cursor:
        if self._sqlite is None:
            self._sqlite = _compiled(self._statement, self._columns)
        text, names, fixed = self._sqlite
        if not connection.in_transaction():
            connection.begin()  # SQLAlchemy begins with the first statement that it sees
        in_order = [values[name] if name in values else fixed[name] for name in names]
        return sqlite_driver(connection).execute(text, in_order)


def sqlite_driver(connection: Connection) -> sqlite3.Connection:
    """Return the connection of the driver, past SQLAlchemy."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _compiled(statement: Any, columns: Sequence[str] | None) -> tuple[str, tuple[str, ...], Mapping[str, Any]]:
    """Return the text, the names of its values in their order, and the values that it brings along."""
    compiled = statement.compile(dialect=sqlite.dialect(), column_keys=columns)
    text, names = str(compiled), tuple(compiled.positiontup)
    assert "POSTCOMPILE" not in text, text  # a list of values, which SQLAlchemy writes out for each execution
    fixed = {name: compiled.params[name] for name in names if not compiled.binds[name].required}
    return text, names, fixed

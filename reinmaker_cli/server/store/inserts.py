"""Rows that may be there already: skipped, or replaced."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite

from reinmaker_cli.server.store.prepared import sqlite_driver

_COUNTED = {"preserve_rowcount": True}
_ROWS_AT_ONCE: Final = (100, 10, 1)
"""Of one statement on SQLite, whose driver lets other threads go on, and waits for them, once for each statement.

A hundred rows of events have 900 values; SQLite's old limit is 999. Few kinds, because the driver keeps each prepared.
"""


def insert_or_skip(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> int:
    """Insert the rows whose unique keys are not there yet, those of the rows before them included; return how many.

    A row has the values of the columns that `names` has, in the order of the table. Where other processes insert the
    same rows, both do so in one order, or each would wait for the other.
    """
    if connection.dialect.name == "sqlite":
        return _insert_driven(connection, table, names, rows)
    statement = _insert(connection, table).on_conflict_do_nothing()
    named = [dict(zip(names, row, strict=True)) for row in rows]
    return connection.execute(statement, named, execution_options=_COUNTED).rowcount


def insert_or_replace(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert the row, or replace the one with the same primary key."""
    statement = _insert(connection, table).values(row)
    keys = {column.name for column in table.primary_key}
    changed = {name: value for name, value in row.items() if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=sorted(keys), set_=changed))


def _insert(connection: Connection, table: Table) -> Any:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects.postgresql import insert as postgres_insert  # 40 ms that SQLite does not pay

    return postgres_insert(table)


def _insert_driven(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> int:
    # SQLAlchemy would make a dictionary of each row and a tuple of that: half of the time of 500 events.
    driver, inserted, begin = sqlite_driver(connection), 0, 0
    for size in _ROWS_AT_ONCE:
        end = len(rows) - len(rows[begin:]) % size
        if values := [tuple(chain.from_iterable(rows[place : place + size])) for place in range(begin, end, size)]:
            inserted += driver.executemany(_sqlite_text(table, names, size), values).rowcount
        begin = end
    return inserted


@functools.cache
def _sqlite_text(table: Table, names: tuple[str, ...], rows: int) -> str:
    """Return the statement with a place for each value, none of which SQLAlchemy would change on its way."""
    compiled = sqlite.insert(table).on_conflict_do_nothing().compile(dialect=sqlite.dialect(), column_keys=names)
    assert tuple(compiled.positiontup or ()) == names, names
    assert all(table.c[name].type.python_type in (str, int, float) for name in names), names
    of_one, places = str(compiled), f"({', '.join('?' * len(names))})"
    assert of_one.count(places) == 1, of_one
    return of_one.replace(places, ", ".join([places] * rows))

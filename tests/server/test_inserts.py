"""Many rows in few statements: each is there once, and those that were new are counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from reinmaker_cli.server.store.database import open_database
from reinmaker_cli.server.store.inserts import insert_or_skip
from reinmaker_cli.server.store.tables import facts


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 99, 100, 101, 110, 123, 237])
def test_rows_are_inserted_once_wherever_they_stand_in_their_statement(tmp_path: Path, count: int) -> None:
    database = open_database(tmp_path / "d.sqlite3")
    rows = [(f"f{number}", str(number)) for number in range(count)]
    with database.write() as connection:
        assert insert_or_skip(connection, facts, ("name", "value"), rows[::3]) == len(rows[::3])
        twice = [row for row in rows for _ in range(2)]
        assert insert_or_skip(connection, facts, ("name", "value"), twice) == len(rows) - len(rows[::3])
    with database.read() as connection:
        found = connection.execute(select(facts.c.name, facts.c.value).where(facts.c.name.like("f%"))).all()
    database.close()
    assert sorted(map(tuple, found)) == sorted(rows)

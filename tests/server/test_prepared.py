"""Statements that go past SQLAlchemy on SQLite, and reads that see one state."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import bindparam, insert, select

from reinmaker_cli.server.store.database import Database, open_database
from reinmaker_cli.server.store.prepared import Prepared
from reinmaker_cli.server.store.tables import facts

_ALL = select(facts.c.name, facts.c.value).where(facts.c.name.like("f%"), facts.c.value != "").order_by(facts.c.name)
_ONE = Prepared(_ALL.where(facts.c.name == bindparam("wanted")).limit(1))
_INSERT = Prepared(insert(facts).returning(facts.c.name), ("name", "value"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path / "d.sqlite3")
    yield opened
    opened.close()


def test_rows_are_those_that_sqlalchemy_finds(database: Database) -> None:
    with database.write() as connection:
        assert [_INSERT.one(connection, {"name": f"f{no}", "value": "ü\0"}) for no in range(2)] == [("f0",), ("f1",)]
    with database.read() as connection:
        assert Prepared(_ALL).rows(connection, {}) == [tuple(row) for row in connection.execute(_ALL)]
        assert _ONE.one(connection, {"wanted": "f1"}) == ("f1", "ü\0")
        assert _ONE.one(connection, {"wanted": "f2"}) is None


def test_a_value_that_is_missing_is_no_null(database: Database) -> None:
    with database.write() as connection, pytest.raises(KeyError):
        _INSERT.one(connection, {"name": "f0"})


def test_a_statement_that_breaks_a_key_takes_its_transaction_back(database: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError), database.write() as connection:
        for _ in range(2):
            _INSERT.one(connection, {"name": "f0", "value": "v"})
    with database.read() as connection:
        assert Prepared(_ALL).rows(connection, {}) == []


def test_reads_within_one_state_do_not_see_what_is_written_meanwhile(database: Database) -> None:
    def seen() -> int:
        with database.read() as connection:
            return len(Prepared(_ALL).rows(connection, {}))

    with database.one_state():
        before = seen()
        with database.write() as connection:
            _INSERT.one(connection, {"name": "f0", "value": "v"})
        within = seen()
    assert (before, within, seen()) == (0, 0, 1)

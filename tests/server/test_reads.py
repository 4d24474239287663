"""Reads that are answered from memory, until anybody writes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from reinmaker_cli.server.reads import CAPACITY, Reads, Unknown
from reinmaker_cli.server.store import DATABASE_NAME, Store, join_store, open_store
from reinmaker_cli.server.threads import Threads


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


class Clock:
    """Reads what the store keeps of its clock, and counts how often."""

    def __init__(self, store: Store) -> None:
        self._store, self.asked = store, 0

    def read(self, _which: int = 0) -> str | None:
        self.asked += 1
        return self._store.facts.clock()


def test_read_is_asked_again_once_somebody_wrote(store: Store):
    async def scenario() -> None:
        reads, clock = Reads(Threads(), store.revision), Clock(store)
        assert isinstance(reads.known(clock.read), Unknown)
        assert [await reads.read(clock.read), await reads.read(clock.read)] == [None, None]
        assert clock.asked == 1
        store.facts.keep_clock("later")
        await asyncio.sleep(0)  # a turn
        assert [await reads.read(clock.read), reads.known(clock.read)] == ["later", "later"]
        assert clock.asked == 2

    asyncio.run(scenario())


def test_store_is_asked_once_a_turn_whether_it_changed(store: Store):
    asked: list[int | None] = []

    def revision() -> int | None:
        asked.append(store.revision())
        return asked[-1]

    async def scenario() -> None:
        reads, clock = Reads(Threads(), revision), Clock(store)
        await reads.read(clock.read)
        del asked[:]
        await asyncio.sleep(0)  # a turn
        assert [reads.known(clock.read), reads.known(clock.read)] == [None, None]
        assert len(asked) == 1
        await asyncio.sleep(0)
        assert reads.known(clock.read) is None
        assert len(asked) == 2

    asyncio.run(scenario())


def test_who_is_woken_by_a_write_reads_what_was_written(store: Store):
    """Also where somebody else asked in the turn in which it was written."""

    async def scenario() -> None:
        reads, written = Reads(Threads(), store.revision), asyncio.Event()
        await reads.read(store.facts.clock)

        async def woken() -> str | None:
            await written.wait()
            return await reads.read(store.facts.clock)

        waiting = asyncio.create_task(woken())
        await asyncio.sleep(0)
        assert reads.known(store.facts.clock) is None
        store.facts.keep_clock("later")
        written.set()
        assert await waiting == "later"

    asyncio.run(scenario())


def test_another_process_may_be_who_wrote(store: Store, tmp_path: Path):
    async def scenario() -> None:
        reads = Reads(Threads(), store.revision)
        assert await reads.read(store.facts.clock) is None
        with sqlite3.connect(tmp_path / DATABASE_NAME) as other:
            other.execute("INSERT INTO facts (name, value) VALUES ('clock', 'from there')")
        await asyncio.sleep(0)  # a turn
        assert await reads.read(store.facts.clock) == "from there"

    asyncio.run(scenario())


def test_write_while_a_read_is_under_way_is_not_missed(store: Store):
    async def scenario() -> None:
        reads = Reads(Threads(), store.revision)

        def overtaken() -> str | None:
            before = store.facts.clock()
            store.facts.keep_clock("meanwhile")
            return before

        assert await reads.read(overtaken) is None
        assert isinstance(reads.known(overtaken), Unknown)

    asyncio.run(scenario())


def test_store_that_cannot_say_whether_it_changed_is_asked_each_time(store: Store):
    async def scenario() -> None:
        reads, clock = Reads(Threads(), lambda: None), Clock(store)
        await reads.read(clock.read)
        await reads.read(clock.read)
        assert clock.asked == 2

    asyncio.run(scenario())


def test_memory_is_bounded(store: Store):
    async def scenario() -> None:
        reads, clock = Reads(Threads(), store.revision), Clock(store)
        for number in range(CAPACITY + 1):
            await reads.read(clock.read, number)
        assert isinstance(reads.known(clock.read, 0), Unknown)
        assert not isinstance(reads.known(clock.read, CAPACITY), Unknown)

    asyncio.run(scenario())


def test_revision_is_none_while_somebody_holds_the_whole_database(store: Store, tmp_path: Path):
    store.close()
    holder = sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("INSERT INTO facts (name, value) VALUES ('clock', 'held')")
    joined = join_store(tmp_path)
    assert joined.revision() is None
    holder.close()
    assert joined.revision() is not None
    joined.close()

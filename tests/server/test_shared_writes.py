"""Writes that share a commit: durable when they are answered, and none knows of another's failure."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from reinmaker_cli.server.store.database import Database, open_database
from reinmaker_cli.server.store.tables import facts
from reinmaker_cli.server.store.webhook_tables import dead_letters
from reinmaker_cli.server.threads import Threads
from tests.server.live import QUIET, live_server, manifest


class Counted:
    """A database that counts shared commits, and the threads of its writer."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.database: Database = open_database(file)
        self.commits = 0

    @contextmanager
    def one_commit(self) -> Iterator[None]:
        with self.database.one_commit():
            yield
        self.commits += 1

    def writing(self, name: str, *, fails: bool = False) -> Callable[[], str]:
        """Return a function that writes a fact, or fails after writing it."""

        def write() -> str:
            with self.database.write() as connection:
                connection.execute(insert(facts).values(name=name, value="v"))
                if fails:
                    raise ValueError(name)
            return name

        return write

    def stored(self) -> set[str]:
        """Return what another process sees."""
        with closing(sqlite3.connect(self.file)) as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM facts")}
        return {name for name in names if name.startswith("f")}


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    database = Counted(tmp_path / "d.sqlite3")
    yield database
    database.database.close()


def together(counted: Counted, functions: list[Callable[[], str]]) -> list[str | BaseException]:
    """Call all functions while the writer is held up, so that they wait together."""

    async def run() -> list[str | BaseException]:
        threads, hold = Threads(counted.one_commit), threading.Event()
        held = asyncio.create_task(threads.write(hold.wait))
        writes = [asyncio.create_task(threads.write_together(function)) for function in functions]
        await asyncio.sleep(0)  # each has begun
        hold.set()
        await held
        try:
            return await asyncio.gather(*writes, return_exceptions=True)
        finally:
            threads.close()

    return asyncio.run(run())


def test_what_waits_together_is_one_commit_and_stored_when_it_is_answered(counted: Counted) -> None:
    names = [f"f{number}" for number in range(20)]
    assert together(counted, [counted.writing(name) for name in names]) == names
    assert (counted.commits, counted.stored()) == (1, set(names))


def test_more_than_fits_into_one_commit_is_several(counted: Counted) -> None:
    names = [f"f{number}" for number in range(150)]
    assert together(counted, [counted.writing(name) for name in names]) == names
    assert counted.commits == 3


def test_one_that_fails_takes_nobody_with_it_and_nothing_of_it_is_stored(counted: Counted) -> None:
    functions = [counted.writing(f"f{number}", fails=number == 2) for number in range(5)]
    results = together(counted, functions)
    assert [str(result) for result in results] == ["f0", "f1", "f2", "f3", "f4"]
    assert isinstance(results[2], ValueError)
    assert counted.stored() == {"f0", "f1", "f3", "f4"}


def test_a_write_that_breaks_a_key_fails_alone(counted: Counted) -> None:
    results = together(counted, [counted.writing("f0"), counted.writing("f0"), counted.writing("f1")])
    assert [isinstance(result, BaseException) for result in results] == [False, True, False]
    assert counted.stored() == {"f0", "f1"}


def test_a_commit_that_fails_is_taken_back_before_the_next_write(counted: Counted) -> None:
    with pytest.raises(IntegrityError), counted.database.write() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")  # so that not the insert fails, but the commit
        connection.execute(insert(facts).values(name="f0", value="v"))
        letter = {"delivery_no": 1, "reason": "", "attempts": 1, "died_at": 0.0, "expires_at": 0.0}
        connection.execute(insert(dead_letters).values(letter))
    assert counted.writing("f1")() == "f1"
    assert counted.stored() == {"f1"}


def test_one_write_alone_needs_no_company(counted: Counted) -> None:
    async def run() -> str:
        threads = Threads(counted.one_commit)
        try:
            return await threads.write_together(counted.writing("f0"))
        finally:
            threads.close()

    assert asyncio.run(run()) == "f0"
    assert (counted.stored(), counted.commits) == ({"f0"}, 0)


def test_who_is_cancelled_changes_nothing_for_the_others(counted: Counted) -> None:
    async def run() -> str:
        threads, hold = Threads(counted.one_commit), threading.Event()
        held = asyncio.create_task(threads.write(hold.wait))
        first = asyncio.create_task(threads.write_together(counted.writing("f0")))
        second = asyncio.create_task(threads.write_together(counted.writing("f1")))
        await asyncio.sleep(0)
        first.cancel()
        hold.set()
        await held
        try:
            return await second
        finally:
            threads.close()

    assert asyncio.run(run()) == "f1"
    assert counted.stored() == {"f0", "f1"}


def test_threads_that_wait_for_their_writes_get_each_their_own_outcome(counted: Counted) -> None:
    """So are verdicts given: their threads wait, and share commits with those who await."""

    def called(threads: Threads, number: int) -> str:
        try:
            return threads.call_together(counted.writing(f"f{number}", fails=number == 2))
        except ValueError as error:
            return f"failed: {error}"

    async def run() -> tuple[list[str], list[str]]:
        threads, hold = Threads(counted.one_commit), threading.Event()
        held = asyncio.create_task(threads.write(hold.wait))
        with ThreadPoolExecutor(5) as pool:
            calls = [pool.submit(called, threads, number) for number in range(5)]
            awaited = [asyncio.create_task(threads.write_together(counted.writing(f"f{n}"))) for n in (5, 6)]
            await asyncio.sleep(0)
            hold.set()
            await held
            found = await asyncio.gather(*awaited)
            results = [await asyncio.wrap_future(call) for call in calls]
        threads.close()
        return results, found

    assert asyncio.run(run()) == (["f0", "f1", "failed: f2", "f3", "f4"], ["f5", "f6"])
    assert counted.stored() == {"f0", "f1", "f3", "f4", "f5", "f6"}


def test_manifests_sent_at_once_each_get_their_own_answer() -> None:
    """Two of each, with the same content and with other content: one is new, the other a replay or a conflict."""
    with live_server(QUIET) as caller:
        documents = [manifest(f"lesson-{number}") for number in range(12)]
        documents += [
            manifest(f"lesson-{number}", product="curious_kelly" if number % 2 else "reinmaker") for number in range(12)
        ]
        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(lambda one: caller.submit(one, wait=None), documents))
    statuses = [sorted((answers[number].status_code, answers[12 + number].status_code)) for number in range(12)]
    assert [pair[1] for pair in statuses] == [202, 409] * 6, statuses
    assert {pair[0] for pair in statuses} <= {200, 202}


def test_who_comes_after_the_writer_has_ended_is_told_and_does_not_wait():
    threads = Threads()
    threads.close()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="after shutdown"):
            threads.call_together(lambda: "written")
        with pytest.raises(RuntimeError, match="after shutdown"):
            asyncio.run(threads.write_together(lambda: "written"))

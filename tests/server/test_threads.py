"""Threads for calls that may take minutes."""

from __future__ import annotations

import asyncio
import threading

import pytest

from reinmaker_cli.server import threads
from reinmaker_cli.server.store.database import WriteConflict
from reinmaker_cli.server.threads import CONFLICTS, Threads, run_detached


@pytest.fixture(autouse=True)
def own_threads(monkeypatch):
    monkeypatch.setattr(threads, "_DETACHED", threads._DaemonThreads())


def test_a_thread_that_has_ended_its_call_makes_the_next():
    async def scenario() -> set[threading.Thread]:
        used: set[threading.Thread] = set()
        # Not the second call: the answer may be here before the thread has said that it is free.
        while (thread := await run_detached(threading.current_thread)) not in used:
            used.add(thread)
        return used

    assert all(thread.daemon for thread in asyncio.run(scenario()))


def test_calls_at_the_same_time_do_not_wait_for_each_other():
    all_here = threading.Barrier(6)

    async def scenario() -> None:
        await asyncio.gather(*(run_detached(all_here.wait, 120) for _ in range(6)))

    asyncio.run(scenario())
    assert not all_here.broken


def test_an_error_is_raised_where_the_result_is_awaited_and_ends_no_thread():
    def fail() -> None:
        raise ValueError("of the call")

    async def scenario() -> threading.Thread:
        with pytest.raises(ValueError, match="of the call"):
            await run_detached(fail)
        return await run_detached(threading.current_thread)

    assert asyncio.run(scenario()).daemon


def test_a_thread_that_is_not_needed_ends(monkeypatch):
    monkeypatch.setattr(threads, "KEEP_THREAD_S", 0.05)

    async def scenario() -> threading.Thread:
        return await run_detached(threading.current_thread)

    thread = asyncio.run(scenario())
    thread.join(120)
    assert not thread.is_alive()


class InTheWay:
    """A write that other processes are in the way of, so many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise WriteConflict("DeadlockDetected")
        return "written"


@pytest.mark.parametrize(("times", "outcome"), [(0, "written"), (CONFLICTS, "written"), (CONFLICTS + 1, "conflict")])
def test_a_write_that_others_are_in_the_way_of_is_made_again(times, outcome):
    async def made(pools: Threads) -> list[str]:
        ways = (pools.write, pools.write_together, lambda write: run_detached(pools.call_together, write))
        return [await made_by(way) for way in ways]

    async def made_by(way) -> str:
        try:
            return await way(InTheWay(times))
        except WriteConflict:
            return "conflict"

    pools = Threads(writers=2)
    try:
        assert asyncio.run(made(pools)) == [outcome] * 3
    finally:
        pools.close()

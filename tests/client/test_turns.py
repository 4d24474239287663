"""Work that waits together and runs in turn."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

import pytest

from reinmaker_cli.client.patience import Clockwork
from reinmaker_cli.client.turns import Turns
from tests.client.conftest import FakeTime


def test_sleepers_sleep_together_and_time_passes_once(fake_time: FakeTime) -> None:
    turns, woken = Turns(fake_time.world, most=8), []

    def sleeper(seconds: float) -> Callable[[], None]:
        def work() -> None:
            turns.sleep(seconds)
            woken.append((seconds, fake_time.now))

        return work

    for seconds in (30.0, 10.0, 20.0):
        turns.start(sleeper(seconds))
    turns.finish()
    assert woken == [(10.0, 1010.0), (20.0, 1020.0), (30.0, 1030.0)]


def test_no_clock_is_moved_while_somebody_waits_for_an_answer(fake_time: FakeTime) -> None:
    turns, answer, times = Turns(fake_time.world, most=2), threading.Event(), []
    turns.start(lambda: turns.sleep(60))
    turns.start(lambda: (turns.apart(answer.wait), times.append(fake_time.now))[1])
    turns.until(lambda: True)
    answer.set()
    turns.finish()
    assert (times, fake_time.now) == ([1000.0], 1060.0)


def test_real_time_passes_for_sleepers_while_others_wait_for_answers() -> None:
    turns, slept = Turns(Clockwork(), most=2), threading.Event()
    turns.start(lambda: turns.apart(slept.wait))
    turns.start(lambda: (turns.sleep(0.01), slept.set())[0])
    turns.finish()
    assert slept.is_set()


def test_no_more_are_under_way_than_may_be(fake_time: FakeTime) -> None:
    turns, under_way, most = Turns(fake_time.world, most=3), set(), []

    def work(number: int) -> None:
        under_way.add(number)
        turns.sleep(1 + number % 2)
        most.append(len(under_way))
        under_way.remove(number)

    for number in range(10):
        turns.start(lambda number=number: work(number))  # type: ignore[misc]  # mypy cannot type a bound default
    turns.finish()
    assert max(most) == 3


def test_a_piece_of_work_runs_until_it_waits_for_the_first_time(fake_time: FakeTime) -> None:
    turns, seen = Turns(fake_time.world, most=2), []

    def work() -> None:
        seen.append("before")
        turns.sleep(1)
        seen.append("after")

    turns.start(work)
    assert seen == ["before"]
    turns.finish()
    assert seen == ["before", "after"]


def test_what_a_piece_of_work_raises_is_raised_where_it_was_started(fake_time: FakeTime) -> None:
    turns = Turns(fake_time.world, most=2)

    def fail() -> None:
        turns.sleep(1)
        raise KeyError("a bug")

    turns.start(fail)
    with pytest.raises(KeyError, match="a bug"):
        turns.finish()


def threads() -> set[threading.Thread]:
    """Return those of turns; ones of earlier tests may still be on their way to their end."""
    return {thread for thread in threading.enumerate() if "_run" in thread.name}


def test_race_a_cut_comes_while_somebody_is_about_to_ask(fake_time: FakeTime) -> None:
    """Who has the turn goes on to its next question, and that question is not asked any more."""
    turns, asked = Turns(fake_time.world, most=1), []

    def work() -> None:
        turns.sleep(1)
        signal.pthread_kill(main.ident or 0, signal.SIGINT)
        with turns._turn:  # whose end the cut makes known, before it waits for the one who has the turn
            assert turns._turn.wait_for(lambda: turns._is_over, 60)
        turns.apart(lambda: asked.append("a question"))

    main, before = threading.current_thread(), threads()
    turns.start(work)
    (worker,) = threads() - before
    with pytest.raises(KeyboardInterrupt):
        turns.finish()
    turns.cut_off()
    worker.join()
    assert asked == []


def test_after_a_cut_nobody_goes_on(fake_time: FakeTime) -> None:
    turns, asked, answer, seen = Turns(fake_time.world, most=4), threading.Event(), threading.Event(), []

    def ask() -> bool:
        asked.set()
        return answer.wait()

    before = threads()
    turns.start(lambda: (turns.apart(ask), seen.append("an answer"))[1])
    turns.start(lambda: (turns.sleep(5), seen.append("awake"))[1])
    workers = threads() - before
    assert asked.wait(60) and len(workers) == 2
    turns.cut_off()
    answer.set()
    for worker in workers:
        worker.join()
    assert seen == []

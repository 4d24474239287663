"""Sliding windows, on their own and with a clock that stands still until it is moved."""

from __future__ import annotations

import inspect
import random
import tracemalloc

import pytest

from reinmaker_cli.server.clock import VirtualClock
from reinmaker_cli.server.limits import DEFAULT, MANIFESTS, TOKENS, Counted, Exceeded, Limits, Windows

START = 1_767_225_600.25  # real times have fractions, and so has a window's edge


def passed(limits, clock, policy, requests, client_id="a"):
    return sum(isinstance(limits.take(policy, client_id), Counted) for _ in range(requests))


@pytest.fixture
def clock():
    return VirtualClock(START)


@pytest.fixture
def limits(clock):
    return Limits(clock, {})


def test_of_130_requests_10_are_refused_until_the_window_has_passed(limits, clock):
    assert passed(limits, clock, DEFAULT, 130) == 120
    assert passed(limits, clock, DEFAULT, 120, client_id="b") == 120
    clock.advance(60)
    assert passed(limits, clock, DEFAULT, 130) == 120


def test_the_window_slides(limits, clock):
    """60 at second 50 and 70 at second 70: a window that starts anew each minute would refuse none."""
    clock.advance(50)
    assert passed(limits, clock, DEFAULT, 60) == 60
    clock.advance(20)
    assert passed(limits, clock, DEFAULT, 70) == 60


def test_a_request_leaves_the_window_at_its_very_end(limits, clock):
    assert passed(limits, clock, DEFAULT, 120) == 120
    clock.advance(59.75)
    assert passed(limits, clock, DEFAULT, 1) == 0
    clock.advance(0.25)
    assert passed(limits, clock, DEFAULT, 120) == 120


def test_submitting_manifests_is_counted_beside_everything_else(limits, clock):
    assert passed(limits, clock, DEFAULT, 121) == 120
    assert passed(limits, clock, MANIFESTS, 301) == 300


def test_refused_requests_do_not_count(limits, clock):
    passed(limits, clock, DEFAULT, 120)
    for _ in range(59):
        clock.advance(1)
        assert passed(limits, clock, DEFAULT, 5) == 0
    clock.advance(1)
    assert passed(limits, clock, DEFAULT, 121) == 120


def test_it_is_said_what_is_left_and_when_the_oldest_leaves(limits, clock):
    assert limits.take(DEFAULT, "a") == Counted(left=119, oldest_leaves_s=60)
    clock.advance(18.5)
    assert limits.take(DEFAULT, "a") == Counted(left=118, oldest_leaves_s=42)
    passed(limits, clock, DEFAULT, 118)
    clock.advance(41.25)
    assert limits.take(DEFAULT, "a") == Exceeded(oldest_leaves_s=1, retry_after_s=1)


def test_nobody_is_told_to_come_back_too_early():
    """Whenever a request is refused, one that comes after Retry-After passes, and one a second earlier does not."""
    numbers = random.Random(7)
    clock = VirtualClock(START)
    windows = Windows(60)
    for _ in range(3000):
        clock.advance(numbers.expovariate(5))
        refused = windows.take("a", 20, clock.now())
        if isinstance(refused, Exceeded):
            clock.advance(refused.retry_after_s - 1)
            assert refused.retry_after_s == 1 or isinstance(windows.take("a", 20, clock.now()), Exceeded)
            clock.advance(1)
            assert isinstance(windows.take("a", 20, clock.now()), Counted)


def test_it_counts_as_a_plain_list_of_all_requests_would():
    numbers = random.Random(11)
    windows, now, counted = Windows(60), START, {"a": [], "b": [], "c": []}
    for _ in range(20_000):
        now += numbers.choice([0, 0, 0.1, 0.7, 3, 61 * (numbers.random() < 0.01), 200 * (numbers.random() < 0.003)])
        key, quota = numbers.choice("aabc"), 15
        expected = sum(now - 60 < stamp for stamp in counted[key]) < quota
        if expected:
            counted[key].append(now)
        assert isinstance(windows.take(key, quota, now), Counted) == expected


def test_a_raised_limit_is_the_clients_own(clock):
    limits = Limits(clock, {("a", "default"): 200})
    assert passed(limits, clock, DEFAULT, 250) == 200
    assert passed(limits, clock, DEFAULT, 250, client_id="b") == 120
    assert limits.quotas("a") == {"default": 200, "manifests": 300, "tokens": 60}


def test_a_limit_that_is_raised_meanwhile_holds_at_once(limits, clock):
    assert passed(limits, clock, DEFAULT, 130) == 120
    limits.change("a", {"default": 125})
    assert passed(limits, clock, DEFAULT, 10) == 5


def test_after_a_limit_was_lowered_as_many_must_leave_as_are_too_many(limits, clock):
    for _ in range(10):
        limits.take(DEFAULT, "a")
        clock.advance(1)
    limits.change("a", {"default": 4})
    refused = limits.take(DEFAULT, "a")  # at second 10, with requests of the seconds 0 to 9
    assert refused == Exceeded(oldest_leaves_s=50, retry_after_s=56)
    clock.advance(refused.retry_after_s)
    assert isinstance(limits.take(DEFAULT, "a"), Counted)


def test_tokens_are_counted_by_client_id_and_address(limits):
    for address in ("127.0.0.1", "::1"):
        answers = [limits.take(TOKENS, "a", address) for _ in range(TOKENS.quota + 1)]
        assert [type(answer) for answer in answers] == [Counted] * TOKENS.quota + [Exceeded]
    assert isinstance(limits.take(TOKENS, "b", "::1"), Counted)
    assert isinstance(limits.take(TOKENS, "\ud800" * 10_000, "::1"), Counted)


def test_a_clock_that_is_set_back_blocks_nobody():
    windows = Windows(60)
    for _ in range(10):
        windows.take("a", 10, START)
    assert isinstance(windows.take("a", 10, START - 3600), Counted)
    assert isinstance(windows.take("a", 10, START - 3599), Counted)


def test_without_limits_nothing_is_counted(clock):
    assert Limits(clock, {}, is_on=False).take(DEFAULT, "a") is None


def _bytes_of_windows() -> int:
    """Return what the windows and their keys hold; never what other threads of the test run allocate meanwhile."""
    ours = [tracemalloc.Filter(True, inspect.getfile(Windows)), tracemalloc.Filter(True, __file__)]
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(ours).traces)


def test_100_000_clients_take_little_memory_and_idle_ones_none():
    windows, now = Windows(60), START
    tracemalloc.start()
    try:
        for number in range(100_000):
            windows.take(f"client{number:014}", 120, now + number / 10_000)
        assert len(windows) == 100_000
        assert 4 * 1024 * 1024 < _bytes_of_windows() < 40 * 1024 * 1024
        for seconds in (70, 140):
            windows.take("the only one left", 120, now + seconds)
        assert len(windows) == 1
        assert _bytes_of_windows() < 64 * 1024
    finally:
        tracemalloc.stop()


def test_a_stream_of_ever_new_clients_does_not_grow():
    windows, now = Windows(60), START
    for number in range(300_000):
        windows.take(number.to_bytes(4, "big"), 120, now + number / 1000)  # 1,000 new ones a second
        assert len(windows) <= 120_001


def test_who_comes_again_and_again_is_not_forgotten():
    windows, now = Windows(60), START
    for minute in range(10):
        for _ in range(3):
            windows.take("slow", 3, now + 59 * minute)
        assert isinstance(windows.take("slow", 3, now + 59 * minute + 0.5), Exceeded)

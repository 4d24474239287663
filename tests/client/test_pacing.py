"""Budgets as a server's fields say them."""

from __future__ import annotations

import threading

import pytest

from reinmaker_cli.client.pacing import CONTRACT_QUOTAS, DRIFT_S, LONGEST_WAY_S, Paced, Pacing, policy_of
from reinmaker_cli.server.limits import POLICIES


class Hand:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def said(left: int, leaves_in_s: int, *, waited: bool = False) -> dict[str, str]:
    fields = {"ratelimit": f'"default";r={left};t={leaves_in_s}', "ratelimit-policy": '"default";q=120;w=60'}
    return fields | ({"preference-applied": "wait=10"} if waited else {})


def wait_s(pacing: Pacing) -> float:
    """Return how long the next request has to wait; where it has not, it is under way."""
    try:
        pacing.admit("default")
    except Paced as paced:
        assert paced.retry_after_s is not None
        return paced.retry_after_s
    return 0.0


def ask(pacing: Pacing, **fields: object) -> None:
    sent_at = pacing.admit("default")
    pacing.answered("default", sent_at, said(**fields))  # type: ignore[arg-type]


def test_quotas_are_those_of_the_contract() -> None:
    assert {name: (POLICIES[name].quota, POLICIES[name].window_s) for name in CONTRACT_QUOTAS} == CONTRACT_QUOTAS


def test_only_a_submission_is_a_submission() -> None:
    assert policy_of("POST", "/v1/content/manifests") == "manifests"
    assert policy_of("GET", "/v1/content/manifests") == "default"
    assert policy_of("POST", "/v1/telemetry/events") == "default"


def test_before_the_first_answer_nothing_is_held_back() -> None:
    pacing = Pacing(Hand())
    assert [wait_s(pacing) for _ in range(1000)] == [0.0] * 1000


def test_a_used_up_budget_is_waited_for_and_then_one_goes_before_all_others() -> None:
    clock = Hand()
    pacing = Pacing(clock)
    ask(pacing, left=0, leaves_in_s=41)
    assert wait_s(pacing) == 41
    clock.now += 40.5
    assert wait_s(pacing) == 0.5
    clock.now += 0.5
    assert [wait_s(pacing), wait_s(pacing)] == [0.0, 1.0]
    pacing.answered("default", clock.now, said(5, 1))
    assert [wait_s(pacing) for _ in range(6)] == [0.0] * 5 + [1.0]


def test_what_is_under_way_may_have_been_counted_after_the_answer() -> None:
    pacing = Pacing(Hand())
    sent_at = [pacing.admit("default") for _ in range(3)]
    pacing.answered("default", sent_at[0], said(4, 60))
    assert [wait_s(pacing) for _ in range(3)] == [0.0, 0.0, pytest.approx(60 + DRIFT_S)]


def test_a_question_held_open_was_counted_when_it_came() -> None:
    clock = Hand()
    pacing = Pacing(clock)
    sent_at = pacing.admit("default")
    clock.now += 10
    pacing.answered("default", sent_at, said(0, 30, waited=True))
    assert wait_s(pacing) == 21.0


@pytest.mark.parametrize(
    "text", ["", "87", '"default"', '"default";t=5', '"default";r=x', "r=0;t=60", '"default";r=-1;t=5']
)
def test_a_field_that_says_nothing_holds_nobody_back(text: str) -> None:
    pacing = Pacing(Hand())
    pacing.answered("default", pacing.admit("default"), {"ratelimit": text})
    assert wait_s(pacing) == 0.0
    assert pacing.estimate_s("default", 10_000) == 0.0


def test_of_several_policies_the_strictest_counts() -> None:
    pacing = Pacing(Hand())
    field = '"day";r=900;t=80000, "default";r=0;t=7'
    pacing.answered("default", pacing.admit("default"), {"ratelimit": field})
    assert wait_s(pacing) == 7


def test_a_request_without_an_answer_may_have_been_counted_later() -> None:
    pacing = Pacing(Hand())
    lost_at, kept_at = pacing.admit("default"), pacing.admit("default")
    pacing.answered("default", lost_at, None)
    pacing.answered("default", kept_at, said(2, 60))
    assert [wait_s(pacing), wait_s(pacing)] == [0.0, pytest.approx(60 + DRIFT_S)]


def test_each_of_ours_is_followed_by_another_as_soon_as_it_has_left() -> None:
    """120 in 60 s, one every half second, each answered 3 s later: the 121st goes when the first has left."""
    clock = Hand()
    pacing = Pacing(clock)
    under_way: list[float] = []
    for number in range(120):
        under_way.append(pacing.admit("default"))
        clock.now += 0.5
        if number >= 6:
            pacing.answered("default", under_way[number - 6], said(119 - number + 6, 57, waited=True))
    for number in range(114, 120):
        pacing.answered("default", under_way[number], said(119 - number, 57, waited=True))
    # The way of a request that was held open is not known; a second is taken for it.
    assert wait_s(pacing) == pytest.approx(LONGEST_WAY_S + DRIFT_S)
    clock.now += LONGEST_WAY_S + DRIFT_S
    assert [wait_s(pacing), wait_s(pacing)] == [0.0, pytest.approx(0.5)]


def test_what_an_earlier_run_used_is_not_used_again() -> None:
    """It sent 100 at once; we are started 20 s later, and may send 20 until they have left."""
    clock = Hand()
    pacing = Pacing(clock)
    ask(pacing, left=19, leaves_in_s=40)
    sent_at = [pacing.admit("default") for _ in range(19)]
    for number, at in enumerate(sent_at):
        pacing.answered("default", at, said(18 - number, 40))
    assert wait_s(pacing) == 40
    clock.now += 40
    ask(pacing, left=99, leaves_in_s=20)
    assert [wait_s(pacing) for _ in range(100)] == [0.0] * 99 + [pytest.approx(20 + DRIFT_S)]


def test_a_refused_request_was_not_counted_and_leaves_no_room_when_it_would_have_left() -> None:
    """What takes the room of it is somebody else's, and stays 28 s longer."""
    clock = Hand()
    pacing = Pacing(clock)
    pacing.answered("default", pacing.admit("default"), said(0, 30), status=429)
    clock.now += 30
    ask(pacing, left=60, leaves_in_s=59)
    clock.now += 31
    assert [wait_s(pacing) for _ in range(60)] == [0.0] * 60
    assert wait_s(pacing) > 0


def test_after_a_refusal_what_is_under_way_may_all_be_uncounted() -> None:
    """Ten are under way when an eleventh is refused: others may have used all, so ten of ours have to leave first."""
    clock = Hand()
    pacing = Pacing(clock)
    ask(pacing, left=100, leaves_in_s=60)
    clock.now += 5
    refused_at = [pacing.admit("default") for _ in range(11)][-1]
    pacing.answered("default", refused_at, said(0, 60), status=429)
    assert wait_s(pacing) == pytest.approx(LONGEST_WAY_S + 60 + DRIFT_S)


def test_requests_that_left_long_ago_take_no_memory() -> None:
    clock = Hand()
    pacing = Pacing(clock)
    for number in range(2000):
        ask(pacing, left=119 if number == 0 else 60, leaves_in_s=60)
        clock.now += 1.0
    assert len(pacing._budgets["default"].ours) <= 2 * 60 + 1  # an answer may be held open for a window


@pytest.mark.parametrize(("quota", "left"), [(300, 280), (60, 40)])
def test_a_limit_that_is_changed_counts_from_the_next_answer(quota: int, left: int) -> None:
    pacing = Pacing(Hand())
    for number in range(20):
        fields = {
            "ratelimit": f'"default";r={quota - 1 - number};t=60',
            "ratelimit-policy": f'"default";q={quota};w=60',
        }
        pacing.answered("default", pacing.admit("default"), fields if number == 19 else said(119 - number, 60))
    assert [wait_s(pacing) for _ in range(left + 1)] == [0.0] * left + [pytest.approx(60 + DRIFT_S)]


@pytest.mark.parametrize(("requests", "seconds"), [(20, 0.0), (21, 60.0), (140, 60.0), (141, 120.0)])
def test_an_estimate_counts_the_windows_that_are_needed(requests: int, seconds: float) -> None:
    pacing = Pacing(Hand())
    ask(pacing, left=20, leaves_in_s=30)
    assert pacing.estimate_s("default", requests) == seconds
    assert pacing.estimate_s("manifests", 301) == 60.0  # nothing was said of them: as in the contract


def test_threads_share_a_budget() -> None:
    pacing = Pacing(Hand())
    ask(pacing, left=50, leaves_in_s=60)
    passed: list[float] = []
    threads = [threading.Thread(target=lambda: passed.extend(wait_s(pacing) for _ in range(20))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert passed.count(0.0) == 50

"""The one clock: moved forward, kept over a restart, and what it decides: tokens, secrets, limits, entitlements."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from reinmaker_cli.server.clock import DAY_S, VirtualClock, WallClock, rfc3339, unix_time
from reinmaker_cli.server.threads import Threads
from reinmaker_cli.server.timekeeping import LATEST_S, NotForward, Timekeeper, resume_clock
from tests.server.live import MANIFESTS, QUIET, Caller, live_server, manifest, opened, problem_code

NOON = unix_time("2026-11-23T12:00:00Z")
CLOCK = "/_local/clock"


@pytest.fixture
def caller():
    with live_server(clock=VirtualClock(NOON)) as caller:
        yield caller


def move(caller: Caller, **asked):
    return caller.control.post(CLOCK, json=asked)


def now(caller: Caller) -> str:
    return caller.control.get(CLOCK).json()["time"]


# --- moving it -------------------------------------------------------------------------------------------------------


def test_a_virtual_clock_stands_still_until_it_is_moved(caller):
    assert now(caller) == now(caller) == "2026-11-23T12:00:00.000Z"
    moved = move(caller, advanceSeconds=900)
    assert moved.json() | {"aheadSeconds": 0} == {
        "mode": "virtual",
        "time": "2026-11-23T12:15:00.000Z",
        "aheadSeconds": 0,
    }
    assert move(caller, time="2026-11-24T00:00:00.25Z").json()["time"] == now(caller) == "2026-11-24T00:00:00.250Z"
    assert caller.http.get("/v1/health").json()["time"] == "2026-11-24T00:00:00.250Z"


def test_a_wall_clock_goes_on_from_where_it_was_set():
    with live_server() as caller:
        shown = caller.control.get(CLOCK).json()
        assert (shown["mode"], shown["aheadSeconds"]) == ("wall", 0.0)
        assert move(caller, advanceSeconds=3600.5).json()["aheadSeconds"] == pytest.approx(3600.5, abs=0.01)
        asked_at, there = time.time(), unix_time("2999-01-01T00:00:00Z")
        moved = unix_time(move(caller, time="2999-01-01T00:00:00Z").json()["time"])
        assert there <= moved <= there + time.time() - asked_at + 0.001  # it is told in milliseconds
        assert unix_time(now(caller)) >= moved


@pytest.mark.parametrize(
    "asked",
    [
        {"time": "2026-11-23T11:59:59.999Z"},
        {"time": "9999-01-01T00:00:00Z"},
        {"time": "2026-11-24"},
        {"time": "2026-11-24T00:00:00+01:00"},
        {"time": 1},
        {"advanceSeconds": -1},
        {"advanceSeconds": 1e300},
        {"advanceSeconds": "15m"},
        {"advanceSeconds": True},
        {"advanceSeconds": 1, "time": "2026-11-24T00:00:00Z"},
        {},
    ],
)
def test_what_is_no_move_forward_is_refused_and_changes_nothing(caller, asked):
    answer = move(caller, **asked)
    assert (answer.status_code, problem_code(answer)) == (422, "request-invalid")
    assert now(caller) == "2026-11-23T12:00:00.000Z"


def test_who_waits_is_told_when_the_clock_is_moved(caller):
    etag = caller.control.get(CLOCK).headers["etag"]
    known = {"If-None-Match": etag}
    assert caller.control.get(CLOCK, headers=known | {"Prefer": "wait=0"}).status_code == 304
    mover = threading.Thread(target=move, args=(caller,), kwargs={"advanceSeconds": 60})
    mover.start()
    answer = caller.control.get(CLOCK, headers=known | {"Prefer": "wait=30"})
    mover.join()
    assert (answer.status_code, answer.json()["time"]) == (200, "2026-11-23T12:01:00.000Z")
    assert answer.headers["etag"] != etag


def test_moves_at_once_are_all_made(caller):
    movers = [threading.Thread(target=move, args=(caller,), kwargs={"advanceSeconds": 1}) for _ in range(10)]
    for mover in movers:
        mover.start()
    for mover in movers:
        mover.join()
    assert now(caller) == "2026-11-23T12:00:10.000Z"


# --- what follows from it --------------------------------------------------------------------------------------------


def test_a_token_ends_15_minutes_later(caller):
    move(caller, advanceSeconds=899)
    assert caller.api.get(MANIFESTS).status_code == 200
    move(caller, advanceSeconds=1)
    refused = caller.api.get(MANIFESTS)
    assert (refused.status_code, problem_code(refused)) == (401, "token-invalid")
    assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    caller.api.headers["Authorization"] = "Bearer " + caller.token()
    assert caller.api.get(MANIFESTS).status_code == 200


def test_a_secret_ends_90_days_later(caller):
    move(caller, advanceSeconds=90 * DAY_S - 1)
    assert caller.ask_token().status_code == 200
    move(caller, advanceSeconds=1)
    assert caller.ask_token().json()["error"] == "invalid_client"


def test_an_entitlement_ends_at_its_time(caller):
    given = {"userId": "usr_1", "plan": "reinmaker.game_pass", "expiresAt": "2026-11-23T12:10:00Z"}
    caller.control.put("/_local/entitlements", json=given)
    assert len(caller.api.get("/v1/entitlements/usr_1").json()["entitlements"]) == 1
    move(caller, time="2026-11-23T12:10:00Z")
    assert caller.api.get("/v1/entitlements/usr_1").json()["entitlements"] == []


def test_a_limit_is_free_again_60_seconds_later():
    with live_server(limits="contract") as caller:  # on the wall clock: who takes a minute for 120 is not refused yet
        while caller.api.get(MANIFESTS).status_code != 429:
            pass
        move(caller, advanceSeconds=60)
        assert caller.api.get(MANIFESTS).status_code == 200


def test_what_is_written_down_has_the_time_of_the_clock(caller):
    move(caller, time="2027-01-01T00:00:00Z")
    caller.api.headers["Authorization"] = "Bearer " + caller.token()
    submitted = caller.submit(manifest()).json()
    assert submitted["submittedAt"] == submitted["updatedAt"] == "2027-01-01T00:00:00.000Z"


# --- a restart -------------------------------------------------------------------------------------------------------


def test_a_virtual_clock_stands_where_it_stood_before_the_restart(tmp_path):
    virtual = replace(QUIET, clock="virtual", data=tmp_path)
    with live_server(virtual) as caller:
        moved = move(caller, time="2999-01-01T00:00:00Z").json()
        caller.submit(manifest())
    with live_server(virtual) as caller:
        assert now(caller) == moved["time"]


def test_a_wall_clock_is_as_far_ahead_after_the_restart(tmp_path):
    with live_server(data=tmp_path) as caller:
        move(caller, advanceSeconds=8 * 3600)
    with live_server(data=tmp_path) as caller:
        assert caller.control.get(CLOCK).json()["aheadSeconds"] == pytest.approx(8 * 3600, abs=0.01)


@pytest.fixture
def facts(tmp_path):
    store = opened(tmp_path)
    yield store.facts
    store.close()


class NothingDue:
    """An agenda without entries."""

    async def settle(self) -> None:
        return

    async def next_due(self) -> None:
        return


def moved(clock, facts, move):
    """Move a clock that makes nothing due."""
    threads = Threads()
    try:
        asyncio.run(move(Timekeeper(clock, facts, threads, NothingDue())))
    finally:
        threads.close()


def test_with_another_mode_time_goes_on_from_where_it_was(facts):
    """Real time stands at 1000, 2000 and 3000 s when the server is started."""
    first = resume_clock(facts, "wall", lambda: 1000.0)
    moved(first, facts, lambda keeper: keeper.advance(500))
    second = resume_clock(facts, "virtual", lambda: 2000.25)
    assert second.now() == 2501.0
    moved(second, facts, lambda keeper: keeper.advance(10_000))
    third = resume_clock(facts, "wall", lambda: 3000.0)
    assert (third.mode, third.setting) == ("wall", 9501.0)


def test_a_virtual_clock_that_fell_behind_catches_up_with_real_time(facts):
    resume_clock(facts, "virtual", lambda: 1000.0)
    assert resume_clock(facts, "wall", lambda: 5000.0).setting == 0.0


def test_a_start_that_moves_nothing_writes_nothing(facts):
    resume_clock(facts, "wall", lambda: 1000.0)
    assert facts.clock() is None


def test_the_clock_stays_where_times_can_be_written(facts):
    clock = VirtualClock(NOON)
    with pytest.raises(NotForward):
        moved(clock, facts, lambda keeper: keeper.set_to(LATEST_S))
    moved(clock, facts, lambda keeper: keeper.set_to(LATEST_S - 1))
    assert rfc3339(clock.now()) == "9998-12-31T23:59:59.000Z"


def test_a_wall_clock_is_real_time_when_nobody_moved_it():
    before = time.time()
    assert before <= WallClock().now() <= time.time()

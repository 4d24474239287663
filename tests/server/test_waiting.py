"""Waiting for something to be so, instead of sleeping."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from reinmaker_cli.server.clock import VirtualClock, unix_time
from tests.server.live import Caller, event, live_server, manifest, problem_code
from tests.server.receiver import always, answer, receiver

NOON = unix_time("2026-11-23T12:00:00Z")
WAIT = "/_local/wait"


@pytest.fixture
def caller():
    with live_server(clock=VirtualClock(NOON), validation="manual") as caller:
        yield caller


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def standing(caller: Caller, *, wait_s: int = 0, **query: str | int) -> dict:
    answered = caller.control.get(WAIT, params=query, headers={"Prefer": f"wait={wait_s}"})
    assert answered.status_code == 200, answered.text
    return answered.json()


def waiting(pool: ThreadPoolExecutor, caller: Caller, **query: str | int) -> Future[dict]:
    """Begin to wait for up to 30 s: a test that depends on the end of that is far too slow to be overlooked."""
    return pool.submit(standing, caller, wait_s=30, **query)


def listen_to(caller: Caller, url: str) -> None:
    assert caller.control.post("/_local/webhooks/endpoints", json={"url": url}).status_code == 201


def test_without_a_condition_all_is_so_and_there_is_a_cursor(caller):
    found = standing(caller)
    assert (found["met"], found["conditions"], found["delivered"], found["deadLetters"]) == (True, [], 0, 0)
    assert standing(caller, since=found["cursor"])["requests"] == 0


def test_requests_to_the_api_are_counted_and_those_of_control_are_not(caller, pool):
    since = standing(caller)["cursor"]
    waited = waiting(pool, caller, requests=2, since=since)
    caller.control.get("/_local/clients")
    caller.control.post("/_local/clients", json={})
    for _ in range(2):
        caller.api.get("/v1/health")
    assert waited.result(timeout=120)["requests"] == 2


def test_webhooks_that_arrive_end_the_wait(caller, pool):
    with receiver() as there:
        listen_to(caller, there.url)
        waited = waiting(pool, caller, delivered=3)
        for _ in range(3):
            caller.send([event()])
        assert waited.result(timeout=120)["delivered"] == 3
        assert len(there.received) == 3


def test_a_webhook_that_is_given_up_ends_the_wait(caller, pool):
    with receiver(always(answer(500))) as there:
        listen_to(caller, there.url)
        caller.send([event()])
        waited = waiting(pool, caller, deadLetters=1)
        caller.control.post("/_local/clock", json={"advanceSeconds": 8 * 3600})
        assert waited.result(timeout=120)["deadLetters"] == 1


def test_a_cursor_counts_from_where_it_was_taken(caller, pool):
    with receiver() as there:
        listen_to(caller, there.url)
        caller.send([event()])
        since = waiting(pool, caller, delivered=1).result(timeout=120)["cursor"]
        assert standing(caller, since=since, delivered=1)["conditions"] == [
            {"name": "delivered", "met": False, "wanted": 1, "found": 0}
        ]
        caller.send([event()])
        found = waiting(pool, caller, since=since, delivered=1).result(timeout=120)
    assert (found["met"], found["delivered"]) == (True, 1)


def test_idle_waits_for_verdicts(caller, pool):
    assert standing(caller, idle="true")["met"]
    caller.submit(manifest(), wait=None)
    assert standing(caller, idle="true")["conditions"][0]["found"] == "1 without a verdict"
    waited = waiting(pool, caller, idle="true")
    assert caller.decide("water-cycle", "2026.11.23", "rejected").status_code == 200
    assert waited.result(timeout=120)["met"]


def test_idle_waits_for_webhooks_that_are_due_and_not_for_later_ones(caller, pool):
    with receiver(always(answer(500))) as there:
        listen_to(caller, there.url)
        caller.send([event()])
        found = waiting(pool, caller, idle="true").result(timeout=120)
    assert (found["met"], len(there.received)) == (True, 1)  # its retry is due in 30 s of a clock that stands still


def test_a_version_that_becomes_active_ends_the_wait(caller, pool):
    waited = waiting(pool, caller, active="water-cycle", version="2026.11.23")
    caller.submit(manifest(), wait=None)
    assert standing(caller, active="water-cycle")["conditions"][0]["found"] in ("pending", "validating")
    assert caller.decide("water-cycle", "2026.11.23", "active").status_code == 200
    assert waited.result(timeout=120)["conditions"] == [
        {"name": "active water-cycle 2026.11.23", "met": True, "wanted": "active", "found": "active"}
    ]


def test_another_version_that_is_active_is_not_enough(caller):
    for version in ("2026.11.23", "2026.11.24"):
        caller.submit(manifest(version=version), wait=None)
        assert caller.decide("water-cycle", version, "active").status_code == 200
    assert standing(caller, active="water-cycle", version="2026.11.23")["conditions"][0]["found"] == "superseded"
    assert standing(caller, active="water-cycle", version="2026.11.25")["conditions"][0]["found"] is None
    assert standing(caller, active="water-cycle")["met"]


def test_all_of_it_is_to_be_so_at_once(caller):
    caller.api.get("/v1/health")
    found = standing(caller, requests=1, idle="true", active="nothing")
    assert [one["met"] for one in found["conditions"]] == [True, True, False]
    assert not found["met"]


def test_the_wait_ends_with_what_is_missing(caller):
    began = time.monotonic()
    found = standing(caller, wait_s=1, delivered=1)
    assert (found["met"], found["delivered"]) == (False, 0)
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize(
    "query",
    ["delivered=0", "requests=x", "idle=maybe", "version=2026.11.23", "since=x", "since=000000000000.1.2.3"],
)
def test_what_cannot_be_waited_for_is_400(caller, query):
    assert problem_code(caller.control.get(f"{WAIT}?{query}")) == "bad-request"


def test_a_cursor_of_an_earlier_start_is_refused(tmp_path):
    with live_server(data=tmp_path) as caller:
        since = standing(caller)["cursor"]
    with live_server(data=tmp_path) as caller:
        assert problem_code(caller.control.get(f"{WAIT}?since={since}")) == "bad-request"


def test_what_an_earlier_start_had_delivered_is_not_counted(tmp_path, pool):
    with receiver() as there:
        with live_server(data=tmp_path) as caller:
            listen_to(caller, there.url)
            caller.send([event()])
            assert waiting(pool, caller, delivered=1).result(timeout=120)["met"]
        with live_server(data=tmp_path) as caller:
            assert standing(caller)["delivered"] == 0

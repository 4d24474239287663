"""The journal: what was asked of the server, what came of it, and what never gets into it."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.clock import VirtualClock, unix_time
from reinmaker_cli.server.journal import Journal
from tests.server.live import MANIFESTS, Caller, event, live_server, manifest, problem_code
from tests.server.receiver import always, answer, receiver

NOON = unix_time("2026-11-23T12:00:00Z")
REQUESTS = "/_local/requests"


@pytest.fixture
def caller():
    with live_server(clock=VirtualClock(NOON)) as caller:
        yield caller


def journal(caller: Caller, **query: str | int) -> list[dict]:
    return page(caller, **query)["items"]


def page(caller: Caller, **query: str | int) -> dict:
    shown = caller.control.get(REQUESTS, params=query)
    assert shown.status_code == 200, shown.text
    return shown.json()


def test_a_request_is_written_down_by_the_template_of_its_route(caller):
    caller.api.get(f"{MANIFESTS}/a-name-that-says-too-much", headers={"X-Lesson-Trace-Id": "trace-1"})
    [entry] = journal(caller, traceId="trace-1")
    assert entry["ms"] >= 0
    assert {name: entry[name] for name in ("time", "method", "route", "status", "clientId", "code")} == {
        "time": "2026-11-23T12:00:00.000Z",
        "method": "GET",
        "route": MANIFESTS + "/{manifestId}",
        "status": 404,
        "clientId": caller.started.client.client_id,
        "code": "manifest-not-found",
    }


def test_nothing_that_a_user_wrote_gets_into_it(caller):
    secret, words = caller.started.client.client_secret, ("jane", "jane@example.org", "free text", "sesame")
    caller.api.get("/v1/entitlements/jane", params={"note": "jane@example.org"})
    caller.api.get("/jane@example.org")
    assert caller.api.request("SESAME", MANIFESTS).status_code == 405
    assert caller.api.request("PROPFIND", MANIFESTS).status_code == 405
    caller.send([event(userId="jane", properties={"said": "free text"})])
    caller.http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=("jane", "sesame"))
    caller.control.put("/_local/entitlements", json={"userId": "jane", "plan": "reinmaker.game_pass"})
    text = json.dumps(journal(caller)).lower()
    assert not [word for word in (*words, secret.lower()) if word in text]
    assert "OTHER" in {entry["method"] for entry in journal(caller)}


def test_a_refused_client_is_not_named_and_the_oauth_error_is(caller):
    caller.http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=("somebody", "wrong"))
    [refused] = journal(caller, status="401")
    assert (refused["route"], refused["clientId"], refused["code"]) == ("/oauth/token", None, "invalid_client")


def test_what_a_submission_came_to_stands_below_its_request(caller):
    caller.api.post(MANIFESTS, json=manifest(), headers={"X-Lesson-Trace-Id": "t", "Prefer": "wait=20"})
    caller.api.get(f"{MANIFESTS}/water-cycle", headers={"X-Lesson-Trace-Id": "t"})
    posted, read = journal(caller, traceId="t")
    [submission] = posted["caused"]["submissions"]
    assert (submission["manifestId"], submission["version"], submission["status"]) == (
        *("water-cycle", "2026.11.23"),
        "active",
    )
    assert read["caused"] == {"submissions": [], "batches": [], "events": []}  # it only read


def test_a_batch_with_its_webhook_each_attempt_and_the_dead_letter(caller):
    with receiver(always(answer(500))) as there:
        endpoint = caller.control.post("/_local/webhooks/endpoints", json={"url": there.url}).json()["endpointId"]
        caller.api.post("/v1/telemetry/events", json={"events": [event()]}, headers={"X-Lesson-Trace-Id": "t"})
        there.wait_for(1)
        assert caller.control.post("/_local/clock", json={"advanceSeconds": 8 * 3600}).status_code == 200
    [sent] = journal(caller, traceId="t")
    [batch], [told] = sent["caused"]["batches"], sent["caused"]["events"]
    assert (batch["events"], batch["accepted"]) == (1, 1)
    [delivery] = told["deliveries"]
    assert told["type"] == "reinmaker.telemetry.flushed"
    assert (delivery["endpointId"], delivery["status"], delivery["deadLetter"]) == (endpoint, "dead", "HTTP 500")
    assert [(one["attempt"], one["status"]) for one in delivery["attempts"]] == [(n, 500) for n in range(1, 7)]
    assert delivery["attempts"][1]["endedAt"] == "2026-11-23T12:00:30.000Z"


def test_a_write_of_the_control_api_has_its_webhook_too(caller):
    caller.control.put(
        "/_local/entitlements",
        json={"userId": "usr_1", "plan": "reinmaker.game_pass"},
        headers={"X-Lesson-Trace-Id": "given"},
    )
    [given] = journal(caller, traceId="given")
    assert [told["undelivered"] for told in given["caused"]["events"]] == ["no endpoint"]


def test_filters_go_together(caller):
    caller.status("nothing")
    caller.http.get(f"{MANIFESTS}/nothing")
    caller.api.get("/v1/health")
    mine = caller.started.client.client_id
    assert [entry["status"] for entry in journal(caller, status="4xx")] == [404, 401]
    assert [entry["status"] for entry in journal(caller, status="4xx", clientId=mine)] == [404]
    assert [entry["route"] for entry in journal(caller, route="/v1/health")] == ["/v1/health"]
    assert journal(caller, status="200", route=MANIFESTS) == []


@pytest.mark.parametrize("query", ["status=9xx", "status=ok", "limit=0", "limit=many", "after=-1"])
def test_parameters_that_make_no_sense_are_400(caller, query):
    assert problem_code(caller.control.get(f"{REQUESTS}?{query}")) == "bad-request"


def test_pages_lead_through_all_of_it(caller):
    for _ in range(5):
        caller.api.get("/v1/health")
    first = page(caller, after=0, limit=2)
    second = page(caller, after=first["next"], limit=100)
    assert [entry["no"] for entry in first["items"] + second["items"]] == list(range(1, 7))
    assert page(caller, after=second["next"])["items"] == []
    assert [entry["no"] for entry in journal(caller, limit=2)] == [5, 6]  # the last ones


def test_who_follows_hears_of_a_new_request_and_not_of_itself(caller):
    query = {"after": page(caller)["next"], "status": "404"}
    known = {"If-None-Match": caller.control.get(REQUESTS, params=query).headers["etag"]}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(caller.control.get, REQUESTS, params=query, headers=known | {"Prefer": "wait=30"})
        caller.api.get("/v1/health")  # left out by the filter
        caller.status("nothing")
        heard = waiting.result(timeout=120)
    assert [entry["code"] for entry in heard.json()["items"]] == ["manifest-not-found"]
    known = {"If-None-Match": heard.headers["etag"], "Prefer": "wait=0"}
    assert caller.control.get(REQUESTS, params=query, headers=known).status_code == 304


def test_who_follows_hears_of_a_verdict_that_comes_later():
    with live_server(validation="manual") as caller:
        caller.submit(manifest(), wait=None)
        caller.api.get(f"{MANIFESTS}/water-cycle", headers={"Prefer": "wait=0"})
        seen = page(caller)
        assert caller.decide("water-cycle", "2026.11.23", "rejected").status_code == 200
        # The decision is a request of its own; the one that had submitted comes again with its news.
        news = [entry for entry in journal(caller, after=seen["next"]) if entry["route"] == MANIFESTS]
    assert [entry["caused"]["submissions"][0]["status"] for entry in news] == ["rejected"]
    assert news[0]["no"] in {entry["no"] for entry in seen["items"]}


def test_the_oldest_are_dropped_whole():
    async def fill() -> Journal:
        kept = Journal(VirtualClock(NOON), Changes(), capacity=10)
        for number in range(1000):
            kept.add(
                method="POST",
                route="/v1/telemetry/events",
                status=202,
                seconds=0.0,
                trace_id=f"trace{number}",
                client_id=None,
                code=None,
            )
            kept.touch(f"trace{number - 100}")  # news of one that is forgotten
        return kept

    kept = asyncio.run(fill())
    assert [entry.no for entry in kept.entries(lambda _: True, after=0, limit=5000)] == list(range(991, 1001))
    assert kept.first_no == 991
    assert len(kept._causes) == 10

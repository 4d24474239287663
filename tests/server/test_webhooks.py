"""From a change to its webhook: which events there are, who gets them, when they are tried again, and when given up."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from itertools import pairwise

import pytest

from reinmaker_cli.contract import signing
from reinmaker_cli.server.clock import VirtualClock, unix_time
from tests.server.live import Caller, event, live_server, problem_code
from tests.server.receiver import OK, Received, always, answer, receiver

NOON = unix_time("2026-11-23T12:00:00Z")
HOOKS = "/_local/webhooks"
PLAN = "reinmaker.game_pass"
ENTITLEMENT, CONTENT, TELEMETRY = (
    *("reinmaker.entitlement.updated", "reinmaker.content.requested"),
    "reinmaker.telemetry.flushed",
)


@pytest.fixture
def caller():
    with live_server(clock=VirtualClock(NOON)) as caller:
        yield caller


def add_endpoint(caller: Caller, url: str, *types: str) -> dict:
    added = caller.control.post(HOOKS + "/endpoints", json={"url": url, "types": list(types)})
    assert added.status_code == 201, added.text
    return added.json()


def give(caller: Caller, user_id: str = "usr_1", **more):
    return caller.control.put("/_local/entitlements", json={"userId": user_id, "plan": PLAN, **more})


def request_content(caller: Caller) -> dict:
    wanted = {"phaseDNAId": "water-cycle", "locale": "fr-FR", "agePersona": "6-12"}
    caused = caller.control.post("/_local/request-content", json=wanted)
    assert caused.status_code == 202, caused.text
    return caused.json()


def advance(caller: Caller, seconds: float) -> None:
    """Move the clock, which also means: return when all that became due was attempted."""
    moved = caller.control.post("/_local/clock", json={"advanceSeconds": seconds})
    assert moved.status_code == 200, moved.text


def deliveries(caller: Caller, **query: str) -> list[dict]:
    return caller.control.get(HOOKS + "/deliveries", params=query).json()["items"]


def dead_letters(caller: Caller, **query: str) -> list[dict]:
    return caller.control.get(HOOKS + "/dead-letters", params=query).json()["items"]


def seconds_after_noon(received: list[Received]) -> list[float]:
    return [unix_time(one.server_time) - NOON for one in received]


# --- which events there are ------------------------------------------------------------------------------------------


def test_an_entitlement_is_told_of_with_the_signature_of_the_endpoint(caller):
    with receiver() as there:
        secret = signing.secret_bytes(add_endpoint(caller, there.url + "/hooks")["signingSecret"])
        given = give(caller, expiresAt="2027-11-23T07:00:00Z")
        [got] = there.wait_for(1)
    assert got.target == "/hooks"
    assert got.document == {
        "type": ENTITLEMENT,
        "timestamp": "2026-11-23T12:00:00.000Z",
        "data": {
            "userId": "usr_1",
            "productTier": PLAN,
            "status": "active",
            "expiresAt": "2027-11-23T07:00:00.000Z",
        },
    }
    verified = signing.verify([secret], got.headers, got.body, now=time.time())
    assert isinstance(verified, signing.Verified), verified
    assert got.headers["x-lesson-trace-id"] == given.headers["x-lesson-trace-id"]
    assert (got.attempt, got.headers["content-type"]) == (1, "application/json")
    assert got.headers["user-agent"].startswith("reinmaker/")


def test_what_changes_nothing_is_not_told(caller):
    with receiver() as there:
        add_endpoint(caller, there.url)
        for _ in range(3):
            give(caller)
        give(caller, region="US")
        for _ in range(2):
            caller.control.post("/_local/entitlements/revoke", json={"userId": "usr_1", "plan": PLAN})
        advance(caller, 0)
        told = Counter(one.document["data"]["status"] for one in there.received)  # they are on their way at once
        assert told == {"active": 2, "revoked": 1}


def test_the_end_of_an_entitlement_is_told_once_at_its_time(caller):
    with receiver() as there:
        add_endpoint(caller, there.url)
        for minute in (10, 20, 30):
            give(caller, f"usr_{minute}", expiresAt=f"2026-11-23T12:{minute}:00Z")
        give(caller, "usr_20", expiresAt="2026-11-23T12:25:00Z")  # before it ended
        advance(caller, 3600)
        advance(caller, 3600)
        ended = [one for one in there.received if one.document["data"]["status"] == "expired"]
    assert [one.document["data"]["userId"] for one in ended] == ["usr_10", "usr_20", "usr_30"]
    assert seconds_after_noon(ended) == [600, 1500, 1800]
    assert [one.document["timestamp"][11:16] for one in ended] == ["12:10", "12:25", "12:30"]


def test_a_batch_with_something_new_is_told_of(caller):
    with receiver() as there:
        add_endpoint(caller, there.url)
        events = [event(), event()]
        batch = caller.send(events).json()
        assert caller.send(events).json()["accepted"] == 0
        caller.send([*events, event()])
        first, second = sorted(there.wait_for(2), key=lambda one: -one.document["data"]["events"])  # they come at once
    assert first.document["type"] == TELEMETRY
    assert first.document["data"] == {
        "batchId": batch["batchId"],
        "events": 2,
        "processedAt": "2026-11-23T12:00:00.000Z",
    }
    assert second.document["data"]["events"] == 1


def test_content_is_asked_for(caller):
    with receiver() as there:
        add_endpoint(caller, there.url)
        caused = request_content(caller)
        [got] = there.wait_for(1)
    assert got.id == caused["eventId"]
    assert got.headers["x-lesson-trace-id"] == caused["traceId"]
    assert got.document["data"] == {"phaseDNAId": "water-cycle", "locale": "fr-FR", "agePersona": "6-12"}


def test_an_event_goes_to_the_endpoints_enabled_for_its_type_when_it_is_made(caller):
    with receiver() as there:
        add_endpoint(caller, there.url + "/all")
        add_endpoint(caller, there.url + "/content", CONTENT)
        add_endpoint(caller, there.url + "/two", CONTENT, TELEMETRY)
        off = add_endpoint(caller, there.url + "/off")
        caller.control.post(f"{HOOKS}/endpoints/{off['endpointId']}/disable", json={})
        assert len(request_content(caller)["deliveries"]) == 3
        give(caller)
        add_endpoint(caller, there.url + "/late")
        advance(caller, 0)
        got = Counter(one.target for one in there.received)
    assert got == {"/all": 2, "/content": 1, "/two": 1}


def test_an_event_that_nobody_wants_is_kept_and_goes_to_nobody(caller):
    assert request_content(caller)["deliveries"] == []
    with receiver() as there:
        add_endpoint(caller, there.url)
        advance(caller, 3600)
        assert there.received == []


@pytest.mark.parametrize(
    ("event_type", "data", "told"),
    [
        (ENTITLEMENT, {"userId": "usr_9", "status": "revoked"}, {"userId": "usr_9", "status": "revoked"}),
        (ENTITLEMENT, {"status": "expired"}, {"status": "expired"}),
        (CONTENT, {"locale": "es-ES"}, {"locale": "es-ES", "phaseDNAId": "water-cycle"}),
        (TELEMETRY, {"events": 3}, {"events": 3}),
    ],
)
def test_a_trigger_goes_the_way_of_the_real_event(caller, event_type, data, told):
    with receiver() as there:
        add_endpoint(caller, there.url)
        caused = caller.control.post(HOOKS + "/trigger", json={"type": event_type, "data": data}).json()
        [got] = there.wait_for(1)
    assert (got.id, got.document["type"]) == (caused["eventId"], event_type)
    assert got.document["data"].items() >= told.items()
    if event_type == ENTITLEMENT:
        user_id = got.document["data"]["userId"]
        stored = caller.control.get("/_local/entitlements", params={"userId": user_id}).json()["items"]
        assert [one["status"] for one in stored] == [told["status"]]


@pytest.mark.parametrize(
    "asked",
    [
        {"type": "reinmaker.other"},
        {"type": ENTITLEMENT, "data": {"other": 1}},
        {"type": ENTITLEMENT, "data": {"status": "expired", "expiresAt": "2999-01-01T00:00:00Z"}},
        {"type": ENTITLEMENT, "data": {"productTier": "none"}},
        {"type": TELEMETRY, "data": {"events": 501}},
        {"type": CONTENT, "data": {"locale": "de-DE"}},
        {"type": CONTENT, "data": []},
    ],
)
def test_a_trigger_that_makes_no_sense_is_refused(caller, asked):
    assert problem_code(caller.control.post(HOOKS + "/trigger", json=asked)) == "request-invalid"


# --- retries ---------------------------------------------------------------------------------------------------------

SCHEDULE = [0, 30, 150, 750, 4350, 25_950]
"""Seconds of the six attempts that fail at once: 0, 30 s, 2 m 30 s, 12 m 30 s, 1 h 12 m 30 s, 7 h 12 m 30 s."""
GAPS = [later - earlier for earlier, later in pairwise(SCHEDULE)]


@pytest.mark.parametrize("status", [500, 301, 404, 429])
def test_six_attempts_at_the_times_of_the_contract_then_a_dead_letter(caller, status):
    with receiver(always(answer(status, Location="http://169.254.169.254/"))) as there:
        add_endpoint(caller, there.url)
        request_content(caller)
        advance(caller, 8 * 3600)  # in how much real time: `make bench PART=deliver`
        assert seconds_after_noon(there.received) == SCHEDULE
        assert [one.attempt for one in there.received] == [1, 2, 3, 4, 5, 6]
        assert len({(one.id, one.body) for one in there.received}) == 1
    [letter] = dead_letters(caller)
    assert (letter["reason"], letter["attempts"]) == (f"HTTP {status}", 6)
    assert letter["diedAt"] == "2026-11-23T19:12:30.000Z"
    assert letter["expiresAt"] == "2026-12-07T19:12:30.000Z"


def test_eight_hours_pass_on_the_wall_clock_as_well():
    with live_server() as caller, receiver(always(answer(500))) as there:
        add_endpoint(caller, there.url)
        request_content(caller)
        advance(caller, 8 * 3600)
        times = [unix_time(one.server_time) for one in there.received]
        assert len(dead_letters(caller)) == 1
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert_late_by_load_only(gaps, GAPS)


def assert_late_by_load_only(found: list[float], due: list[float]) -> None:
    """Nothing is early by the clock on the wall; a busy machine makes it late, by less than a step of the schedule."""
    assert len(found) == len(due)
    assert all(-0.01 <= one - wanted < 20 for one, wanted in zip(found, due, strict=True)), found


def answering_late(seconds: float):
    """Answer with 500 after so many real seconds, the end of which is the end of the attempt."""

    def respond(_received, _connection):
        threading.Event().wait(seconds)
        return answer(500)

    return respond


@pytest.mark.parametrize("mode", ["real", "clock"])
def test_the_timestamp_is_real_time_unless_asked_otherwise(mode):
    with live_server(clock=VirtualClock(NOON), webhook_timestamp=mode) as caller, receiver() as there:
        add_endpoint(caller, there.url)
        request_content(caller)
        stamp = int(there.wait_for(1)[0].headers["webhook-timestamp"])
    assert (stamp == int(NOON)) == (mode == "clock")


@pytest.mark.parametrize("late_s", [0.3, pytest.param(4, marks=pytest.mark.skipif(
    not os.environ.get("REINMAKER_SOAK"), reason="24 s; only with REINMAKER_SOAK=1"))])  # fmt: skip
def test_each_gap_begins_at_the_end_of_the_attempt(late_s):
    with live_server() as caller, receiver(answering_late(late_s)) as there:
        add_endpoint(caller, there.url)
        request_content(caller)
        advance(caller, 8 * 3600)
        [delivery] = deliveries(caller)
    attempts = delivery["attempts"]
    assert all(unix_time(one["endedAt"]) - unix_time(one["startedAt"]) >= late_s - 0.01 for one in attempts)
    pauses = [unix_time(later["startedAt"]) - unix_time(earlier["endedAt"]) for earlier, later in pairwise(attempts)]
    assert_late_by_load_only(pauses, GAPS)
    times = [unix_time(one.server_time) for one in there.received]  # in the receiver's own log
    assert_late_by_load_only([later - earlier for earlier, later in pairwise(times)], [gap + late_s for gap in GAPS])


def test_a_delivery_that_comes_through_is_not_tried_again(caller):
    answers = iter([answer(500), answer(503), OK])
    with receiver(lambda _received, _connection: next(answers)) as there:
        add_endpoint(caller, there.url)
        caused = request_content(caller)
        advance(caller, 8 * 3600)
        assert seconds_after_noon(there.received) == SCHEDULE[:3]
    [delivery] = deliveries(caller, eventId=caused["eventId"])
    assert (delivery["status"], delivery["attempt"], delivery["dueAt"]) == ("delivered", 3, None)
    assert [one["outcome"] for one in delivery["attempts"]] == ["http-status", "http-status", "delivered"]
    assert dead_letters(caller) == []


@pytest.mark.parametrize(
    ("asked", "waited_s"), [("5", 30), ("45", 45), ("86400", 60), ("soon", 30), ("-1", 30), ("45.5", 30)]
)
def test_retry_after_moves_the_retry_to_between_the_delay_and_twice_it(caller, asked, waited_s):
    with receiver(always(answer(503, Retry_After=asked))) as there:
        add_endpoint(caller, there.url)
        request_content(caller)
        there.wait_for(1)
        advance(caller, 60)
        assert seconds_after_noon(there.received) == [0, waited_s]


def test_410_disables_the_endpoint_and_is_a_dead_letter_at_once(caller):
    statuses = {"/gone": 500, "/other": 200}
    with receiver(lambda received, _: answer(statuses[received.target])) as there:
        gone = add_endpoint(caller, there.url + "/gone")
        add_endpoint(caller, there.url + "/other")
        request_content(caller)
        there.wait_for(2)
        advance(caller, 0)
        statuses["/gone"] = 410
        request_content(caller)
        advance(caller, 0)
        request_content(caller)
        advance(caller, 8 * 3600)
        assert Counter(one.target for one in there.received) == {"/gone": 2, "/other": 3}
    shown = caller.control.get(f"{HOOKS}/endpoints/{gone['endpointId']}").json()
    assert (shown["enabled"], shown["disabledReason"], shown["open"]) == (False, "HTTP 410", 0)
    assert sorted(letter["reason"] for letter in dead_letters(caller)) == ["HTTP 410", "endpoint disabled"]


def test_disabling_makes_dead_letters_of_what_is_open(caller):
    with receiver(always(answer(500))) as there:
        endpoint = add_endpoint(caller, there.url)
        for _ in range(3):
            request_content(caller)
        advance(caller, 0)
        disable = f"{HOOKS}/endpoints/{endpoint['endpointId']}/disable"
        assert caller.control.post(disable, json={"reason": "moved"}).json()["deadLetters"] == 3
        advance(caller, 8 * 3600)
        assert len(there.received) == 3
    assert {letter["reason"] for letter in dead_letters(caller)} == {"endpoint disabled"}


def test_what_is_on_its_way_when_the_endpoint_is_disabled_ends_by_itself(caller):
    may_answer, answers = threading.Event(), iter([OK, answer(500)])

    def respond(_received, _connection):
        assert may_answer.wait(120)
        return next(answers)

    with receiver(respond) as there:
        endpoint = add_endpoint(caller, there.url)
        request_content(caller), request_content(caller)
        there.wait_for(2)
        caller.control.post(f"{HOOKS}/endpoints/{endpoint['endpointId']}/disable", json={})
        may_answer.set()
        advance(caller, 0)
    assert sorted(one["status"] for one in deliveries(caller)) == ["dead", "delivered"]


# --- dead letters ----------------------------------------------------------------------------------------------------


def test_a_dead_letter_is_shown_redriven_exported_and_purged(caller):
    with receiver(always(answer(500))) as there:
        endpoint = add_endpoint(caller, there.url)
        caused = request_content(caller)
        advance(caller, 8 * 3600)
        [letter] = dead_letters(caller)
        assert letter["deliveryId"] == caused["deliveries"][0]
        shown = caller.control.get(f"{HOOKS}/dead-letters/{letter['deliveryId']}").json()
        assert [one["attempt"] for one in shown["history"]] == [1, 2, 3, 4, 5, 6]
        [exported] = dead_letters(caller, include="body")
        assert exported["body"] == shown["body"] == there.received[0].body.decode()

        redrive = HOOKS + "/dead-letters/redrive"
        assert caller.control.post(redrive, json={"endpointId": endpoint["endpointId"]}).json() == {
            "redriven": 1,
            "deliveries": [letter["deliveryId"]],
            "left": 0,
        }
        assert dead_letters(caller) == []
        advance(caller, 8 * 3600)
        assert len(there.received) == 12
        assert {one.id for one in there.received} == {caused["eventId"]}
        assert [one.attempt for one in there.received] == [1, 2, 3, 4, 5, 6] * 2

        there.respond = always(OK)
        assert caller.control.post(redrive, json={"all": True}).json()["redriven"] == 1
        advance(caller, 0)
        assert deliveries(caller)[0]["status"] == "delivered"
        assert caller.control.post(HOOKS + "/dead-letters/purge", json={"all": True}).json() == {"purged": 0}


def test_a_letter_of_a_removed_endpoint_goes_to_the_newest_of_its_url_that_wants_it(caller):
    redrive, entitlement = HOOKS + "/dead-letters/redrive", "reinmaker.entitlement.updated"
    with receiver(always(answer(500))) as there, receiver() as elsewhere:
        gone = add_endpoint(caller, there.url)
        caused = request_content(caller)
        advance(caller, 0)
        assert caller.control.delete(f"{HOOKS}/endpoints/{gone['endpointId']}").status_code == 204
        there.respond = always(OK)
        older = add_endpoint(caller, there.url)
        add_endpoint(caller, there.url, entitlement)
        add_endpoint(caller, elsewhere.url)
        disabled = add_endpoint(caller, there.url)
        caller.control.post(f"{HOOKS}/endpoints/{disabled['endpointId']}/disable", json={})

        assert caller.control.post(redrive, json={"all": True}).json()["deliveries"] == caused["deliveries"]
        advance(caller, 0)
        [delivery] = deliveries(caller, eventId=caused["eventId"])
        assert (delivery["status"], delivery["endpointId"]) == ("delivered", older["endpointId"])
        assert ([one.id for one in there.received], elsewhere.received) == ([caused["eventId"]] * 2, [])


def test_a_letter_of_a_disabled_endpoint_waits_for_it(caller):
    with receiver(always(answer(410))) as there:
        endpoint = add_endpoint(caller, there.url)
        [delivery_id] = request_content(caller)["deliveries"]
        advance(caller, 0)
        there.respond = always(OK)
        twin = add_endpoint(caller, there.url)  # there is one of the same URL, and this one may come back
        refused = caller.control.post(HOOKS + "/dead-letters/redrive", json={"deliveryId": delivery_id})
        assert (refused.status_code, refused.json()["code"]) == (409, "receiver-gone")
        assert refused.json()["detail"].startswith("its endpoint is disabled: ")
        assert caller.control.delete(f"{HOOKS}/endpoints/{endpoint['endpointId']}").status_code == 204
        sent_again = caller.control.post(f"{HOOKS}/deliveries/{delivery_id}/resend")
        assert (sent_again.status_code, sent_again.json()["code"]) == (409, "receiver-gone")
        asked = {"deliveryId": delivery_id}
        assert caller.control.post(HOOKS + "/dead-letters/redrive", json=asked).json()["redriven"] == 1
        advance(caller, 0)
        assert deliveries(caller)[0]["endpointId"] == twin["endpointId"]


def test_a_dead_letter_is_kept_for_14_days(caller):
    with receiver(always(answer(410))) as there:
        add_endpoint(caller, there.url)
        request_content(caller)
        advance(caller, 14 * 86_400 - 1)
        assert len(dead_letters(caller)) == 1
        advance(caller, 1)
        assert (dead_letters(caller), deliveries(caller)) == ([], [])


def test_purged_is_gone(caller):
    with receiver(always(answer(410))) as there:
        add_endpoint(caller, there.url)
        delivery_id = request_content(caller)["deliveries"][0]
        advance(caller, 0)
        assert caller.control.post(HOOKS + "/dead-letters/purge", json={"deliveryId": delivery_id}).json() == {
            "purged": 1
        }
    assert problem_code(caller.control.get(f"{HOOKS}/deliveries/{delivery_id}")) == "webhook-not-found"


def test_a_resend_is_one_post_and_leaves_the_schedule_alone(caller):
    answers = iter([answer(500), OK, answer(500), answer(500)])
    with receiver(lambda _received, _connection: next(answers)) as there:
        add_endpoint(caller, there.url)
        delivery_id = request_content(caller)["deliveries"][0]
        advance(caller, 0)
        resent = caller.control.post(f"{HOOKS}/deliveries/{delivery_id}/resend").json()
        assert (resent["kind"], resent["status"], resent["outcome"]) == ("resend", 200, "delivered")
        [delivery] = deliveries(caller)
        assert (delivery["status"], delivery["attempt"], delivery["dueAt"]) == ("open", 1, "2026-11-23T12:00:30.000Z")
        advance(caller, 150)
        assert seconds_after_noon(there.received) == [0, 0, 30, 150]
        assert len({one.id for one in there.received}) == 1


# --- a user is forgotten ---------------------------------------------------------------------------------------------


@pytest.mark.sqlite  # PostgreSQL leaves bytes in its files and log until they are written over: docs/deploy.md
def test_a_forgotten_user_is_in_no_event_delivery_or_dead_letter(caller):
    with receiver(always(answer(410))) as there:
        give(caller, "usr_secret")  # undelivered
        add_endpoint(caller, there.url)
        give(caller, "usr_secret", region="US")
        give(caller, "usr_other")
        advance(caller, 0)
    forgotten = caller.control.post("/_local/forget", json={"userId": "usr_secret"}).json()
    assert forgotten == {"entitlements": 1, "events": 0, "webhooks": 2}
    assert b"usr_secret" not in (caller.started.data / "reinmaker.sqlite3").read_bytes()
    assert len(deliveries(caller)) == 1


# --- health ----------------------------------------------------------------------------------------------------------


def test_health_tells_of_the_outbox(caller):
    def checks():
        return caller.http.get("/v1/health").json()["checks"]

    assert checks()["rotation"] == {"status": "ok", "nextAt": None, "nextFetched": False}
    with receiver(always(answer(500))) as there:
        add_endpoint(caller, there.url)
        request_content(caller)
        advance(caller, 0)
        assert checks()["outbox"] == {"depth": 1, "oldestDueSeconds": 0}
        advance(caller, 8 * 3600)
    found = checks()
    assert found["deadLetters"] == {"count": 1}
    assert found["outbox"]["depth"] == 0
    assert found["rotation"]["nextAt"] == "2027-01-22T12:00:00.000Z"

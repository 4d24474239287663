"""Batches of events: whole or not at all, each event once, remembered for 14 days."""

from __future__ import annotations

import gzip
import json
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reinmaker_cli.contract.names import EVENT_MEMORY_S, EVENTS_PATH, MAX_EVENTS_BYTES
from reinmaker_cli.server.clock import VirtualClock
from reinmaker_cli.server.store.telemetry import FORGOTTEN_AT_ONCE, EventRow, NewBatch
from tests.server.live import Caller, event, live_server, opened, place, problem_code, run_sql


def counts(answer) -> tuple[int, int]:
    """Return how many events were new and how many were not."""
    assert answer.status_code == 202, answer.text
    return answer.json()["accepted"], answer.json()["duplicates"]


def stored(caller: Caller) -> list[dict]:
    """Return the rows of all events, oldest first."""
    return run_sql(caller.place, "SELECT * FROM telemetry_events ORDER BY no")


def row(event_id: str) -> EventRow:
    return (event_id, "t", "", None, None, None)


def test_an_event_is_stored_as_it_was_sent(live: Caller):
    sent = event(userId="usr_1", sessionId="ses_1", properties={"phase": "welcome", "ñ": [1, {"a": None}]}, other="x")
    assert counts(live.send([sent])) == (1, 0)
    [row] = [row for row in stored(live) if row["event_id"] == sent["eventId"]]
    assert (row["type"], row["occurred_at"]) == (sent["type"], sent["occurredAt"])
    assert (row["user_id"], row["session_id"]) == ("usr_1", "ses_1")
    assert json.loads(row["properties"]) == sent["properties"]
    assert row["client_id"] == live.started.client.client_id


def test_each_event_of_a_batch_keeps_its_own_properties(live: Caller):
    given = [{"a": '"},{"'}, None, {"b": "null"}, {}, {"c": [None, {"d": "]"}]}, None]
    batch = [event() if properties is None else event(properties=properties) for properties in given]
    assert counts(live.send(batch)) == (len(batch), 0)
    kept = {row["event_id"]: row["properties"] for row in stored(live)}
    found = [kept[sent["eventId"]] for sent in batch]
    assert [None if text is None else json.loads(text) for text in found] == given


def test_a_batch_says_of_itself_how_much_of_it_was_new(live: Caller):
    first, again = [event(), event()], [event()]
    batches = [live.send(first).json()["batchId"], live.send([*first, *again]).json()["batchId"]]
    rows = {row["batch_id"]: row for row in run_sql(live.place, "SELECT * FROM telemetry_batches")}
    assert [(rows[batch]["events"], rows[batch]["accepted"]) for batch in batches] == [(2, 2), (3, 1)]


def test_properties_may_be_empty(live: Caller):
    assert counts(live.send([event(properties={})])) == (1, 0)


@pytest.mark.parametrize("number", [1, 500])
def test_from_1_to_500_events_are_a_batch(live: Caller, number):
    assert counts(live.send([event() for _ in range(number)])) == (number, 0)


@pytest.mark.parametrize("number", [0, 501])
def test_another_number_of_events_is_too_many_events(live: Caller, number):
    before = len(stored(live))
    answer = live.send([event() for _ in range(number)])
    assert (answer.status_code, problem_code(answer)) == (422, "too-many-events")
    assert len(stored(live)) == before


def test_one_wrong_event_keeps_the_whole_batch_out_and_every_place_is_named(live: Caller):
    before = len(stored(live))
    answer = live.send(
        [
            event(),
            event(eventId="", occurredAt="2026-11-23 07:00:00Z"),
            "event",
            event(userId="u" * 257, sessionId=None, properties=[]),
            {"eventId": "a" * 129, "type": 3},
        ]
    )
    assert problem_code(answer) == "event-invalid"
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        *("/events/1/eventId", "/events/1/occurredAt", "/events/2"),
        *("/events/3/userId", "/events/3/sessionId", "/events/3/properties"),
        *("/events/4/eventId", "/events/4/type", "/events/4/occurredAt"),
    ]
    assert answer.json()["errorCount"] == 9
    assert len(stored(live)) == before


def test_the_first_100_places_are_listed_and_all_are_counted(live: Caller):
    problem = live.send([{}] * 500).json()
    assert (len(problem["errors"]), problem["errorCount"]) == (100, 1500)


def test_a_refusal_never_quotes_what_stands_at_a_place(live: Caller):
    name = "Ana Lovelace"
    answer = live.send([event(type=name * 30, occurredAt=name, userId={name: 1}, properties=name)])
    assert problem_code(answer) == "event-invalid"
    assert name not in answer.text


@pytest.mark.parametrize("body", [{}, [], {"events": {}}, {"events": None}, "events", 7])
def test_a_body_without_a_list_of_events_is_refused(live: Caller, body):
    answer = live.api.post(EVENTS_PATH, json=body)
    assert (answer.status_code, problem_code(answer)) == (422, "event-invalid")


@pytest.mark.parametrize(
    "time",
    [
        *("2026-11-23T07:00:00", "2026-11-23T07:00:00+00:00", "2026-11-23t07:00:00z", "2026-02-29T07:00:00Z"),
        *("2026-11-23T24:00:00Z", "2026-11-23T07:00:61Z", "2026-11-23T07:00:00.Z", "2026-11-23T07:00:00Z\n", 1),
        *("٢٠٢٦-11-23T07:00:00Z", "0000-01-01T00:00:00Z", ""),
    ],
)
def test_a_time_in_another_form_is_refused(live: Caller, time):
    assert problem_code(live.send([event(occurredAt=time)])) == "event-invalid"


@pytest.mark.parametrize("time", ["2026-11-23T07:00:00Z", "2028-02-29T23:59:60Z", "2026-11-23T07:00:00.123456789Z"])
def test_a_time_in_the_form_of_the_contract_is_taken(live: Caller, time):
    assert counts(live.send([event(occurredAt=time)])) == (1, 0)


def test_a_batch_may_be_1_mib_inflated(live: Caller):
    document = json.dumps({"events": [event()]}).encode()
    full = document + b" " * (MAX_EVENTS_BYTES - len(document))
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert counts(live.api.post(EVENTS_PATH, content=gzip.compress(full), headers=headers)) == (1, 0)
    answer = live.api.post(EVENTS_PATH, content=gzip.compress(full + b" "), headers=headers)
    assert problem_code(answer) == "body-too-large"


# --- duplicates ------------------------------------------------------------------------------------------------------


def test_an_event_counts_once_however_often_it_comes(live: Caller):
    first, second, third = event(), event(), event()
    assert counts(live.send([first, second, first])) == (2, 1)
    assert counts(live.send([second, third])) == (1, 1)
    assert counts(live.send([first, second, third])) == (0, 3)


def test_of_two_events_with_one_id_the_first_stays(live: Caller):
    live.send([event("same-id", type="first")])
    live.send([event("same-id", type="second")])
    assert [row["type"] for row in stored(live) if row["event_id"] == "same-id"] == ["first"]


def test_the_same_id_of_another_client_is_another_event(live: Caller):
    client = live.control.post("/_local/clients", json={"name": "other game"}).json()
    answer = live.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(client["clientId"], client["clientSecret"]),
    )
    other = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    sent = event()
    assert counts(live.send([sent])) == (1, 0)
    assert counts(live.http.post(EVENTS_PATH, json={"events": [sent]}, headers=other)) == (1, 0)


def test_race_of_two_batches_with_the_same_events_stores_each_once(live: Caller):
    batch = [event() for _ in range(300)]
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(live.send(batch))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts(answer)[0] for answer in answers) == 300
    assert sum(counts(answer)[1] for answer in answers) == 900


def test_an_id_is_remembered_for_14_days_by_the_clock_of_the_server():
    clock = VirtualClock(1_795_000_000.0)
    with live_server(clock=clock) as caller:
        batch = [event(), event()]
        assert counts(caller.send(batch)) == (2, 0)
        clock.advance(EVENT_MEMORY_S - 1)
        caller.api.headers["Authorization"] = "Bearer " + caller.token()
        assert counts(caller.send(batch)) == (0, 2)
        clock.advance(1)
        caller.api.headers["Authorization"] = "Bearer " + caller.token()
        assert counts(caller.send(batch)) == (2, 0)
        assert counts(caller.send(batch)) == (0, 2)
        assert len(stored(caller)) == 2


def test_old_events_leave_the_store_bit_by_bit(tmp_path):
    store = opened(tmp_path)
    rows = [row(str(n)) for n in range(FORGOTTEN_AT_ONCE + 10)]
    assert store.telemetry.add(NewBatch("old", "client", "trace", rows), now=0.0).accepted == len(rows)
    last = [rows[-1]]  # beyond what one batch takes along, and yet new
    assert store.telemetry.add(NewBatch("1", "client", "trace", last), now=EVENT_MEMORY_S).accepted == 1
    assert store.telemetry.add(NewBatch("2", "client", "trace", last), now=EVENT_MEMORY_S).accepted == 0
    store.close()
    assert run_sql(place(tmp_path), "SELECT count(*) AS count FROM telemetry_events") == [{"count": 1}]
    batches = run_sql(place(tmp_path), "SELECT batch_id FROM telemetry_batches ORDER BY no")
    assert batches == [{"batch_id": "1"}, {"batch_id": "2"}]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    batches=st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=12), max_size=8),
    pause_s=st.sampled_from([0.0, EVENT_MEMORY_S / 2, EVENT_MEMORY_S]),
)
def test_accepted_and_duplicates_are_what_a_memory_of_14_days_says(tmp_path_factory, batches, pause_s):
    store, seen_at, now = opened(tmp_path_factory.mktemp("store")), {}, 1.0
    for number, ids in enumerate(batches):
        expected = 0
        for event_id in ids:
            if event_id not in seen_at or now - seen_at[event_id] >= EVENT_MEMORY_S:
                seen_at[event_id], expected = now, expected + 1
        rows = [row(event_id) for event_id in ids]
        assert store.telemetry.add(NewBatch(str(number), "client", "trace", rows), now=now).accepted == expected
        now += pause_s
    store.close()

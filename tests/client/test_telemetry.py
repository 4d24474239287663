"""Events on their way: cut into batches, repeated through failures, counted once."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reinmaker_cli.client.api import open_api
from reinmaker_cli.client.entitlements import entitlements_path, without_user
from reinmaker_cli.client.event_reader import MAX_EVENT_BYTES, EventText
from reinmaker_cli.client.patience import Clockwork
from reinmaker_cli.client.telemetry import Pace, Sent, cut_into_batches, send_events
from reinmaker_cli.contract.names import EVENTS_PATH, MAX_EVENTS, MAX_EVENTS_BYTES, Scope
from reinmaker_cli.errors import ContentInvalid, ReinmakerError, ServerUnreachable, UsageError
from reinmaker_cli.server.clock import VirtualClock
from reinmaker_cli.server.running import ServerConfig, Started, running_server
from tests.client.conftest import development_credentials, local_environment
from tests.client.scripted import Script, answer, problem
from tests.faults import Fault, fault_proxy

TIME = "2026-11-23T07:00:00Z"


def events(count: int, prefix: str = "e", **more) -> list[EventText]:
    """Return events with ids of their own."""
    return [
        EventText(n + 1, json.dumps({"eventId": f"{prefix}-{n}", "type": "t", "occurredAt": TIME, **more}).encode())
        for n in range(count)
    ]


def stored_ids(started: Started) -> list[str]:
    with closing(sqlite3.connect(started.data / "reinmaker.sqlite3")) as database:
        return [row[0] for row in database.execute("SELECT event_id FROM telemetry_events ORDER BY no")]


@pytest.fixture
def server(tmp_path: Path):
    """A server for one test: what is stored is counted."""
    with running_server(ServerConfig(port=0, data=tmp_path, log="off", network=False)) as started:
        yield started


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def pace(slept: list[float]) -> Pace:
    """A pace whose pauses are noted and not made."""
    return Pace(300.0, world=Clockwork(clock=lambda: sum(slept), sleep=slept.append, random=lambda: 0.0))


def send(started: Started, batches, pace: Pace, *, url: str | None = None, sent: Sent | None = None, **more) -> Sent:
    sent = sent or Sent()
    environment = local_environment(url or started.url)
    with open_api(environment, development_credentials(started), scope=Scope.TELEMETRY_WRITE) as api:
        send_events(api, batches, sent, path="events.jsonl", trace_id="trace", pace=pace, **more)
    return sent


# --- batches ---------------------------------------------------------------------------------------------------------


@given(sizes=st.lists(st.sampled_from([10, 1000, 300_000, MAX_EVENT_BYTES]), max_size=12), many=st.booleans())
def test_batches_hold_all_events_in_order_and_keep_the_limits(sizes, many):
    texts = [EventText(n, b"x" * size) for n, size in enumerate(sizes * 1)]
    texts += [EventText(0, b"{}")] * (1203 if many else 0)
    batches = list(cut_into_batches(texts))
    assert [text for batch in batches for text in batch] == texts
    for batch in batches:
        assert 1 <= len(batch) <= MAX_EVENTS
        assert len(b'{"events":[' + b",".join(text.raw for text in batch) + b"]}") <= MAX_EVENTS_BYTES


@pytest.mark.parametrize(("more", "batches"), [(0, [3, 1]), (1, [2, 2])])
def test_a_batch_is_filled_to_the_last_byte(more, batches):
    around = len(b'{"events":[,,]}')
    sizes = [300_000, 300_000, MAX_EVENTS_BYTES - around - 600_000 + more, 2]
    texts = [EventText(line, b"x" * size) for line, size in enumerate(sizes)]
    assert [len(batch) for batch in cut_into_batches(texts)] == batches


def test_the_largest_batches_are_taken_by_a_server(server, pace):
    small = events(1001)
    large = [*events(1, "large", properties={"filler": ""})]
    filler = MAX_EVENT_BYTES - len(large[0].raw)
    large = events(1, "large", properties={"filler": "x" * filler})
    assert len(large[0].raw) == MAX_EVENT_BYTES
    sent = send(server, cut_into_batches([*small, *large]), pace)
    assert (sent.events, sent.batches, sent.accepted, sent.duplicates) == (1002, 4, 1002, 0)
    assert len(stored_ids(server)) == 1002


def test_what_was_sent_before_counts_as_duplicate(server, pace):
    send(server, cut_into_batches(events(600)), pace)
    again = send(server, cut_into_batches(events(700)), pace)
    assert (again.accepted, again.duplicates) == (100, 600)
    assert stored_ids(server) == [f"e-{n}" for n in range(700)]


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["drop", "reset", "cut", "refuse"])
def test_a_lost_answer_is_asked_for_again_and_nothing_is_stored_twice(server, pace, kind):
    faults = [Fault(nth, kind, path=EVENTS_PATH) for nth in (1, 3, 4)]
    with fault_proxy(server.url, *faults) as proxy:
        sent = send(server, cut_into_batches(events(1200)), pace, url=proxy.url)
    assert (sent.events, sent.batches, sent.repeated) == (1200, 3, 2)
    assert stored_ids(server) == [f"e-{n}" for n in range(1200)]
    # Where the server had got it, the answer that arrived says so.
    assert sent.accepted + sent.duplicates == 1200
    assert (sent.duplicates == 0) == (kind == "refuse")


def test_a_server_that_was_never_there_is_given_up_soon_and_one_that_was_is_waited_for(server, pace, slept):
    never = [Fault(nth, "refuse", path=EVENTS_PATH) for nth in range(1, 50)]
    with fault_proxy(server.url, *never) as proxy, pytest.raises(ServerUnreachable):
        send(server, cut_into_batches(events(1)), pace, url=proxy.url)
    assert sum(slept) < 2
    slept.clear()
    with fault_proxy(server.url, *never[1:11]) as proxy:
        sent = send(server, cut_into_batches(events(501)), pace, url=proxy.url)
    assert sent.events == 501
    assert 40 < sum(slept) < 90


def test_sent_is_true_whatever_ends_the_sending(server, pace):
    def stopping():
        yield events(3, "a")
        yield events(2, "b")
        raise KeyboardInterrupt

    sent = Sent()
    with pytest.raises(KeyboardInterrupt):
        send(server, stopping(), pace, sent=sent)
    assert (sent.events, sent.batches) == (5, 2)
    assert len(stored_ids(server)) == 5


def batch_taken(accepted: int) -> httpx.Response:
    return answer({"batchId": "batch_1", "accepted": accepted, "duplicates": 0}, 202)


def scripted(script: Script, batches, pace: Pace) -> Sent:
    sent = Sent()
    with script.api() as api:
        send_events(api, batches, sent, path="events.jsonl", trace_id="trace", pace=pace)
    return sent


def test_it_goes_as_fast_as_the_server_asks(pace, slept):
    limit = problem(429, "quota-exceeded", retry_after="41")
    script = Script([batch_taken(1), limit, limit, batch_taken(1)])
    sent = scripted(script, [events(1), events(1, "f")], pace)
    assert slept == [41.0, 41.0]
    assert (sent.events, sent.limited_s, sent.repeated) == (2, 82.0, 0)


def test_a_limit_beyond_the_timeout_ends_it_and_says_what_is_in(pace):
    script = Script([batch_taken(1), problem(429, "quota-exceeded", retry_after="3600")])
    sent = Sent()
    with script.api() as api, pytest.raises(ServerUnreachable) as failure:
        send_events(api, [events(1), events(1)], sent, path="f", trace_id="trace", pace=pace)
    assert (failure.value.code, sent.events) == ("limited", 1)


def test_a_refused_event_is_named_with_its_line(server, pace):
    batch = [*events(2), EventText(77, b'{"eventId": "x", "type": "t", "occurredAt": "now"}')]
    with pytest.raises(ContentInvalid) as failure:
        send(server, [batch], pace)
    [finding] = failure.value.findings
    assert (finding.path, finding.line, finding.pointer) == ("events.jsonl", 77, "/occurredAt")
    assert stored_ids(server) == []


def answers_that_take_at_most(most: int, sizes: list[int]):
    """Return how a server in front of which a proxy takes fewer bytes answers; `sizes` are those it took."""

    def answer(request: httpx.Request) -> httpx.Response:
        body = gzip.decompress(request.content) if "content-encoding" in request.headers else request.content
        if len(body) > most:
            return httpx.Response(413, html="<h1>413 Request Entity Too Large</h1>")
        found = json.loads(body)["events"]
        sizes.append(len(found))
        return batch_taken(len(found))

    return answer


def test_batches_that_are_too_large_for_a_server_are_halved_until_they_pass(pace):
    sizes: list[int] = []
    one = len(events(1)[0].raw) + 3
    script = Script([answers_that_take_at_most(130 * one, sizes)] * 100)
    sent = scripted(script, cut_into_batches([*events(1000)]), pace)
    assert (sent.events, sent.accepted, sum(sizes)) == (1000, 1000, 1000)
    assert set(sizes) == {125}
    refused = len(script.requests) - len(sizes)
    assert refused == 2  # 500 and 250; what is as large later is halved before it is sent


def test_one_event_that_is_too_large_for_a_server_is_named_with_its_line(pace):
    large = EventText(77, events(1, "x", properties={"a": "b" * 4000})[0].raw)
    script = Script([answers_that_take_at_most(1000, sizes := [])] * 20)
    with pytest.raises(ContentInvalid) as failure:
        scripted(script, [[*events(2), large, *events(2, "z")]], pace)
    [finding] = failure.value.findings
    assert (failure.value.code, finding.code, finding.line) == ("body-too-large", "event-invalid", 77)
    assert sum(sizes) == 2  # what comes before it is in


def test_a_token_that_ends_on_the_way_is_renewed_once(tmp_path, pace):
    clock = VirtualClock(1_795_000_000.0)
    tokens = []
    with running_server(ServerConfig(port=0, data=tmp_path, log="off", network=False), clock=clock) as started:
        environment, credentials, sent = local_environment(started.url), development_credentials(started), Sent()
        said = {"scope": Scope.TELEMETRY_WRITE, "on_token": lambda _, token: tokens.append(token.scope)}
        with open_api(environment, credentials, **said) as api:

            def batches():
                yield events(2, "a")
                clock.advance(901)
                yield events(2, "b")
                yield events(2, "c")

            send_events(api, batches(), sent, path="f", trace_id="trace", pace=pace)
        assert (sent.events, sent.duplicates) == (6, 0)
        assert tokens == ["reinmaker.telemetry.write"] * 2
        assert len(stored_ids(started)) == 6


def test_the_scope_that_is_missing_is_an_error_of_access(server, pace):
    with (
        open_api(local_environment(server.url), development_credentials(server), scope=Scope.CONTENT_WRITE) as api,
        pytest.raises(ReinmakerError) as failure,
    ):
        send_events(api, [events(1)], Sent(), path="f", trace_id="trace", pace=pace)
    assert (failure.value.code, failure.value.exit_code) == ("insufficient-scope", 4)


# --- entitlements ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user_id", ["usr_1", "a/b", "..", ".", "ñ 🦊", "?userId=x", "%2F", "u" * 256])
def test_any_user_id_reaches_the_server_as_it_is(server, open_to: Callable, user_id):
    logged: list[str] = []
    with open_api(
        local_environment(server.url),
        development_credentials(server),
        scope=Scope.ENTITLEMENT_READ,
        trace=logged.append,
    ) as api:
        assert api.entitlements(user_id, trace_id="trace").user_id == user_id
    [request] = [line for line in logged if "> GET" in line]
    assert request.split("  ")[0].endswith("/v1/entitlements/…")


@pytest.mark.parametrize("user_id", ["", "u" * 257, "\udcff"])
def test_what_no_user_can_be_called_is_not_asked_for_and_not_repeated(user_id):
    with pytest.raises(UsageError) as failure:
        entitlements_path(user_id)
    assert user_id == "" or user_id not in failure.value.message


def test_urls_are_shown_without_the_user():
    assert without_user("http://h/v1/entitlements/ana?x=1") == "http://h/v1/entitlements/…"
    assert without_user("http://h/_local/entitlements?userId=ana") == "http://h/_local/entitlements?userId=…"
    assert without_user("http://h/v1/health") == "http://h/v1/health"


def test_an_answer_that_cannot_be_used_is_named_without_the_user():
    page = httpx.Response(200, text="<html>")
    with pytest.raises(ServerUnreachable) as failure:
        Script([page]).api().entitlements("ana", trace_id="trace")
    assert failure.value.message.startswith("unexpected answer from `http://localhost:7040/v1/entitlements/…`: ")

"""Faults: each kind as it is on the wire, and which requests are struck, how often and until when."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from reinmaker_cli.contract.faults import KINDS, FaultKind
from reinmaker_cli.contract.names import JWKS_PATH, METADATA_PATH, EventType
from reinmaker_cli.server.clock import VirtualClock
from reinmaker_cli.server.faults import MOST_FAULTS, Asked, Faults, Match, Rule, TooManyFaults
from reinmaker_cli.server.running import running_server
from tests.server.live import MANIFESTS, QUIET, Caller, live_server, manifest, problem_code, token_part
from tests.server.openapi_document import CONTROL

HEALTH = "/v1/health"


@pytest.fixture(scope="module")
def server() -> Iterator[Caller]:
    with live_server(clock=VirtualClock(1_795_000_000.0)) as caller:
        yield caller


@pytest.fixture
def caller(server: Caller) -> Iterator[Caller]:
    """The server without faults; held to no document: what faults do is in none."""
    server.api.event_hooks = {}
    server.http.event_hooks = {}
    yield server
    server.control.delete("/_local/faults")


def add(caller: Caller, kind: str, path: str | None = HEALTH, **more: Any) -> dict[str, Any]:
    match = more.pop("match", {} if path is None else {"path": path})
    answer = caller.control.post("/_local/faults", json={"kind": kind, "match": match, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def hits(caller: Caller) -> list[int]:
    return [fault["hits"] for fault in caller.control.get("/_local/faults").json()["items"]]


def raw(caller: Caller, method: str = "GET", path: str = HEALTH, *fields: str, body: bytes = b"") -> bytes:
    """Return all that comes on a connection of its own until the server ends it; a reset is a ConnectionResetError."""
    port = int(caller.started.url.rpartition(":")[2])
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *fields, "", ""]
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall("\r\n".join(lines).encode() + body)
        return b"".join(iter(lambda: connection.recv(65536), b""))


# --- each kind on the wire -------------------------------------------------------------------------------------------


def test_latency_delays_what_is_then_done(caller: Caller):
    add(caller, "latency", delaySeconds=0.3)
    began = time.monotonic()
    assert caller.http.get(HEALTH).status_code == 200
    assert time.monotonic() - began >= 0.3
    assert hits(caller) == [1]


@pytest.mark.parametrize(
    ("method", "path", "policy"), [("GET", f"{MANIFESTS}/x", '"default"'), ("POST", MANIFESTS, '"manifests"')]
)
def test_limited_is_the_429_of_the_limits(caller: Caller, method: str, path: str, policy: str):
    add(caller, "limited", path, retryAfterSeconds=7)
    answer = caller.api.request(method, path, json=manifest() if method == "POST" else None)
    assert (answer.status_code, problem_code(answer)) == (429, "quota-exceeded")
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["ratelimit"] == f"{policy};r=0;t=7"
    assert answer.headers["ratelimit-policy"].startswith(policy)
    assert caller.api.get(f"{MANIFESTS}/x").status_code == 404


def test_limited_comes_after_the_refusal_of_a_token_as_the_real_one_does(caller: Caller):
    add(caller, "limited", None)
    assert caller.http.get(MANIFESTS).status_code == 401
    assert caller.http.get(HEALTH).status_code == 200  # under no limit
    assert hits(caller) == [0]


@pytest.mark.parametrize(("status", "code"), [(500, "server-error"), (502, "server-error"), (503, "server-busy")])
def test_failure_is_a_problem_with_that_status(caller: Caller, status: int, code: str):
    add(caller, "failure", status=status)
    answer = caller.http.get(HEALTH)
    assert (answer.status_code, problem_code(answer)) == (status, code)
    assert "retry-after" not in answer.headers


def test_failure_says_when_to_come_back_where_that_was_asked_for(caller: Caller):
    add(caller, "failure", status=503, retryAfterSeconds=3)
    assert caller.http.get(HEALTH).headers["retry-after"] == "3"


def test_reset_is_a_tcp_reset(caller: Caller):
    add(caller, "reset")
    with pytest.raises(ConnectionResetError):
        raw(caller)
    assert b" 200 OK" in raw(caller, "GET", HEALTH, "Connection: close")


@pytest.mark.parametrize("size", [0, 1_000_000])
def test_empty_is_a_clean_end_without_a_byte(caller: Caller, size: int):
    add(caller, "empty", None)
    assert raw(caller, "POST", MANIFESTS, body=bytes(size)) == b""


@pytest.mark.parametrize("kind", ["empty", "reset", "failure"])
def test_what_is_not_answered_is_not_carried_out(caller: Caller, kind: str):
    add(caller, kind, MANIFESTS)
    fields = ("Authorization: " + caller.api.headers["Authorization"], "Content-Type: application/json")
    try:
        body = json.dumps(manifest(f"not-{kind}")).encode()
        raw(caller, "POST", MANIFESTS, *fields, "Connection: close", body=body)
    except ConnectionResetError:
        assert kind == "reset"
    assert hits(caller) == [1]
    assert caller.status(f"not-{kind}").status_code == 404


def test_cut_promises_a_body_and_sends_half_of_it(caller: Caller):
    add(caller, "cut")
    head, _, body = raw(caller).partition(b"\r\n\r\n")
    (promised,) = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-len")]
    assert head.startswith(b"HTTP/1.1 200 ")
    assert len(body) == promised // 2 > 0


def test_cut_ends_a_body_of_unknown_length_before_its_end(caller: Caller):
    caller.submit(manifest("cut-short"))
    add(caller, "cut", f"{MANIFESTS}/*")
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        caller.status("cut-short", include="manifest")


def test_drip_sends_a_body_byte_by_byte_and_all_of_it(caller: Caller):
    whole = caller.http.get(METADATA_PATH).content
    add(caller, "drip", METADATA_PATH, delaySeconds=0.0001)
    with caller.http.stream("GET", METADATA_PATH) as answer:
        pieces = list(answer.iter_raw())
    assert b"".join(pieces) == whole
    assert len(pieces) > 1


def test_a_drip_nobody_waits_for_ends(caller: Caller):
    add(caller, "drip", METADATA_PATH, delaySeconds=600)
    with caller.http.stream("GET", METADATA_PATH) as answer:
        assert next(answer.iter_raw()) == b"{"
    assert caller.http.get(HEALTH).status_code == 200


def test_a_lost_answer_is_of_something_that_was_done(caller: Caller):
    add(caller, "lost-answer", MANIFESTS)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        caller.submit(manifest("lost-answer"))
    assert caller.status("lost-answer").json()["status"] == "active"


@pytest.mark.parametrize(("status", "code"), [(404, "not-found"), (405, "method-not-allowed")])
def test_no_listing_refuses_the_listing_only(caller: Caller, status: int, code: str):
    add(caller, "no-listing", None, status=status)
    assert caller.api.post(MANIFESTS, json={}).status_code == 422
    answer = caller.api.get(MANIFESTS)
    assert (answer.status_code, problem_code(answer)) == (status, code)
    assert answer.headers.get("allow") == ("OPTIONS, POST" if status == 405 else None)
    assert caller.api.get(MANIFESTS).status_code == 200


def test_an_expired_token_is_told_as_a_real_one(caller: Caller):
    add(caller, "expired-token", None)
    assert caller.http.get(MANIFESTS).status_code == 401
    assert hits(caller) == [0]
    answer = caller.api.get(MANIFESTS)
    assert (answer.status_code, problem_code(answer)) == (401, "token-invalid")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert caller.api.get(MANIFESTS).status_code == 200


def test_a_missing_key_is_not_in_the_jwks(caller: Caller):
    add(caller, "missing-key", None)
    assert caller.http.get(JWKS_PATH).json() == {"keys": []}
    assert len(caller.http.get(JWKS_PATH).json()["keys"]) >= 1


@pytest.mark.parametrize("skew", [-7200, 7200])
def test_clock_skew_is_in_the_date_and_in_tokens(caller: Caller, skew: int):
    straight = token_part(caller.token(), 1)
    add(caller, "clock-skew", None, skewSeconds=skew, times=None)
    skewed = token_part(caller.token(), 1)
    assert (skewed["iat"], skewed["exp"]) == (straight["iat"] + skew, straight["exp"] + skew)
    answer = caller.http.get(HEALTH)
    (date,) = answer.headers.get_list("date")
    off = parsedate_to_datetime(date) - datetime.now(UTC)
    assert abs(off - timedelta(seconds=skew)) < timedelta(seconds=60)


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if KINDS[kind].of_deliveries])
def test_deliveries_fail_as_it_is_asked(kind: FaultKind):
    faults = Faults(VirtualClock(0.0))
    match = Match(url="http://localhost:8080/*", event_type=EventType.CONTENT_REQUESTED)
    faults.add(Rule(kind, match))
    assert faults.delivery("http://localhost:8081/hook", EventType.CONTENT_REQUESTED) is None
    assert faults.delivery("http://localhost:8080/hook", EventType.TELEMETRY_FLUSHED) is None
    assert faults.delivery("http://localhost:8080/hook", EventType.CONTENT_REQUESTED) == str(kind)
    assert faults.delivery("http://localhost:8080/hook", EventType.CONTENT_REQUESTED) is None


def test_faults_of_deliveries_leave_requests_alone_and_the_other_way_round():
    faults = Faults(VirtualClock(0.0))
    faults.add(Rule(FaultKind.DNS))
    faults.add(Rule(FaultKind.RESET))
    assert faults.strike({FaultKind.RESET}, ASKED) is not None
    assert faults.delivery("http://localhost/", EventType.CONTENT_REQUESTED) == "dns"


def test_connections_end_within_tls_as_they_do_without():
    with running_server(replace(QUIET, tls=True)) as started:
        trusted = ssl.create_default_context(cafile=started.ca_file)
        control = {"Authorization": "Bearer " + started.client.control_token}
        with httpx.Client(base_url=started.url, verify=trusted, timeout=120, trust_env=False) as http:
            for kind, said in (
                ("reset", "Connection reset by peer|without sending a response"),  # OpenSSL may tell it as an end
                ("empty", "without sending a response"),
                ("cut", "complete message body"),
            ):
                made = http.post("/_local/faults", json={"kind": kind, "match": {"path": HEALTH}}, headers=control)
                assert made.status_code == 201
                with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError), match=said):
                    http.get(HEALTH)
            assert http.get(HEALTH).status_code == 200


# --- which, how often, until when ------------------------------------------------------------------------------------

ASKED = Asked("GET", "/v1/content/manifests/x", "client1")
FAILURE = {FaultKind.FAILURE}


@pytest.mark.parametrize(
    ("match", "strikes"),
    [
        (Match(), True),
        (Match(method="GET"), True),
        (Match(method="POST"), False),
        (Match(path="/v1/content/manifests/x"), True),
        (Match(path="/v1/content/manifests"), False),
        (Match(path="/v1/content/manifests/{manifestId}"), True),
        (Match(path="/v1/content/{rest}"), False),
        (Match(path="/v1/*"), True),
        (Match(path="/v1."), False),
        (Match(client_id="client1"), True),
        (Match(client_id="client2"), False),
    ],
)
def test_a_fault_strikes_what_it_matches(match: Match, strikes: bool):
    faults = Faults(VirtualClock(0.0))
    faults.add(Rule(FaultKind.FAILURE, match))
    assert (faults.strike(FAILURE, ASKED) is not None) is strikes


def test_a_fault_strikes_as_often_as_it_was_told_and_stays_in_the_list(caller: Caller):
    add(caller, "failure", times=2)
    assert [caller.http.get(HEALTH).status_code for _ in range(3)] == [500, 500, 200]
    (fault,) = caller.control.get("/_local/faults").json()["items"]
    assert (fault["hits"], fault["left"], fault["times"]) == (2, 0, 2)


def test_a_fault_ends_by_the_clock_of_the_server(caller: Caller):
    add(caller, "failure", times=None, forSeconds=90)
    assert caller.http.get(HEALTH).status_code == 500
    caller.control.post("/_local/clock", json={"advanceSeconds": 89})
    assert caller.http.get(HEALTH).status_code == 500
    caller.control.post("/_local/clock", json={"advanceSeconds": 1})
    assert caller.http.get(HEALTH).status_code == 200
    assert caller.control.get("/_local/faults").json() == {"items": []}


def struck(seed: int, probability: float, requests: int) -> list[bool]:
    faults = Faults(VirtualClock(0.0))
    faults.add(Rule(FaultKind.FAILURE, times=None, probability=probability, seed=seed))
    return [faults.strike(FAILURE, ASKED) is not None for _ in range(requests)]


def test_with_one_seed_the_same_requests_are_struck():
    assert struck(7, 0.5, 100) == struck(7, 0.5, 100) != struck(8, 0.5, 100)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_as_many_are_struck_as_the_probability_says(probability: float):
    assert abs(sum(struck(1, probability, 10_000)) / 10_000 - probability) < 0.02


def test_what_does_not_match_draws_no_number():
    faults = Faults(VirtualClock(0.0))
    faults.add(Rule(FaultKind.FAILURE, Match(method="GET"), times=None, probability=0.5, seed=7))
    seen = []
    for _ in range(100):
        assert faults.strike(FAILURE, Asked("POST", "/", None)) is None
        seen.append(faults.strike(FAILURE, ASKED) is not None)
    assert seen == struck(7, 0.5, 100)


def test_the_oldest_of_several_strikes_and_latency_comes_on_top(caller: Caller):
    add(caller, "failure", status=501)
    add(caller, "failure", status=502)
    add(caller, "latency", delaySeconds=0, times=None)
    assert [caller.http.get(HEALTH).status_code for _ in range(3)] == [501, 502, 200]
    assert hits(caller) == [1, 1, 3]


def test_an_operation_stands_for_its_method_and_path(caller: Caller):
    add(caller, "failure", match={"operation": "getManifest"})
    assert caller.api.get(MANIFESTS).status_code == 200
    assert caller.api.get(f"{MANIFESTS}/x").status_code == 500


def test_only_the_named_client_is_struck(caller: Caller):
    mine = caller.started.client.client_id
    add(caller, "failure", match={"clientId": "somebody-else"}, times=None)
    add(caller, "failure", match={"clientId": mine, "path": "/oauth/token"})
    assert caller.ask_token().status_code == 500
    assert caller.ask_token().status_code == 200
    add(caller, "failure", match={"clientId": mine})
    assert caller.http.get(HEALTH).status_code == 200  # says of nobody that it is from him
    assert caller.api.get(MANIFESTS).status_code == 500


@pytest.mark.parametrize(
    "said", ["Bearer", "Bearer a.b.c", "Bearer a.W10.c", "Bearer a.é.c", "Basic %", "Basic w6k", "x"]
)
def test_who_names_no_client_that_can_be_read_is_nobody(caller: Caller, said: str):
    add(caller, "failure", match={"clientId": "somebody"})
    answer = caller.http.get(HEALTH, headers={"Authorization": said.encode()})
    assert answer.status_code == 200


def test_the_control_api_is_never_struck(caller: Caller):
    for kind in ("failure", "reset", "empty", "latency", "limited", "expired-token"):
        add(caller, kind, None, times=None)
    assert len(caller.control.get("/_local/faults").json()["items"]) == 6
    assert caller.control.get("/_local/clock").status_code == 200


def test_faults_are_made_listed_and_ended(caller: Caller):
    first, second = add(caller, "cut"), add(caller, "drip", times=None, seed=5, probability=0.25, forSeconds=60)
    assert second["match"] == {"path": HEALTH}
    assert (second["seed"], second["probability"], second["times"], second["left"]) == (5, 0.25, None, None)
    assert caller.control.get("/_local/faults").json()["items"] == [first, second]
    assert caller.control.delete(f"/_local/faults/{first['faultId']}").json() == {"cleared": 1}
    assert caller.control.get("/_local/faults").json()["items"] == [second]
    assert caller.http.get(HEALTH).status_code == 200


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"kind": "flood"},
        {"kind": []},
        {"kind": "failure", "status": 404},
        {"kind": "failure", "status": 500.5},
        {"kind": "failure", "status": True},
        {"kind": "reset", "status": 500},
        {"kind": "no-listing", "status": 500},
        {"kind": "latency", "delaySeconds": -1},
        {"kind": "latency", "delaySeconds": "1"},
        {"kind": "limited", "retryAfterSeconds": 0},
        {"kind": "reset", "times": 0},
        {"kind": "reset", "probability": 0},
        {"kind": "reset", "probability": 1.1},
        {"kind": "reset", "seed": -1},
        {"kind": "reset", "forSeconds": 0},
        {"kind": "reset", "match": []},
        {"kind": "reset", "match": {"path": 1}},
        {"kind": "reset", "match": {"path": ""}},
        {"kind": "reset", "match": {"colour": "red"}},
        {"kind": "reset", "match": {"url": "http://localhost/"}},
        {"kind": "dns", "match": {"path": "/v1/health"}},
        {"kind": "dns", "match": {"type": "party"}},
        {"kind": "reset", "match": {"operation": "fly"}},
        {"kind": "reset", "match": {"operation": "getManifest", "method": "GET"}},
    ],
)
def test_what_cannot_be_meant_is_refused(caller: Caller, asked: dict[str, Any]):
    answer = caller.control.post("/_local/faults", json=asked)
    assert (answer.status_code, problem_code(answer)) == (422, "request-invalid")
    assert caller.control.get("/_local/faults").json() == {"items": []}


def test_there_is_an_end_to_how_many_faults_there_may_be():
    clock = VirtualClock(0.0)
    faults = Faults(clock)
    for _ in range(MOST_FAULTS):
        faults.add(Rule(FaultKind.RESET))
    with pytest.raises(TooManyFaults):
        faults.add(Rule(FaultKind.RESET))
    clock.advance(300)
    faults.add(Rule(FaultKind.RESET))
    assert len(faults.all()) == 1


def test_without_faults_there_is_nothing_to_look_at():
    faults = Faults(VirtualClock(0.0))
    assert faults.is_quiet
    made = faults.add(Rule(FaultKind.FAILURE))
    assert not faults.is_quiet
    faults.strike(FAILURE, ASKED)
    assert faults.is_quiet
    assert faults.remove(made.fault_id)
    assert not faults.remove(made.fault_id)


def test_the_document_of_the_control_api_has_every_kind_with_its_meaning():
    documented = CONTROL.document()["components"]["schemas"]["FaultKind"]
    assert documented["enum"] == [str(kind) for kind in FaultKind]
    listed = "".join(f"- `{kind}`: {facts.meaning}.\n" for kind, facts in KINDS.items())
    assert documented["description"].endswith(listed)


def test_two_servers_with_one_seed_strike_the_same_requests():
    drawn = []
    for seed in (7, 7, 8):
        with live_server(seed=seed) as caller:
            drawn.append([add(caller, "latency", probability=0.5)["seed"] for _ in range(3)])
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 3

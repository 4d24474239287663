"""Limits over HTTP, with a clock that stands still until it is moved: what is counted, said and refused."""

from __future__ import annotations

import pytest

from reinmaker_cli.contract.names import MAX_MANIFEST_BYTES
from reinmaker_cli.server.clock import VirtualClock
from reinmaker_cli.server.limits import TOKENS
from tests.server.live import MANIFESTS, Caller, live_server, manifest, problem_code

START = 1_767_225_600.25


@pytest.fixture
def clock():
    return VirtualClock(START)


@pytest.fixture
def caller(clock):
    with live_server(clock=clock, limits="contract", validation="immediate") as caller:
        yield caller


def gets(caller: Caller, count: int, **headers: str) -> list[int]:
    return [caller.api.get(MANIFESTS, headers=headers).status_code for _ in range(count)]


def another_client(caller: Caller) -> str:
    made = caller.control.post("/_local/clients", json={"name": "another"}).json()
    form = {"grant_type": "client_credentials", "client_id": made["clientId"], "client_secret": made["clientSecret"]}
    return "Bearer " + caller.http.post("/oauth/token", data=form).json()["access_token"]


def standing(answer) -> tuple[str, str]:
    return answer.headers["ratelimit-policy"], answer.headers["ratelimit"]


def test_130_gets_in_a_minute_are_120_answers_and_10_refusals(caller, clock):
    assert gets(caller, 130) == [200] * 120 + [429] * 10
    assert gets(caller, 5, Authorization=another_client(caller)) == [200] * 5
    clock.advance(60)
    assert gets(caller, 121) == [200] * 120 + [429]


def test_60_at_second_50_and_70_at_second_70_are_10_refusals(caller, clock):
    clock.advance(50)
    assert gets(caller, 60) == [200] * 60
    clock.advance(20)
    assert gets(caller, 70) == [200] * 60 + [429] * 10


def test_300_manifests_beside_all_else_and_no_more(caller):
    gets(caller, 121)
    statuses = [caller.submit(manifest(f"m-{number}"), wait=None).status_code for number in range(301)]
    assert set(statuses[:300]) == {202}
    assert statuses[300] == 429


def test_every_answer_says_where_the_client_stands(caller, clock):
    assert standing(caller.api.get(MANIFESTS)) == ('"default";q=120;w=60', '"default";r=119;t=60')
    clock.advance(18.5)
    assert standing(caller.status("unknown")) == ('"default";q=120;w=60', '"default";r=118;t=42')
    assert standing(caller.api.head(MANIFESTS)) == ('"default";q=120;w=60', '"default";r=117;t=42')
    assert standing(caller.submit(manifest())) == ('"manifests";q=300;w=60', '"manifests";r=299;t=60')


def test_a_refusal_says_when_to_come_back(caller, clock):
    gets(caller, 60)
    clock.advance(10.5)
    gets(caller, 60)
    refused = caller.api.get(MANIFESTS)
    assert (refused.status_code, problem_code(refused)) == (429, "quota-exceeded")
    assert standing(refused) == ('"default";q=120;w=60', '"default";r=0;t=50')
    assert refused.headers["retry-after"] == "50"
    clock.advance(49)
    assert caller.api.get(MANIFESTS).status_code == 429
    clock.advance(1)
    assert caller.api.get(MANIFESTS).status_code == 200


def test_what_is_no_request_of_a_client_is_not_counted(caller):
    weak = {"Authorization": "Bearer " + caller.token(scope="reinmaker.telemetry.write")}
    for answer in (
        caller.http.get(MANIFESTS),
        caller.api.get(MANIFESTS, headers=weak),
        caller.api.options(MANIFESTS),
        caller.api.delete(MANIFESTS),
        caller.api.get("/v1/health"),
        caller.http.get("/openapi.json"),
        caller.api.get("/v1/nothing"),
        caller.control.get("/_local/clients"),
    ):
        assert "ratelimit" not in answer.headers
    assert standing(caller.api.get(MANIFESTS))[1] == '"default";r=119;t=60'


def test_the_limit_comes_before_the_body(caller):
    client_id = caller.started.client.client_id
    limit(caller, client_id, manifests=1)
    assert caller.submit(manifest()).status_code == 200
    assert caller.api.post(MANIFESTS, content=b" " * (MAX_MANIFEST_BYTES + 1)).status_code == 429
    assert caller.api.post(MANIFESTS, content=b"{", headers={"Content-Type": "text/plain"}).status_code == 429
    weak = {"Authorization": "Bearer " + caller.token(scope="reinmaker.telemetry.write")}
    assert caller.api.post(MANIFESTS, headers=weak).status_code == 403
    assert caller.http.post(MANIFESTS).status_code == 401


def test_a_body_that_is_refused_was_counted(caller):
    answer = caller.api.post(MANIFESTS, content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, standing(answer)[1]) == (400, '"manifests";r=299;t=60')


def test_a_request_that_waits_counts_once_on_arrival(clock):
    with live_server(clock=clock, limits="contract", validation="manual") as caller:
        waited = caller.submit(manifest(), wait=1)
        assert (waited.status_code, standing(waited)[1]) == (202, '"manifests";r=299;t=60')
        asked = caller.api.get(f"{MANIFESTS}/water-cycle", headers={"Prefer": "wait=1"})
        assert standing(asked)[1] == '"default";r=119;t=60'


def test_the_token_endpoint_has_limits_of_its_own(caller, clock):
    asked = [caller.ask_token() for _ in range(TOKENS.quota)]  # and one at the start
    assert [answer.status_code for answer in asked] == [200] * (TOKENS.quota - 1) + [429]
    assert standing(asked[0]) == (f'"tokens";q={TOKENS.quota};w=60', f'"tokens";r={TOKENS.quota - 2};t=60')
    assert problem_code(asked[-1]) == "quota-exceeded"
    assert asked[-1].headers["retry-after"] == "60"
    assert caller.api.get(MANIFESTS).status_code == 200
    clock.advance(60)
    assert caller.ask_token().status_code == 200


def test_guessing_a_secret_is_limited(caller):
    form = {"grant_type": "client_credentials"}
    guesses = [
        caller.http.post("/oauth/token", data=form, auth=("somebody", f"guess-{number}")).status_code
        for number in range(TOKENS.quota + 1)
    ]
    assert guesses == [401] * TOKENS.quota + [429]
    assert caller.ask_token().status_code == 200


# --- limits of a client's own ----------------------------------------------------------------------------------------


def limit(caller: Caller, client_id: str, **quotas: int):
    return caller.control.post(f"/_local/clients/{client_id}/limits", json={"limits": quotas})


def test_a_raised_limit_is_one_clients_own_and_survives_a_restart(tmp_path, clock):
    with live_server(clock=clock, limits="contract", data=tmp_path) as caller:
        client_id = caller.started.client.client_id
        gets(caller, 120)
        answer = limit(caller, client_id, default=130)
        assert answer.json()["limits"] == {"default": 130, "manifests": 300, "tokens": 60}
        assert gets(caller, 11) == [200] * 10 + [429]
        assert gets(caller, 121, Authorization=another_client(caller)) == [200] * 120 + [429]
    with live_server(clock=clock, limits="contract", data=tmp_path) as caller:
        assert standing(caller.api.get(MANIFESTS)) == ('"default";q=130;w=60', '"default";r=129;t=60')


def test_a_new_client_may_have_limits_from_the_start(caller):
    made = caller.control.post("/_local/clients", json={"limits": {"manifests": 500}}).json()
    assert made["limits"] == {"default": 120, "manifests": 500, "tokens": 60}
    listed = caller.control.get("/_local/clients").json()["items"]
    assert sorted(client["limits"]["manifests"] for client in listed) == [300, 500]


@pytest.mark.parametrize(
    "limits",
    [None, {}, [], "120", {"default": 0}, {"default": "9"}, {"default": True}, {"default": 1_000_001}, {"other": 1}],
)
def test_a_limit_that_cannot_be_is_refused(caller, limits):
    answer = caller.control.post(f"/_local/clients/{caller.started.client.client_id}/limits", json={"limits": limits})
    assert (answer.status_code, problem_code(answer)) == (422, "request-invalid")


def test_limits_of_nobody_are_refused(caller):
    assert problem_code(limit(caller, "nobody", default=5)) == "request-invalid"


def test_without_limits_nobody_is_refused_and_nothing_is_said():
    with live_server(limits="off") as caller:
        answers = [caller.api.get(MANIFESTS) for _ in range(130)]
        assert {answer.status_code for answer in answers} == {200}
        assert not any(name.startswith("ratelimit") for answer in answers for name in answer.headers)

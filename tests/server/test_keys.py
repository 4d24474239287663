"""The keys that sign tokens, and their rotation by the server's clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from joserfc import jwk, jwt

from reinmaker_cli.server import tokens
from reinmaker_cli.server.clock import DAY_S, VirtualClock
from reinmaker_cli.server.tokens import Tokens
from tests.ports import own_port
from tests.server.live import MANIFESTS, Caller, live_server, opened, problem_code, run_sql, token_part

JWKS = "/.well-known/jwks.json"
START = 1_767_225_600
UNTIL_IT_SIGNS_S = 300
TOKEN_LIFETIME_S = 900


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def caller(clock: VirtualClock) -> Iterator[Caller]:
    with live_server(clock=clock) as caller:
        yield caller


def published(caller: Caller) -> list[str]:
    return [key["kid"] for key in caller.http.get(JWKS).json()["keys"]]


def states(caller: Caller) -> list[str]:
    return [one["state"] for one in caller.control.get("/_local/keys").json()["items"]]


def kid_of(token: str) -> str:
    return token_part(token, 0)["kid"]


def is_taken(caller: Caller, token: str) -> bool:
    return caller.http.get(MANIFESTS, headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_new_key_is_published_before_it_signs(caller: Caller, clock: VirtualClock):
    (old,) = published(caller)
    caller.control.post("/_local/keys/rotate")
    _, new = published(caller)
    assert (new != old, kid_of(caller.token()), states(caller)) == (True, old, ["signing", "next"])
    clock.advance(UNTIL_IT_SIGNS_S - 1)
    assert kid_of(caller.token()) == old
    clock.advance(1)
    assert (kid_of(caller.token()), states(caller)) == (new, ["retiring", "signing"])


def test_the_old_key_verifies_until_its_last_token_has_expired(caller: Caller, clock: VirtualClock):
    (old,) = published(caller)
    caller.control.post("/_local/keys/rotate")
    clock.advance(UNTIL_IT_SIGNS_S - 1)
    last = caller.token()  # the second before the new key takes over
    clock.advance(TOKEN_LIFETIME_S - 1)
    assert (kid_of(last), is_taken(caller, last), len(published(caller))) == (old, True, 2)
    clock.advance(1)
    assert (is_taken(caller, last), old in published(caller)) == (False, True)
    clock.advance(1)
    assert old not in published(caller)


def test_tokens_of_both_keys_are_taken_meanwhile_and_verify_with_the_published_set(caller: Caller, clock: VirtualClock):
    first = caller.token()
    caller.control.post("/_local/keys/rotate")
    clock.advance(UNTIL_IT_SIGNS_S)
    second = caller.token()
    keys = jwk.KeySet.import_key_set(caller.http.get(JWKS).json())
    for token in (first, second):
        assert is_taken(caller, token)
        assert jwt.decode(token, keys, algorithms=["RS256"]).claims["iss"] == caller.started.url
    assert kid_of(first) != kid_of(second)


def test_a_key_that_has_ended_verifies_nothing_even_where_the_token_would_live(caller: Caller, clock: VirtualClock):
    """A token of a thief who has the old key, with any end that he likes."""
    caller.token()
    [kept] = run_sql(caller.place, "SELECT private_pem, kid FROM signing_keys")
    pem, kid = kept["private_pem"], kept["kid"]
    caller.control.post("/_local/keys/rotate")
    clock.advance(UNTIL_IT_SIGNS_S + TOKEN_LIFETIME_S)
    claims = token_part(caller.token(), 1) | {"exp": int(clock.now()) + 10_000}
    forged = jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": kid}, claims, jwk.RSAKey.import_key(pem))
    assert not is_taken(caller, forged)


def test_the_kid_chooses_the_key(caller: Caller, clock: VirtualClock):
    caller.control.post("/_local/keys/rotate")
    clock.advance(UNTIL_IT_SIGNS_S)
    old, new = published(caller)
    token = caller.token()
    keys = {row["kid"]: row["private_pem"] for row in run_sql(caller.place, "SELECT * FROM signing_keys")}
    for kid, taken in ((new, True), (old, False), ("nobody's", False), (None, False)):
        header = {"alg": "RS256", "typ": "at+jwt"} | ({"kid": kid} if kid else {})
        signed = jwt.encode(header, token_part(token, 1), jwk.RSAKey.import_key(keys[new]))
        assert is_taken(caller, signed) == taken, kid


def test_a_rotation_under_way_is_not_begun_again(caller: Caller, clock: VirtualClock):
    first, second = (caller.control.post("/_local/keys/rotate").json() for _ in range(2))
    assert first == second
    clock.advance(UNTIL_IT_SIGNS_S)
    caller.control.post("/_local/keys/rotate")
    assert states(caller) == ["retiring", "signing", "next"]


def test_many_who_rotate_at_once_make_one_key(caller: Caller):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: caller.control.post("/_local/keys/rotate"), range(8)))
    assert states(caller) == ["signing", "next"]


def test_a_key_is_replaced_after_90_days(caller: Caller, clock: VirtualClock):
    (old,) = published(caller)
    clock.advance(90 * DAY_S - UNTIL_IT_SIGNS_S - 1)
    assert published(caller) == [old]
    clock.advance(1)
    assert states(caller) == ["signing", "next"]
    clock.advance(UNTIL_IT_SIGNS_S)
    assert states(caller) == ["retiring", "signing"]


def test_a_key_that_was_not_asked_for_in_years_is_replaced_too(caller: Caller, clock: VirtualClock):
    """By whoever asks first: here for the set, in the other case for a token."""
    clock.advance(1000 * DAY_S)
    assert len(published(caller)) == 2


def test_a_key_that_ended_is_erased_when_the_next_one_is_made(caller: Caller, clock: VirtualClock):
    (old,) = published(caller)
    for _ in range(2):
        caller.control.post("/_local/keys/rotate")
        clock.advance(UNTIL_IT_SIGNS_S + TOKEN_LIFETIME_S)
    kept = [row["kid"] for row in run_sql(caller.place, "SELECT kid FROM signing_keys")]
    assert old not in kept


def test_a_rotation_survives_a_restart(tmp_path, clock: VirtualClock):
    port = own_port()  # it is in the tokens
    with live_server(data=tmp_path, clock=clock, port=port) as first:
        token = first.token()
        first.control.post("/_local/keys/rotate")
        before = first.control.get("/_local/keys").json()
    with live_server(data=tmp_path, clock=VirtualClock(START), port=port) as second:
        assert second.control.get("/_local/keys").json() == before
        assert is_taken(second, token)


def test_the_set_may_be_cached_for_as_long_as_a_key_is_in_it_before_it_signs(caller: Caller):
    assert caller.http.get(JWKS).headers["cache-control"] == f"public, max-age={UNTIL_IT_SIGNS_S}"


def test_requests_that_need_no_key_are_answered_while_it_is_made(monkeypatch):
    may_go_on, load = threading.Event(), tokens._load_keys

    def slowly(facts, clock):
        assert may_go_on.wait(120)
        return load(facts, clock)

    monkeypatch.setattr(tokens, "_load_keys", slowly)
    with ThreadPoolExecutor(1) as pool:
        asked: list[httpx.Response] = []

        def with_server() -> None:
            with live_server_without_token() as url:
                waiting = pool.submit(
                    httpx.get, url + MANIFESTS, headers={"Authorization": "Bearer a.b.c"}, timeout=120
                )
                asked.append(httpx.get(url + "/v1/health", timeout=120))
                assert not waiting.done()
                may_go_on.set()
                asked.append(waiting.result())

        with_server()
    assert [answer.status_code for answer in asked] == [200, 401]
    assert problem_code(asked[1]) == "token-invalid"


def live_server_without_token():
    from contextlib import contextmanager

    from reinmaker_cli.server.running import running_server
    from tests.server.live import QUIET

    @contextmanager
    def server():
        with running_server(QUIET) as started:
            yield started.url

    return server()


def test_a_request_that_is_cancelled_while_it_waits_for_the_keys_takes_them_from_nobody(monkeypatch, tmp_path):

    may_go_on, load = threading.Event(), tokens._load_keys

    def slowly(facts, clock):
        assert may_go_on.wait(120)
        return load(facts, clock)

    monkeypatch.setattr(tokens, "_load_keys", slowly)
    store = opened(tmp_path)
    made = Tokens(store.facts, VirtualClock(START), issuer="i", audience="a")

    async def cancelled() -> None:
        waiting = asyncio.ensure_future(made.ready())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        may_go_on.set()
        await made.ready()

    asyncio.run(cancelled())
    assert made.check(made.issue("c", ())).client_id == "c"
    store.close()

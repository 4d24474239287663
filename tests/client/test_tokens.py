"""Client credentials in, bearer token out."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote_plus, unquote_plus

import httpx
import pytest

from reinmaker_cli.client.api import new_trace_id, open_token_source
from reinmaker_cli.client.connection import Connection, open_http
from reinmaker_cli.client.credentials import Credentials
from reinmaker_cli.client.environment import Environment
from reinmaker_cli.client.tokens import ClientCredentialsAuth, TokenSource
from reinmaker_cli.errors import AccessDenied, ReinmakerError, ServerUnreachable
from reinmaker_cli.server.running import Started
from tests.client.conftest import FakeTime, OpenedApi, development_credentials, local_environment

ISSUER = "https://auth.example"
METADATA = f"{ISSUER}/.well-known/oauth-authorization-server"
AWKWARD = Credentials("cli ent+1", "s&cr=t/ü:%", "variables")

Handler = Callable[[httpx.Request], httpx.Response]


def source(handler: Handler, env: Environment | None = None, credentials: Credentials = AWKWARD) -> TokenSource:
    env = env or Environment.checked("staging", "https://api.example", issuer=ISSUER)
    http = open_http(env.token_origin, transport=httpx.MockTransport(handler))
    return TokenSource(Connection(http, env.token_origin), env, credentials, trace_id="t")


class Issuer:
    """An issuer that counts its tokens; metadata and the token answer can be bent."""

    def __init__(self, metadata: httpx.Response | None = None, **token: Any) -> None:
        self.metadata = metadata or httpx.Response(404)
        self.token = {"token_type": "Bearer", "expires_in": 900} | token
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method == "GET":
            return self.metadata
        answer = {"access_token": f"token-{self.fetched}"} | self.token
        return httpx.Response(200, json={name: value for name, value in answer.items() if value is not None})

    @property
    def fetched(self) -> int:
        return sum(request.method == "POST" for request in self.requests)


class Bearer:
    """An API that notes the tokens it gets and refuses some."""

    def __init__(self, refused: tuple[str, ...] = ()) -> None:
        self.seen: list[str] = []
        self.refused = refused

    def __call__(self, request: httpx.Request) -> httpx.Response:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.seen.append(token)
        return httpx.Response(401 if token in self.refused else 200)

    def client(self, auth: ClientCredentialsAuth) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self), auth=auth, base_url="https://api.example")


def test_id_and_secret_are_form_encoded_before_basic() -> None:
    """RFC 6749 section 2.3.1."""
    issuer = Issuer(scope="a b")
    source(issuer).fetch("a")
    name, _, encoded = issuer.requests[-1].headers["Authorization"].partition(" ")
    client_id, secret = base64.b64decode(encoded).decode("ascii").split(":")
    assert (name, unquote_plus(client_id), unquote_plus(secret)) == ("Basic", "cli ent+1", "s&cr=t/ü:%")
    assert parse_qs(issuer.requests[-1].content.decode()) == {"grant_type": ["client_credentials"], "scope": ["a"]}


def test_a_real_server_gives_a_token(server: Started) -> None:
    tokens = open_token_source(local_environment(server.url), development_credentials(server))
    assert tokens.fetch("reinmaker.content.write").scope == "reinmaker.content.write"
    tokens.close()


def test_a_real_server_is_discovered(server: Started) -> None:
    env = Environment.checked("mine", server.url, issuer=server.url, defined_in="user")
    tokens = open_token_source(env, development_credentials(server))
    assert tokens.fetch().expires_in == 900
    tokens.close()


def test_a_wrong_secret_is_exit_4_and_named_by_the_issuer(server: Started) -> None:
    tokens = open_token_source(local_environment(server.url), Credentials(server.client.client_id, "wrong", "local"))
    with pytest.raises(AccessDenied) as caught:
        tokens.fetch()
    tokens.close()
    assert (caught.value.code, caught.value.exit_code) == ("credentials-refused", 4)
    assert "reinmaker local client rotate" in caught.value.hint


def test_one_token_serves_many_requests_and_is_renewed_60_s_before_its_end() -> None:
    issuer, api, time = Issuer(), Bearer(), FakeTime()
    with api.client(ClientCredentialsAuth(source(issuer), clock=lambda: time.now)) as http:
        http.get("/")
        time.now += 839
        http.get("/")
        time.now += 1
        http.get("/")
    assert api.seen == ["token-1", "token-1", "token-2"]


def test_a_token_without_lifetime_is_used_once() -> None:
    """RFC 6749 section 5.1: expires_in is only recommended."""
    issuer, api = Issuer(expires_in=None), Bearer()
    with api.client(ClientCredentialsAuth(source(issuer))) as http:
        http.get("/")
        http.get("/")
    assert api.seen == ["token-1", "token-2"]


def test_a_short_lived_token_is_still_used_more_than_once() -> None:
    issuer, api, time = Issuer(expires_in=30), Bearer(), FakeTime()
    with api.client(ClientCredentialsAuth(source(issuer), clock=lambda: time.now)) as http:
        http.get("/")
        time.now += 14
        http.get("/")
    assert issuer.fetched == 1


def test_a_refused_token_is_renewed_once() -> None:
    issuer, api = Issuer(), Bearer(refused=("token-1",))
    with api.client(ClientCredentialsAuth(source(issuer))) as http:
        assert http.post("/", content=b"body").status_code == 200
    assert api.seen == ["token-1", "token-2"]


def test_a_second_refusal_is_the_answer() -> None:
    issuer, api = Issuer(), Bearer(refused=("token-1", "token-2"))
    with api.client(ClientCredentialsAuth(source(issuer))) as http:
        assert http.get("/").status_code == 401
    assert issuer.fetched == 2


def test_threads_that_were_refused_together_renew_once() -> None:
    issuer, api = Issuer(), Bearer(refused=("token-1",))
    auth = ClientCredentialsAuth(source(issuer))
    auth._current(refused=None)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: auth._current(refused="token-1"), range(8))) == {"token-2"}
    assert (issuer.fetched, api.seen) == (2, [])


def test_a_token_is_sent_to_no_other_origin() -> None:
    issuer, api = Issuer(), Bearer()
    with api.client(ClientCredentialsAuth(source(issuer))) as http:
        for url in ("https://api.example:8443/", "https://evil.example/", "https://api.example.evil.example/"):
            with pytest.raises(AccessDenied):
                http.get(url)
    assert (api.seen, issuer.requests) == ([], [])


# --- discovery -------------------------------------------------------------------------------------------------------


def metadata(**members: str) -> httpx.Response:
    return httpx.Response(200, json={"issuer": ISSUER, "token_endpoint": f"{ISSUER}/t"} | members)


def test_the_discovered_endpoint_is_asked_once_and_kept() -> None:
    issuer = Issuer(metadata())
    tokens = source(issuer)
    tokens.fetch()
    tokens.fetch()
    assert [str(request.url) for request in issuer.requests] == [METADATA, f"{ISSUER}/t", f"{ISSUER}/t"]


def test_an_issuer_without_metadata_has_its_endpoint_at_oauth_token() -> None:
    issuer = Issuer()
    source(issuer).fetch()
    assert str(issuer.requests[-1].url) == f"{ISSUER}/oauth/token"


def test_the_well_known_path_goes_before_the_issuers_own() -> None:
    """RFC 8414 section 3.1."""
    issuer = Issuer(metadata(issuer=f"{ISSUER}/tenant"))
    source(issuer, Environment.checked("x", "https://api.example", issuer=f"{ISSUER}/tenant")).fetch()
    assert str(issuer.requests[0].url) == f"{METADATA}/tenant"


@pytest.mark.parametrize(
    "answer",
    [
        metadata(token_endpoint="https://evil.example/token"),
        metadata(token_endpoint="http://auth.example/token"),
        metadata(token_endpoint="https://auth.example:8443/token"),
        metadata(token_endpoint="https://auth.example@evil.example/token"),
        metadata(token_endpoint="/token"),
        metadata(issuer="https://evil.example"),
        metadata(issuer=f"{ISSUER}/"),
        httpx.Response(200, text="<html>"),
        httpx.Response(302, headers={"Location": "https://evil.example/"}),
        httpx.Response(403),
    ],
)
def test_metadata_cannot_draw_the_secret_elsewhere(answer: httpx.Response) -> None:
    issuer = Issuer(answer)
    with pytest.raises(AccessDenied) as caught:
        source(issuer).fetch()
    assert (caught.value.code, issuer.fetched) == ("discovery-failed", 0)


def test_an_issuer_that_is_down_is_no_reason_to_guess() -> None:
    issuer = Issuer(httpx.Response(500))
    with pytest.raises(ServerUnreachable) as caught:
        source(issuer).fetch()
    assert (caught.value.code, issuer.fetched) == ("server-failed", 0)


# --- refusals --------------------------------------------------------------------------------------------------------


def refused(status: int, *, client: Credentials = AWKWARD, **answer: Any) -> ReinmakerError:
    env = Environment.checked("x", "https://api.example", token_url=f"{ISSUER}/t")
    with pytest.raises(ReinmakerError) as caught:
        source(lambda _: httpx.Response(status, **answer), env, client).fetch("a")
    return caught.value


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (401, "invalid_client", "credentials-refused"),
        (400, "invalid_client", "credentials-refused"),
        (400, "unauthorized_client", "credentials-refused"),
        (400, "invalid_scope", "scope-refused"),
    ],
)
def test_the_issuers_refusals_are_exit_4_with_its_words(status: int, error: str, code: str) -> None:
    found = refused(status, json={"error": error, "error_description": "because\x1bof this"})
    assert (found.code, found.exit_code) == (code, 4)
    assert "because of this" in found.message


@pytest.mark.parametrize(
    "form",
    [
        AWKWARD.client_secret,
        quote_plus(AWKWARD.client_secret),
        base64.b64encode(b"cli+ent%2B1:" + quote_plus(AWKWARD.client_secret).encode()).decode(),
    ],
)
@pytest.mark.parametrize(
    ("status", "media_type"),
    [(401, "application/json"), (400, "application/problem+json"), (500, "application/problem+json")],
)
def test_a_refusal_that_quotes_the_secret_is_shown_without_it(form: str, status: int, media_type: str) -> None:
    wrong = [{"code": "x", "pointer": "", "detail": f"wrong: {form}"}]
    problem = {"type": "t", "title": "T", "status": status, "detail": f"wrong: {form}", "errors": wrong}
    answer = problem | {"error": "invalid_client", "error_description": f"wrong: {form}"}
    found = refused(status, json=answer, headers={"Content-Type": media_type})
    # The issuer's own words are left out whole, where it has a fixed one beside them.
    assert ("invalid_client" if media_type == "application/json" else "wrong: …") in found.message
    assert form not in str([found.message, found.findings])


def test_a_secret_that_is_a_common_word_leaves_our_own_words_whole() -> None:
    common = replace(AWKWARD, client_secret="client")
    quoted = {"error": "invalid_client", "error_description": "no such client"}
    assert refused(401, client=common, json=quoted).message.endswith("refused the client `cli ent+1`: invalid_client")


def test_a_granted_scope_that_lacks_what_was_asked_for_is_refused() -> None:
    found = refused(200, json={"access_token": "t", "token_type": "Bearer", "scope": "b"})
    assert found.code == "scope-refused"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, {"text": "<html>"}),
        (200, {"json": {"access_token": "sekret-token", "token_type": "mac"}}),
        (200, {"json": {"access_token": "", "token_type": "Bearer"}}),
        (200, {"json": {"access_token": "sekret-token"}}),
        (302, {"headers": {"Location": "https://evil.example"}}),
        (401, {"text": "no"}),
    ],
)
def test_an_answer_that_is_no_token_is_unusable_and_never_quoted(status: int, answer: dict[str, Any]) -> None:
    found = refused(status, **answer)
    assert found.code == "answer-unusable"
    assert "sekret" not in found.message


def test_no_output_of_the_trace_has_the_secret_or_a_token(server: Started, open_to: OpenedApi) -> None:
    said: list[str] = []
    api = open_to(server, trace=said.append)
    api.manifest("nothing-of-this-name", trace_id=new_trace_id())
    client_id, secret = server.client.client_id, server.client.client_secret
    text = "\n".join(said)
    assert "POST" in text and "/oauth/token" in text
    for form in (secret, base64.b64encode(f"{client_id}:{secret}".encode()).decode(), "Bearer", "Basic", "eyJ"):
        assert form not in text

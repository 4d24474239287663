"""The token endpoint as RFC 6749, 8414 and 9068 want it, and the tokens on the routes as RFC 6750 wants them."""

from __future__ import annotations

import base64

import pytest
from joserfc import jwk, jwt

from reinmaker_cli.server.clock import DAY_S, VirtualClock
from tests.ports import own_port
from tests.server.live import MANIFESTS, Caller, live_server, manifest, problem_code, token_part

ALL_SCOPES = "reinmaker.content.write reinmaker.entitlement.read reinmaker.telemetry.write"


def test_token_answer_is_a_bearer_for_15_minutes(live: Caller):
    answer = live.ask_token()
    assert answer.json() == {
        "access_token": answer.json()["access_token"],
        "token_type": "Bearer",
        "expires_in": 900,
        "scope": ALL_SCOPES,
    }
    assert answer.headers["cache-control"] == "no-store"


def test_token_has_the_claims_of_rfc_9068(live: Caller):
    token = live.token(scope="reinmaker.content.write")
    claims = token_part(token, 1)
    assert token_part(token, 0)["typ"] == "at+jwt"
    assert claims["iss"] == claims["aud"] == live.started.url
    assert claims["sub"] == claims["client_id"] == live.started.client.client_id
    assert claims["exp"] - claims["iat"] == 900
    assert claims["scope"] == "reinmaker.content.write"
    assert claims["jti"] != token_part(live.token(), 1)["jti"]


def test_token_verifies_with_the_published_keys(live: Caller):
    keys = jwk.KeySet.import_key_set(live.http.get("/.well-known/jwks.json").json())
    assert jwt.decode(live.token(), keys, algorithms=["RS256"]).claims["iss"] == live.started.url


def test_jwks_holds_no_private_part(live: Caller):
    (key,) = live.http.get("/.well-known/jwks.json").json()["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}


def test_metadata_names_the_endpoints(live: Caller):
    url = live.started.url
    metadata = live.http.get("/.well-known/oauth-authorization-server").json()
    assert metadata["issuer"] == url
    assert metadata["token_endpoint"] == url + "/oauth/token"
    assert metadata["jwks_uri"] == url + "/.well-known/jwks.json"
    assert metadata["response_types_supported"] == ["none"]


def test_client_authenticates_in_the_body_too(live: Caller):
    client = live.started.client
    form = {
        "grant_type": "client_credentials",
        "client_id": client.client_id,
        "client_secret": client.client_secret,
    }
    assert live.http.post("/oauth/token", data=form).status_code == 200


def test_basic_credentials_are_form_decoded(live: Caller):
    client = live.started.client
    quoted = "".join(f"%{ord(letter):02X}" for letter in client.client_id)
    given = base64.b64encode(f"{quoted}:{client.client_secret}".encode()).decode()
    answer = live.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {given}"}
    )
    assert answer.status_code == 200


ID, SECRET = "{id}", "{secret}"


@pytest.mark.parametrize(
    ("form", "auth", "status", "error", "challenge"),
    [
        ({"grant_type": "client_credentials"}, (ID, "wrong"), 401, "invalid_client", True),
        ({"grant_type": "client_credentials"}, ("nobody", SECRET), 401, "invalid_client", True),
        ({"grant_type": "client_credentials"}, None, 401, "invalid_client", False),
        ({"grant_type": "client_credentials", "client_id": ID}, None, 401, "invalid_client", False),
        (
            {"grant_type": "client_credentials", "client_id": ID, "client_secret": "wrong"},
            None,
            401,
            "invalid_client",
            False,
        ),
        (
            {"grant_type": "client_credentials", "client_id": ID, "client_secret": SECRET},
            (ID, SECRET),
            400,
            "invalid_request",
            False,
        ),
        ({"grant_type": "client_credentials", "client_id": "other"}, (ID, SECRET), 400, "invalid_request", False),
        ({}, (ID, SECRET), 400, "invalid_request", False),
        ({"grant_type": ""}, (ID, SECRET), 400, "invalid_request", False),
        ({"grant_type": "password"}, (ID, SECRET), 400, "unsupported_grant_type", False),
        ({"grant_type": "client_credentials", "scope": "reinmaker.other"}, (ID, SECRET), 400, "invalid_scope", False),
        ({"grant_type": ["client_credentials", "client_credentials"]}, (ID, SECRET), 400, "invalid_request", False),
    ],
)
def test_token_errors_are_those_of_rfc_6749(live: Caller, form, auth, status, error, challenge):
    def fill(text):
        client = live.started.client
        return text.replace(ID, client.client_id).replace(SECRET, client.client_secret)

    form = {name: fill(value) if isinstance(value, str) else value for name, value in form.items()}
    auth = (fill(auth[0]), fill(auth[1])) if auth else None
    answer = live.http.post("/oauth/token", data=form, auth=auth)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    assert ("www-authenticate" in answer.headers) == challenge
    assert live.started.client.client_secret not in answer.text


@pytest.mark.parametrize("given", ["Basic !!!", "Basic bm9jb2xvbg==", "Bearer x", "Basic /w=="])
def test_basic_that_cannot_be_read_is_an_invalid_client(live: Caller, given):
    answer = live.http.post("/oauth/token", data={"grant_type": "client_credentials"}, headers={"Authorization": given})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_token_request_must_be_form_encoded(live: Caller):
    answer = live.http.post("/oauth/token", json={"grant_type": "client_credentials"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_token_request_has_a_limit(live: Caller):
    answer = live.http.post("/oauth/token", data={"grant_type": "x" * 100_000})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


# --- tokens on the routes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", [None, "Basic eDp5", "Token x"])
def test_no_token_gives_a_challenge_without_an_error(live: Caller, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = live.http.get(MANIFESTS, headers=headers)
    assert (answer.status_code, problem_code(answer)) == (401, "token-missing")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("token", ["junk", "a.b.c", "@", "x y", "eyJhbGciOiJub25lIn0.e30."])
def test_junk_is_an_invalid_token(live: Caller, token):
    answer = live.http.get(MANIFESTS, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, problem_code(answer)) == (401, "token-invalid")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_token_of_another_key_is_invalid(live: Caller):
    own = live.token()
    stranger = jwk.RSAKey.generate_key(2048, private=True)
    forged = jwt.encode({**token_part(own, 0)}, token_part(own, 1), stranger)
    answer = live.http.get(MANIFESTS, headers={"Authorization": f"Bearer {forged}"})
    assert problem_code(answer) == "token-invalid"


@pytest.mark.parametrize("scope", ["reinmaker.entitlement.read", "reinmaker.telemetry.write"])
@pytest.mark.parametrize(("method", "path"), [("GET", MANIFESTS), ("POST", MANIFESTS), ("GET", MANIFESTS + "/x")])
def test_another_scope_is_insufficient(live: Caller, scope, method, path):
    headers = {"Authorization": f"Bearer {live.token(scope=scope)}"}
    answer = live.http.request(method, path, headers=headers)
    assert (answer.status_code, problem_code(answer)) == (403, "insufficient-scope")
    expected = 'Bearer error="insufficient_scope", scope="reinmaker.content.write"'
    assert answer.headers["www-authenticate"] == expected


@pytest.mark.parametrize(("method", "path"), [("GET", MANIFESTS), ("POST", MANIFESTS), ("GET", MANIFESTS + "/x")])
def test_every_protected_route_wants_a_token(live: Caller, method, path):
    assert live.http.request(method, path).status_code == 401


# --- time ------------------------------------------------------------------------------------------------------------


def test_token_ends_after_15_minutes_of_the_servers_clock():
    clock = VirtualClock(1_767_225_600)
    with live_server(clock=clock) as caller:
        clock.advance(899)
        assert caller.api.get(MANIFESTS).status_code == 200
        clock.advance(1)
        assert problem_code(caller.api.get(MANIFESTS)) == "token-invalid"


def test_secret_of_90_days_is_refused_with_the_reason():
    clock = VirtualClock(1_767_225_600)
    with live_server(clock=clock) as caller:
        clock.advance(90 * DAY_S - 1)
        assert caller.ask_token().status_code == 200
        clock.advance(1)
        answer = caller.ask_token()
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert "older than 90 days" in answer.json()["error_description"]
        assert "reinmaker local client rotate" in answer.json()["error_description"]


def test_tokens_survive_a_restart(tmp_path):
    port = own_port()  # it is in the tokens
    with live_server(data=tmp_path, port=port) as first:
        token = first.token()
    with live_server(data=tmp_path, port=port) as second:
        answer = second.http.get(MANIFESTS, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200


def test_every_time_on_the_wire_is_the_servers_clock():
    clock = VirtualClock(1_767_225_600.25)
    with live_server(clock=clock) as caller:
        submission = caller.submit(manifest()).json()
        assert submission["submittedAt"] == submission["updatedAt"] == "2026-01-01T00:00:00.250Z"
        assert caller.http.get("/v1/health").json()["time"] == "2026-01-01T00:00:00.250Z"


def test_a_token_whose_signature_was_checked_before_ends_in_time_and_with_its_key(tmp_path):
    clock = VirtualClock(1_795_000_000.0)
    with live_server(data=tmp_path, clock=clock) as caller:
        client = caller.started.client
        for _ in range(3):
            assert caller.status("unknown").status_code == 404
        longer = caller.token()
        changed = longer[:-2] + ("A" if longer[-2] != "A" else "B") + longer[-1]
        assert caller.api.get(MANIFESTS, headers={"Authorization": f"Bearer {longer}"}).status_code == 200
        refused = caller.api.get(MANIFESTS, headers={"Authorization": f"Bearer {changed}"})
        assert (refused.status_code, client.client_id in refused.text) == (401, False)
        clock.advance(899)
        assert caller.status("unknown").status_code == 404
        clock.advance(1)
        assert caller.status("unknown").status_code == 401
        assert caller.status("unknown").status_code == 401


def test_what_is_remembered_of_checked_tokens_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("reinmaker_cli.server.tokens.MAX_VERIFIED", 2)
    with live_server(data=tmp_path) as caller:
        tokens = [caller.token() for _ in range(5)]
        for token in tokens * 2:
            assert caller.api.get(MANIFESTS, headers={"Authorization": f"Bearer {token}"}).status_code == 200

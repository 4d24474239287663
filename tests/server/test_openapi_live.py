"""A live server is held to the OpenAPI document, operation by operation and status by status, errors included."""

from __future__ import annotations

import gzip
import http.client
import json
import select
import socket
import sqlite3
from contextlib import ExitStack, closing

import httpx
import pytest

from reinmaker_cli.contract.names import ENTITLEMENTS_PATH, EVENTS_PATH, MAX_EVENTS_BYTES, MAX_MANIFEST_BYTES
from reinmaker_cli.server.app import API_ROUTES
from reinmaker_cli.server.clock import VirtualClock
from reinmaker_cli.server.limits import POLICIES
from tests.server.live import MANIFESTS, Caller, event, live_server, manifest, problem_code
from tests.server.openapi_document import document, operations
from tests.server.openapi_witness import Witness, differences

NOT_PROVOKED = {
    # A bug that no request can reach: these answer from memory, without the database.
    ("getKeys", 500),
    ("getIssuerMetadata", 500),
    ("getManifestSchema", 500),
    ("getOpenApi", 500),
    ("getHealth", 500),
    # Cut short by the end of a server that waited ten seconds for it: they read nothing that lasts so long.
    ("listManifests", 503),
    ("getManifest", 503),
    ("getEntitlements", 503),
}


@pytest.fixture(scope="module")
def witness():
    return Witness()


@pytest.fixture(scope="module")
def caller(witness):
    with live_server(witness=witness, limits="contract") as caller:
        _limit(caller, 100_000)
        yield caller


def _limit(caller: Caller, quota: int) -> None:
    path = f"/_local/clients/{caller.started.client.client_id}/limits"
    answer = caller.control.post(path, json={"limits": dict.fromkeys(POLICIES, quota)})
    assert answer.status_code == 200


def _post(caller, body, path=MANIFESTS, **headers):
    return caller.api.post(path, content=body, headers={"Content-Type": "application/json", **headers})


def test_the_issuer(caller):
    assert caller.ask_token().status_code == 200
    assert caller.ask_token(scope="reinmaker.telemetry.write").json()["scope"] == "reinmaker.telemetry.write"
    assert caller.ask_token(scope="admin").json()["error"] == "invalid_scope"
    assert caller.ask_token(grant_type="password").json()["error"] == "unsupported_grant_type"
    assert caller.http.post("/oauth/token", json={}).json()["error"] == "invalid_request"
    wrong = {"grant_type": "client_credentials"}
    assert caller.http.post("/oauth/token", data=wrong, auth=("nobody", "wrong")).headers["www-authenticate"]
    assert caller.http.post("/oauth/token", data=wrong | {"client_id": "a", "client_secret": "b"}).status_code == 401
    assert caller.http.get("/.well-known/jwks.json").status_code == 200
    assert caller.http.get("/.well-known/oauth-authorization-server").status_code == 200


def test_the_documents_and_health(caller):
    assert caller.http.get("/v1/schemas/content-manifest.json").status_code == 200
    assert caller.http.get("/openapi.json").json() == document()
    assert caller.http.get("/v1/health").json()["checks"]


def test_a_submission_from_pending_to_its_replay(caller):
    waited = caller.submit(manifest("a-first"))
    assert (waited.status_code, waited.headers["preference-applied"]) == (200, "wait=20")
    replayed = caller.submit(manifest("a-first"), wait=None)
    assert (replayed.status_code, replayed.headers["idempotent-replayed"]) == (200, "true")
    assert caller.submit(manifest("a-second"), wait=0).status_code in (200, 202)
    assert caller.submit(manifest("a-third"), wait=None).status_code == 202
    shown = caller.status("a-first", include="manifest")
    assert shown.json()["manifest"] == manifest("a-first")
    etag = caller.status("a-first").headers["etag"]
    assert caller.api.get(f"{MANIFESTS}/a-first", headers={"If-None-Match": etag}).status_code == 304
    page = caller.api.get(MANIFESTS, params={"limit": 1}).json()
    assert caller.api.get(MANIFESTS, params={"limit": 1, "cursor": page["next"]}).status_code == 200


def test_a_submission_that_waits_for_a_decision(witness):
    with live_server(validation="manual", witness=witness) as caller:
        assert caller.submit(manifest("slow"), wait=None).headers["retry-after"]
        assert caller.status("slow").headers["retry-after"]
        assert caller.decide("slow", "2026.11.23", "rejected", "the voice is too quiet").status_code == 200
        assert caller.status("slow").json()["validation"]["errors"]
        assert caller.submit(manifest("slow"), wait=None).status_code == 202


def test_a_rejection_by_the_bytes(witness, tmp_path):
    (tmp_path / "welcome.mp3").write_bytes(b"other")
    with live_server(witness=witness, maps=(("s3://bucket/mapped/", tmp_path),)) as caller:
        answer = caller.submit(manifest("mapped", url="s3://bucket/mapped/welcome.mp3"))
        assert answer.json()["status"] == "rejected"
        answer = caller.submit(manifest("mapped", url="s3://bucket/mapped/gone.mp3"))
        assert answer.json()["validation"]["errors"][0]["code"] == "asset-unreachable"


def test_bodies_that_do_not_come(caller, monkeypatch):
    monkeypatch.setattr("reinmaker_cli.server.routes.exchange.IDLE_LIMIT_S", 0)
    assert problem_code(caller.ask_token()) == "request-timeout"
    assert problem_code(_post(caller, b"{}")) == "request-timeout"
    assert problem_code(_post(caller, b"{}", EVENTS_PATH)) == "request-timeout"


def test_bodies_that_are_no_manifest(caller):
    valid = json.dumps(manifest("b")).encode()
    assert problem_code(_post(caller, b"{")) == "not-json"
    assert problem_code(_post(caller, b'{"a": 1, "a": 2}')) == "not-i-json"
    assert problem_code(_post(caller, gzip.compress(valid)[:-4], **{"Content-Encoding": "gzip"})) == "bad-request"
    assert problem_code(_post(caller, valid, **{"Content-Type": "text/plain"})) == "media-type-unsupported"
    assert problem_code(_post(caller, valid, **{"Content-Encoding": "br"})) == "media-type-unsupported"
    assert problem_code(_post(caller, b"[]")) == "manifest-invalid"
    assert problem_code(_post(caller, json.dumps(manifest("b", version="2026.13.45")))) == "manifest-invalid"
    bomb = gzip.compress(b" " * (MAX_MANIFEST_BYTES + 1), 1)
    assert problem_code(_post(caller, bomb, **{"Content-Encoding": "gzip"})) == "body-too-large"


def test_versions_that_conflict(caller):
    caller.submit(manifest("c"))
    assert problem_code(caller.submit(manifest("c", product="daily_lesson"))) == "version-conflict"
    assert problem_code(caller.submit(manifest("c", version="2026.11.22"))) == "version-not-newer"


def test_entitlements_of_somebody_and_of_nobody(caller):
    given = {"userId": "usr_1", "plan": "reinmaker.game_pass", "expiresAt": "2999-01-01T00:00:00Z", "region": "US"}
    assert caller.control.put("/_local/entitlements", json=given).status_code == 200
    assert caller.api.get(f"{ENTITLEMENTS_PATH}/usr_1").json()["entitlements"]
    assert caller.api.get(f"{ENTITLEMENTS_PATH}/usr_0").json()["entitlements"] == []
    assert problem_code(caller.api.get(f"{ENTITLEMENTS_PATH}/{'u' * 257}")) == "bad-request"


def test_batches_of_events_that_are_taken_and_that_are_not(caller):
    assert caller.send([event(), event()]).status_code == 202
    assert problem_code(caller.send([event()] * 501)) == "too-many-events"
    assert problem_code(caller.send([event(), {}])) == "event-invalid"
    assert problem_code(_post(caller, b"{", EVENTS_PATH)) == "not-json"
    large = b'{"events": []}' + b" " * MAX_EVENTS_BYTES
    assert problem_code(_post(caller, large, EVENTS_PATH)) == "body-too-large"
    assert problem_code(_post(caller, b"{}", EVENTS_PATH, **{"Content-Encoding": "br"})) == "media-type-unsupported"


PROTECTED = [
    *(("GET", MANIFESTS), ("POST", MANIFESTS), ("GET", MANIFESTS + "/some-id")),
    *(("GET", ENTITLEMENTS_PATH + "/some-id"), ("POST", EVENTS_PATH)),
]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_tokens_that_are_missing_damaged_or_too_weak(caller, method, path):
    other = "content.write" if path == EVENTS_PATH else "telemetry.write"
    weak = {"Authorization": "Bearer " + caller.token(scope=f"reinmaker.{other}")}
    assert problem_code(caller.http.request(method, path)) == "token-missing"
    junk = {"Authorization": "Bearer junk"}
    assert problem_code(caller.http.request(method, path, headers=junk)) == "token-invalid"
    assert problem_code(caller.http.request(method, path, headers=weak)) == "insufficient-scope"


def test_one_request_too_many_on_every_operation_that_counts(witness):
    with live_server(witness=witness, limits="contract", clock=VirtualClock(1_795_000_000.0)) as caller:
        _limit(caller, 1)
        caller.submit(manifest())
        caller.status("water-cycle")
        for method, path in PROTECTED:
            assert problem_code(caller.api.request(method, path)) == "quota-exceeded"
        assert problem_code(caller.ask_token()) == "quota-exceeded"


def test_what_is_not_there_and_what_cannot_be_read(caller):
    assert problem_code(caller.status("unknown")) == "manifest-not-found"
    assert problem_code(caller.api.get(MANIFESTS, params={"limit": "many"})) == "bad-request"
    assert problem_code(caller.api.get(MANIFESTS, params={"cursor": "?"})) == "bad-request"


def test_a_foreign_host_name_on_every_operation(caller):
    for path, method, _ in operations():
        url = path.replace("{manifestId}", "some-id").replace("{userId}", "some-id")
        answer = caller.api.request(method.upper(), url, headers={"Host": "rebound.example"})
        assert problem_code(answer) == "host-not-allowed"


def test_a_third_large_body_at_once_is_told_to_wait(witness):
    large = json.dumps(manifest("large", filler="x" * 1_100_000)).encode()
    with live_server(witness=witness) as caller, ExitStack() as stack:
        open_bodies = [stack.enter_context(closing(_half_sent(caller, large))) for _ in range(3)]
        refused, _, _ = select.select(open_bodies, [], [], 120)
        assert len(refused) == 1  # and so the two others are in hand
        assert problem_code(_post(caller, large)) == "server-busy"


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/oauth/token", "application/x-www-form-urlencoded"),
        (MANIFESTS, "application/json"),
        (EVENTS_PATH, "application/json"),
    ],
)
def test_a_body_that_the_end_of_the_server_cuts_short(witness, path, media_type):
    with ExitStack() as stack:
        with live_server(witness=witness) as caller:
            connection = stack.enter_context(closing(_connected(caller)))
            connection.sendall(_head(caller, path, 2, media_type, "Expect: 100-continue\r\n"))
            assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # and so it waits for the body
            request = caller.api.build_request("POST", path)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        response = httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read(), request=request)
    witness(response)
    assert problem_code(response) == "server-busy"
    assert response.headers["retry-after"]


def _connected(caller: Caller) -> socket.socket:
    return socket.create_connection((caller.api.base_url.host, caller.api.base_url.port), timeout=120)


def _head(caller: Caller, path: str, length: int, media_type: str = "application/json", more: str = "") -> bytes:
    url = caller.api.base_url
    return (
        f"POST {path} HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nContent-Type: {media_type}\r\n{more}"
        f"Authorization: {caller.api.headers['Authorization']}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def _half_sent(caller: Caller, body: bytes) -> socket.socket:
    """Return a connection on which a POST of `body` lacks its last byte."""
    connection = _connected(caller)
    connection.sendall(_head(caller, MANIFESTS, len(body)) + body[:-1])
    return connection


def test_a_database_that_is_gone_is_a_server_error_and_bad_health(witness):
    with live_server(witness=witness) as caller:
        with closing(sqlite3.connect(caller.started.data / "reinmaker.sqlite3")) as database:
            tables = database.execute("select name from sqlite_master where type = 'table'").fetchall()
            for (table,) in tables:
                database.execute(f'drop table if exists "{table}"')
            database.commit()
        assert problem_code(caller.ask_token()) == "server-error"
        assert problem_code(caller.submit(manifest("d"))) == "server-error"
        assert problem_code(caller.status("d")) == "server-error"
        assert problem_code(caller.api.get(MANIFESTS)) == "server-error"
        assert problem_code(caller.api.get(f"{ENTITLEMENTS_PATH}/usr_1")) == "server-error"
        assert problem_code(caller.send([event()])) == "server-error"
        assert caller.http.get("/v1/health").status_code == 503


def test_every_documented_pair_of_operation_and_status_was_seen(witness):
    """Stands below the tests that provoke the answers: run the whole file."""
    documented = {
        (operation["operationId"], int(status)) for _, _, operation in operations() for status in operation["responses"]
    }
    assert documented - witness.seen - NOT_PROVOKED == set()
    assert witness.seen & NOT_PROVOKED == set()


# --- the routes, both ways -------------------------------------------------------------------------------------------


def _served(caller):
    """Return path template and methods of every route but the control API's, as the running server says them."""
    for resource in (resource for resources in API_ROUTES for resource in resources()):
        template = resource.template
        answer = caller.http.options(template.replace("{manifestId}", "some-id").replace("{userId}", "some-id"))
        assert answer.status_code == 204
        yield template, set(answer.headers["allow"].split(", ")) - {"HEAD", "OPTIONS"}


def test_the_routes_are_those_of_the_document(caller):
    documented: dict[str, set[str]] = {}
    for path, method, _ in operations():
        documented.setdefault(path, set()).add(method.upper())
    assert dict(_served(caller)) == documented


@pytest.mark.parametrize("path", sorted(document()["paths"]))
def test_head_is_get_without_a_body_and_other_methods_are_405(caller, path):
    url = path.replace("{manifestId}", "a-first").replace("{userId}", "some-id")
    caller.submit(manifest("a-first"))
    answer = caller.api.head(url)
    if "get" in document()["paths"][path]:
        assert (answer.status_code, answer.content) == (200, b"")
    else:
        assert answer.status_code == 405
    refused = caller.api.delete(url)
    assert problem_code(refused) == "method-not-allowed"
    assert "OPTIONS" in refused.headers["allow"]


def test_an_unknown_path_is_404(caller):
    assert problem_code(caller.api.get("/v2/nothing")) == "not-found"


# --- the witness itself: what is never seen red proves nothing -------------------------------------------------------


def _answer(status=200, headers=(), **body):
    request = httpx.Request("GET", "http://localhost:7040/v1/health")
    headers = {"X-Lesson-Trace-Id": "t", "Cache-Control": "no-store", **dict(headers)}
    fields = {"status": "ok", "version": "1", "time": "2026-11-23T07:00:00Z", **body}
    return httpx.Response(status, headers=headers, json=fields, request=request)


def test_a_true_answer_has_no_differences():
    assert differences(_answer()) == []


@pytest.mark.parametrize(
    "answer",
    [
        _answer(status=418),
        _answer(version=1),
        _answer(time="yesterday"),
        _answer(more=1),
        _answer(headers={"X-Lesson-Trace-Id": "no good"}),
        _answer(headers={"Cache-Control": "public"}),
        _answer(headers={"X-Surprise": "1"}),
        _answer(headers={"Content-Type": "text/html"}),
        httpx.Response(200, json={}, request=httpx.Request("GET", "http://localhost:7040/v1/health")),
    ],
    ids=["status", "type", "format", "member", "trace", "cache", "header", "media-type", "empty"],
)
def test_an_answer_that_differs_is_seen(answer):
    assert differences(answer) != []

"""What holds for every request: routes and methods, trace ids, Host names, problem documents, their precedence."""

from __future__ import annotations

import json
import logging
import re
import socket

import pytest

from reinmaker_cli.server.access_log import access_log
from tests.server.live import MANIFESTS, Caller, live_server, manifest, problem_code


def test_unknown_path_is_no_such_route(live: Caller):
    answer = live.http.get("/v2/nothing")
    assert (answer.status_code, problem_code(answer)) == (404, "not-found")


@pytest.mark.parametrize("path", [MANIFESTS + "/", "/v1/health/", "//v1/health"])
def test_paths_are_exact(live: Caller, path):
    assert live.http.get(path, follow_redirects=False).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", MANIFESTS, "GET, HEAD, OPTIONS, POST"),
        ("PUT", MANIFESTS + "/x", "GET, HEAD, OPTIONS"),
        ("GET", "/oauth/token", "OPTIONS, POST"),
        ("POST", "/v1/health", "GET, HEAD, OPTIONS"),
        ("GET", "/_local/decide", "OPTIONS, POST"),
    ],
)
def test_wrong_method_names_the_right_ones_before_it_asks_for_a_token(live: Caller, method, path, allow):
    answer = live.http.request(method, path)
    assert (answer.status_code, problem_code(answer)) == (405, "method-not-allowed")
    assert answer.headers["allow"] == allow


def test_options_names_the_methods(live: Caller):
    answer = live.http.options(MANIFESTS)
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")


def test_no_answer_has_cors_fields(live: Caller):
    answer = live.http.get("/v1/health", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_head_is_get_without_its_body(live: Caller):
    head, get = live.http.head("/v1/schemas/content-manifest.json"), live.http.get("/v1/schemas/content-manifest.json")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(get.content))


def test_schema_is_served_as_it_ships(live: Caller):
    schema = live.http.get("/v1/schemas/content-manifest.json").json()
    assert schema["$id"] == "https://api.reinmaker.com/v1/schemas/content-manifest.json"


# --- trace ids -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/health", "/nothing", MANIFESTS, "/.well-known/jwks.json"])
def test_trace_id_is_echoed_on_every_answer(live: Caller, path):
    assert live.http.get(path, headers={"X-Lesson-Trace-Id": "run-1.a_B"}).headers["x-lesson-trace-id"] == "run-1.a_B"


@pytest.mark.parametrize("given", [None, "with space", "x" * 129, "a/b"])
def test_missing_or_malformed_trace_id_is_made(live: Caller, given):
    headers = {} if given is None else {"X-Lesson-Trace-Id": given}
    made = live.http.get("/v1/health", headers=headers).headers["x-lesson-trace-id"]
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", made)
    assert made != given


def test_trace_id_is_stored_with_what_the_request_changed(live: Caller):
    headers = {"X-Lesson-Trace-Id": "trace-of-the-post"}
    live.api.post(MANIFESTS, json=manifest("traced"), headers=headers)
    assert live.status("traced").json()["traceId"] == "trace-of-the-post"


# --- Host ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "169.254.169.254", "localhost@evil"])
def test_foreign_host_name_is_refused(live: Caller, host):
    answer = live.http.get("/v1/health", headers={"Host": host})
    assert (answer.status_code, problem_code(answer)) == (421, "host-not-allowed")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:7040", "[::1]:7040"])
def test_loopback_host_names_are_answered(live: Caller, host):
    assert live.http.get("/v1/health", headers={"Host": host}).status_code == 200


def test_allow_host_adds_a_name():
    with live_server(allow_hosts=("twin.test",)) as caller:
        assert caller.http.get("/v1/health", headers={"Host": "twin.test:7040"}).status_code == 200


# --- precedence ------------------------------------------------------------------------------------------------------


def test_authentication_comes_before_the_body(live: Caller):
    junk = {"content": b"{", "headers": {"Content-Type": "text/plain"}}
    assert live.http.post(MANIFESTS, **junk).status_code == 401
    headers = {"Authorization": f"Bearer {live.token(scope='reinmaker.telemetry.write')}"}
    assert live.http.post(MANIFESTS, content=b"{", headers=headers).status_code == 403


def test_media_type_comes_before_json_and_json_before_schema(live: Caller):
    assert problem_code(live.api.post(MANIFESTS, content=b"{")) == "media-type-unsupported"
    headers = {"Content-Type": "application/json"}
    assert problem_code(live.api.post(MANIFESTS, content=b"{", headers=headers)) == "not-json"
    assert problem_code(live.api.post(MANIFESTS, content=b"{}", headers=headers)) == "manifest-invalid"


def test_schema_comes_before_conflict(live: Caller):
    live.submit(manifest("precedence"))
    broken = manifest("precedence", product="other")
    assert live.submit(broken).status_code == 422


# --- log -------------------------------------------------------------------------------------------------------------


def test_access_log_holds_the_allowed_fields_and_no_secret(capsys):
    with live_server(log="json") as caller:
        caller.token()
        caller.api.get(f"{MANIFESTS}/secret-name?version=2026.11.23")
        token = caller.api.headers["Authorization"].removeprefix("Bearer ")
    lines = capsys.readouterr().err.splitlines()
    records = [json.loads(line) for line in lines]
    assert all(
        set(record) == {"time", "method", "route", "status", "ms", "trace_id", "client_id"} for record in records
    )
    assert records[-1]["route"] == MANIFESTS + "/{manifestId}"
    assert records[-1]["client_id"] == caller.started.client.client_id
    for secret in (caller.started.client.client_secret, token, "secret-name"):
        assert secret not in "".join(lines)


def test_bug_is_logged_and_never_shown(capsys, monkeypatch):
    with live_server() as caller:
        monkeypatch.setattr("reinmaker_cli.server.routes.manifests._page_limit", None)  # a bug, for one request
        answer = caller.api.get(MANIFESTS)
    assert (answer.status_code, problem_code(answer)) == (500, "server-error")
    assert "TypeError" not in answer.text
    logged = capsys.readouterr().err
    assert "Traceback" in logged
    assert answer.headers["x-lesson-trace-id"] in logged


def test_bug_is_logged_as_json_under_its_trace_id(capsys, monkeypatch):
    with live_server(log="json") as caller:
        monkeypatch.setattr("reinmaker_cli.server.routes.manifests._page_limit", None)  # a bug, for one request
        caller.api.get(MANIFESTS, headers={"X-Lesson-Trace-Id": "trace-of-the-bug"})
    records = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (bug,) = (record for record in records if record.get("level") == "ERROR")
    assert (bug["trace_id"], "Traceback" in bug["message"]) == ("trace-of-the-bug", True)


def test_what_is_no_http_is_logged_in_the_form_that_was_asked_for(capfd):
    with live_server(log="json") as caller:
        port = int(caller.started.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
            connection.sendall(b"no http\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
    levels = [json.loads(line).get("level") for line in capfd.readouterr().err.splitlines()]
    assert "WARNING" in levels


def test_text_log_is_one_line_a_request(capsys):
    with access_log("text"):
        fields = {"method": "GET", "route": "/x", "status": 200, "ms": 1.5, "trace_id": "t", "client_id": "c"}
        logging.getLogger("reinmaker.access").info("/x", extra={"access": fields})
    assert re.fullmatch(r"\S+Z GET /x 200 1.5 ms trace=t client=c\n", capsys.readouterr().err)

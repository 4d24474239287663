"""The control API: who may use it, folders, decisions, clients."""

from __future__ import annotations

import gzip
import hashlib
import json
import stat
from pathlib import Path

import httpx
import pytest

from tests.server.live import Caller, gzipped, live_server, manifest, problem_code

CONTROL = [
    ("POST", "/_local/sources"),
    ("POST", "/_local/decide"),
    ("GET", "/_local/clients"),
    ("POST", "/_local/clients"),
    ("POST", "/_local/clients/x/rotate"),
]


@pytest.mark.parametrize(("method", "path"), CONTROL)
def test_control_wants_the_control_token(live: Caller, method, path):
    for http in (live.http, live.api):
        answer = http.request(method, path)
        assert (answer.status_code, problem_code(answer)) == (403, "control-refused")


@pytest.mark.parametrize(
    "field",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Forwarded": "for=192.0.2.1"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Host": "localhost"},
    ],
)
@pytest.mark.parametrize(("method", "path"), CONTROL)
def test_foreign_pages_and_proxies_are_refused(live: Caller, method, path, field):
    answer = live.control.request(method, path, headers=field)
    assert (answer.status_code, problem_code(answer)) == (403, "control-refused")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_the_servers_own_page_may_ask_under_each_of_its_names(live: Caller, name):
    port = live.started.url.rpartition(":")[2]
    fields = {"Host": f"{name}:{port}", "Origin": f"http://{name}:{port}"}
    assert live.control.get("/_local/clients", headers=fields).status_code == 200


def test_the_servers_own_page_may_ask_under_a_name_that_it_was_given():
    with live_server(allow_hosts=("twin.example",)) as caller:
        host = "twin.example:" + caller.started.url.rpartition(":")[2]
        own, other = ({"Host": host, "Origin": f"http://{name}"} for name in (host, host.replace("twin", "other")))
        assert caller.control.get("/_local/clients", headers=own).status_code == 200
        assert caller.control.get("/_local/clients", headers=other).status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:{port}", "https://localhost:{port}", "http://localhost", "http://localhost:{port}1"]
)
def test_a_page_of_another_origin_on_this_machine_may_not_ask(live: Caller, origin):
    fields = {"Origin": origin.format(port=live.started.url.rpartition(":")[2])}
    answer = live.control.get("/_local/clients", headers=fields)
    assert (answer.status_code, problem_code(answer)) == (403, "control-refused")


def test_control_token_is_not_an_access_token(live: Caller):
    assert live.control.get("/v1/content/manifests").status_code == 401


# --- folders ---------------------------------------------------------------------------------------------------------


def register(caller: Caller, folder: Path, files: dict[str, str], version: str | None = None) -> httpx.Response:
    body = {"manifestId": "water-cycle", "version": version, "root": str(folder), "files": files}
    return caller.control.post("/_local/sources", json=body)


@pytest.fixture
def strict():
    with live_server(verify="strict") as caller:
        yield caller


URL = "s3://bucket/welcome.mp3"


def fitting(content: bytes, version: str = "2026.11.23"):
    return manifest(version=version, url=URL, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def test_registered_folder_is_where_the_bytes_are_read(strict: Caller, tmp_path):
    (tmp_path / "welcome.mp3").write_bytes(b"abc")
    assert strict.submit(fitting(b"abc")).json()["status"] == "rejected"
    assert register(strict, tmp_path, {URL: "welcome.mp3"}).status_code == 204
    verdict = strict.submit(fitting(b"abc")).json()
    assert verdict["status"] == "active"
    assert {check["source"] for check in verdict["validation"]["checks"][:3]} == {"folder"}


def test_registration_for_a_version_goes_before_the_one_for_all(strict: Caller, tmp_path):
    for name in ("all", "one"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "welcome.mp3").write_bytes(name.encode())
    register(strict, tmp_path / "one", {URL: "welcome.mp3"}, "2026.11.23")
    register(strict, tmp_path / "all", {URL: "welcome.mp3"})
    assert strict.submit(fitting(b"one")).json()["status"] == "active"


def test_later_registration_replaces_the_one_before(strict: Caller, tmp_path):
    (tmp_path / "welcome.mp3").write_bytes(b"abc")
    register(strict, tmp_path / "nowhere", {URL: "welcome.mp3"})
    assert strict.submit(fitting(b"abc")).json()["status"] == "rejected"
    register(strict, tmp_path, {URL: "welcome.mp3"})
    assert strict.submit(fitting(b"abc")).json()["status"] == "active"


def test_changed_byte_is_rejected_with_expected_and_found(strict: Caller, tmp_path):
    (tmp_path / "welcome.mp3").write_bytes(b"abX")
    register(strict, tmp_path, {URL: "welcome.mp3"})
    (error,) = strict.submit(fitting(b"abc")).json()["validation"]["errors"]
    assert error["code"] == "asset-hash"
    assert error["expected"] == hashlib.sha256(b"abc").hexdigest()
    assert error["found"] == hashlib.sha256(b"abX").hexdigest()


def test_map_is_where_the_bytes_are_read(tmp_path):
    (tmp_path / "welcome.mp3").write_bytes(b"abc")
    with live_server(verify="strict", maps=(("s3://bucket/", tmp_path),)) as caller:
        assert caller.submit(fitting(b"abc")).json()["status"] == "active"


def test_large_registration_is_taken(strict: Caller, tmp_path):
    files = {f"s3://bucket/{number}.mp3": f"{number}.mp3" for number in range(60_000)}
    (tmp_path / "welcome.mp3").write_bytes(b"abc")
    body = {"manifestId": "water-cycle", "version": None, "root": str(tmp_path), "files": {**files, URL: "welcome.mp3"}}
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert strict.control.post("/_local/sources", content=gzipped(body), headers=headers).status_code == 204
    assert strict.submit(fitting(b"abc")).json()["status"] == "active"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ([], 422),
        ({"manifestId": "a", "version": 1, "root": "/", "files": {}}, 422),
        ({"manifestId": "a", "root": "/", "files": {"s3://b": 1}}, 422),
        ({"manifestId": "a", "root": "relative", "files": {}}, 422),
        ({"manifestId": "a", "root": "/nul\0byte", "files": {}}, 422),
    ],
)
def test_registration_of_another_form_is_refused(live: Caller, body, status):
    answer = live.control.post("/_local/sources", json=body)
    assert (answer.status_code, problem_code(answer)) == (status, "request-invalid")


# --- decisions -------------------------------------------------------------------------------------------------------


def test_decision_needs_a_submission(manual: Caller):
    assert problem_code(manual.decide("never-submitted", "2026.11.23", "active")) == "manifest-not-found"


def test_decision_is_given_once(manual: Caller):
    manual.submit(manifest("once"), wait=None)
    assert manual.decide("once", "2026.11.23", "active").json()["status"] == "active"
    answer = manual.decide("once", "2026.11.23", "rejected")
    assert (answer.status_code, problem_code(answer)) == (422, "request-invalid")
    assert manual.status("once").json()["status"] == "active"


def test_decision_knows_two_words(manual: Caller):
    assert problem_code(manual.decide("once", "2026.11.23", "superseded")) == "request-invalid"


# --- clients ---------------------------------------------------------------------------------------------------------


def test_added_client_gets_tokens_for_its_scopes(live: Caller):
    answer = live.control.post("/_local/clients", json={"name": "game", "scopes": ["reinmaker.telemetry.write"]})
    client = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    token = live.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(client["clientId"], client["clientSecret"]),
    ).json()
    assert token["scope"] == "reinmaker.telemetry.write"


def test_secrets_are_never_listed(live: Caller):
    added = live.control.post("/_local/clients", json={"name": "listed"}).json()
    listing = live.control.get("/_local/clients")
    assert added["clientId"] in listing.text
    assert added["clientSecret"] not in listing.text
    assert live.started.client.client_secret not in listing.text


def test_two_secrets_work_during_a_rotation_and_the_third_ends_the_first(live: Caller):
    client = live.control.post("/_local/clients", json={}).json()
    secrets = [client["clientSecret"]]
    for _ in range(2):
        rotated = live.control.post(f"/_local/clients/{client['clientId']}/rotate").json()
        secrets.append(rotated["clientSecret"])

    def works(secret: str) -> bool:
        form = {"grant_type": "client_credentials"}
        return live.http.post("/oauth/token", data=form, auth=(client["clientId"], secret)).status_code == 200

    assert [works(secret) for secret in secrets] == [False, True, True]


def test_rotation_of_the_development_client_is_in_client_json():
    with live_server() as caller:
        client_id = caller.started.client.client_id
        rotated = caller.control.post(f"/_local/clients/{client_id}/rotate").json()
        file = caller.started.data / "client.json"
        kept = json.loads(file.read_text())
        assert kept["clientSecret"] == rotated["clientSecret"] != caller.started.client.client_secret
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "body", [{"scopes": []}, {"scopes": ["other"]}, {"scopes": [{}]}, {"scopes": "x"}, {"name": 1}, []]
)
def test_client_of_another_form_is_refused(live: Caller, body):
    assert problem_code(live.control.post("/_local/clients", json=body)) == "request-invalid"


def test_scope_named_twice_counts_once(live: Caller):
    scope = "reinmaker.content.write"
    assert live.control.post("/_local/clients", json={"scopes": [scope, scope]}).json()["scopes"] == [scope]


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", "not-json"), (b'{"name": "\\ud800"}', "not-i-json"), (b"[" * 60_000, "not-i-json")],
    ids=["cut", "surrogate", "deep"],
)
def test_json_that_cannot_be_stored_is_refused(live: Caller, body, code):
    answer = live.control.post("/_local/clients", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, problem_code(answer)) == (400, code)


def test_rotation_of_nobody_is_refused(live: Caller):
    assert problem_code(live.control.post("/_local/clients/nobody/rotate")) == "request-invalid"


@pytest.mark.sqlite  # looks into the bytes of the file
def test_secret_is_stored_only_as_a_hash():
    with live_server() as caller:
        client = caller.control.post("/_local/clients", json={}).json()
        stored = b"".join(file.read_bytes() for file in caller.started.data.glob("*.sqlite3*"))
    assert client["clientId"].encode() in stored
    assert client["clientSecret"].encode() not in stored
    assert gzip.compress(b"") not in stored

"""A live server is held to the document of its control API, operation by operation and status by status."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from reinmaker_cli.contract.names import MAX_MANIFEST_BYTES
from reinmaker_cli.server.app import CONTROL_ROUTES
from reinmaker_cli.server.routes.control import MAX_SMALL_BYTES
from tests.server.live import Caller, live_server, manifest, problem_code
from tests.server.openapi_document import CONTROL
from tests.server.openapi_witness import Witness
from tests.server.receiver import always, answer, receiver

NOT_PROVOKED = {
    # Of a server on PostgreSQL: tests/server/test_peers.py.
    *((operation, 409) for operation in ("listSnapshots", "removeSnapshot", "restoreSnapshot", "resetServer")),
    ("showClock", 500),  # answers from memory
    ("listKeys", 500),
    ("moveClock", 500),  # 503 says that what became due could not be done
    ("resendDelivery", 503),  # while the server stops; tests/server/test_webhook_load.py
    *((operation, 500) for operation in ("listSnapshots", "removeSnapshot", "restoreSnapshot")),  # files, without it
    ("takeSnapshot", 500),  # 507 says that it cannot be copied
    *((operation, 500) for operation in ("listFaults", "addFault", "clearFaults", "endFault")),  # from memory too
}

OPERATIONS = [(method.upper(), path, operation) for path, method, operation in CONTROL.operations()]
WITH_BODY = [(method, path) for method, path, operation in OPERATIONS if "requestBody" in operation]
# A body that the end of the server cuts short, as the API's are in test_openapi_live.py, by the same code.
NOT_PROVOKED |= {(operation["operationId"], 503) for _, _, operation in OPERATIONS if "requestBody" in operation}

USER_PLAN = {"userId": "usr_1", "plan": "reinmaker.game_pass"}


@pytest.fixture(scope="module")
def witness():
    return Witness(CONTROL)


@pytest.fixture(scope="module")
def caller(witness):
    with live_server(validation="manual") as caller:
        yield watched(caller, witness)


def watched(caller: Caller, witness: Witness) -> Caller:
    caller.control.event_hooks = {"response": [witness]}
    return caller


def url_of(path: str, caller: Caller) -> str:
    return path.replace("{clientId}", caller.started.client.client_id).replace("{view}", "overview")


def ask(caller: Caller, method: str, path: str, body: Any = None, **more: Any):
    """Send a request of the control API; a body of bytes goes as it is."""
    sent = {} if body is None else {"content": body} if isinstance(body, bytes) else {"json": body}
    headers = {"Content-Type": "application/json"} if isinstance(body, bytes) else {}
    return caller.control.request(method, url_of(path, caller), headers=headers | more.pop("headers", {}), **sent)


def test_folders_and_verdicts(caller, tmp_path):
    folder = {"manifestId": "a", "version": None, "root": str(tmp_path), "files": {"s3://b/a.mp3": "a.mp3"}}
    assert ask(caller, "POST", "/_local/sources", folder).status_code == 204
    caller.submit(manifest("a"), wait=None)
    decision = {"manifestId": "a", "version": "2026.11.23", "status": "active"}
    assert ask(caller, "POST", "/_local/decide", decision).json()["status"] == "active"
    assert ask(caller, "POST", "/_local/decide", decision).status_code == 422
    unknown = ask(caller, "POST", "/_local/decide", decision | {"manifestId": "b"})
    assert problem_code(unknown) == "manifest-not-found"


def test_clients(caller):
    assert ask(caller, "POST", "/_local/clients", {"limits": {"default": 5}}).status_code == 201
    assert len(ask(caller, "GET", "/_local/clients").json()["items"]) == 2
    assert ask(caller, "POST", "/_local/clients/{clientId}/limits", {"limits": {"tokens": 500}}).status_code == 200
    assert ask(caller, "POST", "/_local/clients/{clientId}/rotate").status_code == 200
    assert ask(caller, "POST", "/_local/clients/nobody/rotate").status_code == 422


def test_users(caller):
    assert ask(caller, "PUT", "/_local/entitlements", USER_PLAN).status_code == 200
    assert len(ask(caller, "GET", "/_local/entitlements").json()["items"]) == 1
    assert ask(caller, "POST", "/_local/entitlements/revoke", USER_PLAN).json()["status"] == "revoked"
    assert ask(caller, "POST", "/_local/forget", {"userId": "usr_1"}).json() == {
        "entitlements": 1,
        "events": 0,
        "webhooks": 2,
    }


def test_the_clock(caller):
    shown = ask(caller, "GET", "/_local/clock")
    known = {"If-None-Match": shown.headers["etag"], "Prefer": "wait=0"}
    assert ask(caller, "GET", "/_local/clock", headers=known).status_code == 304
    assert ask(caller, "POST", "/_local/clock", {"advanceSeconds": 60}).status_code == 200
    assert ask(caller, "GET", "/_local/clock", headers=known).status_code == 200


def test_faults(caller):
    made = ask(caller, "POST", "/_local/faults", {"kind": "failure", "match": {"path": "/nowhere"}, "status": 503})
    assert made.status_code == 201
    place = f"/_local/faults/{made.json()['faultId']}"
    assert ask(caller, "GET", "/_local/faults").json() == {"items": [made.json()]}
    assert ask(caller, "DELETE", place).json() == {"cleared": 1}
    assert problem_code(ask(caller, "DELETE", place)) == "not-found"
    assert ask(caller, "DELETE", "/_local/faults").json() == {"cleared": 0}


def test_webhooks(caller):
    hooks = "/_local/webhooks"
    with receiver(always(answer(410))) as there:
        assert len(ask(caller, "GET", hooks + "/endpoints").json()["items"]) == 0
        endpoint = ask(caller, "POST", hooks + "/endpoints", {"url": there.url}).json()
        one = f"{hooks}/endpoints/{endpoint['endpointId']}"
        known = {"If-None-Match": ask(caller, "GET", one).headers["etag"], "Prefer": "wait=0"}
        assert ask(caller, "GET", one, headers=known).status_code == 304
        secret = ask(caller, "POST", one + "/secret", {"which": "current"})
        assert problem_code(secret) == "secret-shown"
        assert problem_code(ask(caller, "POST", one + "/rotate", {})) == "next-secret-unfetched"
        assert ask(caller, "POST", one + "/secret", {"which": "next"}).status_code == 200
        assert ask(caller, "POST", one + "/rotate", {"overlapSeconds": 0}).status_code == 200
        caused = ask(caller, "POST", hooks + "/trigger", {"type": "reinmaker.content.requested"}).json()
        delivery = f"{hooks}/deliveries/{caused['deliveries'][0]}"
        ask(caller, "POST", "/_local/clock", {"advanceSeconds": 0})
        letter = {"deliveryId": caused["deliveries"][0]}
        assert problem_code(ask(caller, "POST", hooks + "/dead-letters/redrive", letter)) == "receiver-gone"
        assert ask(caller, "POST", one + "/enable").json()["enabled"] is True
        assert ask(caller, "POST", delivery + "/resend").json()["status"] == 410
    assert ask(caller, "GET", delivery).json()["status"] == "dead"
    listed = ask(caller, "GET", hooks + "/deliveries")
    known = {"If-None-Match": listed.headers["etag"]}
    assert ask(caller, "GET", hooks + "/deliveries", headers=known).status_code == 304
    dead = hooks + "/dead-letters"
    assert len(ask(caller, "GET", dead).json()["items"]) == 1
    assert ask(caller, "GET", f"{dead}/{caused['deliveries'][0]}").status_code == 200
    assert ask(caller, "POST", dead + "/redrive", {"all": True}).json()["redriven"] == 1
    assert ask(caller, "POST", one + "/disable", {}).json()["enabled"] is False
    assert ask(caller, "DELETE", one).status_code == 204
    assert problem_code(ask(caller, "POST", delivery + "/resend")) == "receiver-gone"
    assert ask(caller, "POST", dead + "/purge", {"all": True}).status_code == 200
    wanted = {"phaseDNAId": "water-cycle", "locale": "fr-FR", "agePersona": "6-12"}
    assert ask(caller, "POST", "/_local/request-content", wanted).json()["deliveries"] == []


def test_webhooks_that_there_are_not(caller):
    one = "/_local/webhooks/endpoints/ep_none"
    for method, path, body in (
        ("GET", one, None),
        ("DELETE", one, None),
        ("POST", one + "/enable", None),
        ("POST", one + "/disable", {}),
        ("POST", one + "/secret", {"which": "next"}),
        ("POST", one + "/rotate", {}),
        ("GET", "/_local/webhooks/deliveries/del_none", None),
        ("POST", "/_local/webhooks/deliveries/del_none/resend", None),
        ("GET", "/_local/webhooks/dead-letters/del_none", None),
        ("POST", "/_local/webhooks/dead-letters/redrive", {"deliveryId": "del_none"}),
        ("POST", "/_local/webhooks/dead-letters/purge", {"deliveryId": "del_none"}),
    ):
        assert problem_code(ask(caller, method, path, body)) == "webhook-not-found", path
    for path in ("/_local/webhooks/deliveries", "/_local/webhooks/dead-letters"):
        for query in ("?limit=0", "?limit=many", "?after=x"):
            assert problem_code(ask(caller, "GET", path + query)) == "bad-request"


def test_the_journal_and_waiting_for_it(caller):
    shown = ask(caller, "GET", "/_local/requests?limit=2")
    assert len(shown.json()["items"]) == 2
    known = {"If-None-Match": shown.headers["etag"], "Prefer": "wait=0"}
    assert ask(caller, "GET", "/_local/requests?limit=2", headers=known).status_code == 304
    assert problem_code(ask(caller, "GET", "/_local/requests?limit=none")) == "bad-request"
    assert ask(caller, "GET", "/_local/wait?requests=1&active=a").json()["met"]
    assert problem_code(ask(caller, "GET", "/_local/wait?since=then")) == "bad-request"


def test_the_whole_state(caller, witness):
    with live_server() as caller:
        watched(caller, witness)
        assert ask(caller, "POST", "/_local/snapshots", {"name": "before"}).status_code == 201
        assert problem_code(ask(caller, "POST", "/_local/snapshots", {"name": "before"})) == "snapshot-exists"
        assert len(ask(caller, "GET", "/_local/snapshots").json()["items"]) == 1
        assert ask(caller, "POST", "/_local/snapshots/before/restore").status_code == 200
        assert ask(caller, "POST", "/_local/reset").status_code == 200
        assert len(ask(caller, "GET", "/_local/requests").json()["items"]) == 2  # a mark, and the reset
        assert ask(caller, "DELETE", "/_local/snapshots/before").status_code == 204
        for method, path in (("DELETE", "/_local/snapshots/{name}"), ("POST", "/_local/snapshots/{name}/restore")):
            assert problem_code(ask(caller, method, path.replace("{name}", "before"))) == "snapshot-not-found"
            assert problem_code(ask(caller, method, path.replace("{name}", ".before"))) == "request-invalid"
        (caller.started.data / "snapshots").rmdir()
        (caller.started.data / "snapshots").touch()
        for path in ("/_local/snapshots", "/_local/snapshots/before/restore", "/_local/reset"):
            assert problem_code(ask(caller, "POST", path, {"name": "before"})) == "snapshot-failed"


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_bodies_that_are_none(caller, method, path):
    limit = MAX_MANIFEST_BYTES if path == "/_local/sources" else MAX_SMALL_BYTES
    assert problem_code(ask(caller, method, path, b"{")) == "not-json"
    assert problem_code(ask(caller, method, path, b'{"a": 1, "a": 2}')) == "not-i-json"
    assert problem_code(ask(caller, method, path, b" " * (limit + 1))) == "body-too-large"
    assert (
        problem_code(ask(caller, method, path, b"{}", headers={"Content-Encoding": "br"})) == "media-type-unsupported"
    )
    assert problem_code(ask(caller, method, path, b"[]")) == "request-invalid"


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_bodies_that_do_not_come(caller, method, path, monkeypatch):
    monkeypatch.setattr("reinmaker_cli.server.routes.exchange.IDLE_LIMIT_S", 0)
    assert problem_code(ask(caller, method, path, b"{}")) == "request-timeout"


def test_the_inspector(caller):
    shown = ask(caller, "GET", "/_local/inspector/{view}")
    known = {"If-None-Match": shown.headers["etag"], "Prefer": "wait=0"}
    assert ask(caller, "GET", "/_local/inspector/{view}", headers=known).status_code == 304
    assert problem_code(ask(caller, "GET", "/_local/inspector/nothing")) == "not-found"


def test_keys(caller):
    (only,) = ask(caller, "GET", "/_local/keys").json()["items"]
    assert [one["state"] for one in ask(caller, "POST", "/_local/keys/rotate").json()["items"]] == ["signing", "next"]
    assert only["state"] == "signing"


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_who_may_not_ask(caller, method, path, operation):
    assert problem_code(ask(caller, method, path, headers={"Authorization": "Bearer other"})) == "control-refused"
    assert problem_code(ask(caller, method, path, headers={"Host": "rebound.example"})) == "host-not-allowed"


def test_a_database_that_is_gone_is_a_server_error(witness, tmp_path):
    with live_server() as caller:
        watched(caller, witness)
        with closing(sqlite3.connect(caller.started.data / "reinmaker.sqlite3")) as database:
            for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
                database.execute(f'drop table if exists "{table}"')
            database.commit()
        for method, path, operation in OPERATIONS:
            if (operation["operationId"], 500) not in NOT_PROVOKED:
                answer = ask(caller, method, path, example_of(operation))
                assert problem_code(answer) == "server-error", path


def example_of(operation: dict[str, Any]) -> Any:
    """Return the first example of a request body, None where there is none."""
    if "requestBody" not in operation:
        return None
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    return json.loads(json.dumps(next(iter(examples.values()))["value"]))


def test_every_documented_pair_of_operation_and_status_was_seen(witness):
    """Stands below the tests that provoke the answers: run the whole file."""
    documented = {
        (operation["operationId"], int(status)) for _, _, operation in OPERATIONS for status in operation["responses"]
    }
    assert documented - witness.seen - NOT_PROVOKED == set()
    assert witness.seen & NOT_PROVOKED == set()


def test_the_routes_are_those_of_the_document(caller):
    documented: dict[str, set[str]] = {}
    for method, path, _ in OPERATIONS:
        documented.setdefault(path, set()).add(method)
    served = {}
    for resource in (resource for resources in CONTROL_ROUTES for resource in resources()):
        path = resource.template
        allowed = caller.http.options(url_of(path, caller)).headers["allow"].split(", ")
        served[path] = set(allowed) - {"HEAD", "OPTIONS"}
    assert served == documented

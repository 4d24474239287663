"""Starting and stopping: ports, data folders, databases, signals, kill -9."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from reinmaker_cli.errors import ReinmakerError, UsageError
from reinmaker_cli.server import tokens
from reinmaker_cli.server.clock import DAY_S, VirtualClock
from reinmaker_cli.server.running import ServerConfig, running_server, serve_forever
from reinmaker_cli.server.store import DATABASE_NAME
from tests.ports import own_port
from tests.server.live import MANIFESTS, QUIET, large_manifest, live_server, manifest


def refused(config: ServerConfig) -> ReinmakerError:
    with pytest.raises(ReinmakerError) as caught, running_server(config):
        pass
    return caught.value


# --- ports and addresses ---------------------------------------------------------------------------------------------


def test_taken_port_is_a_clear_error():
    with live_server() as caller:
        port = int(caller.started.url.rpartition(":")[2])
        error = refused(replace(QUIET, port=port))
        assert (error.code, error.hint) == ("port-taken", "stop the other program, or take a free port with `--port 0`")
        assert str(port) in error.message


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_port_taken_on_ipv6_alone_is_taken_for_localhost():
    with closing(socket.socket(socket.AF_INET6)) as other:
        other.bind(("::1", 0))
        other.listen()
        assert refused(replace(QUIET, port=other.getsockname()[1])).code == "port-taken"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_listening_beyond_loopback_is_refused(host):
    error = refused(replace(QUIET, host=host))
    assert isinstance(error, UsageError)
    assert "without TLS" in error.message


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_url_is_the_address_that_was_asked_for(host):
    with live_server(host=host) as caller:
        shown = f"[{host}]" if ":" in host else host
        assert caller.started.url.startswith(f"http://{shown}:")
        assert caller.http.get("/v1/health").status_code == 200


def test_port_is_free_again_afterwards():
    port = own_port()
    with live_server(port=port):
        pass
    with live_server(port=port) as caller:
        assert caller.http.get("/v1/health").status_code == 200


# --- the data folder -------------------------------------------------------------------------------------------------


def test_ephemeral_folder_is_private_and_gone_afterwards():
    with live_server() as caller:
        data = caller.started.data
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert not data.exists()


def test_data_survives_a_restart(tmp_path):
    with live_server(data=tmp_path / "new" / "folder") as caller:
        before = caller.submit(manifest()).json()
    with live_server(data=tmp_path / "new" / "folder") as caller:
        assert caller.status("water-cycle").json() == before


def test_client_json_is_for_the_command_line(tmp_path):
    with live_server(data=tmp_path) as caller:
        file = tmp_path / "client.json"
        assert json.loads(file.read_text()) == caller.started.client.to_json()
        assert set(caller.started.client.to_json()) == {"clientId", "clientSecret", "apiUrl", "controlToken"}
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert caller.started.client.client_secret not in repr(caller.started)


def test_development_client_stays_the_same(tmp_path):
    with live_server(data=tmp_path) as first:
        pass
    with live_server(data=tmp_path) as second:
        assert second.started.client.client_id == first.started.client.client_id
        assert second.started.client.client_secret == first.started.client.client_secret
        assert second.started.client.control_token == first.started.client.control_token


@pytest.mark.parametrize(("days", "renewed"), [(59, False), (61, True), (200, True)])
def test_development_secret_is_renewed_at_a_start_after_60_days(tmp_path, days, renewed):
    with live_server(data=tmp_path, clock=VirtualClock(0.0)) as first:
        pass
    with live_server(data=tmp_path, clock=VirtualClock(days * DAY_S)) as second:
        assert (second.started.client.client_secret != first.started.client.client_secret) == renewed
        assert second.ask_token().status_code == 200


@pytest.mark.parametrize("damage", ["", "{", '{"clientId": "x"}'])
def test_lost_client_json_is_made_again(tmp_path, damage):
    with live_server(data=tmp_path) as first:
        pass
    (tmp_path / "client.json").write_text(damage)
    with live_server(data=tmp_path) as second:
        assert second.started.client.client_id == first.started.client.client_id
        assert second.ask_token().status_code == 200


def test_second_server_on_one_data_folder_is_refused(tmp_path):
    with live_server(data=tmp_path):
        error = refused(replace(QUIET, data=tmp_path))
    assert (error.code, f"kill {os.getpid()}" in error.hint) == ("data-in-use", True)


# --- the database ----------------------------------------------------------------------------------------------------


def test_database_of_a_newer_version_is_refused_and_left_alone(tmp_path):
    with live_server(data=tmp_path):
        pass
    file = tmp_path / DATABASE_NAME
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE facts SET value = '999' WHERE name = 'schemaVersion'")
    error = refused(replace(QUIET, data=tmp_path))
    assert error.code == "database-newer"
    assert "999" in error.message


def test_start_that_fails_is_never_called_ready(tmp_path, capfd):
    with live_server(data=tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as database, database:
        database.execute("DROP TABLE submissions")
    ready = []
    with pytest.raises(RuntimeError, match="could not start"):
        serve_forever(replace(QUIET, data=tmp_path), ready.append)
    assert ready == []
    assert "no such table" in capfd.readouterr().err


def test_file_that_is_no_database_is_a_clear_error(tmp_path):
    (tmp_path / DATABASE_NAME).write_bytes(b"not a database, and long enough to be looked at" * 100)
    assert refused(replace(QUIET, data=tmp_path)).code == "database-failed"


def test_data_folder_that_is_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "file").touch()
    assert refused(replace(QUIET, data=tmp_path / "file")).code == "database-failed"


def test_database_that_cannot_be_opened_is_a_clear_error(tmp_path):
    (tmp_path / DATABASE_NAME).mkdir()
    assert refused(replace(QUIET, data=tmp_path)).code == "database-failed"


def test_database_is_for_its_owner_alone(tmp_path):
    with live_server(data=tmp_path) as caller:
        caller.submit(manifest())
        modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob(DATABASE_NAME + "*")}
        assert modes == {0o600}


def test_database_writes_ahead(tmp_path):
    with live_server(data=tmp_path) as caller:
        caller.submit(manifest())
        with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as database:
            assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# --- processes -------------------------------------------------------------------------------------------------------

SERVE = """
import json, sys
from pathlib import Path
from reinmaker_cli.server.running import ServerConfig, serve_forever
def ready(started):
    print(json.dumps(started.client.to_json()), flush=True)
serve_forever(ServerConfig(port=0, data=Path(sys.argv[1]), log="off", validation=sys.argv[2]), ready)
"""


@contextmanager
def server_process(data: Path, validation: str = "real") -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """Yield a server in a process of its own, and a client with a token for it."""
    command = [sys.executable, "-c", SERVE, str(data), validation]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        client: dict[str, Any] = json.loads(process.stdout.readline())
        with httpx.Client(base_url=client["apiUrl"], timeout=120, trust_env=False) as api:
            credentials = (client["clientId"], client["clientSecret"])
            token = api.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=credentials).json()
            api.headers["Authorization"] = "Bearer " + token["access_token"]
            yield process, api
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_the_server_with_0(tmp_path, number):
    with server_process(tmp_path) as (process, _):
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out, err) == (0, "", "")


def test_signal_ends_the_waits_and_finishes_what_is_in_flight(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with server_process(tmp_path, "manual") as (process, api), ThreadPoolExecutor(1) as pool:
        posting = pool.submit(api.post, MANIFESTS, json=manifest(), headers={"Prefer": "wait=30"})
        with httpx.Client(base_url=api.base_url, headers=api.headers, timeout=120) as other:
            while other.get(f"{MANIFESTS}/water-cycle").status_code == 404:
                pass
        process.terminate()
        assert posting.result(timeout=120).status_code == 202  # what waits on is cut short after 10 s: 503
        process.communicate(timeout=120)
        assert process.returncode == 0


def test_acknowledged_submission_survives_kill_9(tmp_path):
    with server_process(tmp_path, "manual") as (process, api):
        accepted = api.post(MANIFESTS, json=manifest()).json()
        process.kill()
        process.wait()
    with live_server(data=tmp_path, validation="manual") as caller:
        assert caller.api.get(f"{MANIFESTS}/water-cycle").json()["submissionId"] == accepted["submissionId"]


def test_validation_under_way_at_kill_9_goes_on_at_the_next_start(tmp_path):
    with server_process(tmp_path, "manual") as (process, api):
        api.post(MANIFESTS, json=manifest("first"))
        api.post(MANIFESTS, json=manifest("second"))
        while api.get(f"{MANIFESTS}/second").json()["status"] != "validating":
            pass
        process.kill()
        process.wait()
    with live_server(data=tmp_path) as caller:
        for name in ("first", "second"):
            answer = caller.api.get(f"{MANIFESTS}/{name}", headers={"Prefer": "wait=20"})
            while answer.json()["status"] in ("pending", "validating"):
                answer = caller.api.get(f"{MANIFESTS}/{name}", headers={"Prefer": "wait=20"})
            assert answer.json()["status"] == "active"


def test_large_validation_killed_with_its_server_has_one_verdict(tmp_path):
    """The worker may outlive the server and finish; the claim of the next start counts, whoever is first."""
    with server_process(tmp_path, "real") as (process, api):
        assert api.post(MANIFESTS, json=large_manifest(8_000)).status_code == 202
        process.kill()
        process.wait()
    with live_server(data=tmp_path) as caller:
        status = "pending"
        while status in ("pending", "validating"):
            status = caller.api.get(f"{MANIFESTS}/large", headers={"Prefer": "wait=30"}).json()["status"]
        assert status == "active"


def test_signals_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    started = []

    def stop_at_once(server):
        started.append(server)
        os.kill(os.getpid(), signal.SIGTERM)

    serve_forever(replace(QUIET, data=tmp_path), stop_at_once)
    assert len(started) == 1
    assert signal.getsignal(signal.SIGTERM) is before


def test_stop_ends_the_wait_for_the_next_tick(monkeypatch):
    monkeypatch.setattr("reinmaker_cli.server.running.TICK_S", 3600.0)  # whoever waits for that does not end in a test
    with live_server():
        pass


def test_stop_waits_for_the_key_that_is_being_made(monkeypatch, capfd):
    """The thread that makes it writes it to the database, which a stop right after the start had closed already."""
    made = threading.Event()

    def slowly(facts, clock):
        made.wait(0.3)
        return load(facts, clock)

    load = tokens._load_keys
    monkeypatch.setattr(tokens, "_load_keys", slowly)
    with running_server(QUIET):
        pass
    assert capfd.readouterr().err == ""

"""`serve --workers`: several processes on one port; one that dies is started again, and all end with the first."""

import os
import signal
import ssl
import sys
from pathlib import Path

import httpx
import pytest

from reinmaker_cli.contract.models import LocalClient
from reinmaker_cli.server import supervising
from reinmaker_cli.server.running import Seat, ServerConfig
from reinmaker_cli.server.store.tables import SCHEMA_VERSION
from tests.e2e.test_postgres import client_of
from tests.e2e.test_processes import wait_until
from tests.server.live import manifest, run_sql


def publish_twenty(http, access):
    for number in range(20):
        answer = http.post("/v1/content/manifests", json=manifest(f"m{number}"), headers=access)
        assert answer.status_code in (200, 202)


def test_a_worker_that_dies_is_started_again_and_all_end_with_the_first(serve, postgres_cluster):
    with postgres_cluster.database() as url:
        server = serve("--database", url, "--workers", "2", "--log", "off")
        first = server.workers
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        wait_until(lambda: len(server.workers) == 2 and server.workers != first, 120)
        http, _, access = client_of(server)
        publish_twenty(http, access)
        http.close()
        last = server.workers
        ended = server.stop()
        assert ended.code == 0
        assert ended.err.splitlines()[0].endswith(f"worker {first[0]} is started again: a worker ended with -9")
        assert len(ended.err.splitlines()) == 1, "all others have ended well"
        assert [pid for pid in last if Path(f"/proc/{pid}").exists()] == []


def test_workers_end_with_a_first_process_that_is_killed(serve, postgres_cluster):
    with postgres_cluster.database() as url:
        server = serve("--database", url, "--workers", "2", "--log", "off")
        workers = server.workers
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: not any(Path(f"/proc/{pid}/fd").exists() for pid in workers), 120)


def test_why_a_worker_cannot_be_started_again_is_said_and_it_is_tried_until_it_can(serve, postgres_cluster):
    with postgres_cluster.database() as url:
        server, said = serve("--database", url, "--workers", "2", "--log", "off"), [""]
        run_sql(url, f"UPDATE facts SET value = '{SCHEMA_VERSION + 1}' WHERE name = 'schemaVersion'")
        killed, stays = server.workers
        os.kill(killed, signal.SIGKILL)
        while "newer reinmaker" not in said[-1]:
            said.append(server.next_error())
        run_sql(url, f"UPDATE facts SET value = '{SCHEMA_VERSION}' WHERE name = 'schemaVersion'")
        os.kill(stays, signal.SIGKILL)
        wait_until(lambda: stays not in server.workers, 120)  # so whoever answers was started after that
        http, _, access = client_of(server)
        publish_twenty(http, access)
        http.close()
        ended = server.stop()
        assert ended.code == 0
        assert "(hint: upgrade reinmaker" in said[-1]
        assert "Traceback" not in "".join(said) + ended.err


def test_a_program_that_reads_nothing_is_a_worker_that_could_not_start(monkeypatch):
    """More than a pipe takes: to write it to a process that has ended is a broken pipe."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    seat = Seat(
        ServerConfig(data=Path("x" * 200_000)),
        LocalClient(client_id="c", client_secret="", api_url="http://x", control_token=""),
        (),
        (),
    )
    with supervising._crew(seat, 2) as crew, pytest.raises(RuntimeError, match="could not start: it ended with 1"):
        crew.wait_until_ready()


def test_workers_answer_with_tls_and_the_control_api_on_its_own_port(serve, postgres_cluster):
    with postgres_cluster.database() as url:
        server = serve("--database", url, "--workers", "2", "--log", "off", "--tls", "--control-port", "0")
        context = ssl.create_default_context(cafile=server.ready["caFile"])
        http, control, access = client_of(server, context)
        publish_twenty(http, access)
        assert http.get("/_local/requests", headers=control).status_code == 404
        http.close()
        killed = server.workers
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not {*killed} & {*server.workers}, 120)
        http, control, access = client_of(server, context)  # others, on the same sockets, with the same certificate
        publish_twenty(http, access)
        http.close()
        with httpx.Client(base_url=server.ready["controlUrl"], trust_env=False, timeout=120) as private:
            shown = private.get("/_local/clients", headers=control)
            assert shown.status_code == 200
            assert private.get("/v1/content/manifests", headers=access).status_code == 404
        assert server.stop().code == 0

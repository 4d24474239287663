"""PostgreSQL as servers meet it: restarted under load; and which options go with it."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.e2e.test_processes import wait_until
from tests.postgres import PASSWORD, cluster
from tests.server.live import event, manifest
from tests.server.receiver import OK, receiver

RESTARTS = 20 if os.environ.get("REINMAKER_SOAK") else 3
CALLERS = 4

pytestmark = pytest.mark.timeout(600)


def client_of(server, verify=False):
    """Return an HTTP client, and the `Authorization` of the control API and of the API."""
    client = json.loads((Path(server.ready["data"]) / "client.json").read_text())
    http = httpx.Client(base_url=server.url, trust_env=False, verify=verify, timeout=120)
    answer = http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=(client["clientId"], client["clientSecret"])
    )
    bearers = (client["controlToken"], answer.json()["access_token"])
    return http, *({"Authorization": "Bearer " + bearer} for bearer in bearers)


def test_restarted_under_load_it_loses_nothing_that_was_acknowledged(serve, capsys):
    with cluster() as postgres, postgres.database() as url, receiver(lambda *_: OK) as there:
        server = serve("--database", url, "--webhook", there.url, "--limits", "off", "--log", "off")
        http, control, access = client_of(server)
        taken, statuses, is_over = set(), [], threading.Event()

        def send(caller):
            number = 0
            while not is_over.is_set():
                number += 1
                name = f"m-{caller}-{number}"
                answer = http.post("/v1/content/manifests", json=manifest(name), headers=access)
                batch = http.post("/v1/telemetry/events", json={"events": [event()]}, headers=access)
                for one in (answer, batch):
                    statuses.append((one.status_code, one.headers.get("Retry-After")))
                if answer.status_code in (200, 202):
                    taken.add(name)
                if batch.status_code == 202:
                    taken.add(batch.json()["batchId"])

        with ThreadPoolExecutor(CALLERS) as callers:
            sending = [callers.submit(send, caller) for caller in range(CALLERS)]
            for restart in range(RESTARTS):
                before = len(taken)
                wait_until(lambda before=before: len(taken) >= before + 20, 120)
                postgres.stop("immediate" if restart % 2 else "fast")
                wait_until(lambda: statuses[-1][0] == 503, 120)
                postgres.start()
            before = len(taken)
            wait_until(lambda: len(taken) >= before + 20, 120)
            is_over.set()
            for one in sending:
                one.result()
        batches = {name for name in taken if name.startswith("batch_")}
        told = lambda: {one.document["data"].get("batchId") for one in there.received}  # noqa: E731
        wait_until(lambda: batches <= told(), 120)
        idle = {"idle": "true"}
        wait_until(lambda: http.get("/_local/wait", params=idle, headers=control).json()["met"], 120)
        active = http.get("/v1/content/manifests", headers=access).json()["items"]
        http.close()
        refused = [retry_after for status, retry_after in statuses if status == 503]
        with capsys.disabled():
            print(f"\n{RESTARTS} restarts, {len(taken)} acknowledged, 0 lost, {len(refused)} answers of 503")
        assert {status for status, _ in statuses} <= {200, 202, 503}
        assert None not in refused
        assert taken - batches <= {one["manifestId"] for one in active if one["active"]}


def test_nothing_that_a_server_says_or_shows_has_the_password(serve, postgres_cluster):
    with postgres_cluster.database() as url:
        server = serve("--database", url.replace(url[url.index(":", 13) : url.index("@")], ""), "--workers", "2")
        shown = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in (server.pid, *server.workers))
        http, _, access = client_of(server)
        http.get("/v1/content/manifests", headers=access)
        http.close()
        said = server.stop()
        kept = b"".join(file.read_bytes() for file in Path(server.ready["data"]).iterdir() if file.is_file())
        for text in (shown, kept, said.out.encode(), said.err.encode(), json.dumps(server.ready).encode()):
            assert PASSWORD.encode() not in text


@pytest.fixture(autouse=True)
def password_in_a_variable(reinmaker):
    """As users have it who do not write it into a URL that `ps` shows."""
    reinmaker.environment["PGPASSWORD"] = PASSWORD


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--workers", "2"), "usage", "--workers without --database"),
        (("--database", "postgresql://h/n", "--ephemeral"), "usage", "--ephemeral keeps nothing"),
        (("--database", "postgresql://h/n", "--workers", "2", "--clock", "virtual"), "clock-not-shared", "one process"),
        (("--database", "sqlite:///file"), "usage", "not PostgreSQL"),
        (("--database", "postgresql://u@127.0.0.1:1/n"), "database-failed", "cannot use the database"),
        (
            ("--database", "postgresql://u@127.0.0.1:1/n", "--workers", "2"),
            "database-failed",
            "cannot use the database",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_what_does_not_go_together_is_an_error_with_a_hint(reinmaker, options, code, says):
    reinmaker.environment.pop("REINMAKER_DATA")
    ended = reinmaker("serve", "--port", "0", "--json", *options)
    assert ended.code == 2, ended.err
    error = ended.document["error"]
    assert (error["code"], says in error["message"], bool(error["hint"])) == (code, True, True)


@pytest.mark.parametrize("reason", ["No module named 'psycopg'", "no pq wrapper available"])
def test_a_driver_that_cannot_be_loaded_names_the_extra_that_brings_it(reinmaker, tmp_path, reason):
    (tmp_path / "psycopg.py").write_text(f"raise ImportError({reason!r})\n")
    database = ("--database", f"postgresql://u:{PASSWORD}@127.0.0.1:1/n")
    for options in (database, (*database, "--workers", "2")):
        ended = reinmaker("serve", "--port", "0", *options, PYTHONPATH=str(tmp_path))
        assert ended.code == 2, ended.err
        assert f"psycopg cannot be used, which PostgreSQL needs ({reason})" in ended.err
        assert "pip install 'reinmaker[postgres]'" in ended.err
        assert "Traceback" not in ended.err and PASSWORD not in ended.err

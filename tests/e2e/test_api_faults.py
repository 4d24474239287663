"""Every fault of the local server, as the commands meet it: the documented exit code, nothing lost, nothing doubled.

The commands run in this process beside a server in a thread; a real process adds nothing to what is seen here.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from reinmaker_cli.contract.faults import KINDS, FaultKind
from reinmaker_cli.server.running import ServerConfig, Started, running_server
from tests.cli.command import Command
from tests.cli.conftest import home, work  # noqa: F401  (fixtures)
from tests.lessons import lesson

POSTS = {"match": {"operation": "submitManifest"}}
LOOKS = {"match": {"operation": "getManifest"}}
TOKENS = {"match": {"path": "/oauth/token"}}
EVENTS = {"match": {"operation": "sendEvents"}}
ALWAYS = {"times": None}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    config = ServerConfig(port=0, data=tmp_path_factory.mktemp("data"), log="off", network=False)
    with running_server(config) as started:
        yield started


@pytest.fixture
def reinmaker(
    work: Path,  # noqa: F811
    server: Started,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """The command line, with that server as environment `local`."""
    monkeypatch.setenv("REINMAKER_DATA", str(server.data))
    return Command(capfdbinary)


@pytest.fixture
def control(server: Started) -> Iterator[httpx.Client]:
    """The control API; no fault is left after the test."""
    authorization = {"Authorization": "Bearer " + server.client.control_token}
    with httpx.Client(base_url=server.url + "/_local", headers=authorization, trust_env=False, verify=False) as client:
        yield client
        client.delete("/faults")
        client.post("/clock", json={"advanceSeconds": 60})  # the windows of the limits are empty again


@pytest.fixture
def folder(reinmaker: Command, work: Path, request: pytest.FixtureRequest) -> Path:  # noqa: F811
    """A lesson of one manifest, with an id of its own."""
    number = abs(hash(request.node.nodeid)) % 10**12
    folder = lesson(work / f"lesson-{number}", ages=["2-5"], languages=["en"])
    assert reinmaker("init", folder).code == 0
    return folder


def submissions(server: Started, folder: Path) -> int:
    """Return how many submissions the store has of the manifests of a folder."""
    with closing(sqlite3.connect(server.data / "reinmaker.sqlite3")) as database:
        like = f"%{folder.name}%"
        (count,) = database.execute("select count(*) from submissions where manifest_id like ?", (like,)).fetchone()
    return int(count)


def hits(control: httpx.Client) -> int:
    return sum(fault["hits"] for fault in control.get("/faults").json()["items"])


def break_down(control: httpx.Client, kind: str, **how: Any) -> None:
    made = control.post("/faults", json={"kind": kind, **how})
    assert made.status_code == 201, made.text


@dataclass(frozen=True)
class Case:
    """A fault, and what `publish` makes of it."""

    kind: FaultKind
    how: dict[str, Any]
    exit_code: int
    submissions: int
    """In the store, after this run; the run after it, without the fault, leaves exactly one."""
    hits: int | None = 1
    """None: one or more, as time allows."""
    code: str | None = None
    reconciled: bool = False
    timeout: str = "20"

    def __str__(self) -> str:
        return f"{self.kind}-{'-'.join(f'{name}={value}' for name, value in self.how.items())}"


K = FaultKind
CASES = [
    Case(K.LATENCY, POSTS | {"delaySeconds": 0.2}, 0, 1),
    Case(K.LATENCY, LOOKS | ALWAYS | {"delaySeconds": 30}, 7, 0, None, "server-unreachable", timeout="0.5"),
    Case(K.LIMITED, POSTS, 0, 1),
    Case(K.LIMITED, LOOKS, 0, 1),
    Case(K.LIMITED, TOKENS, 0, 1),
    Case(K.LIMITED, POSTS | ALWAYS | {"retryAfterSeconds": 3600}, 7, 0, 1, "limited"),
    Case(K.FAILURE, POSTS, 0, 1),
    Case(K.FAILURE, POSTS | {"status": 503, "retryAfterSeconds": 0}, 0, 1),
    Case(K.FAILURE, LOOKS | {"status": 502}, 0, 1),
    Case(K.FAILURE, TOKENS | {"status": 504}, 0, 1),
    Case(K.FAILURE, POSTS | ALWAYS, 7, 0, None, "server-failed", timeout="0.6"),
    Case(K.FAILURE, POSTS | ALWAYS | {"status": 503, "retryAfterSeconds": 3600}, 7, 0, 1, "server-busy"),
    Case(K.RESET, POSTS, 0, 1),
    Case(K.RESET, LOOKS, 0, 1),
    Case(K.RESET, TOKENS, 0, 1),
    Case(K.RESET, POSTS | ALWAYS, 7, 0, None, "server-unreachable", timeout="0.6"),
    Case(K.EMPTY, POSTS, 0, 1),
    Case(K.EMPTY, LOOKS, 0, 1),
    Case(K.EMPTY, TOKENS, 0, 1),
    Case(K.EMPTY, POSTS | ALWAYS, 7, 0, None, "server-unreachable", timeout="0.6"),
    Case(K.CUT, POSTS, 0, 1, reconciled=True),
    Case(K.CUT, LOOKS, 0, 1),
    Case(K.CUT, TOKENS, 0, 1),
    Case(K.DRIP, POSTS | {"delaySeconds": 0}, 0, 1),
    Case(K.DRIP, POSTS | {"delaySeconds": 0.05}, 7, 1, 1, "server-unreachable", timeout="0.5"),
    Case(K.LOST_ANSWER, POSTS, 0, 1, reconciled=True),
    Case(K.LOST_ANSWER, POSTS | ALWAYS, 0, 1, reconciled=True),
    Case(K.LOST_ANSWER, LOOKS, 0, 1),
    Case(K.LOST_ANSWER, TOKENS, 0, 1),
    Case(K.NO_LISTING, ALWAYS, 0, 1, 0),  # asked for above 50 manifests only, see below
    Case(K.EXPIRED_TOKEN, POSTS, 0, 1),
    Case(K.EXPIRED_TOKEN, LOOKS, 0, 1),
    Case(K.EXPIRED_TOKEN, ALWAYS, 4, 0, 2, "token-invalid"),
    Case(K.MISSING_KEY, ALWAYS, 0, 1, 0),  # for whoever checks tokens: publish does not
    Case(K.CLOCK_SKEW, ALWAYS | {"skewSeconds": 3600}, 0, 1, None),
    Case(K.CLOCK_SKEW, TOKENS | {"skewSeconds": -3600}, 0, 1),
    Case(K.CLOCK_SKEW, TOKENS | ALWAYS | {"skewSeconds": -3600}, 4, 0, 2, "token-invalid"),
    *(Case(kind, ALWAYS, 0, 1, 0) for kind in FaultKind if KINDS[kind].of_deliveries),  # see below
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_publish_ends_as_documented_and_submits_once(
    reinmaker: Command, control: httpx.Client, server: Started, folder: Path, case: Case
) -> None:
    break_down(control, case.kind, **case.how)
    document = reinmaker("publish", folder, "--timeout", case.timeout, "--json").document
    assert document["exitCode"] == case.exit_code, document
    assert (document["error"] or {}).get("code") == case.code
    assert submissions(server, folder) == case.submissions
    assert hits(control) == case.hits if case.hits is not None else hits(control) >= 1
    [row] = document["results"]
    assert (row["outcome"] == "active") is (case.exit_code == 0)
    assert row["reconciled"] is case.reconciled

    control.delete("/faults")
    again = reinmaker("publish", folder, "--json").document
    assert (again["exitCode"], submissions(server, folder)) == (0, 1)


def test_every_kind_of_fault_is_tried() -> None:
    assert {case.kind for case in CASES} == set(FaultKind)

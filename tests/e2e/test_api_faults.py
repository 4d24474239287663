"""Every fault of the local server, as the commands meet it: the documented exit code, nothing lost, nothing doubled.

The commands run in this process beside a server in a thread; a real process adds nothing to what is seen here.
"""

from __future__ import annotations

import json
import re
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
from tests.cli import conftest as in_process
from tests.cli.command import Command
from tests.cli.folders import wav
from tests.lessons import lesson
from tests.server.receiver import receiver

home, work = in_process.home, in_process.work  # fixtures

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
    work: Path,
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
    with httpx.Client(
        base_url=server.url + "/_local", headers=authorization, trust_env=False, verify=False, timeout=120
    ) as client:
        yield client
        client.delete("/faults")
        client.post("/clock", json={"advanceSeconds": 60})  # the windows of the limits are empty again


@pytest.fixture
def folder(reinmaker: Command, work: Path, request: pytest.FixtureRequest) -> Path:
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


def in_time(reinmaker: Command, control: httpx.Client, timeout_s: float | None, *words: str | Path) -> dict[str, Any]:
    """Return the document of a command whose time was enough to meet the fault; a busy machine may want more of it."""
    timeout = () if timeout_s is None else ("--timeout", f"{timeout_s:g}")
    document: dict[str, Any] = reinmaker(*words, *timeout, "--json").document
    if timeout_s is not None and timeout_s < 100 and not hits(control):
        return in_time(reinmaker, control, timeout_s * 10, *words)
    return document


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
    timeout: float = 120
    """Seconds; where they were over before the fault could strike, ten times as many."""

    def __str__(self) -> str:
        return f"{self.kind}-{'-'.join(f'{name}={value}' for name, value in self.how.items())}"


K = FaultKind
CASES = [
    Case(K.LATENCY, POSTS | {"delaySeconds": 0.2}, 0, 1),
    Case(K.LATENCY, LOOKS | ALWAYS | {"delaySeconds": 30}, 7, 0, None, "server-unreachable", timeout=0.5),
    Case(K.LIMITED, POSTS, 0, 1),
    Case(K.LIMITED, LOOKS, 0, 1),
    Case(K.LIMITED, TOKENS, 0, 1),
    Case(K.LIMITED, POSTS | ALWAYS | {"retryAfterSeconds": 3600}, 7, 0, 1, "limited"),
    Case(K.FAILURE, POSTS, 0, 1),
    Case(K.FAILURE, POSTS | {"status": 503, "retryAfterSeconds": 0}, 0, 1),
    Case(K.FAILURE, LOOKS | {"status": 502}, 0, 1),
    Case(K.FAILURE, TOKENS | {"status": 504}, 0, 1),
    Case(K.FAILURE, POSTS | ALWAYS, 7, 0, None, "server-failed", timeout=0.6),
    Case(K.FAILURE, POSTS | ALWAYS | {"status": 503, "retryAfterSeconds": 3600}, 7, 0, 1, "server-busy"),
    Case(K.RESET, POSTS, 0, 1),
    Case(K.RESET, LOOKS, 0, 1),
    Case(K.RESET, TOKENS, 0, 1),
    Case(K.RESET, POSTS | ALWAYS, 7, 0, None, "server-unreachable", timeout=0.6),
    Case(K.EMPTY, POSTS, 0, 1),
    Case(K.EMPTY, LOOKS, 0, 1),
    Case(K.EMPTY, TOKENS, 0, 1),
    Case(K.EMPTY, POSTS | ALWAYS, 7, 0, None, "server-unreachable", timeout=0.6),
    Case(K.CUT, POSTS, 0, 1, reconciled=True),
    Case(K.CUT, LOOKS, 0, 1),
    Case(K.CUT, TOKENS, 0, 1),
    Case(K.DRIP, POSTS | {"delaySeconds": 0}, 0, 1),
    Case(K.DRIP, POSTS | {"delaySeconds": 0.05}, 7, 1, 1, "server-unreachable", timeout=0.5),
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
    document = in_time(reinmaker, control, case.timeout, "publish", folder)
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


def test_the_documentation_says_what_every_kind_does_and_how_publish_ends() -> None:
    page = (Path(__file__).parents[2] / "docs" / "local-server.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| ([^|]*) \| [^|]* \| [^|]* \| ([0-9, ]+) \|$", page, flags=re.MULTILINE)
    tried = {kind: {case.exit_code for case in CASES if case.kind is kind} for kind in FaultKind}
    assert {kind: {int(one) for one in exits.split(", ")} for kind, _, exits in rows} == tried
    assert {kind: meaning for kind, meaning, _ in rows} == {kind: facts.meaning for kind, facts in KINDS.items()}


def test_a_token_told_expired_costs_exactly_one_more_token(
    reinmaker: Command, control: httpx.Client, folder: Path
) -> None:
    break_down(control, K.LATENCY, **TOKENS, **ALWAYS, delaySeconds=0)  # counts
    break_down(control, K.EXPIRED_TOKEN, **POSTS)
    assert reinmaker("publish", folder).code == 0
    assert [fault["hits"] for fault in control.get("/faults").json()["items"]] == [2, 1]


MANY = """
[manifest]
id = "FOLDER-{name}"
product = "reinmaker"
url = "s3://bucket/FOLDER/{stem}.{sha256:8}{ext}"

[source]
phaseDNAId = "tiny"
locale = "en-US"
agePersona = "2-5"

[[rule]]
match = "{name}.wav"
type = "audio"
"""


@pytest.mark.parametrize("status", [404, 405])
def test_without_a_listing_many_are_asked_for_one_by_one(
    reinmaker: Command,
    control: httpx.Client,
    server: Started,
    work: Path,
    status: int,
) -> None:
    folder = work / f"many-{status}"
    folder.mkdir()
    (folder / "reinmaker.toml").write_text(MANY.replace("FOLDER", folder.name))
    for number in range(51):
        (folder / f"n{number}.wav").write_bytes(wav(level=number))
    break_down(control, K.NO_LISTING, status=status, **ALWAYS)
    document = reinmaker("publish", folder, "--json").document
    assert document["exitCode"] == 0, document["error"]
    assert submissions(server, folder) == 51
    assert hits(control) == 1
    listed = reinmaker("list", "--json").document
    assert (listed["exitCode"], listed["error"]["code"]) == (7, "answer-unusable")


def test_through_many_faults_every_manifest_arrives_once(
    reinmaker: Command,
    control: httpx.Client,
    server: Started,
    work: Path,
) -> None:
    folder = lesson(work / "through-the-storm", ages=["2-5", "6-12", "13-17", "18-35"], languages=["en", "fr"])
    assert reinmaker("init", folder).code == 0
    # With these seeds no two POSTs in a row are struck: each pause before another try is the shortest.
    for seed, kind in enumerate((K.RESET, K.LOST_ANSWER, K.CUT, K.EMPTY, K.FAILURE), 2000):
        break_down(control, kind, **POSTS, probability=0.3, seed=seed)
    break_down(control, K.RESET, **LOOKS, times=2)  # a third one in a row would end it: nothing was sent yet
    document = reinmaker("publish", folder, "--json").document
    assert document["exitCode"] == 0, document["error"]
    assert hits(control) == 7
    assert submissions(server, folder) == 8


@pytest.mark.parametrize(
    "command", [("list",), ("status", "water-cycle-none"), ("health",)], ids=lambda words: words[0]
)
@pytest.mark.parametrize("kind", [K.FAILURE, K.RESET, K.EMPTY, K.CUT, K.LOST_ANSWER])
def test_what_only_asks_ends_with_7_while_no_answer_comes(
    reinmaker: Command, control: httpx.Client, kind: FaultKind, command: tuple[str, ...]
) -> None:
    break_down(control, kind, match={"path": "/v1/*"}, **ALWAYS)
    document = in_time(reinmaker, control, None if command == ("health",) else 0.6, *command)
    assert (document["exitCode"], document["error"]["code"]) == (
        7,
        "server-failed" if kind is K.FAILURE else "server-unreachable",
    )
    assert document["error"]["retryable"] is True


@pytest.mark.parametrize("kind", [K.LIMITED, K.FAILURE, K.RESET, K.EMPTY, K.CUT, K.LOST_ANSWER, K.EXPIRED_TOKEN])
def test_what_only_asks_goes_on_after_one_failure(reinmaker: Command, control: httpx.Client, kind: FaultKind) -> None:
    break_down(control, kind, match={"operation": "listManifests"})
    assert reinmaker("list").code == 0
    assert hits(control) == 1


def stored_events(server: Started, prefix: str) -> tuple[int, int]:
    """Return how many events there are, and how many different ones."""
    with closing(sqlite3.connect(server.data / "reinmaker.sqlite3")) as database:
        counts = "select count(*), count(distinct event_id) from telemetry_events where event_id like ?"
        one, other = database.execute(counts, (prefix + "%",)).fetchone()
    return int(one), int(other)


@pytest.mark.parametrize(
    ("kind", "how", "exit_code"),
    [
        (K.LATENCY, {"delaySeconds": 0.1}, 0),
        (K.LIMITED, {}, 0),
        (K.LIMITED, {"retryAfterSeconds": 3600}, 7),
        (K.FAILURE, {}, 0),
        (K.FAILURE, {"status": 503, "retryAfterSeconds": 0}, 0),
        (K.FAILURE, ALWAYS, 7),
        (K.RESET, {}, 0),
        (K.RESET, ALWAYS, 7),
        (K.EMPTY, {}, 0),
        (K.CUT, {}, 0),
        (K.CUT, ALWAYS, 7),
        (K.DRIP, {"delaySeconds": 0}, 0),
        (K.LOST_ANSWER, {}, 0),
        (K.LOST_ANSWER, ALWAYS, 7),
        (K.EXPIRED_TOKEN, {}, 0),
        (K.EXPIRED_TOKEN, ALWAYS, 4),
    ],
)
def test_events_are_stored_once_whatever_happens_to_the_answers(
    reinmaker: Command,
    control: httpx.Client,
    server: Started,
    work: Path,
    kind: FaultKind,
    how: dict[str, Any],
    exit_code: int,
) -> None:
    prefix = f"{kind}-{len(how)}-{exit_code}-"
    event = {"type": "phase.completed", "occurredAt": "2026-11-23T07:00:00Z"}
    lines = [json.dumps({"eventId": f"{prefix}{number:08}", **event}) for number in range(700)]
    (work / "events.jsonl").write_text("\n".join(lines))
    break_down(control, kind, **EVENTS, **how)
    timeout = 0.6 if how == ALWAYS else 120
    document = in_time(reinmaker, control, timeout, "telemetry", "send", "events.jsonl")
    assert document["exitCode"] == exit_code, document["error"]
    assert hits(control) >= 1

    control.delete("/faults")
    assert reinmaker("telemetry", "send", "events.jsonl").code == 0
    assert stored_events(server, prefix) == (700, 700)


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if KINDS[kind].of_deliveries])
def test_deliveries_that_fail_do_not_touch_the_sender_and_are_tried_again(
    reinmaker: Command,
    control: httpx.Client,
    work: Path,
    kind: FaultKind,
) -> None:
    event = {"eventId": f"{kind}-event-1", "type": "phase.completed", "occurredAt": "2026-11-23T07:00:00Z"}
    (work / "events.jsonl").write_text(json.dumps(event))
    with receiver() as there:
        added = control.post("/webhooks/endpoints", json={"url": f"{there.url}/{kind}"}).json()
        words = ("local", "fault", "add", kind, "--url", f"{there.url}/*", "--type", "reinmaker.telemetry.flushed")
        assert reinmaker(*words).code == 0
        assert reinmaker("telemetry", "send", "events.jsonl").code == 0
        assert reinmaker("local", "clock", "advance", "1m").code == 0  # the second attempt is due
        [got] = there.wait_for(1)
        [delivery] = control.get("/webhooks/deliveries", params={"endpointId": added["endpointId"]}).json()["items"]
        assert got.attempt == 2
        assert [(one["outcome"], one["status"]) for one in delivery["attempts"]] == [(kind, None), ("delivered", 200)]
        control.delete(f"/webhooks/endpoints/{added['endpointId']}")

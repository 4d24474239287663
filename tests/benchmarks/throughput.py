"""Our server on one worker beside Prism's mock of the same document: requests a second, start, memory.

Batches of events are also held against a bare `sqlite3.executemany` of the same rows and indexes, with a million events
stored in both.
"""

from __future__ import annotations

import json
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from reinmaker_cli.contract.names import HEALTH_PATH, MANIFESTS_PATH, MAX_EVENTS
from reinmaker_cli.server.routes.documents import openapi_json
from reinmaker_cli.server.store import open_store
from tests.benchmarks.load import ON_ONE_PROCESSOR, Load, event, loads, manifest_template, missing_tool, run_load

HEAD = (
    "| what | ours | other | its figure | ratio min / median / max | aim |",
    "| --- | --- | --- | --- | --- | --- |",
)
STORED_EVENTS = 1_000_000
ROUNDS = 3
SECONDS = 3
"""Of each load in each round; ours and the other's in turn."""
STARTS = 5
PRISM = Path(__file__).parents[1] / "proof" / "node" / "node_modules" / ".bin" / "prism"
START_WITHIN_S = 60.0


@dataclass(frozen=True)
class Throughput:
    """One line of the table: ours, another's, and what the ratio is to be."""

    name: str
    ours: float
    other_name: str
    other: float
    unit: str
    ratio: tuple[float, float, float]
    """min, median, max of ours / other, round by round."""
    aim: float | None
    at_least: bool
    """Whether more is better."""

    @property
    def meets_aim(self) -> bool:
        """Whether the median does; so does what has no aim."""
        median = self.ratio[1]
        return self.aim is None or (median >= self.aim if self.at_least else median <= self.aim)

    def cells(self) -> str:
        """Return the line of the table."""
        digits = 1 if self.ours < 100 else 0
        ratios = " / ".join(f"{ratio:.2f}" for ratio in self.ratio)
        aim = "" if self.aim is None else f"{'≥' if self.at_least else '≤'} {self.aim:.2f}"
        ours, other = f"{self.ours:,.{digits}f}{self.unit}", f"{self.other:,.{digits}f}{self.unit}"
        return f"| {self.name} | {ours} | {self.other_name} | {other} | {ratios} | {aim} |"


def why_not() -> str | None:
    """Return why this cannot be measured here, or None."""
    if not PRISM.exists():
        return "Prism is not installed (`npm ci` in tests/proof/node)"
    return missing_tool()


def measure(folder: Path, environment: Mapping[str, str], manifest: Path) -> list[Throughput]:
    """Run all of it, ours and the other in turn; `manifest` is a file of 100,000 assets."""
    data = folder / "throughput"
    fill(data, STORED_EVENTS)
    document = folder / "openapi.json"
    known = json.loads(openapi_json())
    del known["components"]["schemas"]["Manifest"]["$id"]  # Prism would look for what refers to it on the network
    document.write_text(json.dumps(known))
    rows = [_starts(folder, document, environment)]
    with _ours(data, environment) as (ours, our_pid), _prism(document, environment) as (prism, prism_pid):
        rows.append(_memory(our_pid, prism_pid))
        with closing(_bare(folder / "bare.sqlite3", data)) as bare:
            sender = _Sender(folder, environment, _token(ours, data))
            rows += _rates(sender, ours, prism, bare)
        rows.append(_verdict(ours, sender.token, manifest))
    return rows


class _Sender:
    """Sends loads, each with numbers that no other had."""

    def __init__(self, folder: Path, environment: Mapping[str, str], token: str) -> None:
        self._folder, self._environment, self.token = folder, environment, token
        self._numbers = iter(range(1, 10_000))

    def number(self) -> int:
        return next(self._numbers)

    def rate(self, load: Load, url: str) -> float:
        start = self.number() * 1_000_000
        found = run_load(
            load,
            url,
            self._folder,
            token=self.token,
            start=start,
            seconds=SECONDS,
            environment=self._environment,
        )
        if found.refused:
            print(f"{load.name}: {found.refused} requests refused by {url}", file=sys.stderr)
        return found.per_second


def _rates(sender: _Sender, ours: str, prism: str, bare: sqlite3.Connection) -> Iterator[Throughput]:
    _seed(ours, sender.token)
    for load in loads():
        pairs = _in_turn(lambda load=load: sender.rate(load, ours), lambda load=load: sender.rate(load, prism))
        yield row_of(load.name, "Prism, stores nothing", pairs, "/s", load.aim, at_least=True)
    batches = loads()[-1]
    pairs = _in_turn(lambda: sender.rate(batches, ours), lambda: _bare_rate(bare, sender.number()))
    name = f"{batches.name}, {STORED_EVENTS:,} stored"
    yield row_of(name, "bare sqlite3 executemany", pairs, "/s", 0.5, at_least=True)


def _in_turn(ours: Callable[[], float], other: Callable[[], float]) -> list[tuple[float, float]]:
    ours(), other()  # both are warm from here on
    return [(ours(), other()) for _ in range(ROUNDS)]


def _verdict(url: str, token: str, manifest: Path) -> Throughput:
    """Measure from the first byte of a manifest of 100,000 assets to its verdict, beside reading its JSON."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Prefer": "wait=30"}
    pairs = []
    with httpx.Client(base_url=url, trust_env=False, verify=False, timeout=120) as client:
        for number in range(ROUNDS):
            body = manifest.read_bytes().replace(b'"manifestId": "bench"', b'"manifestId": "verdict-%d"' % number)
            began = time.perf_counter()
            answer = client.post(MANIFESTS_PATH, content=body, headers=headers).raise_for_status().json()
            while answer["status"] not in ("active", "rejected"):
                answer = client.get(f"{MANIFESTS_PATH}/verdict-{number}", headers=headers).raise_for_status().json()
            ended = time.perf_counter()
            json.loads(body)
            pairs.append((1000 * (ended - began), 1000 * (time.perf_counter() - ended)))
    return row_of("verdict on 100,000 assets", "python json.loads of it", pairs, " ms", None, at_least=False)


def row_of(
    name: str, other_name: str, pairs: list[tuple[float, float]], unit: str, aim: float | None, *, at_least: bool
) -> Throughput:
    """Return the line of pairs (ours, other)."""
    ratios = [a / b for a, b in pairs]
    return Throughput(
        name,
        statistics.median(a for a, _ in pairs),
        other_name,
        statistics.median(b for _, b in pairs),
        unit,
        (min(ratios), statistics.median(ratios), max(ratios)),
        aim,
        at_least,
    )


# --- start and memory ------------------------------------------------------------------------------------------------


def _starts(folder: Path, document: Path, environment: Mapping[str, str]) -> Throughput:
    """Measure from the start of the process to the first answer, with an empty data folder that was used before."""

    def seconds(server: Callable[[], object]) -> float:
        began = time.perf_counter()
        with server():  # type: ignore[attr-defined]
            return time.perf_counter() - began

    data = folder / "start"
    pairs = [
        (1000 * seconds(lambda: _ours(data, environment)), 1000 * seconds(lambda: _prism(document, environment)))
        for _ in range(STARTS + 1)
    ][1:]
    return row_of("start to first answer", "Prism", pairs, " ms", 0.5, at_least=False)


def _memory(our_pid: int, prism_pid: int) -> Throughput:
    """Read what both hold when idle; the aim of 80 MiB is a figure of its own, the ratio is said beside it."""
    pair = (_resident_mib(our_pid), _resident_mib(prism_pid))
    return row_of("memory when idle (aim: 80 MiB)", "Prism", [pair], " MiB", 80 / pair[1], at_least=False)


def _resident_mib(process_id: int) -> float:
    status = Path(f"/proc/{process_id}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


# --- servers ---------------------------------------------------------------------------------------------------------


@contextmanager
def _ours(data: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "reinmaker_cli", "serve", "--data", str(data)]
    with _started([*command, "--limits", "off", "--log", "off", "--port"], environment) as found:
        yield found


@contextmanager
def _prism(document: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    with _started(
        [str(PRISM), "mock", str(document), "--host", "127.0.0.1", "-v", "silent", "--port"], environment
    ) as found:
        yield found


@contextmanager
def _started(command: list[str], environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Start a server on a free port, the last word of its command, and yield when it has answered once."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*ON_ONE_PROCESSOR, *command, str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for_answer(url, process)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(30)


def _wait_for_answer(url: str, process: subprocess.Popen[bytes]) -> None:
    ends_at = time.monotonic() + START_WITHIN_S
    with httpx.Client(trust_env=False, verify=False, timeout=30) as client:
        while time.monotonic() < ends_at and process.poll() is None:
            try:
                client.get(url + HEALTH_PATH).raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.01)
    raise RuntimeError(f"no answer from {url}")


def _token(url: str, data: Path) -> str:
    known = json.loads((data / "client.json").read_bytes())
    with httpx.Client(base_url=url, trust_env=False, verify=False) as client:
        answer = client.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, auth=(known["clientId"], known["clientSecret"])
        )
    return str(answer.raise_for_status().json()["access_token"])


def _seed(url: str, token: str) -> None:
    """Submit the manifest that is asked for."""
    body = json.loads(manifest_template(20).replace("bench-@", "bench"))
    headers = {"Authorization": f"Bearer {token}", "Prefer": "wait=30"}
    with httpx.Client(base_url=url, trust_env=False, verify=False, timeout=40) as client:
        client.post(MANIFESTS_PATH, json=body, headers=headers).raise_for_status()


# --- a bare database -------------------------------------------------------------------------------------------------

_INSERT = (
    "INSERT OR IGNORE INTO telemetry_events (client_id, event_id, type, occurred_at, user_id, session_id, properties,"
    " batch_no, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def fill(data: Path, events: int) -> None:
    """Make a data folder whose database holds so many events."""
    data.mkdir(parents=True)
    open_store(data).close()
    with closing(_connect(data / "reinmaker.sqlite3")) as database:
        database.execute("BEGIN IMMEDIATE")
        database.executemany(_INSERT, (_values(f"stored-{number}") for number in range(events)))
        database.execute("COMMIT")


def _bare(file: Path, data: Path) -> sqlite3.Connection:
    """Return a database of the same tables, indexes and events, and nothing else before it."""
    with closing(_connect(data / "reinmaker.sqlite3")) as source, closing(sqlite3.connect(file)) as target:
        source.backup(target)
    return _connect(file)


def _bare_rate(database: sqlite3.Connection, number: int) -> float:
    """Insert batches as large and as durable as the server's for so long; batches a second."""
    began, batches = time.perf_counter(), 0
    while (took := time.perf_counter() - began) < SECONDS:
        database.execute("BEGIN IMMEDIATE")
        database.executemany(_INSERT, [_values(f"{number}-{batches}-{place}") for place in range(MAX_EVENTS)])
        database.execute("COMMIT")
        batches += 1
    return batches / took


def _values(event_id: str) -> tuple[object, ...]:
    one = event(event_id)
    properties = json.dumps(one["properties"], separators=(",", ":"))
    return (
        *("client", one["eventId"], one["type"], one["occurredAt"], one["userId"], one["sessionId"], properties),
        *(1, time.time()),
    )


def _connect(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, isolation_level=None)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
    return database

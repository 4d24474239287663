"""What a server for many takes: memory of a process, connections to PostgreSQL, bytes on the disk for events."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.benchmarks.bench import REINMAKER, Bench
from tests.postgres import cluster, programs
from tests.server.live import event, run_sql

TITLE = "Sizes"
WORKERS, CALLERS, REQUESTS = 4, 32, 640
EVENTS = 100_000
"""Counted ten times: rows of one table are as large as each other."""


def measure(bench: Bench) -> None:
    """Print counts and sizes: no figure depends on how busy the machine is."""
    bench.say("| what | SQLite | PostgreSQL |", "| --- | --- | --- |")
    kinds = [_sizes(bench, bench.folder / "sizes-sqlite", None)]
    if programs() is not None:
        with cluster() as postgres, postgres.database() as url:
            kinds.append(_sizes(bench, bench.folder / "sizes-postgres", url))
    for what in kinds[0] | kinds[-1]:
        bench.say(f"| {what} | " + " | ".join(kind.get(what, "–") for kind in kinds) + " |")
    bench.say("")


def _sizes(bench: Bench, data: Path, url: str | None) -> dict[str, str]:
    sizes = {}
    with _server(bench, data, url) as (ready, processes):
        sizes["memory of a process without work, MiB"] = _mib(processes[:1])
        before = _bytes_on_disk(data, url)
        _send_events(bench, data)
        after = _bytes_on_disk(data, url)
        sizes["memory of a process after 100,000 events, MiB"] = _mib(processes[:1])
        sizes["disk for 1,000,000 events, MiB"] = f"{(after - before) * (1_000_000 / EVENTS) / 2**20:.0f}"
    if url is not None:
        with _server(bench, data, url, "--workers", str(WORKERS)) as (ready, processes):
            sizes["memory of each of four workers without work, MiB"] = _mib(processes[1:])
            sizes["connections of a process without work, at most"] = _connections(url)
            with ThreadPoolExecutor(CALLERS) as callers:
                list(callers.map(lambda _: httpx.get(ready["url"] + "/v1/health", trust_env=False), range(REQUESTS)))
            sizes["connections of a process under load, at most"] = _connections(url)
    return sizes


@contextmanager
def _server(bench: Bench, data: Path, url: str | None, *more: str) -> Iterator[tuple[dict[str, Any], list[int]]]:
    """Yield what a server said when it was ready, and its processes: the first one, and its workers."""
    options = ["--port", "0", "--json", "--data", str(data), "--limits", "off", "--log", "off", *more]
    options += [] if url is None else ["--database", url]
    with ExitStack() as stack:
        words = [REINMAKER, "serve", *options]
        process = stack.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, env=bench.environment))
        stack.callback(process.terminate)
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield ready, [process.pid, *map(int, children)]


def _send_events(bench: Bench, data: Path) -> None:
    file = bench.folder / "sizes.jsonl"
    with file.open("w") as lines:
        for _ in range(EVENTS):
            line = event(str(uuid.uuid4()), userId="usr_" + "a" * 32, properties={"phase": "welcome", "durationMs": 1})
            lines.write(json.dumps(line) + "\n")
    subprocess.run(
        [REINMAKER, "telemetry", "send", str(file), "--data", str(data), "--quiet"], check=True, env=bench.environment
    )


def _mib(pids: list[int]) -> str:
    """Return the memory of the largest of the processes, what it shares with others included."""
    found = [Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0] for pid in pids]
    return f"{max(map(int, found)) / 1024:.0f}"


def _bytes_on_disk(data: Path, url: str | None) -> int:
    if url is None:
        return sum(file.stat().st_size for file in data.glob("*.sqlite3"))
    return int(run_sql(url, "SELECT pg_total_relation_size('telemetry_events') AS size")[0]["size"])


def _connections(url: str) -> str:
    mine = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return str(-(-run_sql(url, mine)[0]["count"] // WORKERS))

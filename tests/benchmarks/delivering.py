"""Webhooks a second to a receiver on this machine, beside a bare `httpx.AsyncClient` that sends the same to the same;
how long one waits for a receiver that is fast, alone and beside one that is slow; and how long eight hours take.

Ours are in the outbox before the server starts; each is claimed, signed, sent to a checked address and written down.
The client keeps its connections too and has as many requests in flight; it keeps no record of anything.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from reinmaker_cli.server.retries import CONTRACT_SCHEDULE
from reinmaker_cli.server.store import DATABASE_NAME, open_store
from reinmaker_cli.server.store.deliveries import IN_FLIGHT_PER_ENDPOINT
from reinmaker_cli.server.store.delivery_log import Wanted
from tests.benchmarks.bench import Bench
from tests.benchmarks.receiving import SLOW_S
from tests.benchmarks.throughput import HEAD, ROUNDS, row_of

NAME = "webhooks delivered and recorded, durable"
OTHER_NAME = f"httpx.AsyncClient, {IN_FLIGHT_PER_ENDPOINT} in flight"
TITLE = "Delivering"
DELIVERIES = 3000
EVENTS = 1000
"""For each of two receivers, caused one after the other."""
EVENTS_PER_S = 100
"""A rate that both take: what is measured is one wait for the other, and not how long a queue grows."""
ATTEMPTS = 1 + len(CONTRACT_SCHEDULE.delays_s)
WITHIN_S = 120.0

_CLIENT = """
import asyncio, sys, httpx
url, number, at_once, body = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4].encode()
async def main():
    left = iter(range(number))
    async def send(client):
        for _ in left:
            (await client.post(url, content=body, headers={"Content-Type": "application/json"})).raise_for_status()
    async with httpx.AsyncClient(trust_env=False) as client:
        await asyncio.gather(*(send(client) for _ in range(at_once)))
asyncio.run(main())
"""


def measure(bench: Bench) -> None:
    """Measure ours and the client's in turn, then a fast receiver beside a slow one and alone."""
    rate = row_of(NAME, OTHER_NAME, pairs(bench.folder, bench.environment, ROUNDS), "/s", 0.5, at_least=True)
    waits = [_waits(bench.folder / f"waits-{number}", bench.environment) for number in range(ROUNDS)]
    name = f"p95 from event to a fast receiver, beside a slow one, {EVENTS:,} events each"
    wait = row_of(name, "the fast one alone", waits, " ms", 2.0, at_least=False)
    hours = [_eight_hours(bench.folder / f"hours-{number}", bench.environment) for number in range(ROUNDS)]
    bench.say(
        f"{DELIVERIES} events wait in the outbox for a receiver on this machine: claimed, signed, sent to a checked",
        "address, and written down durably. The client keeps its connections, and no record. Ratios are ours / other,",
        "an aim says which way.",
        "",
        *HEAD,
        rate.cells(),
        wait.cells(),
        "",
        f"Events are caused {EVENTS_PER_S} a second; the slow receiver answers after {1000 * SLOW_S:.0f} ms. Never",
        f"were more than {IN_FLIGHT_PER_ENDPOINT} on their way to one receiver, counted there.",
        "",
        f"`reinmaker local clock advance 8h`, in which a receiver that always fails gets its {ATTEMPTS} attempts and",
        f"the event becomes a dead letter: {statistics.median(hours):.2f} s, the command's start included (aim: 1 s).",
    )


def pairs(folder: Path, environment: Mapping[str, str], rounds: int) -> list[tuple[float, float]]:
    """Return ours and the client's, a second, round by round after one for warmth."""
    return [_pair(folder / f"deliveries-{number}", environment) for number in range(rounds + 1)][1:]


def _pair(data: Path, environment: Mapping[str, str]) -> tuple[float, float]:
    with _receiver(environment) as url:
        body = _fill(data, url + "/")
        with _server(data, environment):
            rate = _rate(_all(url + "/", DELIVERIES))
    with closing(sqlite3.connect(data / DATABASE_NAME)) as database:
        query = "SELECT count(*) FROM webhook_attempts WHERE outcome = 'delivered'"
        (recorded,) = database.execute(query).fetchone()
    if recorded != DELIVERIES:
        raise RuntimeError(f"{recorded} of {DELIVERIES} deliveries were recorded")
    return rate, _client(environment, body)


def _client(environment: Mapping[str, str], body: str) -> float:
    with _receiver(environment) as url:
        words = [sys.executable, "-c", _CLIENT, url + "/", str(DELIVERIES), str(IN_FLIGHT_PER_ENDPOINT), body]
        with subprocess.Popen(words, env=environment) as client:
            rate = _rate(_all(url + "/", DELIVERIES))
            client.wait(30)
    return rate


def _waits(folder: Path, environment: Mapping[str, str]) -> tuple[float, float]:
    """Return the 95th percentile of the milliseconds from event to POST at the fast one: beside a slow one, alone."""
    folder.mkdir()
    beside = _wait(folder / "beside", environment, ("/fast", "/slow"))
    return beside, _wait(folder / "alone", environment, ("/fast",))


def _wait(data: Path, environment: Mapping[str, str], paths: tuple[str, ...]) -> float:
    with _receiver(environment) as url:
        receivers = [word for path in paths for word in ("--webhook", url + path)]
        with _server(data, environment, *receivers) as server_url:
            caused_at = _cause(server_url, data)
            came = {path: _all(url + path, EVENTS) for path in paths}
    if any(one["mostAtOnce"] > IN_FLIGHT_PER_ENDPOINT for one in came.values()):
        raise RuntimeError(f"more than {IN_FLIGHT_PER_ENDPOINT} were on their way to one receiver")
    waited = [at - caused_at[event_id] for event_id, at in came["/fast"]["at"].items()]
    return 1000 * statistics.quantiles(waited, n=20)[-1]


def _cause(url: str, data: Path) -> dict[str, float]:
    """Cause the events, one after the other; return when each was asked for, on the machine's monotonic clock."""
    token = json.loads((data / "client.json").read_bytes())["controlToken"]
    wanted = {"phaseDNAId": "water-cycle", "locale": "fr-FR", "agePersona": "6-12"}
    caused_at = {}
    with httpx.Client(base_url=url, trust_env=False, headers={"Authorization": f"Bearer {token}"}) as client:
        began = time.monotonic()
        for number in range(EVENTS):
            time.sleep(max(0.0, began + number / EVENTS_PER_S - time.monotonic()))
            before = time.monotonic()
            caused = client.post("/_local/request-content", json=wanted).raise_for_status().json()
            caused_at[caused["eventId"]] = before
    return caused_at


def _eight_hours(data: Path, environment: Mapping[str, str]) -> float:
    """Return the seconds that `local clock advance 8h` takes while an event goes through all its attempts."""
    path = "/failing"
    reinmaker = [sys.executable, "-m", "reinmaker_cli"]
    with _receiver(environment) as url, _server(data, environment, "--webhook", url + path):
        for words in (
            ["local", "request-content", "--phase-dna", "water-cycle", "--locale", "fr-FR", "--persona", "6-12"],
            ["local", "clock", "advance", "8h"],
        ):
            began = time.monotonic()
            subprocess.run([*reinmaker, *words, "--data", str(data)], env=environment, check=True, capture_output=True)
        took_s = time.monotonic() - began
        posts = _all(url + path, ATTEMPTS)["posts"]
    if posts != ATTEMPTS:
        raise RuntimeError(f"{posts} attempts, and not {ATTEMPTS}")
    return took_s


def _fill(data: Path, url: str) -> str:
    """Make a data folder whose outbox is full of events for one receiver, and return the body of one."""
    data.mkdir()
    store, now = open_store(data), time.time()
    store.endpoints.keep_option(url, (), now=now)
    with store.one_commit():
        for number in range(DELIVERIES):
            store.outbox.request_content(f"lesson-{number}", "en-US", "2-5", trace_id=f"bench-{number}", now=now)
    body = store.delivery_log.deliveries(Wanted(), limit=1)[0].body
    store.close()
    return body


@contextmanager
def _server(data: Path, environment: Mapping[str, str], *more: str) -> Iterator[str]:
    words = ["serve", "--data", str(data), "--port", "0", "--log", "off", "--json", *more]
    with subprocess.Popen(
        [sys.executable, "-m", "reinmaker_cli", *words], stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.terminate()
            server.wait(30)


@contextmanager
def _receiver(environment: Mapping[str, str]) -> Iterator[str]:
    words = [sys.executable, "-m", "tests.benchmarks.receiving"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as receiver:
        assert receiver.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(receiver.stdout.readline())}"
        finally:
            receiver.terminate()


def _all(url: str, wanted: int) -> dict[str, Any]:
    """Return what a receiver tells once all have come."""
    ends_at = time.monotonic() + WITHIN_S
    came = 0
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < ends_at:
            time.sleep(0.5)  # asked more often, it would have less time to receive
            told: dict[str, Any] = client.get(url).json()
            came = told["posts"]
            if came >= wanted:
                return told
    raise RuntimeError(f"{came} of {wanted} webhooks came")


def _rate(told: Mapping[str, Any]) -> float:
    """Return how many came a second, from the first to the last of all."""
    times = told["at"].values()
    return len(times) / (max(times) - min(times))

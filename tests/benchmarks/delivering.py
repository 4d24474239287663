"""Webhooks a second to a receiver on this machine, beside a bare `httpx.AsyncClient` that sends the same to the same.

Ours are in the outbox before the server starts; each is claimed, signed, sent to a checked address and written down.
The client keeps its connections too and has as many requests in flight; it keeps no record of anything.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from reinmaker_cli.server.store import DATABASE_NAME, open_store
from reinmaker_cli.server.store.deliveries import IN_FLIGHT_PER_ENDPOINT
from reinmaker_cli.server.store.delivery_log import Wanted
from tests.benchmarks.bench import Bench
from tests.benchmarks.throughput import HEAD, ROUNDS, row_of

NAME = "webhooks delivered and recorded, durable"
OTHER_NAME = f"httpx.AsyncClient, {IN_FLIGHT_PER_ENDPOINT} in flight"
TITLE = "Delivering"
DELIVERIES = 3000
WITHIN_S = 120.0

# Answers every POST with 204, and a GET with how many there were, and the seconds between the first and the last.
_RECEIVER = """
import asyncio, json, time
times = []
class Receiver(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.received = transport, b""
    def data_received(self, data):
        self.received += data
        while b"\\r\\n\\r\\n" in self.received:
            head, _, rest = self.received.partition(b"\\r\\n\\r\\n")
            lengths = [line for line in head.lower().split(b"\\r\\n") if line.startswith(b"content-length:")]
            length = int(lengths[0].partition(b":")[2]) if lengths else 0
            if len(rest) < length:
                return
            self.received = rest[length:]
            if head.startswith(b"POST"):
                times.append(time.monotonic())
                self.transport.write(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
                continue
            report = json.dumps([len(times), times[-1] - times[0] if times else 0.0]).encode()
            self.transport.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(report), report))
async def main():
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
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
    """Measure ours and the client's in turn."""
    row = row_of(NAME, OTHER_NAME, pairs(bench.folder, bench.environment, ROUNDS), "/s", 0.5, at_least=True)
    bench.say(
        f"{DELIVERIES} events wait in the outbox for a receiver on this machine: claimed, signed, sent to a checked",
        "address, and written down durably. The client keeps its connections, and no record. Ratios are ours / other.",
        "",
        *HEAD,
        row.cells(),
    )


def pairs(folder: Path, environment: Mapping[str, str], rounds: int) -> list[tuple[float, float]]:
    """Return ours and the client's, a second, round by round after one for warmth."""
    return [_pair(folder / f"deliveries-{number}", environment) for number in range(rounds + 1)][1:]


def _pair(data: Path, environment: Mapping[str, str]) -> tuple[float, float]:
    with _receiver(environment) as url:
        body = _fill(data, url)
        command = [sys.executable, "-m", "reinmaker_cli", "serve", "--data", str(data), "--port", "0", "--log", "off"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        try:
            rate = _rate(url)
        finally:
            server.terminate()
            server.wait(30)
    with closing(sqlite3.connect(data / DATABASE_NAME)) as database:
        query = "SELECT count(*) FROM webhook_attempts WHERE outcome = 'delivered'"
        (recorded,) = database.execute(query).fetchone()
    if recorded != DELIVERIES:
        raise RuntimeError(f"{recorded} of {DELIVERIES} deliveries were recorded")
    return rate, _client(environment, body)


def _client(environment: Mapping[str, str], body: str) -> float:
    with _receiver(environment) as url:
        words = [sys.executable, "-c", _CLIENT, url, str(DELIVERIES), str(IN_FLIGHT_PER_ENDPOINT), body]
        with subprocess.Popen(words, env=environment) as client:
            rate = _rate(url)
            client.wait(30)
    return rate


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
def _receiver(environment: Mapping[str, str]) -> Iterator[str]:
    words = [sys.executable, "-c", _RECEIVER]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as receiver:
        assert receiver.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(receiver.stdout.readline())}/"
        finally:
            receiver.terminate()


def _rate(url: str) -> float:
    """Return how many came a second, from the first to the last of all."""
    ends_at = time.monotonic() + WITHIN_S
    came = 0
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < ends_at:
            time.sleep(0.5)  # asked more often, it would have less time to receive
            came, took_s = client.get(url).json()
            if came == DELIVERIES:
                return came / took_s
    raise RuntimeError(f"{came} of {DELIVERIES} webhooks came")

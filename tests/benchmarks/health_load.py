"""How long `/v1/health` takes, asked every 20 ms, while the server takes manifests of 100,000 assets.

    python -m tests.benchmarks.health_load [MANIFESTS] [ASSETS]

Half of the manifests are valid, half have one wrong place; two are sent at a time, and each is waited for.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.server.live import MANIFESTS, large_manifest

EVERY_S = 0.020

SERVE = """
import json, sys
from pathlib import Path
from reinmaker_cli.server.running import ServerConfig, serve_forever
def ready(started):
    print(json.dumps(started.client.to_json()), flush=True)
serve_forever(ServerConfig(port=0, data=Path(sys.argv[1]), log="off"), ready)
"""


@contextmanager
def server_process() -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the process id of a server and its development client."""
    with tempfile.TemporaryDirectory() as data:
        process = subprocess.Popen([sys.executable, "-c", SERVE, data], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            yield process.pid, json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait()


def access_token(client: dict[str, str]) -> str:
    """Return a token for the development client."""
    credentials = (client["clientId"], client["clientSecret"])
    form = {"grant_type": "client_credentials"}
    return httpx.post(client["apiUrl"] + "/oauth/token", data=form, auth=credentials).json()["access_token"]


def ask_health(url: str, stop: threading.Event, taken_ms: list[float]) -> None:
    """Ask until `stop`, at a fixed pace, and note how long each answer took."""
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
        due = time.perf_counter()
        while not stop.is_set():
            started = time.perf_counter()
            assert http.get("/v1/health").status_code == 200
            taken_ms.append((time.perf_counter() - started) * 1000)
            due = max(due + EVERY_S, time.perf_counter())
            time.sleep(max(0.0, due - time.perf_counter()))


def send(url: str, token: str, body: bytes) -> str:
    """Submit one manifest until the server has room for it; return where it stands after its wait."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Prefer": "wait=30"}
    while True:
        answer = httpx.post(url + MANIFESTS, content=body, headers=headers, timeout=120, trust_env=False)
        if answer.status_code != 503:
            return answer.json().get("code") or answer.json()["status"]
        time.sleep(float(answer.headers["retry-after"]))


def bodies(count: int, assets: int) -> list[bytes]:
    """Return manifests, every second one with a wrong place at its end."""
    made = []
    for number in range(count):
        document = large_manifest(assets, f"large-{number:02}")
        if number % 2:
            document["assets"][-1]["bytes"] = 0
        made.append(json.dumps(document).encode())
    return made


def main() -> None:
    """Print the times, and how the manifests ended."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    assets = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    sent = bodies(count, assets)
    with server_process() as (pid, client):
        url, token = client["apiUrl"], access_token(client)
        asking = subprocess.Popen(  # a process of its own, so that sending 28 MB does not slow the asking
            [sys.executable, "-m", "tests.benchmarks.health_load", "--ask", url],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
        )
        started = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            ends = list(pool.map(lambda body: send(url, token, body), sent))
        took_s = time.perf_counter() - started
        out, _ = asking.communicate("stop\n")
        taken_ms: list[float] = json.loads(out)
        memory = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in line)
    print(f"{count} manifests of {assets} assets, {len(sent[0]) / 1e6:.0f} MB each: {took_s:.1f} s; {memory}")
    print({end: ends.count(end) for end in sorted(set(ends))})
    median, last_percent = statistics.median(taken_ms), statistics.quantiles(taken_ms, n=100)[98]
    print(f"/v1/health, {len(taken_ms)} times:")
    print(f"median {median:.1f} ms, 99% {last_percent:.1f} ms, worst {max(taken_ms):.1f} ms; the aim is 250 ms")


def ask_until_told() -> None:
    """Ask health until a line comes on standard input; print the times as JSON."""
    stop, taken_ms = threading.Event(), list[float]()
    asking = threading.Thread(target=ask_health, args=(sys.argv[2], stop, taken_ms))
    asking.start()
    sys.stdin.readline()
    stop.set()
    asking.join()
    print(json.dumps(taken_ms))


if __name__ == "__main__":
    ask_until_told() if "--ask" in sys.argv else main()

"""How long `/v1/health` takes while the server takes manifests of 100,000 assets, valid and invalid."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ASK_EVERY_S = 0.02

_POLLER = """
import http.client, sys, time
host, every_s = sys.argv[1], float(sys.argv[2])
connection = http.client.HTTPConnection(host, timeout=30)
print("asking", flush=True)
while True:
    started = time.perf_counter()
    connection.request("GET", "/v1/health")
    answer = connection.getresponse()
    answer.read()
    took_s = time.perf_counter() - started
    print(f"{took_s:.6f} {answer.status}", flush=True)
    time.sleep(max(0.0, every_s - took_s))
"""


@dataclass(frozen=True)
class HealthFigures:
    """How `/v1/health` did meanwhile."""

    asked: int
    median_ms: float
    worst_ms: float
    statuses: Mapping[int, int]
    """Answers to the manifests: HTTP status → how often."""
    peak_mib: float
    """Memory of the server's main process."""


def measure(folder: Path, manifest: Path, *, submissions: int, environment: Mapping[str, str]) -> HealthFigures:
    """Send the manifest so often, every second time with an error in it, and watch the health meanwhile."""
    command = [
        sys.executable,
        "-m",
        "reinmaker_cli",
        "serve",
        "--port",
        "0",
        "--data",
        str(folder / "data"),
        "--log",
        "off",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as server:
        assert server.stdout is not None
        try:
            url = json.loads(server.stdout.readline())["url"]
            statuses, samples = _send_and_watch(url, folder, manifest, submissions)
            peak_mib = _peak_mib(server.pid)
        finally:
            server.terminate()
    return HealthFigures(
        len(samples), 1000 * sorted(samples)[len(samples) // 2], 1000 * max(samples), statuses, peak_mib
    )


def _send_and_watch(url: str, folder: Path, manifest: Path, submissions: int) -> tuple[dict[int, int], list[float]]:
    document = json.loads(manifest.read_bytes())
    statuses: dict[int, int] = {}
    host = url.removeprefix("http://")
    poller = subprocess.Popen(
        [sys.executable, "-c", _POLLER, host, str(ASK_EVERY_S)], stdout=subprocess.PIPE, text=True
    )
    assert poller.stdout is not None
    poller.stdout.readline()
    try:
        with httpx.Client(base_url=url, trust_env=False, timeout=120) as client:
            token = _token(client, folder)
            bodies = [_body(document, number) for number in range(submissions)]
            with ThreadPoolExecutor(2) as pool:  # as many large bodies as the server takes at a time
                for answer in pool.map(lambda body: _submit(client, token, body), bodies):
                    statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            _wait_until_settled(client, token, submissions)
    finally:
        poller.terminate()
        lines = poller.communicate()[0].splitlines()
    return statuses, [float(line.split()[0]) for line in lines]


def _body(document: dict[str, Any], number: int) -> bytes:
    """Return the manifest under another id; every second one has a wrong place at its end."""
    document["manifestId"] = f"bench-{number}"
    document["assets"][-1]["bytes"] = 0 if number % 2 else 1
    return json.dumps(document).encode()


def _token(client: httpx.Client, folder: Path) -> str:
    known = json.loads((folder / "data" / "client.json").read_bytes())
    answer = client.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=(known["clientId"], known["clientSecret"])
    )
    return str(answer.raise_for_status().json()["access_token"])


def _submit(client: httpx.Client, token: str, body: bytes) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    while True:
        answer = client.post("/v1/content/manifests", content=body, headers=headers)
        if answer.status_code != 503:
            return answer
        time.sleep(float(answer.headers["Retry-After"]))


def _wait_until_settled(client: httpx.Client, token: str, submissions: int) -> None:
    for number in range(0, submissions, 2):
        for _ in range(20):
            answer = client.get(
                f"/v1/content/manifests/bench-{number}",
                headers={"Authorization": f"Bearer {token}", "Prefer": "wait=30"},
            )
            if answer.json()["status"] in ("active", "rejected"):
                break


def _peak_mib(process_id: int) -> float:
    status = Path(f"/proc/{process_id}/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024

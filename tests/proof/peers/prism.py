"""Prism stands between the command line and the server as a validating proxy, while a lesson is published through it.

Without `--errors`: with it, Prism answers 401 and 422 itself and hides the server.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from tests.lessons import lesson
from tests.proof.peers.linters import readable
from tests.proof.recorder import recording
from tests.proof.target import KNOWN_USER, ROOT, Target
from tests.proof.verdict import NotAsked, Peer, Verdict, node_tool, run, tail
from tests.proof.walk import walk
from tests.server.live import event
from tests.server.openapi_document import document

FIELD = "sl-violations"
START_WITHIN_S = 120  # only how long a start that fails is waited for


def judge(target: Target, scratch: Path) -> Verdict:
    """Publish, look, send events and take the walk, all through the proxy."""
    with _prism(target, scratch) as prism, recording(prism, FIELD) as (url, seen):
        failures = list(_journey(target, scratch, url))
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            failures += walk(target, client, reads_bodies=True)
    for what, field in seen:
        failures += [f"{what}: {said}" for said in _violations(field)]
    return Verdict(len(seen), tuple(failures))


def _violations(field: str) -> Iterator[str]:
    for violation in json.loads(field or "[]"):
        if violation["location"][0] == "response":
            yield f"{'.'.join(map(str, violation['location']))}: {violation['message']}"


@contextmanager
def _prism(target: Target, scratch: Path) -> Iterator[str]:
    (scratch / "openapi.json").write_text(json.dumps(readable(document()), default=str))
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [node_tool("prism"), "proxy", "openapi.json", target.url, "--port", str(port), "--host", "127.0.0.1"],
        cwd=scratch,
        env=target.environment(),
        stdin=subprocess.DEVNULL,
        stdout=(scratch / "prism.log").open("wb"),
        stderr=subprocess.STDOUT,
    )
    try:
        _wait_for(port, process, scratch / "prism.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends_at = time.monotonic() + START_WITHIN_S
    while time.monotonic() < ends_at and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise NotAsked(f"Prism did not start: {tail(log.read_text())}")


def _journey(target: Target, scratch: Path, url: str) -> Iterator[str]:
    """Run the command line against the proxy; yield each command that did not end well."""
    config = scratch / "config.toml"
    config.write_text(f'[env.prism]\napi_url = "{url}"\ntoken_url = "{url}/oauth/token"\n')
    folder = lesson(scratch / "water-cycle")
    events = scratch / "events.jsonl"
    events.write_text("".join(json.dumps(event()) + "\n" for _ in range(700)))
    env = target.environment() | {
        "REINMAKER_CONFIG": str(config),
        "REINMAKER_CLIENT_ID": target.client_id,
        "REINMAKER_CLIENT_SECRET": target.client_secret,
        "PYTHONPATH": str(ROOT),
    }
    prism = ("--env", "prism", "--yes")
    for words in (
        ("init", folder),
        ("publish", folder, *prism),
        ("publish", folder, *prism),
        ("list", "--env", "prism"),
        ("check", folder, "--online", "--env", "prism"),
        ("telemetry", "send", events, "--env", "prism"),
        ("entitlements", KNOWN_USER, "--env", "prism"),
        ("health", "--env", "prism"),
    ):
        ended = run([sys.executable, "-m", "reinmaker_cli", *words], env=env, cwd=scratch)
        if ended.returncode != 0:
            yield f"reinmaker {words[0]}: exit {ended.returncode}: {tail(ended.stderr, 6)}"


PRISM = Peer("Prism, as a proxy", judge, at_least=70, needs=("node",))

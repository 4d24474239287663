"""The server that is judged: `reinmaker serve` in a process of its own, healthy or with one thing broken on purpose."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from reinmaker_cli.contract.names import TOKEN_PATH
from tests.server.live import MANIFESTS, manifest

ROOT = Path(__file__).resolve().parents[2]
KNOWN_MANIFEST = "2026-11-23-rainbow-en-US-2-5"
KNOWN_USER = "usr_7f3a9c"
PLENTY = 1_000_000  # requests a minute: a peer that is told to wait proves nothing


class ServerFailed(Exception):
    """The server met something unforeseen; one that is broken on purpose was broken in another way than meant."""


@dataclass(frozen=True)
class Target:
    """A server that answers, and what a client of it knows."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    control_token: str = field(repr=False)
    home: Path
    """Home folder for command lines that speak to it; its data folder is `home/data`."""
    ca_file: Path | None = None
    """What a client is to trust, where it speaks TLS."""

    @contextmanager
    def http(self, token: str | None = None) -> Iterator[httpx.Client]:
        """Yield a client that follows nothing and believes no proxy variable."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        # Without TLS nothing is verified, and reading the certificates of the world takes 30 ms.
        verify = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else False
        with httpx.Client(base_url=self.url, headers=headers, timeout=120, trust_env=False, verify=verify) as client:
            yield client

    def token(self, *scopes: str) -> str:
        """Return a new access token, for all scopes where none is named."""
        form = {"grant_type": "client_credentials", "scope": " ".join(scopes)}
        with self.http() as client:
            answer = client.post(TOKEN_PATH, data=form, auth=(self.client_id, self.client_secret))
        return answer.raise_for_status().json()["access_token"]

    def control(self, method: str, path: str, **body: Any) -> Any:
        """Ask the control API, and return its answer."""
        with self.http(self.control_token) as client:
            return client.request(method, f"/_local{path}", json=body or None).raise_for_status().json()

    def environment(self) -> dict[str, str]:
        """Return the variables that peers are run with: nothing of the caller's but the way to programs."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", "NO_COLOR": "1"}


@contextmanager
def serving(home: Path, broken: str | None = None, *, tls: bool = False) -> Iterator[Target]:
    """Yield a server with a manifest that is active and a user that has a plan; `broken` names what it does wrong."""
    home.mkdir(parents=True)
    program = ["reinmaker_cli"] if broken is None else ["tests.proof.broken_server", broken]
    words = ["serve", "--port", "0", "--json", "--log", "off", "--data", str(home / "data")]
    words += ["--tls"] if tls else []
    process = subprocess.Popen(
        [sys.executable, "-m", *program, *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=(home / "server.log").open("wb"),
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError((home / "server.log").read_text())
        client = json.loads((home / "data" / "client.json").read_text())
        ready = json.loads(line)
        ca_file = Path(ready["caFile"]) if tls else None
        target = Target(ready["url"], client["clientId"], client["clientSecret"], client["controlToken"], home, ca_file)
        _furnish(target)
        yield target
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
        process.stdout.close()
    if "Traceback" in (log := (home / "server.log").read_text()):
        raise ServerFailed(log)


def _furnish(target: Target) -> None:
    quotas = dict.fromkeys(("default", "manifests", "tokens"), PLENTY)
    target.control("POST", f"/clients/{target.client_id}/limits", limits=quotas)
    target.control("PUT", "/entitlements", userId=KNOWN_USER, plan="reinmaker.family_pack", expiresAt=None)
    with target.http(target.token()) as client:
        client.post(MANIFESTS, json=manifest(KNOWN_MANIFEST), headers={"Prefer": "wait=30"}).raise_for_status()

"""Limits as an outsider sees them: a client that may send one request a minute sends two to every operation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from reinmaker_cli.contract.names import MANIFESTS_PATH, TOKEN_PATH
from tests.proof.peers.access import _protected
from tests.proof.target import PLENTY, Target
from tests.proof.verdict import Peer, Verdict

POLICY = {("POST", MANIFESTS_PATH): "manifests"}


def judge(target: Target, _: Path) -> Verdict:
    """Send one request too many to each operation that counts."""
    checks, failures = 0, []
    with target.http(target.token()) as client:
        for method, path, _scope in _protected():
            policy = POLICY.get((method, path), "default")
            for right, what in _two(target, client, policy, method, path):
                checks += 1
                failures += [] if right else [f"{method} {path}: {what}"]
    _limit(target, tokens=1)
    with target.http() as client:
        for _ in range(2):
            answer = client.post(TOKEN_PATH, data={"client_id": target.client_id, "client_secret": "x"})
        checks += 1
        failures += [] if answer.status_code == 429 else [f"POST {TOKEN_PATH}: the second is {answer.status_code}"]
    return Verdict(checks, tuple(failures))


def _two(target: Target, client: httpx.Client, policy: str, method: str, path: str) -> list[tuple[bool, str]]:
    target.control("POST", "/clock", advanceSeconds=61)
    _limit(target, **{policy: 1})
    body = {} if method == "POST" else None
    first, second = (client.request(method, path, json=body) for _ in range(2))
    after = int(second.headers.get("retry-after", "0"))
    return [
        (first.status_code != 429, f"the first is {first.status_code}"),
        (
            first.headers.get("ratelimit-policy") == f'"{policy}";q=1;w=60',
            f"policy {first.headers.get('ratelimit-policy')}",
        ),
        (first.headers.get("ratelimit", "").startswith(f'"{policy}";r=0;'), f"{first.headers.get('ratelimit')}"),
        (second.status_code == 429, f"the second is {second.status_code}"),
        (1 <= after <= 61, f"Retry-After {after}"),
    ]


def _limit(target: Target, **quotas: Any) -> None:
    given = dict.fromkeys(("default", "manifests", "tokens"), PLENTY) | quotas
    target.control("POST", f"/clients/{target.client_id}/limits", limits=given)


QUOTA = Peer("limits", judge, at_least=20)

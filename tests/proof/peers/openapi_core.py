"""openapi-core holds every answer of the walk to the document, as it does with those of our own suite."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.proof.target import Target
from tests.proof.verdict import Peer, Verdict
from tests.proof.walk import walk
from tests.server.openapi_witness import differences


def judge(target: Target, _: Path) -> Verdict:
    """Take the walk, and look at each answer."""
    checks = 0
    failures: list[str] = []

    def look(answer: httpx.Response) -> None:
        nonlocal checks
        answer.read()
        checks += 1
        failures.extend(differences(answer))

    with target.http() as client:
        client.event_hooks = {"response": [look]}
        failures += walk(target, client)
    return Verdict(checks, tuple(failures))


OPENAPI_CORE = Peer("openapi-core", judge, at_least=45)

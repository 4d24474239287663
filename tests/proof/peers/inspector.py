"""Chromium works with the inspector: every view, by keyboard, live, with axe, and with what could harm a page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.proof.target import Target
from tests.proof.verdict import HERE, Peer, Verdict, run, tail
from tests.scene import ATTACKS, REJECTED, Scene, hostile_day, working_day
from tests.server.live import Caller, live_server, manifest


def judge(target: Target, scratch: Path) -> Verdict:
    """Look at two servers of its own: one in the middle of a working day, one with hostile values."""
    with working_day(scratch) as scene, live_server(verify="strict") as hostile:
        hostile_day(hostile)
        more = {"CHROMIUM": shutil.which("chromium") or "chromium", "CONTROL_TOKEN": scene.control_token}
        words = ["node", HERE / "node" / "inspector.mjs", json.dumps(_facts(scene, hostile))]
        ended = run(words, env=target.environment() | more, cwd=scratch, timeout_s=300)
    if ended.returncode != 0:
        return Verdict(0, (tail(ended.stderr, 8),))
    found = json.loads(ended.stdout)
    return Verdict(found["checks"], tuple(found["failures"]))


def _facts(scene: Scene, hostile: Caller) -> dict[str, Any]:
    (open_one,), (dead_one,) = (_deliveries(scene.caller, status=status) for status in ("open", "dead"))
    return {
        "url": scene.url,
        "accessToken": scene.caller.token(),
        "rejected": REJECTED,
        "openDelivery": open_one["deliveryId"],
        "deadDelivery": dead_one["deliveryId"],
        "trace": dead_one["traceId"],
        "manifest": manifest("published-meanwhile", "2027.01.11"),
        "attacks": ATTACKS,
        "hostile": {
            "url": hostile.started.url,
            "controlToken": hostile.started.client.control_token,
            "deliveries": [one["deliveryId"] for one in _deliveries(hostile)],
        },
    }


def _deliveries(caller: Caller, **query: str) -> list[dict[str, Any]]:
    return caller.control.get("/_local/webhooks/deliveries", params=query).json()["items"]


INSPECTOR = Peer("Chromium, the inspector", judge, at_least=100, needs=("node", "chromium"), looks_at_server=False)

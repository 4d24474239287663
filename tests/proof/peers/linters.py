"""Spectral and Redocly read the documents; both see a reference that leads nowhere, which Python's validators pass."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.proof.target import Target
from tests.proof.verdict import HERE, Peer, Verdict, node_tool, run, tail
from tests.server.openapi_document import API, CONTROL, nodes


def spectral(target: Target, scratch: Path) -> Verdict:
    """Lint with `spectral:oas`; a warning is a failure."""
    words = [node_tool("spectral"), "lint", "-F", "warn", "-r", HERE / "node" / "spectral.yaml"]
    return _judge(words, target, scratch)


def redocly(target: Target, scratch: Path) -> Verdict:
    """Lint with its recommended rules; a warning is a failure."""
    words = [node_tool("redocly"), "lint", "--max-problems", "20", "--config", HERE / "node" / "redocly.yaml"]
    return _judge(words, target, scratch)


def _judge(words: Sequence[str | Path], target: Target, scratch: Path) -> Verdict:
    env = target.environment() | {"REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "REDOCLY_TELEMETRY": "off"}
    documents = {"openapi.json": readable(API.document()), "control-openapi.json": CONTROL.document()}
    failures = []
    for name, one in documents.items():
        (scratch / name).write_text(json.dumps(one, default=str, indent=1))
        ended = run([*words, name], env=env, cwd=scratch)
        said = ended.stdout + ended.stderr
        if ended.returncode != 0 or "warning " in said or "Warning was" in said:
            failures.append(tail(said, 40))
    broken = copy.deepcopy(documents["openapi.json"])
    hook = broken["webhooks"]["reinmaker.content.requested"]["post"]
    hook["requestBody"]["content"]["application/json"]["schema"]["$ref"] = "#/components/schemas/Renamed"
    (scratch / "dangling.json").write_text(json.dumps(broken, default=str, indent=1))
    if run([*words, "dangling.json"], env=env, cwd=scratch).returncode == 0:
        failures.append("a dangling reference in a webhook passes")
    return Verdict(sum(1 for one in documents.values() for _ in nodes(one)), tuple(failures))


def readable(document: dict[str, Any]) -> dict[str, Any]:
    """Return a copy without the `$id` of the manifest schema: Redocly compiles it twice and calls that an error."""
    changed = copy.deepcopy(document)
    del changed["components"]["schemas"]["Manifest"]["$id"]
    return changed


SPECTRAL = Peer("Spectral", spectral, at_least=1000, needs=("node",), looks_at_server=False)
REDOCLY = Peer("Redocly", redocly, at_least=1000, needs=("node",), looks_at_server=False)

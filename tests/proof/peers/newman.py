"""newman runs the Postman collection as it ships, against the server; what it asserts is counted."""

from __future__ import annotations

import json
from pathlib import Path

from tests.proof.postman import COLLECTION, build
from tests.proof.target import Target
from tests.proof.verdict import Peer, Verdict, node_tool, run, tail


def judge(target: Target, scratch: Path) -> Verdict:
    """Run every request and every test of it."""
    text = COLLECTION.read_text("utf-8")
    failures = [] if text == build() else ["the collection is not what the document gives: `make postman`"]
    values = {"baseUrl": target.url, "clientId": target.client_id, "clientSecret": target.client_secret}
    environment = {"name": "target", "values": [{"key": key, "value": value} for key, value in values.items()]}
    (scratch / "environment.json").write_text(json.dumps(environment))
    words = ("run", COLLECTION, "-e", "environment.json", "--reporters", "json", "--reporter-json-export", "out.json")
    ended = run([node_tool("newman"), *words], env=target.environment(), cwd=scratch)
    if not (scratch / "out.json").exists():
        return Verdict(0, (*failures, tail(ended.stdout + ended.stderr)))
    report = json.loads((scratch / "out.json").read_text())["run"]
    assertions = report["stats"]["assertions"]["total"]
    failures += [f"{one['source'].get('name', '?')}: {one['error']['message']}" for one in report["failures"]]
    if assertions != text.count("pm.test("):
        failures.append(f"{assertions} assertions ran of {text.count('pm.test(')}")
    return Verdict(assertions, tuple(failures))


NEWMAN = Peer("Postman, by newman", judge, at_least=100, needs=("node",))

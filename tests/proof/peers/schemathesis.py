"""Schemathesis: every phase, positive and negative, on the document, and on a copy whose tokens it understands.

It does not look for missing tokens where the scheme is `oauth2`, so the copy says `http`, `bearer`. A green run proves
what it touched and no more: the pairs of operation and status are counted from its HAR, and those it cannot reach are
named here with the reason.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.proof.target import KNOWN_MANIFEST, Target
from tests.proof.verdict import PEERS_BIN, Peer, Verdict, run, tail
from tests.server.openapi_document import METHODS, document, operations
from tests.server.openapi_witness import operation_for

ENCODING = {"$ref": "#/components/parameters/ContentEncoding"}
SEED = 20261123
MAX_EXAMPLES = 100 if os.environ.get("REINMAKER_SOAK") else 10
"""Of an operation, in the phase that fuzzes. The seed is fixed, so more of them find something once or never."""

NO_HOST = "it sends the right Host"
NO_LIMIT = "limits are raised for it; `limits` looks at them"
NO_PAUSE = "it sends at once what it begins"
NO_FAULT = "nothing fails on a healthy server; our own suite provokes it"
NO_SCOPE = "it has one token with every scope; the matrix looks at scopes"
ALL_STATUSES = {408: NO_PAUSE, 421: NO_HOST, 429: NO_LIMIT, 500: NO_FAULT, 503: NO_FAULT, 403: NO_SCOPE}
"""Waived at every operation."""
WAIVED: Mapping[tuple[str, int], str] = {
    ("requestToken", 200): "ids and secrets cannot be generated; the OAuth clients do this",
    ("submitManifest", 413): "it generates no 64 MiB",
    ("sendEvents", 413): "it generates no 1 MiB",
    ("submitManifest", 202): "its one valid manifest is the example, sent with `Prefer: wait`",
}
WAIVED_FOR_OAUTH2: Mapping[tuple[str, int], str] = {
    (name, 401): "it does not leave tokens out where the scheme is oauth2; on the bearer copy it does"
    for name in ("submitManifest", "listManifests", "getManifest", "getEntitlements", "sendEvents")
}

REQUEST_LIMIT_S = 40
"""Its own ten seconds are as long as the document's example of `Prefer: wait`."""
CONFIG = f"""
seed = {SEED}
request-timeout = {REQUEST_LIMIT_S}
[generation]
database = "none"
mode = "all"
max-examples = {MAX_EXAMPLES}
[warnings]
fail-on = true
[[operations]]
include-operation-id = "listManifests"
# A cursor is text that only the server can make.
checks.positive_data_acceptance.expected-statuses = ["2xx", 400]
[[operations]]
include-operation-id = "getManifest"
parameters = {{ manifestId = "{KNOWN_MANIFEST}" }}
[[operations]]
include-operation-id = "submitManifest"
# Rules that a schema cannot say: I-JSON, dates, duplicate ids, URL schemes.
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 409, 422]
warnings = ["missing_auth", "missing_deserializer", "unused_openapi_auth"]
[[operations]]
include-operation-id = "sendEvents"
# I-JSON: integers beyond 2^53; dates that no calendar has.
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 422]
[[operations]]
include-operation-id = "requestToken"
# Ids and secrets cannot be generated; in the body beside a Basic header they are one way too many.
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401]
warnings = ["missing_auth", "missing_deserializer", "unused_openapi_auth"]
"""


def judge(target: Target, scratch: Path) -> Verdict:
    """Run it on the document as it is."""
    return _judge(target, scratch, copy.deepcopy(document()), WAIVED_FOR_OAUTH2)


def judge_bearer(target: Target, scratch: Path) -> Verdict:
    """Run it on the copy."""
    changed = copy.deepcopy(document())
    changed["components"]["securitySchemes"]["oauth2"] = {"type": "http", "scheme": "bearer"}
    return _judge(target, scratch, changed, {})


def _judge(target: Target, scratch: Path, one: Any, waived_here: Mapping[tuple[str, int], str]) -> Verdict:
    for item in one["paths"].values():  # it does not compress what it sends
        for operation in (item[method] for method in METHODS if method in item):
            operation["parameters"] = [one for one in operation["parameters"] if one != ENCODING]
    (scratch / "openapi.json").write_text(json.dumps(one, default=str))
    (scratch / "schemathesis.toml").write_text(CONFIG)
    har = scratch / "out.har"
    ended = run(
        [
            *(PEERS_BIN / "schemathesis", "--config-file", "schemathesis.toml", "run", "openapi.json"),
            *("--url", target.url, "--header", f"Authorization: Bearer {target.token()}"),
            *("--report", "har", "--report-har-path", har),
        ],
        env=target.environment(),
        cwd=scratch,
    )
    if not har.exists():
        return Verdict(0, (tail(ended.stdout + ended.stderr),))
    entries = json.loads(har.read_text())["log"]["entries"]
    failures = [] if ended.returncode == 0 else [_failures(ended.stdout) or tail(ended.stdout + ended.stderr)]
    seen = _pairs(entries)
    waived = {**WAIVED, **waived_here}
    documented = {(op["operationId"], int(status)) for _, _, op in operations() for status in op["responses"]}
    expected = {pair for pair in documented if pair[1] not in ALL_STATUSES and pair not in waived}
    failures += [f"never seen: {name} {status}" for name, status in sorted(expected - seen)]
    notes = [f"{len(documented & seen)} of {len(documented)} documented pairs of operation and status seen"]
    notes += [f"waived and seen all the same: {name} {status}" for name, status in sorted(seen & waived.keys())]
    return Verdict(len(entries), tuple(failures), tuple(notes))


def _pairs(entries: list[Any]) -> set[tuple[str, int]]:
    pairs = set()
    for entry in entries:
        request = entry["request"]
        found = operation_for(request["method"], unquote(urlsplit(request["url"]).path))
        if found is not None:
            pairs.add((found[1]["operationId"], entry["response"]["status"]))
    return pairs


def _failures(text: str) -> str:
    found = [
        line for line in text.splitlines() if line.startswith(("- ", "    `", "    curl", "    - ")) or _is_title(line)
    ]
    return "\n".join(line.strip("_ ") for line in found)[:3000]


def _is_title(line: str) -> bool:
    return line.startswith("____") and "/" in line


def _peer(name: str, how: Callable[[Target, Path], Verdict]) -> Peer:
    return Peer(name, how, at_least=300)


SCHEMATHESIS = _peer("Schemathesis", judge)
SCHEMATHESIS_BEARER = _peer("Schemathesis, bearer copy", judge_bearer)

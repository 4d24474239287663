"""Load from `wrk`, and the requests it sends: the same for our server and for Prism's mock of the same document."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reinmaker_cli.contract.names import EVENTS_PATH, HEALTH_PATH, MANIFESTS_PATH, MAX_EVENTS

CONNECTIONS = 16
"""In flight at once: enough that a durable write shares its commit with nobody only because there is nobody."""

ON_ONE_PROCESSOR = ("taskset", "--cpu-list", "0")
"""What is measured has one for itself, and is not moved between two."""
ON_ANOTHER = ("taskset", "--cpu-list", str((os.cpu_count() or 1) - 1))
"""What makes the load has another."""

# Each request has ids of its own: `@` stands for a number that no other request of this or a later run has.
_SCRIPT = """
local start, count = %d, 0
local body = %s
wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer %s"
wrk.headers["Content-Type"] = "application/json"
function request()
  count = count + 1
  return wrk.format(nil, nil, nil, (body:gsub("@", tostring(start + count))))
end
"""
_GET_SCRIPT = 'wrk.headers["Authorization"] = "Bearer %s"\n'
_REPORT = """
done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("REPORT %d %d %d %d\\n", summary.requests, summary.duration, errors.status, failed))
end
"""


@dataclass(frozen=True)
class Load:
    """One kind of request."""

    name: str
    path: str
    body: str | None
    """Template, `@` stands for a number; None: a GET."""
    aim: float | None
    """How many times as many as Prism's we want; None: Prism stores nothing, and another row is the aim."""


@dataclass(frozen=True)
class Rate:
    """What came of it."""

    per_second: float
    refused: int
    """Answers with status 400 and above, or none."""


def loads() -> tuple[Load, ...]:
    """Return the four kinds of request that are compared."""
    return (
        Load("GET health", HEALTH_PATH, None, 5.0),
        Load("GET manifest", f"{MANIFESTS_PATH}/bench", None, 5.0),
        Load("POST manifest of 20 assets, durable", MANIFESTS_PATH, manifest_template(20), 2.0),
        Load(f"POST {MAX_EVENTS} events, durable", EVENTS_PATH, events_template(), None),
    )


def manifest_template(assets: int) -> str:
    """Return a manifest of so many assets whose id has an `@`."""
    return json.dumps(
        {
            "manifestId": "bench-@",
            "version": "2026.11.23",
            "product": "reinmaker",
            "source": {"phaseDNAId": "bench", "locale": "en-US", "agePersona": "2-5"},
            "assets": [
                {
                    "id": f"overlays-file-{number:02}-png",
                    "type": "overlay",
                    "url": f"s3://lotd-reinmaker-assets/bench-@/overlays/file-{number:02}.png",
                    "hash": f"{number:064x}",
                    "bytes": number + 1,
                    "metadata": {"resolution": "1920x1080", "format": "png"},
                }
                for number in range(assets)
            ],
        }
    )


def events_template() -> str:
    """Return a full batch of events whose ids have an `@`."""
    return json.dumps({"events": [event(f"@-{number}") for number in range(MAX_EVENTS)]})


def event(event_id: str) -> dict[str, object]:
    """Return an event as a game sends it."""
    return {
        "eventId": f"evt-{event_id}",
        "type": "phase.completed",
        "occurredAt": "2026-11-23T07:00:00.123Z",
        "userId": "usr_7f3a",
        "sessionId": "ses_2b1c",
        "properties": {"phase": "welcome", "score": 12, "durationMs": 48123},
    }


def missing_tool() -> str | None:
    """Return why no load can be made here, or None."""
    missing = [tool for tool in ("wrk", "taskset") if shutil.which(tool) is None]
    return f"not installed: {', '.join(missing)} (`apt-get install wrk util-linux`)" if missing else None


def run_load(
    load: Load, url: str, folder: Path, *, token: str, start: int, seconds: int, environment: Mapping[str, str]
) -> Rate:
    """Send requests of one kind for so long; ids are numbered from `start`."""
    script = folder / "load.lua"
    own = _GET_SCRIPT % token if load.body is None else _SCRIPT % (start, _lua_text(load.body), token)
    script.write_text(own + _REPORT)
    command = [
        *ON_ANOTHER,
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds}s",
        "--timeout",
        "30s",
        "-s",
        str(script),
        url + load.path,
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found = re.search(r"^REPORT (\d+) (\d+) (\d+) (\d+)$", ended.stdout, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"wrk said nothing of use: {ended.stdout} {ended.stderr}")
    requests, took_us, refused, failed = map(int, found.groups())
    return Rate((requests - refused) / (took_us / 1e6), refused + failed)


def _lua_text(text: str) -> str:
    return f"[==[{text}]==]"

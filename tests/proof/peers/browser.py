"""Chromium shows `/docs`, offline: every operation is there, and nothing is asked of another server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.proof.target import ROOT, Target
from tests.proof.verdict import HERE, NODE_MODULES, Peer, Verdict, run, tail
from tests.server.openapi_document import API, CONTROL

VIEWER = ROOT / "reinmaker_cli" / "server" / "viewer"
SHIPPED = ("swagger-ui-bundle.js", "swagger-ui.css")


def judge(target: Target, scratch: Path) -> Verdict:
    """Look at both documents."""
    chromium = shutil.which("chromium") or "chromium"
    failures = [
        f"{name} is not that of swagger-ui-dist: `make viewer`" for name in SHIPPED if not _is_of_the_package(name)
    ]
    words = ["node", HERE / "node" / "docs.mjs", target.url]
    ended = run(words, env=target.environment() | {"CHROMIUM": chromium}, cwd=scratch, timeout_s=120)
    if ended.returncode != 0:
        return Verdict(0, (*failures, tail(ended.stderr, 8)))
    found = json.loads(ended.stdout)
    expected = {
        "/docs": sum(1 for _ in API.operations()) + len(API.document()["webhooks"]),
        "/docs?control": sum(1 for _ in CONTROL.operations()),
    }
    if found["operations"] != expected:
        failures.append(f"operations shown: {found['operations']}, not {expected}")
    failures += [f"{kind}: {what}" for kind in ("foreign", "failed", "complaints") for what in found[kind]]
    return Verdict(len(SHIPPED) + sum(expected.values()), tuple(failures))


def _is_of_the_package(name: str) -> bool:
    return (VIEWER / name).read_bytes() == taken_over((NODE_MODULES / "swagger-ui-dist" / name).read_bytes())


def taken_over(content: bytes) -> bytes:
    """Return a file of the package without the line that names a source map, which is not shipped."""
    return b"".join(line for line in content.splitlines(keepends=True) if b"# sourceMappingURL=" not in line[:24])


def main() -> None:
    """Take the files over: `make viewer`."""
    for name in SHIPPED:
        (VIEWER / name).write_bytes(taken_over((NODE_MODULES / "swagger-ui-dist" / name).read_bytes()))


BROWSER = Peer("Chromium, at /docs", judge, at_least=20, needs=("node", "chromium"), looks_at_server=False)

if __name__ == "__main__":
    main()

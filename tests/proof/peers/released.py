"""Our own look at what would break those who built on the released document."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.proof.changes import Comparison
from tests.proof.target import Target
from tests.proof.verdict import HERE, Peer, Verdict
from tests.server.openapi_document import document

RELEASED = HERE / "released"
"""One document for each release, named by its version; the newest counts. A release adds one."""


def judge(_: Target, __: Path) -> Verdict:
    """Compare the newest released document with this one."""
    newest = max(RELEASED.glob("openapi-*.yaml"), key=_version)
    comparison = Comparison(yaml.safe_load(newest.read_text("utf-8")), document())
    found = comparison.run()
    return Verdict(comparison.checks, tuple(found), (f"against {newest.name}",))


def _version(file: Path) -> tuple[int, ...]:
    return tuple(map(int, file.stem.removeprefix("openapi-").split(".")))


BREAKING = Peer("breaking changes", judge, at_least=1000, looks_at_server=False)

"""docs/proof.md names every tool, every waiver and every break."""

from __future__ import annotations

import pytest

from tests.proof.breaks import BREAKS
from tests.proof.peers.schemathesis import ALL_STATUSES, WAIVED
from tests.proof.peers.table import PEERS
from tests.proof.target import ROOT

TEXT = (ROOT / "docs" / "proof.md").read_text("utf-8")
WAIVERS = TEXT.partition("## Waivers")[2].partition("\n## ")[0]


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_tool_has_its_row(peer):
    assert f"\n| {peer.name} | " in TEXT


@pytest.mark.parametrize("status", ALL_STATUSES)
def test_every_status_that_is_waived_everywhere_is_there(status):
    assert str(status) in WAIVERS


@pytest.mark.parametrize(("name", "status"), WAIVED)
def test_every_pair_that_is_waived_is_there(name, status):
    assert f"`{name}` {status}" in WAIVERS


@pytest.mark.parametrize("name", BREAKS)
def test_every_break_was_seen(name):
    (row,) = (line for line in TEXT.splitlines() if line.startswith(f"| {name}: "))
    assert "●" in row

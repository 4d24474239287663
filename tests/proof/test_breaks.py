"""A server that is broken on purpose is broken in one place: what puts other code in place of ours still fits."""

from pathlib import Path

import pytest

from tests.proof.breaks import BREAKS
from tests.proof.target import MANIFESTS, serving

BY_HAND = [name for name, one in BREAKS.items() if "<locals>" not in one.do.__qualname__]


def test_the_others_change_answers():
    assert len(BREAKS) - len(BY_HAND) >= 12


@pytest.mark.parametrize("name", BY_HAND)
def test_a_break_that_replaces_code_leaves_a_server_that_serves(tmp_path: Path, name: str):
    with serving(tmp_path / "home", name) as target, target.http(target.token()) as client:
        assert client.get(MANIFESTS).status_code == 200

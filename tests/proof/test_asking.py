"""What a tool's failure counts for."""

from pathlib import Path

import pytest

from tests.proof.__main__ import ask
from tests.proof.target import Target
from tests.proof.verdict import NotAsked, Peer, Verdict


def judge(_target: Target, _scratch: Path) -> Verdict:
    raise NotAsked("it did not start")


def test_a_tool_that_did_not_run_is_red_and_has_seen_no_break():
    absent = Peer("absent", judge, at_least=1)
    assert not ask(absent).is_green
    with pytest.raises(NotAsked):
        ask(absent, "wrong-type")

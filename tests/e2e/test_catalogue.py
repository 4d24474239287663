"""A catalogue of lessons: many manifests, a server with real limits, and time that passes only by waiting.

Here a few lessons; with REINMAKER_SOAK=1 a year of them: 365 lessons, 6,570 manifests.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks import trees
from tests.benchmarks.catalogue import GETS_A_MINUTE, POSTS_A_MINUTE, Stage, killed_instants, stage

MANIFESTS = trees.A_YEAR if os.environ.get("REINMAKER_SOAK") == "1" else 342  # more than a minute's limit
KILLS = 3


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalogue")
    trees.catalogue(folder, manifests=MANIFESTS, phases=1)
    return folder


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Stage]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    with stage(tmp_path / "server", environment) as server:
        yield server


def test_a_catalogue_goes_at_the_rate_of_the_limits_and_a_repeat_costs_its_listing(
    held: Stage, catalogue: Path
) -> None:
    first = held.publish(catalogue)
    assert (first.code, first.outcomes, first.refused) == (0, {"active": MANIFESTS}, 0)
    # The first window is used at once; then each POST is followed by another a minute later.
    assert first.manifests_a_minute >= 0.95 * POSTS_A_MINUTE
    again = held.publish(catalogue)
    assert (again.code, again.outcomes, again.refused) == (0, {"unchanged": MANIFESTS}, 0)
    assert again.requests <= 20
    held.refuse_listing()
    asked = held.publish(catalogue)
    assert (asked.code, asked.outcomes, asked.refused) == (0, {"unchanged": MANIFESTS}, 0)
    assert asked.requests == 1 + MANIFESTS
    assert asked.manifests_a_minute >= 0.95 * GETS_A_MINUTE


def test_killed_at_any_instant_every_manifest_is_active_exactly_once(held: Stage, catalogue: Path) -> None:
    for submitted in killed_instants(MANIFESTS, KILLS):
        assert held.kill_after(catalogue, submitted).returncode == -signal.SIGKILL
    ended = held.publish(catalogue)
    assert (ended.code, set(ended.outcomes), ended.refused) == (0, {"active", "unchanged"}, 0)
    found = held.submissions()
    assert len(found) == len({manifest_id for manifest_id, _ in found}) == MANIFESTS
    assert {status for _, status in found} == {"active"}

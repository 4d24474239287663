"""A catalogue of lessons: many manifests, a server with real limits, and time that passes only by waiting.

Here a few lessons; with REINMAKER_SOAK=1 a year of them: 365 lessons, 6,570 manifests.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import trees
from tests.benchmarks.catalogue import GETS_A_MINUTE, POSTS_A_MINUTE, Stage, killed_instants, stage
from tests.faults import Fault, Kind, fault_proxy

MANIFESTS = trees.A_YEAR if os.environ.get("REINMAKER_SOAK") == "1" else 342  # more than a minute's limit
KILLS = 3
FEW = 72  # four lessons: enough for the listing


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalogue")
    trees.catalogue(folder, manifests=MANIFESTS, phases=1)
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}


@pytest.fixture
def held(tmp_path: Path, environment: dict[str, str]) -> Iterator[Stage]:
    with stage(tmp_path / "server", environment) as server:
        yield server


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    trees.catalogue(folder, manifests=FEW, phases=1)
    return folder


def counted(document: dict[str, Any]) -> Counter[str]:
    return Counter(result["outcome"] for result in document["results"])


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
        assert held.kill_after(catalogue, submitted) == -signal.SIGKILL
    ended = held.publish(catalogue)
    assert (ended.code, set(ended.outcomes), ended.refused) == (0, {"active", "unchanged"}, 0)
    found = held.submissions()
    assert len(found) == len({manifest_id for manifest_id, _ in found}) == MANIFESTS
    assert {status for _, status in found} == {"active"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_a_signal_the_last_known_state_of_each_is_said_and_the_next_run_goes_on(
    held: Stage, few: Path, number: signal.Signals
) -> None:
    code, document = held.publish_and(few, 20, lambda process: process.send_signal(number))
    outcomes = counted(document)
    assert (code, document["exitCode"], document["error"]["code"]) == (128 + number, 128 + number, "interrupted")
    assert sum(outcomes.values()) == FEW
    assert set(outcomes) == {"active", "interrupted"}
    for result in document["results"]:
        assert (result["status"] == "active") or result["outcome"] == "interrupted"
    ended = held.publish(few)
    assert (ended.code, ended.refused, sum(ended.outcomes.values())) == (0, 0, FEW)
    assert len(held.submissions()) == FEW


def test_a_server_that_stops_under_way_leaves_a_table_of_what_is_left(
    tmp_path: Path, environment: dict[str, str], few: Path
) -> None:
    with stage(tmp_path / "server", environment) as held:
        code, document = held.publish_and(few, 20, lambda _: held.server.terminate())
    outcomes = counted(document)
    assert (code, document["error"]["code"]) == (10, "partly-done")
    assert set(outcomes) == {"active", "unreachable", "skipped"}
    assert document["error"]["message"] == f"{FEW - outcomes['active']} of {FEW} manifests are not through"
    with stage(tmp_path / "server", environment) as again:
        ended = again.publish(few)
        assert (ended.code, ended.refused, set(ended.outcomes)) == (0, 0, {"active", "unchanged"})
        assert len(again.submissions()) == FEW


@pytest.mark.parametrize("kind", ["refuse", "drop"])
def test_a_line_that_is_cut_under_way_leaves_a_table_of_what_is_left(
    held: Stage, few: Path, tmp_path: Path, kind: Kind
) -> None:
    """`refuse`: nothing reaches the server any more. `drop`: all of it does, and no answer comes back."""
    with fault_proxy(held.url) as line:

        def cut(_: subprocess.Popen[bytes]) -> None:
            line.faults = [Fault(0, kind, method, path=None) for method in ("GET", "POST")]

        code, document = held.behind(line.url, tmp_path / "behind").publish_and(few, 20, cut)
    outcomes = counted(document)
    assert (code, document["error"]["code"]) == (10, "partly-done")
    assert outcomes["active"] and outcomes["unreachable"]
    assert set(outcomes) <= {"active", "unreachable", "skipped"}
    ended = held.publish(few)
    assert (ended.code, ended.refused, set(ended.outcomes)) == (0, 0, {"active", "unchanged"})
    assert len(held.submissions()) == FEW


@pytest.mark.parametrize("quota", [30, 600])
def test_a_limit_that_is_changed_under_way_is_followed(held: Stage, few: Path, quota: int) -> None:
    def change(_: subprocess.Popen[bytes]) -> None:
        with held.control() as control:
            (client,) = control.clients()
            control.limit_client(client.client_id, {"manifests": quota})

    code, document = held.publish_and(few, 20, change)
    assert (code, counted(document)) == (0, {"active": FEW})
    assert document["stats"]["limitedSeconds"] == (pytest.approx(120, abs=3) if quota == 30 else 0)


def test_each_manifest_has_a_receipt_and_a_repeat_asks_for_none_of_them(held: Stage, few: Path, tmp_path: Path) -> None:
    receipts = tmp_path / "receipts"
    first = held.publish(few, "--receipt", f"{receipts}/")
    written = {file.name: file.read_bytes() for file in receipts.iterdir()}
    assert (first.code, len(written)) == (0, FEW)
    next(receipts.iterdir()).unlink()
    again = held.publish(few, "--receipt", f"{receipts}/")
    assert (again.code, again.requests) == (0, 2)  # the listing, and what the missing receipt says
    kept = [file for file in receipts.iterdir() if file.read_bytes() == written[file.name]]
    assert len(kept) == FEW - 1
    assert len(list(receipts.iterdir())) == FEW
    digests = {json.loads(content)["predicate"]["digest"] for content in written.values()}
    assert digests == {result["digest"] for result in first.document["results"]}

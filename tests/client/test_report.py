"""What several results amount to, as the table of exit codes has it."""

from __future__ import annotations

from itertools import combinations

import pytest

from reinmaker_cli.client.report import AssetCounts, PublishResult, Report
from reinmaker_cli.errors import (
    AccessDenied,
    ContentInvalid,
    ManifestRejected,
    ReinmakerError,
    ServerUnreachable,
    StillPending,
    VersionConflict,
)

KINDS: tuple[type[ReinmakerError], ...] = (
    *(AccessDenied, ContentInvalid, VersionConflict, ManifestRejected, ServerUnreachable, StillPending),
)
"""Several manifests and none of them through: the first of these that occurs."""


def result(kind: type[ReinmakerError] | None = None, *, finished: bool = False) -> PublishResult:
    error = None if kind is None else kind("it stopped", code=kind.__name__, hint="look")
    return PublishResult("m", AssetCounts(1, 1), "t", finished=finished, error=error)


@pytest.mark.parametrize(("first", "second"), [*combinations(KINDS, 2)])
def test_of_two_that_stopped_the_earlier_in_the_table_is_the_runs(
    first: type[ReinmakerError], second: type[ReinmakerError]
) -> None:
    for results in ((result(first), result(second)), (result(second), result(), result(first))):
        report = Report(results)
        assert report.exit_code == first.exit_code
        assert report.error is not None and report.error.code == first.__name__


def test_one_through_and_one_not_is_partly_done_whatever_stopped_it() -> None:
    for kind in KINDS:
        report = Report((result(finished=True), result(kind)))
        assert (report.exit_code, report.error and report.error.code) == (10, "partly-done")


def test_all_through_is_0_and_a_signal_is_its_own() -> None:
    assert (Report((result(finished=True),)).exit_code, Report((result(finished=True),)).error) == (0, None)
    for number in (2, 15):
        report = Report((result(finished=True), result(AccessDenied)), signal_number=number)
        assert (report.exit_code, report.error, report.interrupted) == (128 + number, None, True)

"""What came of a publication: one result for each manifest, and the exit code that they amount to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.contract.models import Submission
from reinmaker_cli.errors import PartlyDone, ReinmakerError
from reinmaker_cli.manifest.diff import Difference

Outcome = Literal[
    "active", "unchanged", "pending", "rejected", "conflict", "invalid", "unreachable", "interrupted", "skipped"
]

# Several manifests and none of them through: the first of these that occurs.
EXIT_CODE_ORDER: Final = (4, 3, 5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class AssetCounts:
    """How a manifest differs from what is active, in assets."""

    count: int
    bytes: int
    added: int = 0
    changed: int = 0
    removed: int = 0
    new_bytes: int = 0
    """Size of those that were added or have other bytes: what has to be uploaded."""

    def to_json(self) -> dict[str, int]:
        """Return the member `assets` of a result."""
        return {
            "count": self.count,
            "bytes": self.bytes,
            "added": self.added,
            "changed": self.changed,
            "removed": self.removed,
            "newBytes": self.new_bytes,
        }


@dataclass(frozen=True, slots=True)
class PublishResult:
    """What came of one manifest."""

    manifest_id: str
    assets: AssetCounts
    trace_id: str
    version: str | None = None
    """None as long as none was chosen (`auto`)."""
    digest: str | None = None
    outcome: Outcome = "skipped"
    status: str | None = None
    """The server's last known status; None where it never took the manifest."""
    reconciled: bool = False
    finished: bool = False
    """All that was asked for is done: also `pending` under --no-wait, `skipped` in a dry run."""
    difference: Difference | None = None
    """To what is active or, in a conflict, to what the version holds."""
    submission: Submission | None = None
    findings: tuple[Finding, ...] = ()
    error: ReinmakerError | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of this manifest alone; 0 also where it was only skipped because of others."""
        return 0 if self.error is None else self.error.exit_code

    def to_json(self) -> dict[str, Any]:
        """Return the result as in the envelope; `error` and `submissionId` only where there is one."""
        document: dict[str, Any] = {
            "manifestId": self.manifest_id,
            "version": self.version,
            "digest": self.digest,
            "outcome": self.outcome,
            "status": self.status,
            "reconciled": self.reconciled,
            "assets": self.assets.to_json(),
            "traceId": self.trace_id,
            "findings": [finding.to_json() for finding in self.findings],
        }
        if self.submission is not None:
            document["submissionId"] = self.submission.submission_id
        if self.error is not None:
            document["error"] = error_json(self.error)
        return document


@dataclass(frozen=True, slots=True)
class Report:
    """What came of the run."""

    results: tuple[PublishResult, ...]
    requests: int = 0
    limited_s: float = 0.0
    signal_number: int | None = None
    """The signal that ended the run; nothing new was sent after it."""

    @property
    def interrupted(self) -> bool:
        """True where SIGINT or SIGTERM ended the run."""
        return self.signal_number is not None

    @property
    def exit_code(self) -> int:
        """The exit code of the run, as the table in the documentation has it."""
        if self.signal_number is not None:
            return 128 + self.signal_number
        unfinished = [result for result in self.results if not result.finished]
        if not unfinished:
            return 0
        if len(unfinished) < len(self.results):
            return PartlyDone.exit_code
        found = {result.exit_code for result in unfinished}
        return next((code for code in EXIT_CODE_ORDER if code in found), max(found))

    @property
    def error(self) -> ReinmakerError | None:
        """The error that stands for the run, or None: that of its exit code, or `partly-done`."""
        code = self.exit_code
        if code == 0 or self.interrupted:
            return None
        if code == PartlyDone.exit_code:
            left = [result for result in self.results if not result.finished]
            of = f"{len(left)} of {len(self.results)} manifests are not through"
            return PartlyDone(of, code=codes.PARTLY_DONE, hint=codes.PARTLY_DONE.cure)
        return next(result.error for result in self.results if result.error and result.exit_code == code)

    def to_json(self) -> dict[str, Any]:
        """Return this report's members of the envelope; `stats` is for the caller to complete."""
        return {
            "results": [result.to_json() for result in self.results],
            "stats": {"requests": self.requests, "limitedSeconds": round(self.limited_s, 1)},
        }


def error_json(error: ReinmakerError) -> Mapping[str, Any]:
    """Return an error as the member `error` of the envelope or of a result."""
    return {"code": error.code, "message": error.message, "hint": error.hint, "retryable": error.retryable}

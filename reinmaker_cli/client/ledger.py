"""The results of a publication while it goes on: one row for each manifest, always fit to be reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reinmaker_cli.client.answers import finding_of
from reinmaker_cli.client.events import Concluded, OnEvent
from reinmaker_cli.client.preflight import Wanted
from reinmaker_cli.client.report import AssetCounts, Outcome, PublishResult, Report
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.contract.models import Submission
from reinmaker_cli.contract.names import Status
from reinmaker_cli.errors import (
    AccessDenied,
    ContentInvalid,
    ManifestRejected,
    ReinmakerError,
    ServerUnreachable,
    StillPending,
    VersionConflict,
)
from reinmaker_cli.manifest.assemble import Draft, Manifest
from reinmaker_cli.manifest.diff import Difference

_OUTCOMES: dict[type[ReinmakerError], Outcome] = {
    ContentInvalid: "invalid",
    VersionConflict: "conflict",
    ManifestRejected: "rejected",
    StillPending: "pending",
    ServerUnreachable: "unreachable",
    AccessDenied: "skipped",  # it was never sent
}


class Ledger:
    """The rows, by the place of their manifest in the order given."""

    def __init__(self, wanted: Sequence[Wanted], *, new_trace_id: Callable[[], str], on_event: OnEvent) -> None:
        self._on_event = on_event
        self._rows = [_first_row(item, new_trace_id()) for item in wanted]
        self._concluded: set[int] = set()

    def __getitem__(self, place: int) -> PublishResult:
        return self._rows[place]

    def note(self, place: int, **known: Any) -> None:
        """Add what became known of a manifest."""
        self._rows[place] = replace(self._rows[place], **known)

    def note_findings(self, place: int, findings: Sequence[Finding]) -> None:
        """Add findings to those that the manifest has."""
        self.note(place, findings=(*self._rows[place].findings, *findings))

    def note_difference(self, place: int, difference: Difference) -> None:
        """Note how the manifest differs from what is active."""
        row = self._rows[place]
        counts = replace(
            row.assets,
            added=len(difference.added),
            changed=len(difference.changed),
            removed=len(difference.removed),
            new_bytes=difference.new_bytes,
        )
        self.note(place, difference=difference, assets=counts)

    def conclude(self, place: int, outcome: Outcome, *, finished: bool = False, **known: Any) -> None:
        """Close the row: nothing more happens to this manifest."""
        self.note(place, outcome=outcome, finished=finished, **known)
        self._concluded.add(place)
        row = self._rows[place]
        checks = row.submission.validation.checks if row.submission is not None else ()
        hashing = next((check for check in checks if check.name == "asset-hash"), None)
        self._on_event(
            Concluded(
                row.manifest_id,
                row.version,
                row.outcome,
                row.status,
                row.trace_id,
                hashed=hashing.checked if hashing is not None else None,
                source=hashing.source if hashing is not None else None,
            )
        )

    def conclude_with(self, place: int, error: ReinmakerError) -> None:
        """Close the row with what went wrong."""
        outcome = next((name for kind, name in _OUTCOMES.items() if isinstance(error, kind)), None)
        if outcome is None:
            raise error
        self.note_findings(place, error.findings)
        self.conclude(place, outcome, error=error)

    def conclude_with_verdict(self, place: int, submission: Submission, manifest: Manifest) -> None:
        """Close the row with the server's final word."""
        self.note(place, submission=submission, status=str(submission.status))
        if submission.status is Status.ACTIVE:
            self.conclude(place, "active", finished=True)
        elif submission.status is Status.REJECTED:
            self.conclude_with(place, rejection_of(submission, manifest))
        else:
            self.conclude_with(place, _superseded(submission))

    def is_open(self, place: int) -> bool:
        """Return whether something may still happen to the manifest."""
        return place not in self._concluded

    def report(self, *, requests: int, limited_s: float, signal_number: int | None = None) -> Report:
        """Return the rows as they stand; after a signal the open ones are `interrupted`."""
        if signal_number is not None:
            for place in range(len(self._rows)):
                if self.is_open(place):
                    self.conclude(place, "interrupted")
        return Report(tuple(self._rows), requests=requests, limited_s=limited_s, signal_number=signal_number)


def rejection_of(submission: Submission, manifest: Manifest | None = None) -> ManifestRejected:
    """Return the error for a rejected submission; with the manifest at hand its findings name local files."""
    findings = [
        finding_of(
            error,
            path=manifest.path_at(error.pointer) if manifest is not None else None,
            manifest_id=submission.manifest_id,
        )
        for error in submission.validation.errors
    ]
    count = max(submission.validation.error_count, len(findings))
    error = ManifestRejected(
        f"the server rejected `{submission.manifest_id}` `{submission.version}`: {count} errors",
        code=codes.REJECTED,
        hint=codes.REJECTED.cure,
        findings=findings,
    )
    error.trace_id = submission.trace_id
    return error


def unsent_result(item: Wanted, findings: Sequence[Finding], *, is_broken: bool) -> PublishResult:
    """Return the result of a manifest that was not sent: `invalid` itself, or `skipped` because of others."""
    row = replace(_first_row(item, ""), findings=tuple(findings))
    if not is_broken:
        return row
    error = ContentInvalid(
        f"the content is invalid: `{item.manifest_id}`", code=codes.CONTENT_INVALID, hint=codes.CONTENT_INVALID.cure
    )
    return replace(row, outcome="invalid", error=error)


def _superseded(submission: Submission) -> VersionConflict:
    newer = submission.active.version if submission.active is not None else "a newer version"
    return VersionConflict(
        f"`{submission.manifest_id}` `{submission.version}` passed, and `{newer}` is active in its place",
        code=codes.VERSION_NOT_NEWER,
        hint="compare with `reinmaker diff`; publish again if yours is the one that is wanted",
    )


def _first_row(item: Wanted, trace_id: str) -> PublishResult:
    return PublishResult(
        manifest_id=item.manifest_id,
        version=item.version,
        digest=item.digest if isinstance(item, Manifest) else None,
        assets=_count_assets(item.content if isinstance(item, Draft) else item.document),
        trace_id=trace_id,
    )


def _count_assets(document: Mapping[str, Any]) -> AssetCounts:
    """Count what can be read: a file that breaks the schema has a result too."""
    assets = document.get("assets")
    sizes = [asset.get("bytes") for asset in assets if isinstance(asset, Mapping)] if isinstance(assets, list) else []
    return AssetCounts(count=len(sizes), bytes=sum(size for size in sizes if isinstance(size, int)))

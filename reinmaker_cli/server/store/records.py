"""What the store takes and gives: submissions, claims and verdicts, as frozen types."""

from __future__ import annotations

from dataclasses import dataclass, field

from reinmaker_cli.contract.names import Status


@dataclass(frozen=True, slots=True)
class NewSubmission:
    """A manifest that passed schema and rules and is to be validated."""

    submission_id: str
    manifest_id: str
    version: str
    digest: str
    content_digest: str
    asset_count: int
    body_bytes: int
    """Size of the manifest as received, inflated."""
    gzipped: bytes = field(repr=False)
    """gzip of the manifest as received."""
    trace_id: str
    validation: str
    """A `Validation` as JSON text: what is known before the assets were looked at, the warnings."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version by content."""

    version: str
    digest: str
    content_digest: str


@dataclass(frozen=True, slots=True)
class StoredSubmission:
    """One submission, and which version of its manifest is active."""

    no: int
    submission_id: str
    manifest_id: str
    version: str
    digest: str
    content_digest: str
    status: Status
    asset_count: int
    body_bytes: int
    submitted_at: float
    updated_at: float
    trace_id: str
    validation: str
    """A `Validation` as JSON text."""
    active: StoredVersion | None


@dataclass(frozen=True, slots=True)
class Created:
    """The manifest is a new submission."""

    submission: StoredSubmission


@dataclass(frozen=True, slots=True)
class Replayed:
    """The same content is there already."""

    submission: StoredSubmission


@dataclass(frozen=True, slots=True)
class VersionTaken:
    """The version is there with other content."""

    submission: StoredSubmission


@dataclass(frozen=True, slots=True)
class NotNewer:
    """The version does not come after the active one."""

    active: StoredVersion


Accepted = Created | Replayed | VersionTaken | NotNewer


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to give the verdict on a submission, until somebody claims it again."""

    no: int
    attempt: int
    manifest_id: str
    version: str
    body_bytes: int
    trace_id: str
    validation: str
    """A `Validation` as JSON text, with the warnings of the rules."""
    epoch: str
    """Of the database: another one since a snapshot was restored, and numbers before it mean something else."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a validation found: its JSON, and whether it lets the manifest pass."""

    validation: str
    passes: bool

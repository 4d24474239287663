"""Submissions with the active version of their manifest beside them: the query, and what one of its rows says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select

from reinmaker_cli.contract.names import Status
from reinmaker_cli.server.store.records import StoredSubmission, StoredVersion
from reinmaker_cli.server.store.tables import active_versions, submissions

_active_submissions = submissions.alias("active_submissions")


def with_active() -> Select[Any]:
    """Return the query of submissions with the active version of their manifest beside them."""
    return (
        select(
            submissions.c.no,
            submissions.c.submission_id,
            submissions.c.manifest_id,
            submissions.c.version,
            submissions.c.digest,
            submissions.c.content_digest,
            submissions.c.status,
            submissions.c.asset_count,
            submissions.c.body_bytes,
            submissions.c.submitted_at,
            submissions.c.updated_at,
            submissions.c.trace_id,
            submissions.c.validation,
            _active_submissions.c.version,
            _active_submissions.c.digest,
            _active_submissions.c.content_digest,
        )
        .outerjoin(active_versions, active_versions.c.manifest_id == submissions.c.manifest_id)
        .outerjoin(_active_submissions, _active_submissions.c.no == active_versions.c.submission_no)
    )


def submission_of(row: Sequence[Any]) -> StoredSubmission:
    """Return a row of `with_active` as what it is."""
    (no, submission_id, manifest_id, version, digest, content_digest, status, *more) = row
    (asset_count, body_bytes, submitted_at, updated_at, trace_id, validation, *of_active) = more
    return StoredSubmission(
        no,
        submission_id,
        manifest_id,
        version,
        digest,
        content_digest,
        Status(status),
        asset_count,
        body_bytes,
        submitted_at,
        updated_at,
        trace_id,
        validation,
        None if of_active[0] is None else StoredVersion(*of_active),
    )

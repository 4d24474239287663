"""Submissions with the active version of their manifest beside them: the query, and what one of its rows says."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, Select, select

from reinmaker_cli.contract.names import Status
from reinmaker_cli.server.store.records import StoredSubmission, StoredVersion
from reinmaker_cli.server.store.tables import active_versions, submissions

_active_submissions = submissions.alias("active_submissions")


def with_active() -> Select[Any]:
    """Return the query of submissions with the active version of their manifest beside them."""
    return (
        select(
            submissions,
            _active_submissions.c.version.label("active_version"),
            _active_submissions.c.digest.label("active_digest"),
            _active_submissions.c.content_digest.label("active_content_digest"),
        )
        .outerjoin(active_versions, active_versions.c.manifest_id == submissions.c.manifest_id)
        .outerjoin(_active_submissions, _active_submissions.c.no == active_versions.c.submission_no)
    )


def submission_of(row: RowMapping) -> StoredSubmission:
    """Return a row of `with_active` as what it is."""
    active = None
    if row["active_version"] is not None:
        active = StoredVersion(row["active_version"], row["active_digest"], row["active_content_digest"])
    return StoredSubmission(
        no=row["no"],
        submission_id=row["submission_id"],
        manifest_id=row["manifest_id"],
        version=row["version"],
        digest=row["digest"],
        content_digest=row["content_digest"],
        status=Status(row["status"]),
        asset_count=row["asset_count"],
        body_bytes=row["body_bytes"],
        submitted_at=row["submitted_at"],
        updated_at=row["updated_at"],
        trace_id=row["trace_id"],
        validation=row["validation"],
        active=active,
    )

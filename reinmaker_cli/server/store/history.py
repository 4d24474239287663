"""Submissions as people look at them: manifests by their last change, and all submissions of one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Subquery, func, select

from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.records import StoredSubmission
from reinmaker_cli.server.store.submission_rows import submission_of, with_active
from reinmaker_cli.server.store.tables import submissions


class History:
    """Reads what was submitted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def manifests(self, *, limit: int) -> tuple[StoredSubmission, ...]:
        """Return the newest submission of each manifest, the one that changed last first."""
        newest = _newest_of_each()
        query = with_active().join(newest, newest.c.no == submissions.c.no)
        return self._read(query.order_by(submissions.c.updated_at.desc(), submissions.c.no.desc()).limit(limit))

    def submissions(self, manifest_id: str, *, limit: int) -> tuple[StoredSubmission, ...]:
        """Return the submissions of a manifest, newest first."""
        query = with_active().where(submissions.c.manifest_id == manifest_id)
        return self._read(query.order_by(submissions.c.no.desc()).limit(limit))

    def by_status(self) -> dict[str, int]:
        """Return how many manifests there are by the status of their newest submission."""
        newest = _newest_of_each()
        counted = select(submissions.c.status, func.count()).join(newest, newest.c.no == submissions.c.no)
        with self._database.read() as connection:
            rows = connection.execute(counted.group_by(submissions.c.status)).all()
        return {row.status: row[1] for row in rows}

    def _read(self, query: Any) -> tuple[StoredSubmission, ...]:
        with self._database.read() as connection:
            return tuple(submission_of(row) for row in connection.execute(query))


def _newest_of_each() -> Subquery:
    return select(func.max(submissions.c.no).label("no")).group_by(submissions.c.manifest_id).subquery()

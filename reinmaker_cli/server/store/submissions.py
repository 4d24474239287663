"""Submissions: taking one in, reading where it stands, and the verdict.

The races that are decided here, each inside one writing transaction:
two identical POSTs become one submission; two contents for one version, one wins; of two versions that pass at the same
time the newer one ends active, whatever the order; a verdict whose claim is no longer the newest, or was made before
another state was put into the database, is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Connection,
    Float,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    insert,
    null,
    or_,
    select,
    update,
)

from reinmaker_cli.contract.names import Status
from reinmaker_cli.contract.versions import is_newer
from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.facts import EPOCH
from reinmaker_cli.server.store.published import publish_assets
from reinmaker_cli.server.store.records import (
    Accepted,
    Claim,
    Created,
    NewSubmission,
    NotNewer,
    Replayed,
    StoredSubmission,
    StoredVersion,
    Verdict,
    VersionTaken,
)
from reinmaker_cli.server.store.submission_rows import submission_of, with_active
from reinmaker_cli.server.store.tables import Number, active_versions, manifest_bodies, submissions

if TYPE_CHECKING:
    from reinmaker_cli.server.verifier import AssetRef


LEASE_S: Final = 60.0
"""Of a validation, in real time; where several processes validate, whoever lives renews it (`session.py`)."""


class Submissions:
    """The journal of submissions, which is also the queue of validations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        leased_until = database.real_time(None) + LEASE_S if database.is_shared else null()
        self._take = _CLAIM.where(_FREE_ONE).values(leased_until=leased_until)
        self._overtake = _CLAIM.where(_OPEN_ONE).values(leased_until=leased_until)

    def accept(self, new: NewSubmission, *, now: float) -> Accepted:
        """Take the manifest in, durably, or say which submission or version stands in its way."""
        with self._database.write() as connection:
            self._database.alone(connection, f"manifest {new.manifest_id}")
            latest = newest = _newest(connection, new.manifest_id)
            if newest is not None and newest.version != new.version:
                latest = _newest(connection, new.manifest_id, new.version)
            if latest is not None and latest.status is not Status.REJECTED:
                return Replayed(latest) if latest.digest == new.digest else VersionTaken(latest)
            active = None if newest is None else newest.active
            if active is not None and not is_newer(new.version, active.version):
                return NotNewer(active)
            return Created(_insert(connection, new, active, now))

    def find(self, manifest_id: str, version: str | None = None) -> StoredSubmission | None:
        """Return the newest submission of the manifest, or of that version of it."""
        with self._database.read() as connection:
            return _newest(connection, manifest_id, version)

    def find_by_id(self, submission_id: str) -> StoredSubmission | None:
        """Return the submission, or None."""
        with self._database.read() as connection:
            return _one(connection, _BY_ID, wanted_id=submission_id)

    def page(self, *, after: str, limit: int) -> tuple[StoredSubmission, ...]:
        """Return the newest submission of each manifest whose id comes after `after`, in order of the ids."""
        newest = (
            select(func.max(submissions.c.no).label("no"))
            .where(submissions.c.manifest_id > after)
            .group_by(submissions.c.manifest_id)
            .order_by(submissions.c.manifest_id)
            .limit(limit)
            .subquery()
        )
        query = with_active().join(newest, newest.c.no == submissions.c.no).order_by(submissions.c.manifest_id)
        with self._database.read() as connection:
            return tuple(submission_of(row) for row in connection.execute(query).mappings())

    def body(self, no: int) -> bytes:
        """Return the gzip of the manifest as it was received."""
        with self._database.read() as connection:
            return bytes(connection.execute(_BODY, {"wanted_no": no}).scalar_one())

    def body_of(self, submission_id: str) -> bytes | None:
        """Return the gzip of a submission's manifest; None where another state without it was put into the database."""
        with self._database.read() as connection:
            gzipped = connection.execute(_BODY_BY_ID, {"wanted_id": submission_id}).scalar_one_or_none()
            return None if gzipped is None else bytes(gzipped)

    def open(self) -> tuple[tuple[int, int], ...]:
        """Return number and body size of all submissions without a verdict, oldest first."""
        return self._open(select(submissions.c.no, submissions.c.body_bytes).where(submissions.c.status.in_(_OPEN)))

    def unclaimed(self, *, limit: int) -> tuple[tuple[int, int], ...]:
        """Return those that nobody validates, the oldest."""
        query = select(submissions.c.no, submissions.c.body_bytes)
        free = (submissions.c.status.in_(_OPEN), submissions.c.leased_by.is_(None))
        return self._open(query.where(*free).limit(limit))

    def _open(self, query: Select[Any]) -> tuple[tuple[int, int], ...]:
        with self._database.read() as connection:
            return tuple((no, size) for no, size in connection.execute(query.order_by(submissions.c.no)))

    def claim(self, no: int, *, now: float, overtaking: bool = False) -> Claim | None:
        """Mark the submission as being validated and return the claim; None where it has its verdict.

        None also where another process validates it, unless that is to be overtaken.
        """
        wanted = {"wanted_no": no, "claimant": self._database.claimant(), "now": now}
        with self._database.write() as connection:
            if self._database.is_shared:
                # Whoever is about to take it has it: nobody waits for that.
                free = _OPEN_ONE if overtaking else _FREE_ONE
                locked = select(submissions.c.no).where(free).with_for_update(skip_locked=not overtaking)
                if connection.execute(locked, wanted).one_or_none() is None:
                    return None
            row = connection.execute(self._overtake if overtaking else self._take, wanted).one_or_none()
            if row is None:
                return None
            return Claim(
                no=no,
                attempt=row.attempt,
                manifest_id=row.manifest_id,
                version=row.version,
                body_bytes=row.body_bytes,
                trace_id=row.trace_id,
                validation=row.validation,
                epoch=row.epoch,
            )

    def conclude(
        self,
        claim: Claim,
        verdict: Verdict,
        keyed: Mapping[str, AssetRef],
        *,
        now: float,
        moved: Callable[[Mapping[int, str]], Verdict],
    ) -> Status | None:
        """Record the verdict and return the new status; None where the claim is no longer the newest.

        A manifest that passes is looked at again: `moved` makes the verdict where a URL was published with another
        hash meanwhile; one whose manifest has a newer active version by now is superseded at once. `keyed` are its
        assets by `keyed_assets`, which takes a second for 100,000.
        """
        with self._database.write() as connection:
            self._database.alone(connection, f"manifest {claim.manifest_id}")
            if not _is_current(connection, claim):
                return None
            if verdict.passes and (conflicts := publish_assets(connection, keyed, claim.no)):
                verdict = moved(conflicts)
            if not verdict.passes:
                _set_status(connection, claim.no, Status.REJECTED, now, verdict.validation)
                return Status.REJECTED
            return _activate(connection, claim, verdict, now)


_OPEN = (Status.PENDING.value, Status.VALIDATING.value)
# Made once: to build such a query takes five times as long as SQLite takes to answer it.
_BY_ID = with_active().where(submissions.c.submission_id == bindparam("wanted_id"))
_NEWEST = (
    with_active()
    .where(submissions.c.manifest_id == bindparam("wanted_manifest"))
    .order_by(submissions.c.no.desc())
    .limit(1)
)
_NEWEST_OF_VERSION = _NEWEST.where(submissions.c.version == bindparam("wanted_version"))
_ACTIVE = (
    select(submissions.c.no, submissions.c.version, submissions.c.digest, submissions.c.content_digest)
    .join(active_versions, active_versions.c.submission_no == submissions.c.no)
    .where(active_versions.c.manifest_id == bindparam("wanted_manifest"))
)
_BODY = select(manifest_bodies.c.gzipped).where(manifest_bodies.c.submission_no == bindparam("wanted_no"))
_BODY_BY_ID = (
    select(manifest_bodies.c.gzipped)
    .join(submissions, submissions.c.no == manifest_bodies.c.submission_no)
    .where(submissions.c.submission_id == bindparam("wanted_id"))
)
_CURRENT = select(submissions.c.no).where(
    submissions.c.no == bindparam("wanted_no"),
    submissions.c.attempt == bindparam("wanted_attempt"),
    submissions.c.status == Status.VALIDATING.value,
    bindparam("claimed_in") == EPOCH,
)
_OPEN_ONE = and_(submissions.c.no == bindparam("wanted_no"), submissions.c.status.in_(_OPEN))
_FREE_ONE = and_(
    _OPEN_ONE, or_(submissions.c.leased_by.is_(None), submissions.c.leased_by == bindparam("claimant", type_=Number))
)
_CLAIM = (
    update(submissions)
    .values(
        leased_by=bindparam("claimant", type_=Number),
        status=Status.VALIDATING.value,
        attempt=submissions.c.attempt + 1,
        # A claim that is only taken over changes nothing for those who watch the submission.
        updated_at=case(
            (submissions.c.status == Status.PENDING.value, bindparam("now", type_=Float)),
            else_=submissions.c.updated_at,
        ),
    )
    .returning(submissions, EPOCH.label("epoch"))
)
_CONCLUDE = (
    update(submissions)
    .where(submissions.c.no == bindparam("wanted_no"))
    .values(
        status=bindparam("then"),
        updated_at=bindparam("now"),
        validation=func.coalesce(bindparam("found", type_=Text), submissions.c.validation),
        leased_by=None,
        leased_until=None,
    )
)
_INSERT = insert(submissions).returning(submissions.c.no)
_INSERT_BODY = insert(manifest_bodies)
_FIRST_POINTER = insert(active_versions).values(
    manifest_id=bindparam("wanted_manifest"), submission_no=bindparam("wanted_no")
)
_NEXT_POINTER = (
    update(active_versions)
    .where(active_versions.c.manifest_id == bindparam("wanted_manifest"))
    .values(submission_no=bindparam("wanted_no"))
)


def _newest(connection: Connection, manifest_id: str, version: str | None = None) -> StoredSubmission | None:
    """Return the newest submission of the manifest, or of that version of it."""
    if version is None:
        return _one(connection, _NEWEST, wanted_manifest=manifest_id)
    return _one(connection, _NEWEST_OF_VERSION, wanted_manifest=manifest_id, wanted_version=version)


def _one(connection: Connection, query: Select[Any], **wanted: str | int) -> StoredSubmission | None:
    row = connection.execute(query, wanted).mappings().one_or_none()
    return None if row is None else submission_of(row)


def _active(connection: Connection, manifest_id: str) -> tuple[int, StoredVersion] | None:
    """Return number and version of the submission that is active."""
    row = connection.execute(_ACTIVE, {"wanted_manifest": manifest_id}).one_or_none()
    return None if row is None else (row.no, StoredVersion(row.version, row.digest, row.content_digest))


def _insert(connection: Connection, new: NewSubmission, active: StoredVersion | None, now: float) -> StoredSubmission:
    row = {
        "submission_id": new.submission_id,
        "manifest_id": new.manifest_id,
        "version": new.version,
        "digest": new.digest,
        "content_digest": new.content_digest,
        "status": Status.PENDING.value,
        "attempt": 0,
        "asset_count": new.asset_count,
        "body_bytes": new.body_bytes,
        "submitted_at": now,
        "updated_at": now,
        "trace_id": new.trace_id,
        "validation": new.validation,
    }
    no = connection.execute(_INSERT, row).scalar_one()
    connection.execute(_INSERT_BODY, {"submission_no": no, "gzipped": new.gzipped})
    return StoredSubmission(
        no=no,
        submission_id=new.submission_id,
        manifest_id=new.manifest_id,
        version=new.version,
        digest=new.digest,
        content_digest=new.content_digest,
        status=Status.PENDING,
        asset_count=new.asset_count,
        body_bytes=new.body_bytes,
        submitted_at=now,
        updated_at=now,
        trace_id=new.trace_id,
        validation=new.validation,
        active=active,
    )


def _is_current(connection: Connection, claim: Claim) -> bool:
    wanted = {"wanted_no": claim.no, "wanted_attempt": claim.attempt, "claimed_in": claim.epoch}
    return connection.execute(_CURRENT, wanted).one_or_none() is not None


def _activate(connection: Connection, claim: Claim, verdict: Verdict, now: float) -> Status:
    found = _active(connection, claim.manifest_id)
    if found is not None and not is_newer(claim.version, found[1].version):
        _set_status(connection, claim.no, Status.SUPERSEDED, now, verdict.validation)
        return Status.SUPERSEDED
    pointer = {"wanted_manifest": claim.manifest_id, "wanted_no": claim.no}
    if found is None:
        connection.execute(_FIRST_POINTER, pointer)
    else:
        _set_status(connection, found[0], Status.SUPERSEDED, now)
        connection.execute(_NEXT_POINTER, pointer)
    _set_status(connection, claim.no, Status.ACTIVE, now, verdict.validation)
    return Status.ACTIVE


def _set_status(connection: Connection, no: int, status: Status, now: float, validation: str | None = None) -> None:
    """Let the submission be this from now on; without another validation it keeps the one that it has."""
    connection.execute(_CONCLUDE, {"wanted_no": no, "then": status.value, "now": now, "found": validation})

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
from reinmaker_cli.server.store.prepared import Prepared
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
        self._take = Prepared(_CLAIM.where(_FREE_ONE).values(leased_until=leased_until))
        self._overtake = Prepared(_CLAIM.where(_OPEN_ONE).values(leased_until=leased_until))

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
            return tuple(submission_of(row) for row in connection.execute(query))

    def body(self, no: int) -> bytes:
        """Return the gzip of the manifest as it was received."""
        with self._database.read() as connection:
            row = _BODY.one(connection, {"wanted_no": no})
        assert row is not None, no
        return bytes(row[0])

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
            row = (self._overtake if overtaking else self._take).one(connection, wanted)
            return None if row is None else Claim(*row)

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
_BY_ID = Prepared(with_active().where(submissions.c.submission_id == bindparam("wanted_id")))
_OF_MANIFEST = (
    with_active()
    .where(submissions.c.manifest_id == bindparam("wanted_manifest"))
    .order_by(submissions.c.no.desc())
    .limit(1)
)
_NEWEST = Prepared(_OF_MANIFEST)
_NEWEST_OF_VERSION = Prepared(_OF_MANIFEST.where(submissions.c.version == bindparam("wanted_version")))
_ACTIVE = Prepared(
    select(submissions.c.no, submissions.c.version)
    .join(active_versions, active_versions.c.submission_no == submissions.c.no)
    .where(active_versions.c.manifest_id == bindparam("wanted_manifest"))
)
_BODY = Prepared(select(manifest_bodies.c.gzipped).where(manifest_bodies.c.submission_no == bindparam("wanted_no")))
_BODY_BY_ID = (
    select(manifest_bodies.c.gzipped)
    .join(submissions, submissions.c.no == manifest_bodies.c.submission_no)
    .where(submissions.c.submission_id == bindparam("wanted_id"))
)
_CURRENT = Prepared(
    select(submissions.c.no).where(
        submissions.c.no == bindparam("wanted_no"),
        submissions.c.attempt == bindparam("wanted_attempt"),
        submissions.c.status == Status.VALIDATING.value,
        bindparam("claimed_in") == EPOCH,
    )
)
_OPEN_ONE = and_(submissions.c.no == bindparam("wanted_no"), or_(*(submissions.c.status == status for status in _OPEN)))
_FREE_ONE = and_(
    _OPEN_ONE, or_(submissions.c.leased_by.is_(None), submissions.c.leased_by == bindparam("claimant", type_=Number))
)
_CLAIMED = ("no", "attempt", "manifest_id", "version", "body_bytes", "trace_id", "validation")
"""As the fields of a `Claim`, whose last one is the epoch."""
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
    .returning(*(submissions.c[name] for name in _CLAIMED), EPOCH)
)
_CONCLUDE = Prepared(
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
_NEW: Final = (
    "submission_id",
    "manifest_id",
    "version",
    "digest",
    "content_digest",
    "asset_count",
    "body_bytes",
    "trace_id",
    "validation",
)
"""What is stored of a `NewSubmission` as it is."""
_INSERT = Prepared(
    insert(submissions).returning(submissions.c.no), (*_NEW, "status", "attempt", "submitted_at", "updated_at")
)
_INSERT_BODY = Prepared(insert(manifest_bodies), ("submission_no", "gzipped"))
_FIRST_POINTER = Prepared(
    insert(active_versions).values(manifest_id=bindparam("wanted_manifest"), submission_no=bindparam("wanted_no"))
)
_NEXT_POINTER = Prepared(
    update(active_versions)
    .where(active_versions.c.manifest_id == bindparam("wanted_manifest"))
    .values(submission_no=bindparam("wanted_no"))
)


def _newest(connection: Connection, manifest_id: str, version: str | None = None) -> StoredSubmission | None:
    """Return the newest submission of the manifest, or of that version of it."""
    if version is None:
        return _one(connection, _NEWEST, wanted_manifest=manifest_id)
    return _one(connection, _NEWEST_OF_VERSION, wanted_manifest=manifest_id, wanted_version=version)


def _one(connection: Connection, query: Prepared, **wanted: str) -> StoredSubmission | None:
    row = query.one(connection, wanted)
    return None if row is None else submission_of(row)


def _active(connection: Connection, manifest_id: str) -> tuple[int, str] | None:
    """Return number and version of the submission that is active."""
    row = _ACTIVE.one(connection, {"wanted_manifest": manifest_id})
    return None if row is None else (row[0], row[1])


def _insert(connection: Connection, new: NewSubmission, active: StoredVersion | None, now: float) -> StoredSubmission:
    stored = {name: getattr(new, name) for name in _NEW}
    row = _INSERT.one(
        connection, {**stored, "status": Status.PENDING.value, "attempt": 0, "submitted_at": now, "updated_at": now}
    )
    assert row is not None, new.submission_id
    _INSERT_BODY.run(connection, {"submission_no": row[0], "gzipped": new.gzipped})
    return StoredSubmission(no=row[0], status=Status.PENDING, submitted_at=now, updated_at=now, active=active, **stored)


def _is_current(connection: Connection, claim: Claim) -> bool:
    wanted = {"wanted_no": claim.no, "wanted_attempt": claim.attempt, "claimed_in": claim.epoch}
    return _CURRENT.one(connection, wanted) is not None


def _activate(connection: Connection, claim: Claim, verdict: Verdict, now: float) -> Status:
    found = _active(connection, claim.manifest_id)
    if found is not None and not is_newer(claim.version, found[1]):
        _set_status(connection, claim.no, Status.SUPERSEDED, now, verdict.validation)
        return Status.SUPERSEDED
    pointer = {"wanted_manifest": claim.manifest_id, "wanted_no": claim.no}
    if found is None:
        _FIRST_POINTER.run(connection, pointer)
    else:
        _set_status(connection, found[0], Status.SUPERSEDED, now)
        _NEXT_POINTER.run(connection, pointer)
    _set_status(connection, claim.no, Status.ACTIVE, now, verdict.validation)
    return Status.ACTIVE


def _set_status(connection: Connection, no: int, status: Status, now: float, validation: str | None = None) -> None:
    """Let the submission be this from now on; without another validation it keeps the one that it has."""
    _CONCLUDE.run(connection, {"wanted_no": no, "then": status.value, "now": now, "found": validation})

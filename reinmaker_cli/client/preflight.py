"""What the server has, and what is therefore to be done with each manifest; nothing is sent here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from reinmaker_cli.client.answers import plain
from reinmaker_cli.client.api import Api, Seen
from reinmaker_cli.client.patience import Patience
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.models import ListedManifest, ListedNewest, Submission, VersionRef
from reinmaker_cli.contract.names import Status
from reinmaker_cli.contract.versions import VERSION_PATTERN, is_newer, next_version
from reinmaker_cli.errors import ServerUnreachable, VersionConflict
from reinmaker_cli.manifest.assemble import Draft, Manifest

LIST_ABOVE: Final = 50  # manifests; below, asking for each is as quick and does not read a whole catalogue
MAX_PAGES: Final = 10_000

Wanted = Draft | Manifest
"""What is to be published: from a folder, or a reviewed file, whose version is fixed."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the server has of one manifest."""

    active: VersionRef | None = None
    newest: ListedNewest | None = None

    def __post_init__(self) -> None:
        for ref in (self.active, self.newest):
            if ref is not None and not VERSION_PATTERN.match(ref.version):
                raise ServerUnreachable(
                    f"the server names a version that is none: `{plain(ref.version)}`",
                    code=codes.ANSWER_UNUSABLE,
                    hint="check the address with `reinmaker config show --origin`",
                )


@dataclass(frozen=True, slots=True)
class Unchanged:
    """That content is what players have; nothing is sent."""

    active: VersionRef


@dataclass(frozen=True, slots=True)
class Await:
    """That content is submitted already, and its verdict is to come."""

    manifest: Manifest
    submission_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Send:
    """That content is to be submitted."""

    manifest: Manifest
    earlier: str | None
    """The submissionId that this version has already, rejected; the new submission will have another."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The version exists with other content, or is too old."""

    manifest: Manifest
    with_version: str
    """The version whose content ours is to be compared with."""
    error: VersionConflict


Decision = Unchanged | Await | Send | Conflict


def list_manifests(api: Api, *, patience: Patience, trace_id: str) -> dict[str, ListedManifest] | None:
    """Return all that the server has, by manifestId; None where it has no listing."""
    found: dict[str, ListedManifest] = {}
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = patience.ask(
            lambda cursor=cursor: api.manifest_page(  # type: ignore[misc]  # mypy cannot type a bound default
                cursor, trace_id=trace_id, limit_s=patience.left_s()
            )
        )
        if page is None:
            return None
        found.update((item.manifest_id, item) for item in page.items)
        if not page.next or page.next == cursor:
            return found
        cursor = page.next
    raise ServerUnreachable(
        f"the server's listing does not end after {MAX_PAGES} pages",
        code=codes.ANSWER_UNUSABLE,
        hint="check the address with `reinmaker config show --origin`",
    )


def read_known(api: Api, manifest_id: str, *, patience: Patience, trace_id: str) -> Known:
    """Return what the server has of one manifest."""
    seen = patience.ask(lambda: api.manifest(manifest_id, trace_id=trace_id, limit_s=patience.left_s()))
    if not isinstance(seen, Seen):
        return Known()
    return Known(seen.submission.active, _newest(seen.submission))


def decide(
    wanted: Wanted,
    known: Known,
    *,
    today: date,
    look_up: Callable[[str], ListedNewest | None],
    taken: Collection[str] = (),
) -> Decision:
    """Return what to do with a manifest.

    `look_up` asks for a version that is neither active nor newest; `taken` are versions that were refused a moment ago.
    """
    if wanted.version is None:
        assert isinstance(wanted, Draft)
        return _decide_auto(wanted, known, today, taken)
    manifest = wanted.at(wanted.version) if isinstance(wanted, Draft) else wanted
    return _decide_fixed(manifest, known, look_up)


def _decide_auto(draft: Draft, known: Known, today: date, taken: Collection[str]) -> Decision:
    active, newest = known.active, known.newest
    if active is not None and active.content_digest == draft.content_digest:
        return Unchanged(active)
    if newest is not None and newest.content_digest == draft.content_digest:
        if not newest.status.is_final:
            return Await(draft.at(newest.version), newest.submission_id, str(newest.status))
        if newest.status is Status.REJECTED and _may_follow(newest.version, active):
            return Send(draft.at(newest.version), newest.submission_id)
    # A rejected version is free: it may be submitted again with other content.
    occupied = [ref.version for ref in (active, newest if newest and not newest.status.is_final else None) if ref]
    try:
        version = next_version(today, newer_than=occupied, taken=lambda candidate: candidate in taken)
    except OverflowError as error:
        raise VersionConflict(
            f"no day follows that of the versions that `{draft.manifest_id}` has: {', '.join(occupied)}",
            code=codes.VERSION_NOT_NEWER,
            hint='fix one with a word after the date: `version = "9999.12.31-z"` under [manifest]',
        ) from error
    earlier = newest.submission_id if newest is not None and newest.version == version else None
    return Send(draft.at(version), earlier)


def _decide_fixed(manifest: Manifest, known: Known, look_up: Callable[[str], ListedNewest | None]) -> Decision:
    active, newest = known.active, known.newest
    if active is not None and active.version == manifest.version:
        if active.digest == manifest.digest:
            return Unchanged(active)
        return _other_content(manifest)
    there = newest if newest is None or newest.version == manifest.version else look_up(manifest.version)
    if there is not None and there.status is not Status.REJECTED:
        if there.digest != manifest.digest:
            return _other_content(manifest)
        if not there.status.is_final:
            return Await(manifest, there.submission_id, str(there.status))
    if not _may_follow(manifest.version, active):
        assert active is not None
        return _too_old(manifest, active)
    return Send(manifest, there.submission_id if there is not None else None)


def _may_follow(version: str, active: VersionRef | None) -> bool:
    return active is None or is_newer(version, active.version)


def _other_content(manifest: Manifest) -> Conflict:
    error = VersionConflict(
        f"version exists with other content: `{manifest.manifest_id}` `{manifest.version}`",
        code=codes.VERSION_CONFLICT,
        hint='publish under a new version: `version = "auto"`, or `--as-new-version` for a manifest file',
    )
    return Conflict(manifest, manifest.version, error)


def _too_old(manifest: Manifest, active: VersionRef) -> Conflict:
    error = VersionConflict(
        f"version `{manifest.version}` of `{manifest.manifest_id}` is not newer than the active `{active.version}`",
        code=codes.VERSION_NOT_NEWER,
        hint='publish under a new version: `version = "auto"`, or `--as-new-version` for a manifest file',
    )
    return Conflict(manifest, active.version, error)


def look_up_version(
    api: Api, manifest_id: str, version: str, *, patience: Patience, trace_id: str
) -> ListedNewest | None:
    """Return the submission of one version, or None."""
    seen = patience.ask(
        lambda: api.manifest(manifest_id, version=version, trace_id=trace_id, limit_s=patience.left_s())
    )
    return _newest(seen.submission) if isinstance(seen, Seen) else None


def known_from_listing(listed: Mapping[str, ListedManifest], manifest_id: str) -> Known:
    """Return what a listing says of one manifest."""
    item = listed.get(manifest_id)
    return Known(item.active, item.newest) if item is not None else Known()


def _newest(submission: Submission) -> ListedNewest:
    return ListedNewest(
        submission_id=submission.submission_id,
        version=submission.version,
        digest=submission.digest,
        content_digest=submission.content_digest,
        status=submission.status,
    )

"""A folder of assets -> what is in it: type, hash, size, metadata, and everything that is wrong.

    walk      the files, and names and links that cannot be
    match     what each file is                          (rules.py)
    digest    its bytes, read once                       (digest.py, batch.py)
    guard     are these the real bytes                   (guards.py)
    probe     what they say about themselves             (probes.py)
    merge     metadata: probed, then the rule's, then the sidecar's

All findings are collected before anything stops. A file is an asset unless its bytes or its meaning are unusable.
"""

from __future__ import annotations

import gc
import posixpath
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from reinmaker_cli.assets.batch import hash_files
from reinmaker_cli.assets.digest import HEAD_BYTES, Content, Digest
from reinmaker_cli.assets.guards import check_head, looks_like_audio2face
from reinmaker_cli.assets.probes import probe as probe_content
from reinmaker_cli.assets.project import Project
from reinmaker_cli.assets.reading import read_head, unreadable
from reinmaker_cli.assets.rules import Match, Matcher
from reinmaker_cli.assets.sidecars import read_sidecar
from reinmaker_cli.assets.walk import Ignored, Walk, walk_folder
from reinmaker_cli.assets.walked import WalkedFile
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class Asset:
    """One file that can be published."""

    path: str
    """Relative to the root, `/` between parts."""
    id: str
    type: str
    """One of `names.ASSET_TYPES`."""
    sha256: str
    """64 lower-case hex digits."""
    bytes: int
    metadata: Mapping[str, Any]
    captures: Mapping[str, str]
    """What the rule captured from the path, after [values]."""


@dataclass(frozen=True, slots=True)
class ScanStats:
    """How much was looked at."""

    files: int
    """Files that are not ignored."""
    bytes: int
    """Their size together."""
    hashed: int
    cached: int = 0


class ScanProgress(NamedTuple):
    """Where the hashing stands; both totals are known from the start."""

    files: int
    total_files: int
    bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What is in a folder."""

    root: Path
    assets: tuple[Asset, ...]
    """Sorted by id, then path."""
    findings: tuple[Finding, ...]
    """Sorted by path, then code."""
    ignored: tuple[Ignored, ...]
    stats: ScanStats


def scan_folder(
    project: Project,
    *,
    jobs: int | None = None,
    probe: bool = True,
    written: Collection[str] = (),
    progress: Callable[[ScanProgress], None] | None = None,
) -> Scan:
    """Return what is in the project's folder; nothing leaves the machine.

    `written` are paths below the root that the running command writes itself.
    `jobs` bounds the threads that hash large files; `progress` is called ten times a second and at the end.
    UsageError where the root is no folder, ContentInvalid where it holds neither an asset nor anything wrong.
    """
    _require_folder(project.root)
    with _collector_paused():
        walk = walk_folder(project.root, ignore=project.ignore, written=written)
        return _scan(project, walk, jobs=jobs, wants_probe=probe, progress=progress)


def _scan(
    project: Project,
    walk: Walk,
    *,
    jobs: int | None,
    wants_probe: bool,
    progress: Callable[[ScanProgress], None] | None,
) -> Scan:
    findings = list(walk.findings)
    matched = _match_all(walk, Matcher(project), findings)
    outcomes = hash_files(
        [file for file, _ in matched],
        jobs=jobs,
        look=_Look({file.path: match for file, match in matched}, wants_probe=wants_probe),
        advance=_advance(matched, progress),
    )
    sidecars = _read_sidecars(walk, findings)
    assets = []
    for (file, match), outcome in zip(matched, outcomes, strict=True):
        if isinstance(outcome, Finding):
            findings.append(outcome)
        elif (asset := _asset(file, match, outcome, sidecars.get(file.path), findings)) is not None:
            assets.append(asset)
    if not assets and not findings:
        raise walk.no_assets()
    return Scan(
        root=project.root,
        assets=tuple(sorted(assets, key=attrgetter("id", "path"))),
        findings=tuple(sorted(findings, key=lambda finding: (finding.path or "", finding.code))),
        ignored=walk.ignored,
        stats=ScanStats(
            files=len(walk.files),
            bytes=sum(file.size for file in walk.files),
            hashed=sum(isinstance(outcome, Digest) for outcome in outcomes),
        ),
    )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the cyclic collector from going through a growing heap without cycles again and again: 3.7 -> 2.8 s."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _require_folder(root: Path) -> None:
    if root.is_dir():
        return
    if root.exists():
        raise UsageError(
            f"a file where a folder is needed: `{root}`",
            code=codes.NOT_A_FOLDER,
            hint=f"name the folder: `{root.parent}`",
        )
    raise UsageError(f"no such folder: `{root}`", code=codes.FOLDER_NOT_FOUND, hint="check the path")


def _match_all(walk: Walk, matcher: Matcher, findings: list[Finding]) -> list[tuple[WalkedFile, Match]]:
    matched = []
    for file in walk.files:
        verdict = matcher.match(file.path)
        if isinstance(verdict, Finding):
            findings.append(verdict)
            findings.extend(_guard_unmatched(file))
        else:
            matched.append((file, verdict))
    return matched


def _guard_unmatched(file: WalkedFile) -> list[Finding]:
    # A pointer in an unmatched place is two things to mend; saying so now saves a run.
    try:
        head = read_head(file.os_path, HEAD_BYTES)
    except OSError as error:
        return [unreadable(file.path, error)]
    guarded = check_head(file.path, head, file.size)
    return [guarded] if guarded is not None else []


class _Seen(NamedTuple):
    """What a look inside one file found."""

    finding: Finding | None
    metadata: Mapping[str, Any]


_NOTHING_SEEN = _Seen(None, {})


class _Look:
    """Guards and probes one file while its bytes are known to be the ones hashed; called from several threads."""

    def __init__(self, matches: Mapping[str, Match], *, wants_probe: bool) -> None:
        self._matches = matches
        self._wants_probe = wants_probe

    def __call__(self, file: WalkedFile, content: Content) -> _Seen:
        finding = check_head(file.path, content.head, content.size)
        if finding is not None:
            return _Seen(finding, {})
        if self._matches[file.path].needs_look and not looks_like_audio2face(content.head):
            return _Seen(_not_audio2face(file.path), {})
        if not self._wants_probe:
            return _NOTHING_SEEN
        extension = posixpath.splitext(file.path)[1].lower()
        return _Seen(None, probe_content(content.open, extension, content.head, content.size))


def _not_audio2face(path: str) -> Finding:
    return codes.UNMATCHED_FILE.finding(
        f"JSON without Audio2Face frames, and no rule or folder says what it is: `{path}`", path=path
    )


# Findings after which the bytes or their meaning are unusable; with the others the file is still an asset.
_NO_ASSET = frozenset([codes.LFS_POINTER, codes.EMPTY_FILE, codes.UNMATCHED_FILE])


def _asset(
    file: WalkedFile, match: Match, digest: Digest, described: Mapping[str, Any] | None, findings: list[Finding]
) -> Asset | None:
    seen: _Seen = digest.seen
    if seen.finding is not None:
        findings.append(seen.finding)
        if seen.finding.code in _NO_ASSET:
            return None
    metadata = {**seen.metadata, **match.metadata, **(described or {})}
    return Asset(file.path, match.asset_id, match.type, digest.sha256, digest.bytes, metadata, match.captures)


def _read_sidecars(walk: Walk, findings: list[Finding]) -> dict[str, Mapping[str, Any]]:
    read: dict[str, Mapping[str, Any]] = {}
    for path, sidecar in sorted(walk.sidecars.items()):
        outcome = read_sidecar(sidecar)
        if isinstance(outcome, Finding):
            findings.append(outcome)
        else:
            read[path] = outcome
    return read


def _advance(
    matched: Sequence[tuple[WalkedFile, Match]], progress: Callable[[ScanProgress], None] | None
) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    report = progress
    total_bytes = sum(file.size for file, _ in matched)

    def advance(files: int, done_bytes: int) -> None:
        report(ScanProgress(files, len(matched), min(done_bytes, total_bytes), total_bytes))

    return advance

"""A folder of assets -> what is in it: type, hash, size, metadata, and everything that is wrong.

    walk      the files, and names and links that cannot be
    remember  what is as it was needs no second look     (cache.py)
    match     what each file is                          (rules.py)
    digest    its bytes, read once                       (digest.py, batch.py)
    look      are these the real bytes, what do they say (looking.py, guards.py, probes.py)
    merge     metadata: probed, then the rule's, then the sidecar's

All findings are collected before anything stops. A file is an asset unless its bytes or its meaning are unusable.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reinmaker_cli.assets.asset import Asset, Scan, ScanProgress, ScanStats
from reinmaker_cli.assets.cache import DigestCache, Memory
from reinmaker_cli.assets.collector import collector_paused
from reinmaker_cli.assets.digest import Digest
from reinmaker_cli.assets.looking import Look, Seen, guard_unmatched
from reinmaker_cli.assets.pages import Page, Row
from reinmaker_cli.assets.project import Project
from reinmaker_cli.assets.rules import Match, Matcher
from reinmaker_cli.assets.walk import Walk, walk_folder
from reinmaker_cli.assets.walked import STATUS, FolderFiles, WalkedFile
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.errors import UsageError

if TYPE_CHECKING:
    from reinmaker_cli.assets.batch import Hashing

__all__ = ["Asset", "Scan", "ScanProgress", "ScanStats", "scan_folder"]


def scan_folder(
    project: Project,
    *,
    jobs: int | None = None,
    probe: bool = True,
    written: Collection[str] = (),
    cache: DigestCache | None = None,
    progress: Callable[[ScanProgress], None] | None = None,
) -> Scan:
    """Return what is in the project's folder; nothing leaves the machine.

    `written` are paths below the root that the running command writes itself. What `cache` knows is not read again.
    `jobs` bounds the threads that hash large files; `progress` is called ten times a second and at the end.
    UsageError where the root is no folder, ContentInvalid where it holds neither an asset nor anything wrong.
    """
    _require_folder(project.root)
    memory = Memory(cache, project)
    with collector_paused(), _Scanner(project, memory, jobs, wants_probe=probe) as scanner:
        walk = walk_folder(
            project.root,
            ignore=project.ignore,
            written=written,
            own=memory.own_document,
            on_files=scanner.meet,
        )
        try:
            scan = scanner.scan(walk, progress)
        finally:
            memory.save()  # of an interrupted scan too: what is hashed is hashed
    return replace(scan, cache_fault=memory.fault)


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


class _Waiting(NamedTuple):
    """A folder with files that must be looked at one by one."""

    folder: FolderFiles
    matches: Sequence[Match | None]
    known: Sequence[Row | None]
    """What earlier scans found; None where a file must be read."""


class _Scanner:
    """One scan: what its steps find. Files are hashed from the moment on when the walk meets them."""

    def __init__(self, project: Project, memory: Memory, jobs: int | None, *, wants_probe: bool) -> None:
        self._project = project
        self._memory = memory
        self._jobs = jobs
        self._wants_probe = wants_probe
        self._matcher: Matcher | None = None
        self._hashing: Hashing | None = None
        self._same: list[tuple[FolderFiles, Page]] = []
        self._waiting: list[_Waiting] = []
        self._assets: list[Asset] = []
        self._findings: list[Finding] = []
        self._sidecars: Mapping[str, Mapping[str, Any]] = {}
        self._hashed = self._cached = self._bytes = 0

    def __enter__(self) -> _Scanner:
        return self

    def __exit__(self, *_: object) -> None:
        if self._hashing is not None:
            self._hashing.stop()

    def meet(self, folder: FolderFiles) -> None:
        """Take in a folder that the walk passed: as it was, or to be looked at file by file."""
        page = self._memory.page_of(folder, wants_probe=self._wants_probe)
        if page is not None:
            self._same.append((folder, page))
            return
        matches = self._match(folder)
        known = self._memory.rows_of(folder, wants_probe=self._wants_probe)
        self._waiting.append(_Waiting(folder, matches, known))
        self._hash(
            [file for file, match, row in zip(folder, matches, known, strict=True) if match is not None and row is None]
        )

    def scan(self, walk: Walk, progress: Callable[[ScanProgress], None] | None) -> Scan:
        """Return what the walk's files are, after it met all of them."""
        self._findings += walk.findings
        self._sidecars = _read_sidecars(walk, self._memory, self._findings)
        for folder, page in self._same:
            self._take_page(folder, page)
        self._look_at_waiting(progress)
        if not self._assets and not self._findings:
            raise walk.no_assets()
        return Scan(
            root=self._project.root,
            assets=tuple(sorted(self._assets, key=itemgetter(1, 0))),
            findings=tuple(sorted(self._findings, key=lambda finding: (finding.path or "", finding.code))),
            ignored=walk.ignored,
            stats=ScanStats(
                files=sum(map(len, walk.folders)),
                bytes=self._bytes,
                hashed=self._hashed,
                cached=self._cached,
            ),
        )

    def _match(self, folder: FolderFiles) -> list[Match | None]:
        if self._matcher is None:
            self._matcher = Matcher(self._project)
        match, prefix = self._matcher.match, folder.prefix
        matches: list[Match | None] = []
        for name in folder.names:
            verdict = match(prefix + name)
            if isinstance(verdict, Finding):
                self._findings.append(verdict)
                self._findings.extend(guard_unmatched(folder.file(len(matches))))
                matches.append(None)
            else:
                matches.append(verdict)
        return matches

    def _hash(self, files: Sequence[WalkedFile]) -> None:
        if not files:
            return
        if self._hashing is None:
            # Not at the top: what starts threads and processes is a tenth of the start, and often not needed.
            from reinmaker_cli.assets.batch import Hashing

            self._hashing = Hashing(jobs=self._jobs, look=Look(self._wants_probe))
        self._hashing.add(files)

    def _look_at_waiting(self, progress: Callable[[ScanProgress], None] | None) -> None:
        outcomes: list[Digest | Finding | None] = []
        try:
            if self._hashing is not None:
                outcomes = self._hashing.outcomes
                self._hashing.finish(_advance(self._hashing.files, progress))
        finally:
            done = iter(outcomes)
            for one in self._waiting:
                self._take_waiting(one, done)

    def _take_waiting(self, waiting: _Waiting, outcomes: Iterator[Digest | Finding | None]) -> None:
        folder, matches, known = waiting
        self._bytes += sum(folder.sizes)
        rows = []
        for index, (name, match, row) in enumerate(zip(folder.names, matches, known, strict=True)):
            if match is None:
                continue
            path = folder.prefix + name
            if row is not None:
                self._cached += 1
                (size, _, _, _) = STATUS.unpack(row.status)
                self._take(path, match, row.sha256, size, row.seen)
                rows.append(row._replace(match=match))
                continue
            outcome = next(outcomes)
            if isinstance(outcome, Finding):
                self._findings.append(outcome)
            elif outcome is not None:
                self._hashed += 1
                self._take(path, match, outcome.sha256, outcome.bytes, outcome.seen)
                if outcome.is_as_walked and self._memory.is_kept:
                    row_of = (name, folder.status_of(index), outcome.sha256, outcome.seen, match)
                    rows.append(tuple.__new__(Row, row_of))
        self._memory.keep(folder, rows)

    def _take_page(self, folder: FolderFiles, page: Page) -> None:
        self._cached += len(folder)
        sizes = folder.sizes
        self._bytes += sum(sizes)
        rows = zip(folder.names, page.shape_of, page.ids, page.digests, sizes, strict=True)
        if self._sidecars or any(_is_odd(seen, match) for seen, match in page.shapes):
            for name, shape, asset_id, sha256, size in rows:
                seen, match = page.shapes[shape]
                assert match is not None
                self._take(folder.prefix + name, match._replace(asset_id=asset_id), sha256, size, seen)
            return
        # The same without a call for each file.
        prefix, new = folder.prefix, tuple.__new__
        kinds = [
            (match.type, _merged(self._probed(seen), match.metadata), match.captures)
            for seen, match in page.shapes
            if match is not None
        ]
        if len(kinds) == 1:
            ((asset_type, metadata, captures),) = kinds
            self._assets += [
                new(Asset, (prefix + name, asset_id, asset_type, sha256, size, metadata, captures))
                for name, _, asset_id, sha256, size in rows
            ]
            return
        for name, shape, asset_id, sha256, size in rows:
            asset_type, metadata, captures = kinds[shape]
            self._assets.append(new(Asset, (prefix + name, asset_id, asset_type, sha256, size, metadata, captures)))

    def _probed(self, seen: Seen) -> Mapping[str, Any] | None:
        # An earlier scan may have asked for more than this one does.
        return seen.metadata if self._wants_probe else None

    def _take(self, path: str, match: Match, sha256: str, size: int, seen: Seen) -> None:
        if _is_odd(seen, match):
            finding = seen.finding or _not_audio2face(path)
            self._findings.append(finding)
            if finding.code in _NO_ASSET:
                return
        metadata = _merged(self._probed(seen), match.metadata, self._sidecars.get(path))
        self._assets.append(
            tuple.__new__(Asset, (path, match.asset_id, match.type, sha256, size, metadata, match.captures))
        )


# Findings after which the bytes or their meaning are unusable; with the others the file is still an asset.
_NO_ASSET = frozenset([codes.LFS_POINTER, codes.EMPTY_FILE, codes.UNMATCHED_FILE])
_NO_METADATA: Mapping[str, Any] = {}


def _is_odd(seen: Seen, match: Match | None) -> bool:
    return seen.finding is not None or (match is not None and match.needs_look and not seen.is_audio2face)


def _merged(*sources: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the metadata of all sources, the later ones stronger."""
    said = [source for source in sources if source]
    if not said:
        return _NO_METADATA
    return said[0] if len(said) == 1 else {name: value for source in said for name, value in source.items()}


def _not_audio2face(path: str) -> Finding:
    return codes.UNMATCHED_FILE.finding(
        f"JSON without Audio2Face frames, and no rule or folder says what it is: `{path}`", path=path
    )


def _read_sidecars(walk: Walk, memory: Memory, findings: list[Finding]) -> dict[str, Mapping[str, Any]]:
    if not walk.sidecars:
        return {}
    from reinmaker_cli.assets.sidecars import read_sidecar

    read: dict[str, Mapping[str, Any]] = {}
    for path, sidecar in sorted(walk.sidecars.items()):
        known = memory.sidecar(sidecar)
        outcome = read_sidecar(sidecar) if known is None else known
        if isinstance(outcome, Finding):
            findings.append(outcome)
            continue
        read[path] = outcome
        if known is None:
            memory.keep_sidecar(sidecar, outcome)
    return read


def _advance(
    files: Sequence[WalkedFile], progress: Callable[[ScanProgress], None] | None
) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    report = progress
    total_bytes = sum(file.size for file in files)

    def advance(done_files: int, done_bytes: int) -> None:
        report(ScanProgress(done_files, len(files), min(done_bytes, total_bytes), total_bytes))

    return advance

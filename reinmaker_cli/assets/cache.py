"""What earlier scans found in a folder's files -> what need not be read again.

A file is known by path, size, mtime, ctime, inode and device. Nobody who replaces it or writes to it can set its ctime,
so the same size under an older mtime is noticed. Not noticed: what is written through a memory map before the system
has written it back; what a file system without ctime and inodes hides (Windows: the same size under the same mtime);
a clock that is set back by more than the time between two scans.

As in git's index, a file that changed less than two seconds before it was read is not kept: it could change once more
within one tick of the file system's clock, and look the same.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from reinmaker_cli import __version__
from reinmaker_cli.assets.cache_file import cache_path, keep_in_use, read_cache, sweep, write_cache
from reinmaker_cli.assets.own import own_document
from reinmaker_cli.assets.pages import Page, Row, encode_page
from reinmaker_cli.assets.project import Project
from reinmaker_cli.assets.reading import reason_of
from reinmaker_cli.assets.walked import STATUS, FolderFiles, WalkedFile
from reinmaker_cli.contract import codes

SETTLED_NS: Final = 2_000_000_000  # FAT counts in steps of two seconds
_PROBE_LIBRARIES: Final = ("imagesize", "tinytag")


@dataclass(frozen=True, slots=True)
class DigestCache:
    """Where digests are kept between runs, and whether they are believed."""

    folder: Path
    is_believed: bool = True
    """False: every file is read, and what it gives is kept for the next run."""
    clock_ns: Callable[[], int] = time.time_ns
    """The clock by which the file system dates changes, in nanoseconds since 1970."""


class _Small(NamedTuple):
    """What is kept of a file that is no asset: whether reinmaker wrote it, or the members of a sidecar."""

    identity: tuple[int, ...]
    kind: str
    value: Any


class Memory:
    """What is known of one root; one for each scan."""

    def __init__(self, cache: DigestCache | None, project: Project) -> None:
        self.fault = ""
        """Why nothing could be kept, in words; empty where nothing went wrong."""
        self._root = os.path.realpath(project.root)
        if cache is not None and _lies_below(cache.folder, self._root):
            self.fault = f"{cache.folder}: inside the asset folder"  # what is written there would be an asset
            cache = None
        self._cache = cache
        self._pages: dict[tuple[str, int], Page] = {}
        self._small: dict[str, _Small] = {}
        self._found_small: dict[str, _Small] = {}
        self._kept: dict[tuple[str, int], bytes | memoryview] = {}
        self._read_from_ns = 0 if cache is None else cache.clock_ns()
        self._rules = "" if cache is None else _fingerprint_of_rules(project)
        self._are_rules_same = False
        if cache is not None:
            self._read(cache)

    def _read(self, cache: DigestCache) -> None:
        stored = read_cache(cache_path(cache.folder, self._root), self._root)
        if stored is None or stored.head["code"] != _fingerprint_of_code() or not cache.is_believed:
            return
        self._are_rules_same = stored.head["rules"] == self._rules
        places = [(prefix, device) for prefix, device in stored.head["places"]]
        self._pages = {place: Page(raw) for place, raw in zip(places, stored.pages, strict=True)}
        self._small = {
            path: _Small(tuple(identity), kind, value) for path, identity, kind, value in stored.head["small"]
        }

    def page_of(self, folder: FolderFiles, *, wants_probe: bool) -> Page | None:
        """Return the page of a folder in which everything is as it was, and as the rules and `wants_probe` ask."""
        page = self._pages.get((folder.prefix, folder.device))
        if page is None or not self._are_rules_same or not page.holds_exactly(folder):
            return None
        for seen, match in page.shapes:
            if match is None or (wants_probe and seen.metadata is None and seen.finding is None):
                return None
        self._kept[folder.prefix, folder.device] = page.raw
        return page

    def rows_of(self, folder: FolderFiles, *, wants_probe: bool) -> Sequence[Row | None]:
        """Return what is known of each file of a folder, None where that is not enough.

        A row's match is of earlier rules, perhaps.
        """
        page = self._pages.get((folder.prefix, folder.device))
        if page is None:
            return [None] * len(folder)
        rows = (page.find(name, folder.status_of(index)) for index, name in enumerate(folder.names))
        return [
            None if row is None or (wants_probe and row.seen.metadata is None and row.seen.finding is None) else row
            for row in rows
        ]

    @property
    def is_kept(self) -> bool:
        """Whether what is found is kept for the next scan."""
        return self._cache is not None

    def keep(self, folder: FolderFiles, rows: Sequence[Row]) -> None:
        """Keep what was found in a folder, except of files that changed a moment ago."""
        if self._cache is None:
            return
        before_ns = self._read_from_ns - SETTLED_NS
        settled = [row for row in rows if max(STATUS.unpack(row[1])[1:3]) < before_ns]
        if not settled:
            return
        try:
            self._kept[folder.prefix, folder.device] = encode_page(settled)
        except (ValueError, TypeError):  # a template's NUL, a date of TOML: what JSON cannot hold is found out again
            return

    def own_document(self, file: WalkedFile) -> str | None:
        """Return what a `.json` file is, if reinmaker wrote it; OSError where it cannot be read."""
        known = self._known_small(file, "own")
        if known is not None:
            return str(known.value)
        if self._is_asset(file):
            return None
        found = own_document(file.os_path, seen=file.place)
        if found is not None:
            self._keep_small(file, "own", found)
        return found

    def sidecar(self, file: WalkedFile) -> Mapping[str, Any] | None:
        """Return the members of a sidecar; None where they are not known."""
        known = self._known_small(file, "sidecar")
        return None if known is None else known.value

    def keep_sidecar(self, file: WalkedFile, members: Mapping[str, Any]) -> None:
        """Keep the members of a sidecar."""
        self._keep_small(file, "sidecar", members)

    def save(self) -> None:
        """Write down what is known now, if that is not what was read. A folder that cannot be written is a fault."""
        if self._cache is None:
            return
        path = cache_path(self._cache.folder, self._root)
        if self._is_unchanged():
            keep_in_use(path)
            return
        head = {
            "code": _fingerprint_of_code(),
            "rules": self._rules,
            "places": list(self._kept),
            "small": [[name, *small] for name, small in self._found_small.items()],
        }
        try:
            write_cache(path, self._root, head, list(self._kept.values()))
        except OSError as error:
            self.fault = f"{self._cache.folder}: {reason_of(error)}"
            return
        sweep(self._cache.folder)

    def _is_unchanged(self) -> bool:
        """Return whether every page was taken as it is, and nothing went or came."""
        pages = {place: page.raw for place, page in self._pages.items()}
        return self._are_rules_same and self._kept == pages and self._found_small == self._small

    def _is_asset(self, file: WalkedFile) -> bool:
        prefix, slash, name = file.path.rpartition("/")
        page = self._pages.get((prefix + slash, file.device))
        if page is None:
            return False
        try:
            status = STATUS.pack(file.size, file.mtime_ns, file.ctime_ns, file.inode)
        except OverflowError:
            return False
        return page.find(name, status) is not None

    def _known_small(self, file: WalkedFile, kind: str) -> _Small | None:
        small = self._small.get(file.path)
        if small is None or small.kind != kind or small.identity != file[1:6]:
            return None
        self._found_small[file.path] = small
        return small

    def _keep_small(self, file: WalkedFile, kind: str, value: Any) -> None:
        if self._cache is not None and self._is_settled(file[1:4]):
            self._found_small[file.path] = _Small(file[1:6], kind, value)

    def _is_settled(self, status: Sequence[int]) -> bool:
        return max(status[1], status[2]) < self._read_from_ns - SETTLED_NS


def _lies_below(folder: Path, root: str) -> bool:
    return Path(os.path.realpath(folder)).is_relative_to(root)


def _fingerprint_of_rules(project: Project) -> str:
    return hashlib.sha256(repr((project.rules, project.values)).encode("utf-8", "backslashreplace")).hexdigest()


@functools.cache
def _fingerprint_of_code() -> str:
    """Return what changes with the code that looks into files: after an upgrade everything is looked at again."""
    hasher = hashlib.sha256(__version__.encode())
    files = [*sorted(Path(__file__).parent.glob("*.py")), Path(codes.__file__)]
    for name in _PROBE_LIBRARIES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            files += sorted(Path(spec.origin).parent.glob("*.py"))
    for file in files:
        hasher.update(file.read_bytes())
    return hasher.hexdigest()

"""A folder -> its files: what could be an asset, what is passed over and why, and which names and links are wrong.

Each folder is taken as a whole, so that the common case, plain names and plain files, costs one pass over its names
and one `stat` a file. Everything here is by path; the only contents looked at are those of `.json` files (`own.py`).
"""

from __future__ import annotations

import os
import shlex
import stat
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import NamedTuple

from reinmaker_cli.assets.ignore import IGNORE_FILE, IgnorePatterns, junk_reason, may_hold_junk
from reinmaker_cli.assets.listing import list_entries, names_are_utf8, opened_folder
from reinmaker_cli.assets.own import own_document
from reinmaker_cli.assets.portable import is_utf8, name_findings, not_utf8, printable
from reinmaker_cli.assets.project import PROJECT_FILE
from reinmaker_cli.assets.reading import (
    NotRegular,
    is_inside,
    is_link,
    read_head,
    reason_of,
    special_file,
    status_without_links,
    unreadable,
)
from reinmaker_cli.assets.walked import STATUS, FilesByDevice, FolderFiles, WalkedFile, walked_file
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.errors import ConfigError, ContentInvalid

SIDECAR_SUFFIX = ".meta.json"
NESTED_PROJECT = f"a project of its own, with a {PROJECT_FILE}"

MAX_LINKED_FOLDERS = 3  # links to folders inside links to folders; ten folders that all link each other are ten! paths
MAX_IGNORE_FILE_BYTES = 1024 * 1024

_KIND = 0o170000
_REGULAR = stat.S_IFREG


class Ignored(NamedTuple):
    """One file or folder that was passed over; a folder's path ends in `/`."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Walk:
    """What lies in a folder; every tuple is sorted by path, or by the paths in it."""

    root: Path
    folders: tuple[FolderFiles, ...]
    findings: tuple[Finding, ...]
    ignored: tuple[Ignored, ...]
    sidecars: Mapping[str, WalkedFile]
    """Path of the file that is described -> its `<file>.meta.json`."""

    @property
    def files(self) -> tuple[WalkedFile, ...]:
        """Return all files, made anew at each call, sorted by path."""
        return tuple(sorted((file for folder in self.folders for file in folder), key=itemgetter(0)))

    def no_assets(self) -> ContentInvalid:
        """Return the error for a folder without assets; its hint names the projects that the walk stopped at."""
        nested = nested_projects(self.ignored)
        shown = ", ".join(f"`{path}`" for path in nested[:3]) + (" and more" if len(nested) > 3 else "")
        look = f"`reinmaker scan {shlex.quote(str(self.root))} --ignored` lists what was passed over"
        hint = f"not scanned, each a project of its own: {shown}" if nested else look
        return ContentInvalid(f"no assets in folder: `{self.root}`", code=codes.FOLDER_EMPTY, hint=hint)


def nested_projects(ignored: Sequence[Ignored]) -> list[str]:
    """Return the folders that were passed over because they are projects of their own."""
    return [one.path for one in ignored if one.reason == NESTED_PROJECT]


OwnDocument = Callable[[WalkedFile], str | None]
"""What a `.json` file is, if reinmaker wrote it; OSError where it cannot be read."""


def _look_inside(file: WalkedFile) -> str | None:
    return own_document(file.os_path, seen=file.place)


OnFiles = Callable[[FolderFiles], None]
"""Told of the files of each folder as soon as they are known."""


def walk_folder(
    root: Path,
    *,
    ignore: Sequence[str] = (),
    written: Collection[str] = (),
    own: OwnDocument = _look_inside,
    on_files: OnFiles | None = None,
) -> Walk:
    """Return what lies in the folder; `ignore` are the project's own patterns, in gitignore syntax.

    `written` are paths that this very command writes: they are no assets. `own` is asked about every `.json` file,
    `on_files` told of what will be in `folders`, in another order.

    A folder that cannot be listed is a finding, and so is the root itself; ConfigError for a bad pattern.
    """
    walker = _Walker(os.path.realpath(root), frozenset(written), own, on_files)
    patterns = IgnorePatterns().with_layer("", ignore, origin=f"[ignore] in {PROJECT_FILE}")
    waiting = [_Folder(walker.root, "", patterns)]
    while waiting:
        waiting.extend(walker.visit(waiting.pop()))
    return Walk(
        root=root,
        folders=tuple(sorted(walker.folders, key=attrgetter("prefix", "device"))),
        findings=tuple(sorted(walker.findings, key=attrgetter("path", "code"))),
        ignored=tuple(sorted(walker.ignored)),
        sidecars=walker.sidecars,
    )


class _Folder(NamedTuple):
    os_path: str
    """Without links, so that `os.path.realpath` changes nothing."""
    prefix: str
    """Its path with `/` at the end; empty for the root."""
    patterns: IgnorePatterns
    linked_from: tuple[str, ...] = ()
    """The folders whose links led here, outermost first."""
    status: os.stat_result | None = None
    """What it was when its name was seen; None for the root, which the user named."""


@dataclass(slots=True)
class _Walker:
    root: str
    written: frozenset[str]
    own: OwnDocument
    on_files: OnFiles | None
    folders: list[FolderFiles] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
    sidecars: dict[str, WalkedFile] = field(default_factory=dict)

    def visit(self, folder: _Folder) -> list[_Folder]:
        """Take in one folder and return those below it that are to be visited."""
        try:
            with opened_folder(folder.os_path, folder.status) as listable:
                return self._visit(folder, FilesByDevice(folder.prefix, folder.os_path), list_entries(listable))
        except OSError as error:
            self.findings.append(unreadable(folder.prefix.rstrip("/") or ".", error))
            return []

    def _visit(self, folder: _Folder, home: FilesByDevice, entries: dict[str, os.DirEntry[str]]) -> list[_Folder]:
        if folder.prefix and PROJECT_FILE in entries:
            self.ignored.append(Ignored(folder.prefix, NESTED_PROJECT))
            return []
        text = "/".join(entries)
        if IGNORE_FILE in entries:
            folder = folder._replace(patterns=self._with_ignore_file(folder, home, entries[IGNORE_FILE]))
        if self._may_pass_over(folder, f"/{text}/"):
            entries = self._not_ignored(folder, home, entries)
        if not is_utf8(text):
            entries = self._only_utf8(folder, entries)
        self.findings.extend(name_findings(list(entries), folder.prefix))
        return self._take(folder, home, entries)

    def _take(self, folder: _Folder, home: FilesByDevice, entries: dict[str, os.DirEntry[str]]) -> list[_Folder]:
        below = []
        prefix, base, pack = folder.prefix, home.os_base, STATUS.pack
        device, group = -1, home.on(-1)
        is_recoded = not names_are_utf8()
        for name in sorted(entries):
            entry = entries.pop(name)  # an entry keeps its status: letting go of it halves the memory touched
            try:
                status = entry.stat(follow_symlinks=False)
                kind = status.st_mode & _KIND
                if kind == _REGULAR:
                    if name.endswith(".json") and self._is_own(walked_file(prefix + name, status, base + entry.name)):
                        continue
                    if status.st_dev != device:
                        device, group = status.st_dev, home.on(status.st_dev)
                    if is_recoded:
                        group.add(name, status, base + entry.name)
                        continue
                    # group.add(), without the call: this is done for every file there is.
                    try:
                        packed = pack(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
                    except struct.error:
                        group.add(name, status)
                        continue
                    group.names.append(name)
                    group.status.append(packed)
                elif is_link(status):
                    below.extend(self._follow(folder, home, name, base + entry.name))
                elif kind == stat.S_IFDIR:
                    place = (base + entry.name, prefix + name + "/")
                    below.append(_Folder(*place, folder.patterns, folder.linked_from, status))
                else:
                    self.findings.append(special_file(prefix + name, kind))
            except OSError as error:
                self.findings.append(unreadable(prefix + name, error))
        filled = home.filled()
        self.folders.extend(filled)
        if self.on_files is not None:
            for files in filled:
                self.on_files(files)
        return below

    def _may_pass_over(self, folder: _Folder, framed: str) -> bool:
        return bool(
            folder.patterns.layers
            or self.written
            or may_hold_junk(framed)
            or f"{SIDECAR_SUFFIX}/" in framed
            or f"/{PROJECT_FILE}/" in framed
        )

    def _not_ignored(
        self, folder: _Folder, home: FilesByDevice, entries: Mapping[str, os.DirEntry[str]]
    ) -> dict[str, os.DirEntry[str]]:
        kept = {}
        sidecars = []
        for name, entry in entries.items():
            path = folder.prefix + name
            reason = junk_reason(name)
            is_folder = (reason is not None or bool(folder.patterns.layers)) and entry.is_dir(follow_symlinks=False)
            shown = printable(path) + ("/" if is_folder else "")
            if reason is None and name == PROJECT_FILE:
                reason = "configuration of reinmaker"
            if reason is None and path in self.written:
                reason = "written by this command"
            if reason is None and folder.patterns.layers:
                pattern = folder.patterns.pattern_for(path + "/" if is_folder else path)
                reason = f"pattern `{pattern}`" if pattern is not None else None
            if reason is not None:
                self.ignored.append(Ignored(shown, reason))
            elif name.endswith(SIDECAR_SUFFIX) and is_utf8(name):
                sidecars.append(name)
            else:
                kept[name] = entry
        for name in sidecars:
            self._take_sidecar(folder, home, name, entries)
        return kept

    def _take_sidecar(
        self, folder: _Folder, home: FilesByDevice, name: str, entries: Mapping[str, os.DirEntry[str]]
    ) -> None:
        path = folder.prefix + name
        described = name.removesuffix(SIDECAR_SUFFIX)
        base = entries.get(described)
        if base is None or base.is_dir(follow_symlinks=False) or described.endswith(SIDECAR_SUFFIX):
            message = f"sidecar of a file that is not there, `{folder.prefix}{described}`: `{path}`"
            hint = "rename it after the file it describes, or remove it"
            self.findings.append(codes.BROKEN_SIDECAR.finding(message, hint=hint, path=path))
            return
        try:
            status = entries[name].stat(follow_symlinks=False)
        except OSError as error:
            self.findings.append(unreadable(path, error))
            return
        self.ignored.append(Ignored(path, f"sidecar of `{described}`"))
        self.sidecars[folder.prefix + described] = walked_file(path, status, home.os_base + entries[name].name)

    def _only_utf8(self, folder: _Folder, entries: Mapping[str, os.DirEntry[str]]) -> dict[str, os.DirEntry[str]]:
        kept = {name: entry for name, entry in entries.items() if is_utf8(name)}
        self.findings.extend(not_utf8(folder.prefix + name) for name in entries if name not in kept)
        return kept

    def _with_ignore_file(self, folder: _Folder, home: FilesByDevice, entry: os.DirEntry[str]) -> IgnorePatterns:
        path = folder.prefix + IGNORE_FILE
        try:
            file = walked_file(path, entry.stat(follow_symlinks=False), home.os_base + IGNORE_FILE)
            text = read_head(file.os_path, MAX_IGNORE_FILE_BYTES, seen=file.place).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"ignore file cannot be read: `{path}`: {reason_of(error)}",
                code=codes.CONFIG_UNREADABLE,
                hint="it must be a plain text file in UTF-8",
            ) from error
        return folder.patterns.with_layer(folder.prefix, text.splitlines(), origin=path)

    def _is_own(self, walked: WalkedFile) -> bool:
        try:
            reason = self.own(walked)
        except NotRegular:
            return False  # it was swapped since; reading it for its hash says so
        except OSError:
            return False  # unreadable: likewise
        if reason is not None:
            self.ignored.append(Ignored(walked.path, reason))
        return reason is not None

    def _follow(self, folder: _Folder, home: FilesByDevice, name: str, os_path: str) -> list[_Folder]:
        """Take in what a link names, if that lies inside the root and is not a folder that the link lies in."""
        path = folder.prefix + name
        try:
            target = os.path.realpath(os_path, strict=True)
            status = status_without_links(target)
        except OSError as error:
            self.findings.append(_bad_link(path, f"link to nothing ({reason_of(error)})"))
            return []
        if not is_inside(target, self.root):
            self.findings.append(_bad_link(path, f"link out of the folder, to `{printable(target)}`"))
            return []
        kind = status.st_mode & _KIND
        if kind == _REGULAR:
            if not (path.endswith(".json") and self._is_own(walked_file(path, status, target))):
                home.on(status.st_dev).add(name, status, target)
            return []
        if kind != stat.S_IFDIR:
            self.findings.append(special_file(path, kind))
            return []
        homes = (*folder.linked_from, folder.os_path)
        if any(is_inside(home, target) for home in homes):
            self.findings.append(_bad_link(path, "link to a folder that it lies in"))
            return []
        if len(homes) > MAX_LINKED_FOLDERS:
            self.findings.append(_bad_link(path, f"link behind {MAX_LINKED_FOLDERS} other links to folders"))
            return []
        return [_Folder(target, path + "/", folder.patterns, homes, status)]


def _bad_link(path: str, fact: str) -> Finding:
    return codes.LINK_OUTSIDE_ROOT.finding(f"{fact}: `{path}`", path=path)

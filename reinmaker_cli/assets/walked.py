"""What a walk passed: single files, and all files of one folder side by side.

A hundred thousand objects cost more than the system's answers about the files: so a folder keeps its files as columns,
and makes an object only of a file that somebody asks for.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

STATUS: Final = struct.Struct("=3qQ")
"""Size, mtime_ns, ctime_ns, inode of a file, in the byte order of the machine."""
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1
_MOST_INODE: Final = 2**64 - 1


class WalkedFile(NamedTuple):
    """One regular file, as it was when the walk passed it."""

    path: str
    """Relative to the root, `/` between parts."""
    size: int
    """Bytes."""
    mtime_ns: int
    ctime_ns: int
    """When content or status last changed, by the file system's own clock; on Windows when it was created."""
    device: int
    inode: int
    """0 where the walk does not learn it (Windows)."""
    os_path: str
    """Absolute and without links: what to open. The target, where `path` is a link."""

    @property
    def place(self) -> tuple[int, int] | None:
        """Return device and inode; None where the walk does not learn them."""
        return (self.device, self.inode) if self.inode else None


def walked_file(path: str, status: os.stat_result, os_path: str) -> WalkedFile:
    """Return a file by what the system says of it."""
    return WalkedFile(
        path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_dev, status.st_ino, os_path
    )


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """The files of one folder that lie on one device, sorted by name."""

    prefix: str
    """Path of the folder below the root with `/` at the end; empty for the root."""
    os_base: str
    """What a name is put behind to be opened."""
    device: int
    names: tuple[str, ...]
    status: bytes
    """A `STATUS` of each file, one after the other: what tells a file that changed."""
    targets: Mapping[str, str]
    """Name of a link -> what to open instead."""

    def __len__(self) -> int:
        return len(self.names)

    def file(self, index: int) -> WalkedFile:
        """Return one of the files."""
        name = self.names[index]
        size, mtime_ns, ctime_ns, inode = STATUS.unpack(self.status_of(index))
        os_path = self.targets.get(name) or self.os_base + name
        return WalkedFile(self.prefix + name, size, mtime_ns, ctime_ns, self.device, inode, os_path)

    def __iter__(self) -> Iterator[WalkedFile]:
        prefix, os_base, device, targets, new = self.prefix, self.os_base, self.device, self.targets, tuple.__new__
        for name, (size, mtime_ns, ctime_ns, inode) in zip(self.names, STATUS.iter_unpack(self.status), strict=True):
            os_path = targets[name] if name in targets else os_base + name
            # Not WalkedFile(...): the __new__ of a NamedTuple is Python code.
            yield new(WalkedFile, (prefix + name, size, mtime_ns, ctime_ns, device, inode, os_path))

    def status_of(self, index: int) -> bytes:
        """Return the `STATUS` of one file."""
        return self.status[index * STATUS.size : (index + 1) * STATUS.size]

    @property
    def sizes(self) -> list[int]:
        """Return the size of each file, in bytes."""
        return array("q", self.status)[::4].tolist()


class FolderFilesBuilder:
    """Collects the files of one folder; whoever adds keeps the names sorted."""

    def __init__(self, prefix: str, os_base: str, device: int) -> None:
        self._place = prefix, os_base, device
        self.names: list[str] = []
        self.status: list[bytes] = []
        self._targets: dict[str, str] = {}

    def add(self, name: str, status: os.stat_result, target: str | None = None) -> None:
        """Take in one file. Years beyond 2262 are taken for 2262, and an inode beyond 64 bits is not known."""
        times = (min(max(time, _LEAST), _MOST) for time in (status.st_mtime_ns, status.st_ctime_ns))
        self.names.append(name)
        self.status.append(STATUS.pack(status.st_size, *times, status.st_ino if status.st_ino <= _MOST_INODE else 0))
        if target is not None:
            self._targets[name] = target

    def built(self) -> FolderFiles:
        """Return what was collected."""
        return FolderFiles(*self._place, tuple(self.names), b"".join(self.status), self._targets)


class FilesByDevice:
    """The files of one folder: one group for each device that they lie on, nearly always one."""

    def __init__(self, prefix: str, os_path: str) -> None:
        self.os_base = os.path.join(os_path, "")  # noqa: PTH118 (text, for the names of many files)
        self._prefix = prefix
        self._groups: dict[int, FolderFilesBuilder] = {}

    def on(self, device: int) -> FolderFilesBuilder:
        """Return the group of a device."""
        if device not in self._groups:
            self._groups[device] = FolderFilesBuilder(self._prefix, self.os_base, device)
        return self._groups[device]

    def filled(self) -> list[FolderFiles]:
        """Return the groups that hold a file."""
        return [group.built() for group in self._groups.values() if group.names]

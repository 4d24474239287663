"""A file -> its SHA-256 and size, from one read, or the finding that says why there is none.

1. open without following a link or waiting for a FIFO, and see that it is the file that the walk passed
2. read every byte once, and hash it; whoever wants to look inside does so now
3. look again at path, size, time and inode: another than before means that the hash describes no file
4. changed: once more from the start, then `file-changed`
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from reinmaker_cli.assets.reading import NotRegular, open_regular, read_fully, special_file, unreadable
from reinmaker_cli.assets.walked import WalkedFile, walked_file
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding

HEAD_BYTES = 1024
SMALL_BYTES = 1024 * 1024  # up to here one read takes all of it; threads lose on such files
CHUNK_BYTES = 1024 * 1024  # hashlib with 1 MiB reads is faster than `openssl dgst`


_Bytes = bytes  # Digest has a field of that name


class Digest(NamedTuple):
    """The identity of a file's bytes."""

    sha256: str
    """64 lower-case hex digits."""
    bytes: int
    head: _Bytes
    """The first KiB, so that looking at the format needs no second read; empty where `look` has seen it already."""
    seen: Any = None
    """What `look` returned."""
    is_as_walked: bool = True
    """Whether the file still was what the walk passed, by size, mtime and ctime; a later state is one as good."""


class Content:
    """The bytes of a file while they are known to be the ones hashed: for a look inside, at no second open."""

    def __init__(self, head: bytes, size: int, descriptor: int, data: bytes | None) -> None:
        self.head = head
        self.size = size
        self._descriptor = descriptor
        self._data = data

    def open(self) -> BinaryIO:
        """Return all of it as a file at its start: from memory where the file is small."""
        if self._data is not None:
            return io.BytesIO(self._data)
        stream = io.FileIO(self._descriptor, closefd=False)
        stream.seek(0)
        return io.BufferedReader(stream)


Look = Callable[[WalkedFile, Content], Any]
OnRead = Callable[[int], None]
"""Called with the number of bytes after each read; what it raises ends the reading."""


_Read = tuple[str, bytes, bytes | None]
"""Digest, head, and all the bytes where they are few."""


def hash_walked(
    file: WalkedFile, *, look: Look | None = None, on_read: OnRead | None = None, buffer: bytearray | None = None
) -> Digest | Finding:
    """Return the digest of a file that the walk passed, or the finding that says why it has none.

    `buffer` is lent for large files, so that each need not make its own.
    """
    outcome = _attempt(file, look, on_read, buffer)
    if outcome is None:
        again = _walked_again(file)
        outcome = again if isinstance(again, Finding) else _attempt(again, look, on_read, buffer)
    if outcome is None:
        return codes.FILE_CHANGED.finding(f"changed while it was read, twice: `{file.path}`", path=file.path)
    return outcome


def hash_file(path: Path, *, name: str | None = None) -> Digest | Finding:
    """Return the digest of the file at a path; a link is followed. Findings call it `name`, else the path itself."""
    shown = path.as_posix() if name is None else name
    try:
        os_path = os.path.realpath(path, strict=True)
        file = _identify(shown, os_path)
    except OSError as error:
        return unreadable(shown, error)
    return file if isinstance(file, Finding) else hash_walked(file)


def _attempt(
    file: WalkedFile, look: Look | None, on_read: OnRead | None, buffer: bytearray | None
) -> Digest | Finding | None:
    """Return None where the file changed between the walk, or the first byte, and the last."""
    try:
        descriptor, before = open_regular(file.os_path)
    except NotRegular:
        return None
    except OSError as error:
        return unreadable(file.path, error)
    try:
        if file.inode and (before.st_ino != file.inode or before.st_dev != file.device):
            return None
        if before.st_size <= SMALL_BYTES:
            read = _read_small(descriptor, before.st_size, on_read)
        else:
            read = _read_large(descriptor, before.st_size, on_read, buffer or bytearray(CHUNK_BYTES))
        if read is None:
            return None
        sha256, head, data = read
        seen = None if look is None else look(file, Content(head, before.st_size, descriptor, data))
        # The path and not the descriptor: a file that was replaced still has all its bytes behind the descriptor.
        if not _is_same(before, os.lstat(file.os_path)):
            return None
        # 100,000 heads would be 100 MB.
        return Digest(sha256, before.st_size, head if look is None else b"", seen, _is_as_walked(before, file))
    except FileNotFoundError:
        return None
    except OSError as error:
        return unreadable(file.path, error)
    finally:
        os.close(descriptor)


def _read_small(descriptor: int, size: int, on_read: OnRead | None) -> _Read | None:
    # One byte more than there should be: a read of 1 MiB would cost three times as much in allocation.
    data = os.read(descriptor, size + 1)
    if len(data) < size:
        data += read_fully(descriptor, size + 1 - len(data))
    if on_read is not None:
        on_read(len(data))
    if len(data) != size:
        return None
    return hashlib.sha256(data).hexdigest(), data[:HEAD_BYTES], data


def _read_large(descriptor: int, size: int, on_read: OnRead | None, buffer: bytearray) -> _Read | None:
    stream = io.FileIO(descriptor, closefd=False)
    window = memoryview(buffer)
    hasher = hashlib.sha256()
    head = b""
    total = 0
    while count := stream.readinto(buffer):
        if total < HEAD_BYTES:
            head += bytes(window[: min(count, HEAD_BYTES - total)])
        hasher.update(window[:count])
        total += count
        if on_read is not None:
            on_read(count)
        if total > size:
            return None  # it grows: whoever writes may be faster than we read
    return (hasher.hexdigest(), head, None) if total == size else None


def _walked_again(file: WalkedFile) -> WalkedFile | Finding:
    """Return the file as it is now: replaced by another file is fine, by a link or anything else is not."""
    try:
        if os.path.realpath(file.os_path, strict=True) != file.os_path:
            message = f"replaced by a link while it was read: `{file.path}`"
            return codes.FILE_CHANGED.finding(message, path=file.path)
        return _identify(file.path, file.os_path)
    except OSError as error:
        return unreadable(file.path, error)


def _identify(path: str, os_path: str) -> WalkedFile | Finding:
    status = os.lstat(os_path)
    if not stat.S_ISREG(status.st_mode):
        return special_file(path, stat.S_IFMT(status.st_mode))
    return walked_file(path, status, os_path)


def _is_same(before: os.stat_result, after: os.stat_result) -> bool:
    return (
        before.st_size == after.st_size
        and before.st_mtime_ns == after.st_mtime_ns
        and before.st_ctime_ns == after.st_ctime_ns
        and before.st_ino == after.st_ino
        and before.st_dev == after.st_dev
    )


def _is_as_walked(status: os.stat_result, file: WalkedFile) -> bool:
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns) == file[1:4]

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
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from reinmaker_cli.assets.reading import (
    OPEN_FLAGS,
    NotRegular,
    open_regular,
    read_fully,
    special_file,
    status_without_links,
    unreadable,
)
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

    __slots__ = ("_data", "_descriptor", "head", "size")

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
"""For thousands of small files it is sent to other processes: then it and what it returns must be picklable."""
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


def hash_small(files: Iterable[WalkedFile], look: Look | None) -> Iterator[Digest | Finding]:
    """Yield one outcome a file, for files of at most SMALL_BYTES: `hash_walked`, in half the time.

    The same steps without calls between them, for a file that is what the walk passed from beginning to end. Whatever
    else a file may be, `hash_walked` finds out.
    """
    open_file, status_of, read, close, status_at, sha256 = (
        os.open,
        os.fstat,
        os.read,
        os.close,
        os.lstat,
        hashlib.sha256,
    )
    new = tuple.__new__
    for file in files:
        size, os_path, walked = file[1], file[6], file[1:6]
        try:
            descriptor = open_file(os_path, OPEN_FLAGS)
            try:
                now = status_of(descriptor)
                same = (now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_dev, now.st_ino) == walked
                data = read(descriptor, size + 1) if same else b""
                head = data[:HEAD_BYTES]
                seen = look(file, Content(head, size, descriptor, data)) if look is not None and same else None
            finally:
                close(descriptor)
            now = status_at(os_path)
            same = same and (now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_dev, now.st_ino) == walked
        except OSError:
            same = False
        if same and len(data) == size:
            yield new(Digest, (sha256(data).hexdigest(), size, head if look is None else b"", seen, True))
        else:
            yield hash_walked(file, look=look)


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
        status = _identity(before)
        if status != _identity(os.lstat(file.os_path)):
            return None
        # 100,000 heads would be 100 MB.
        kept = head if look is None else b""
        # Not Digest(...): the __new__ of a NamedTuple is Python code.
        return tuple.__new__(Digest, (sha256, before.st_size, kept, seen, status[:3] == file[1:4]))
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
        return _identify(file.path, file.os_path)
    except NotRegular:
        message = f"replaced by a link while it was read: `{file.path}`"
        return codes.FILE_CHANGED.finding(message, path=file.path)
    except OSError as error:
        return unreadable(file.path, error)


def _identify(path: str, os_path: str) -> WalkedFile | Finding:
    status = status_without_links(os_path)
    if not stat.S_ISREG(status.st_mode):
        return special_file(path, stat.S_IFMT(status.st_mode))
    return walked_file(path, status, os_path)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    """Return what tells whether a file is the same and unchanged, in the order of `WalkedFile`."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_dev, status.st_ino

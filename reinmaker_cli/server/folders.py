"""A file below a folder -> its size and hash, without ever leaving the folder.

The path comes from a URL, so it is not trusted: each part is opened relative to the folder above it and no link is
followed (`O_NOFOLLOW`). Where a link is met, it is resolved, and the resolved path is opened the same way if it is
still inside. A link that is put there in between fails to open instead of leading out.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHUNK_BYTES: Final = 1 << 20
"""Large enough that hashing, not calling, is the cost."""

# O_NONBLOCK: opening a FIFO that nobody writes to would block for ever. Windows has neither flag.
_SAFE_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_FOLDER_FLAGS: Final = _SAFE_FLAGS | getattr(os, "O_DIRECTORY", 0)
_CAN_WALK: Final = os.open in os.supports_dir_fd


class FileRefused(Exception):
    """The file is not there, not regular, not readable, or not inside the folder; the text says which."""


@dataclass(frozen=True, slots=True)
class Content:
    """What was read."""

    bytes: int
    """Size of what the source has."""
    sha256: str | None
    """Of the whole, 64 lower-case digits; None where not all of it was read."""
    is_whole: bool = True
    """False where reading stopped and `bytes` is only how far it came: there is at least as much."""


def read_content(root: Path, parts: tuple[str, ...]) -> Content:
    """Return size and hash of the file `parts` below `root`; FileRefused where it cannot or must not be read."""
    shown = "/".join(parts)
    try:
        descriptor = _open_inside(root, parts)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise FileRefused(f"not a regular file: `{shown}`")
            return _hash_descriptor(descriptor, status.st_size)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        raise FileRefused(f"no such file in the folder: `{shown}`") from None
    except OSError as error:
        raise FileRefused(f"cannot read `{shown}`: {(error.strerror or 'unknown reason').lower()}") from error


def _hash_descriptor(descriptor: int, expected_size: int) -> Content:
    digest = hashlib.sha256()
    size = 0
    # One byte more than the size: a small file is then one read, and its end is seen by the short answer.
    chunk_bytes = min(CHUNK_BYTES, expected_size + 1)
    while chunk := os.read(descriptor, chunk_bytes):
        digest.update(chunk)
        size += len(chunk)
    return Content(size, digest.hexdigest())


def _open_inside(root: Path, parts: tuple[str, ...]) -> int:
    if _CAN_WALK:
        try:
            return _walk_open(root, parts)
        except OSError as error:
            # A link as the last part is ELOOP, one on the way ENOTDIR (Linux) or ELOOP; FreeBSD says EMLINK.
            if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
                raise
    return _open_resolved(root, parts)


def _walk_open(root: Path, parts: tuple[str, ...]) -> int:
    """Open part by part, each relative to the one above it. The root itself may be a link: the user named it."""
    folder = os.open(root, _FOLDER_FLAGS & ~getattr(os, "O_NOFOLLOW", 0))
    try:
        for part in parts[:-1]:
            deeper = os.open(part, _FOLDER_FLAGS, dir_fd=folder)
            os.close(folder)
            folder = deeper
        return os.open(parts[-1], _SAFE_FLAGS, dir_fd=folder)
    finally:
        os.close(folder)


def _open_resolved(root: Path, parts: tuple[str, ...]) -> int:
    real_root = root.resolve(strict=True)
    try:
        real = real_root.joinpath(*parts).resolve(strict=True)
    except RuntimeError as error:  # a ring of links, before Python 3.13
        raise FileRefused(f"links in a ring: `{'/'.join(parts)}`") from error
    if not real.is_relative_to(real_root):
        raise FileRefused(f"link that leaves the folder: `{'/'.join(parts)}`")
    inside = real.relative_to(real_root).parts
    if _CAN_WALK:
        return _walk_open(real_root, inside)
    descriptor = os.open(real, _SAFE_FLAGS)
    if os.path.samestat(os.fstat(descriptor), real.lstat()):
        return descriptor
    os.close(descriptor)
    raise FileRefused(f"file exchanged while it was opened: `{'/'.join(parts)}`")

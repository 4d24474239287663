"""A path -> an open regular file, without ever blocking on a FIFO or following a link at its end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding

# O_NONBLOCK: opening a FIFO returns at once instead of waiting for a writer; on a regular file it means nothing.
# O_NOFOLLOW: a link put where the file was must not lead out of the root. Windows has neither, and needs O_BINARY.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
OPEN_FLAGS = (
    os.O_RDONLY
    | _NO_LINK
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOINHERIT", 0)
)


# O_PATH: above the root there may be folders that can be passed through, but not listed. Only Linux has it.
_PASS_FLAGS = sum(getattr(os, name, 0) for name in ("O_PATH", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC"))
_KIND = 0o170000


class NotRegular(OSError):
    """The path is no regular file: a link, a FIFO, a socket, a device or a folder."""


Place = tuple[int, int]
"""Device and inode."""


def open_regular(os_path: str, *, seen: Place | None = None, follows_link: bool = False) -> tuple[int, os.stat_result]:
    """Return a descriptor and its status; NotRegular or OSError where there is no regular file that can be read.

    `seen`: where the file was when its name was read. Another one by now is as good, if no link leads to it.
    `follows_link`: the user named the path, and may name a link.
    """
    try:
        descriptor = os.open(os_path, OPEN_FLAGS & ~_NO_LINK if follows_link else OPEN_FLAGS)
    except OSError as error:
        # ELOOP: a link; ENXIO: a socket or a device without a driver.
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise NotRegular(error.errno, "not a regular file", os_path) from error
        raise
    try:
        status = os.fstat(descriptor)
        if status.st_mode & _KIND != stat.S_IFREG:
            raise NotRegular(errno.EINVAL, "not a regular file", os_path)
        if seen not in (None, (status.st_dev, status.st_ino)):
            _require_no_link(status, os_path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status


def _require_no_link(opened: os.stat_result, os_path: str) -> None:
    if not os.path.samestat(opened, status_without_links(os_path)):
        raise NotRegular(errno.ESTALE, "replaced while it was read", os_path)


def is_inside(path: str, folder: str) -> bool:
    """Return whether a path without links is that of a folder, or of what lies in it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def is_link(status: os.stat_result) -> bool:
    """Return whether the status is that of a link."""
    # A Windows junction is a folder to `stat` and a link in every other respect.
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return stat.S_ISLNK(status.st_mode) or (
        junction is not None and getattr(status, "st_reparse_tag", None) == junction
    )


def status_without_links(os_path: str) -> os.stat_result:
    """Return the status of what an absolute path names; NotRegular where any part of it is a link by now.

    Each folder is opened below the one above it: between a look at a path and its use, a link could be put there.
    """
    if not hasattr(os, "O_PATH"):
        if os.path.realpath(os_path, strict=True) != os_path:
            raise NotRegular(errno.ELOOP, "a link", os_path)
        return os.lstat(os_path)
    root, *above, name = Path(os_path).parts
    folder = os.open(root, _PASS_FLAGS)
    try:
        for part in above:
            deeper = os.open(part, _PASS_FLAGS, dir_fd=folder)
            os.close(folder)
            folder = deeper
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):  # what Linux says of a link that is to be a folder
            raise NotRegular(error.errno, "a link", os_path) from error
        raise
    finally:
        os.close(folder)
    if is_link(status):
        raise NotRegular(errno.ELOOP, "a link", os_path)
    return status


def read_head(os_path: str, limit: int, *, seen: Place | None = None) -> bytes:
    """Return the first `limit` bytes of a regular file, or all of it where it is shorter; `seen`: `open_regular`."""
    descriptor, _ = open_regular(os_path, seen=seen)
    try:
        return read_fully(descriptor, limit)
    finally:
        os.close(descriptor)


def read_fully(descriptor: int, limit: int) -> bytes:
    """Return up to `limit` bytes from where the descriptor stands; fewer only at the end of the file."""
    first = os.read(descriptor, limit)
    if len(first) == limit or not first:
        return first
    # A short read is nearly always the end of the file; network file systems also give them in the middle.
    pieces, count = [first], len(first)
    while count < limit and (piece := os.read(descriptor, limit - count)):
        pieces.append(piece)
        count += len(piece)
    return b"".join(pieces)


def unreadable(path: str, error: OSError) -> Finding:
    """Return the finding for what the operating system would not open or list."""
    return codes.UNREADABLE.finding(f"{reason_of(error)}: `{path}`", path=path)


_SPECIAL = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def special_file(path: str, kind: int) -> Finding:
    """Return the finding for what is neither file, folder nor link; `kind` is the file type of its mode."""
    return codes.SPECIAL_FILE.finding(f"{_SPECIAL.get(kind, 'not a regular file')}: `{path}`", path=path)


def reason_of(error: OSError | UnicodeDecodeError) -> str:
    """Return what the system said, in lower case, for the end of a message."""
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    return (error.strerror or type(error).__name__).lower()

"""The file that keeps a root's pages: checked when it is read, replaced as a whole when it is written.

    a line that names format, version and byte order
    a line with the root, as JSON
    the length of all that follows the checksum, 8 bytes
    SHA-256 of all that follows, 32 bytes
    the length of the head, 4 bytes; the head, as JSON; the pages, one behind the other

A file that is not exactly that, that another user owns, or that others may write to, is no cache: all is read anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from reinmaker_cli.assets.reading import open_regular

SUFFIX: Final = ".digests"
KEEP_UNUSED_S: Final = 90 * 24 * 3600  # a lesson that nobody looked at for so long may be hashed once more
SWEEP_EVERY_S: Final = 24 * 3600
_MAGIC: Final = f"reinmaker digests 2 {sys.byteorder}\n".encode()
_SWEPT: Final = "swept"
_WRITING: Final = ".writing-"
_LENGTH: Final = struct.Struct("<I")
_BODY: Final = struct.Struct("<Q32s")  # length and checksum of the body
_MAX_LINE_BYTES: Final = 64 * 1024  # a path is at most 4,096 bytes; JSON writes some of them as six


class Stored(NamedTuple):
    """What a cache file holds."""

    head: Mapping[str, Any]
    pages: Sequence[memoryview]


def cache_path(folder: Path, root: str) -> Path:
    """Return where the pages of a root are kept; `root` is absolute and without links."""
    return folder / (hashlib.sha256(os.fsencode(root)).hexdigest()[:32] + SUFFIX)


def read_cache(path: Path, root: str) -> Stored | None:
    """Return what the file holds; None where it is not there, or not exactly what this program wrote for this root."""
    try:
        body = _read_body(path, _MAGIC + _root_line(root))
    except OSError:
        return None
    if body is None:
        return None
    # From here on the bytes are those that were written: what is wrong now is a mistake of this program.
    (length,) = _LENGTH.unpack_from(body)
    head = json.loads(bytes(body[_LENGTH.size : _LENGTH.size + length]))
    pages = []
    position = _LENGTH.size + length
    for size in head["sizes"]:
        pages.append(body[position : position + size])
        position += size
    return Stored(head, pages)


def write_cache(path: Path, root: str, head: Mapping[str, Any], pages: Sequence[bytes | memoryview]) -> None:
    """Replace the file in one step, so that a run beside this one reads the old or the new. OSError where it cannot."""
    text = json.dumps({**head, "sizes": [len(page) for page in pages]}).encode()
    checksum = hashlib.sha256()
    body = [_LENGTH.pack(len(text)), text, *pages]
    for part in body:
        checksum.update(part)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{_WRITING}{os.getpid()}-{time.monotonic_ns()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with open(descriptor, "wb") as file:
            length = sum(map(len, body))
            file.writelines([_MAGIC, _root_line(root), _BODY.pack(length, checksum.digest()), *body])
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def keep_in_use(path: Path) -> None:
    """Note that the file was of use, once a day."""
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > SWEEP_EVERY_S:
            os.utime(path)


def sweep(folder: Path) -> None:
    """Remove, once a day, what roots left behind that are gone or that nobody looked at for long."""
    marker = folder / _SWEPT
    now = time.time()
    with contextlib.suppress(OSError):
        if now - marker.stat().st_mtime < SWEEP_EVERY_S:
            return
    with contextlib.suppress(OSError):
        marker.touch(mode=0o600)
        for path in folder.iterdir():
            with contextlib.suppress(OSError):  # one that cannot be looked at or removed keeps no other
                if not _is_of_use(path, now):
                    path.unlink()


def _is_of_use(path: Path, now: float) -> bool:
    age_s = now - path.stat().st_mtime
    if path.suffix != SUFFIX:
        return age_s < SWEEP_EVERY_S or not path.name.startswith(_WRITING)
    if age_s > KEEP_UNUSED_S:
        return False
    descriptor, _ = open_regular(os.fspath(path))
    with open(descriptor, "rb") as file:
        if file.readline(_MAX_LINE_BYTES) != _MAGIC:
            return False
        try:
            root = json.loads(file.readline(_MAX_LINE_BYTES))
        except ValueError:
            return False
    return isinstance(root, str) and os.path.isdir(root)  # noqa: PTH112 (False for impossible names)


def _root_line(root: str) -> bytes:
    return json.dumps(root).encode() + b"\n"


def _read_body(path: Path, start: bytes) -> memoryview | None:
    """Return what follows the checksum, None where that does not fit. Nothing is read of a file that cannot be ours."""
    descriptor, status = open_regular(os.fspath(path))
    with open(descriptor, "rb") as file:
        # Digests that another user could have put here would be believed.
        if hasattr(os, "geteuid") and (
            status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)
        ):
            raise PermissionError(f"not ours alone: {path}")
        head = file.read(len(start) + _BODY.size)
        if len(head) != len(start) + _BODY.size or not head.startswith(start):
            return None
        length, checksum = _BODY.unpack_from(head, len(start))
        if status.st_size != len(head) + length:  # damaged, it may be longer than the memory
            return None
        body = memoryview(file.read())
    return body if hashlib.sha256(body).digest() == checksum else None

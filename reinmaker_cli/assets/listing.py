"""A folder -> its entries by name, as UTF-8 whatever the locale says."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from reinmaker_cli.assets.reading import status_without_links

_FOLDER_FLAGS = sum(getattr(os, name, 0) for name in ("O_RDONLY", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC"))


@contextmanager
def opened_folder(os_path: str, seen: os.stat_result | None) -> Iterator[int | str]:
    """Give what can be listed; where the system can, a descriptor: the status by name alone costs a tenth less.

    It is the folder that was `seen` there, or one that no link leads to: OSError for any other. None: whatever it is.
    """
    if os.sep != "/" or os.scandir not in os.supports_fd:
        yield os_path
        return
    descriptor = os.open(os_path, _FOLDER_FLAGS)
    try:
        if seen is not None and not os.path.samestat(now := os.fstat(descriptor), seen):
            _require_no_link_to(now, os_path)  # replaced, or of a file system whose numbers do not last
        yield descriptor
    finally:
        os.close(descriptor)


def _require_no_link_to(opened: os.stat_result, os_path: str) -> None:
    if not os.path.samestat(opened, status_without_links(os_path)):
        raise OSError(errno.ESTALE, "replaced while it was scanned", os_path)


def list_entries(folder: int | str) -> dict[str, os.DirEntry[str]]:
    """Return the entries of what `opened_folder` gave; an entry's own `name` is how the system is asked for it."""
    with os.scandir(folder) as listing:
        entries = list(listing)
    names = [entry.name for entry in entries]
    if names and not names_are_utf8():  # else the locale would decide what the names are
        names = os.fsencode("/".join(names)).decode("utf-8", "surrogateescape").split("/")
    return dict(zip(names, entries, strict=True))


def names_are_utf8() -> bool:
    """Return whether the names that the system gives and takes are UTF-8 already."""
    return sys.getfilesystemencoding() == "utf-8"

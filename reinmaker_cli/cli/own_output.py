"""The files that this very command writes, where they lie in a folder of assets: they are not assets.

`reinmaker publish --json > result.json` makes an empty `result.json` before reinmaker even starts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

_STDOUT, _STDERR = 1, 2


def written_paths(root: Path, named: Iterable[str | None]) -> frozenset[str]:
    """Return the files below `root` that this command writes: `named`, stdout and stderr; `/` between parts."""
    here, top = Path.cwd(), root.resolve()
    found = [here / name for name in named if name and name != "-"]
    found += _redirected_to(here)
    real = (path.parent.resolve() / path.name for path in found)
    return frozenset(path.relative_to(top).as_posix() for path in real if path.is_relative_to(top))


def _redirected_to(folder: Path) -> list[Path]:
    """Return the files in a folder that stdout or stderr go to. A shell redirects into the current folder."""
    wanted = set()
    for descriptor in (_STDOUT, _STDERR):
        try:
            status = os.fstat(descriptor)
        except OSError:  # closed
            continue
        if stat.S_ISREG(status.st_mode):
            wanted.add((status.st_dev, status.st_ino))
    if not wanted:
        return []
    return [Path(entry.path) for entry in os.scandir(folder) if _identity(entry) in wanted]


def _identity(entry: os.DirEntry[str]) -> tuple[int, int] | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:  # gone since the listing
        return None
    return status.st_dev, status.st_ino

"""Somebody who exchanges a file or folder for a link, and back, as fast as another process can."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAM = """
import os, sys
place, target = sys.argv[1:]
link, away = place + ".link", place + ".away"
os.symlink(target, link)
print("begun", flush=True)
while True:
    os.rename(place, away)
    os.rename(link, place)
    os.rename(place, link)
    os.rename(away, place)
"""


@contextmanager
def swapping(place: Path, target: Path) -> Iterator[None]:
    """Put a link to `target` in the place of what is there, and that back, again and again until the block is left."""
    command = [sys.executable, "-S", "-c", _PROGRAM, str(place), str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
            yield
        finally:
            process.kill()

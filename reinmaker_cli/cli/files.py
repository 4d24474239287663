"""Results into files: whole or not at all, and a clear error where the place refuses them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from reinmaker_cli.cli.output import output_failed


def write_result(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new one. Raises UsageError with code `output-failed`.

    A device or FIFO is written in place: renaming over it would replace it.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                file.write(content)
            return
        _replace(path, content)
    except OSError as error:
        raise output_failed(f"`{path}`", error) from error


def _replace(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
        Path(temporary).chmod(mode & 0o777)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def make_folder(path: Path) -> None:
    """Make a folder for several results, parents included. Raises UsageError with code `output-failed`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_failed(f"`{path}`", error) from error


def is_folder_target(path: Path, text: str) -> bool:
    """Return whether `-o` names a folder: it is one, or it is written with a slash at the end."""
    return path.is_dir() or text.endswith(("/", os.sep))

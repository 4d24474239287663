"""Results into files: whole or not at all, and a clear error where the place refuses them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from reinmaker_cli.cli.output import output_failed
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError


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
        raise output_failed(f"`{path}`", error, path) from error


def _replace(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(
        dir=path.parent, prefix=".reinmaker-"
    )  # a name of its own: a file system takes 255 bytes
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
        raise output_failed(f"`{path}`", error, path) from error


def files_and_folders(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files among the paths, and all others: what is not there is taken for a folder, and named as one."""
    return [path for path in paths if path.is_file()], [path for path in paths if not path.is_file()]


def is_one_file(target: str, results: int, instead: Callable[[str, str], str] = "{1}".format) -> bool:
    """Return whether `-o` or `--receipt` names the file of the only result; else it names a folder for all.

    UsageError where several results are to go into what is a file, or is called like one;
    `instead` gives the command line with one word put right.
    """
    path = Path(target)
    is_folder = path.is_dir() or target.endswith(("/", os.sep))
    if results == 1:
        return not is_folder
    if not is_folder and (path.exists() or path.suffix == ".json"):
        folder = f"{path.with_suffix('')}/" if path.suffix else "DIR/"
        raise UsageError(
            f"{results} results do not fit into one file: `{target}`",
            code=codes.USAGE,
            hint=f"name a folder: `{instead(target, folder)}`",
        )
    return False

"""Results into files: whole or not at all, and a clear error where the place refuses them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reinmaker_cli.assets.project import PROJECT_FILE, find_project_root
from reinmaker_cli.cli.output import output_failed
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError

if TYPE_CHECKING:
    from reinmaker_cli.cli.run import Run


def write_result(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new one. Raises UsageError with code `output-failed`.

    A device or FIFO is written in place: renaming over it would replace it.
    """
    write_pieces(path, [content])


def write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """Write what comes piece by piece, as `write_result` does."""
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                file.writelines(pieces)
            return
        _replace(path, pieces)
    except OSError as error:
        raise output_failed(f"`{path}`", error, path) from error


def _replace(path: Path, pieces: Iterable[bytes]) -> None:
    # Not named after the file, whose name may be as long as a file system takes.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".reinmaker-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
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


def files_and_folders(run: Run, paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files among the paths, and all others: what is not there is taken for a folder, and named as one.

    UsageError for a file that is part of a lesson, where the lesson's folder is meant.
    """
    for path in paths:
        if path.is_file() and not _may_be_manifest(path):
            folder = find_project_root(path.absolute().parent) or path.parent
            what = "the file that describes a lesson" if path.name == PROJECT_FILE else "a file of a lesson"
            raise UsageError(
                f"{what}, not a manifest: `{path}`",
                code=codes.NOT_A_FOLDER,
                hint=f"name the folder: `{run.instead(path, os.path.relpath(folder))}`",
            )
    return [path for path in paths if path.is_file()], [path for path in paths if not path.is_file()]


def _may_be_manifest(path: Path) -> bool:
    """Return whether a file is called like JSON, or begins so; what a table begins with does too."""
    if path.suffix.lower() in (".json", ".toml"):
        return path.suffix.lower() == ".json"
    try:
        with path.open("rb") as file:
            return file.read(64).lstrip()[:1] in (b"{", b"[")
    except OSError:  # whoever reads all of it says why
        return True


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

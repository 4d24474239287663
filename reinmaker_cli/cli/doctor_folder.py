"""What `doctor` says of the folder: its project file, and whether Git LFS left pointers where files should be."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from reinmaker_cli.assets.project import find_project_root, load_project
from reinmaker_cli.client.checks import Checked, Failed, Passed, Warned, failed_by
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ReinmakerError

GIT_LIMIT_S = 10.0  # a version is said at once; a `git` that hangs is no git


def check_project() -> Checked:
    """Return whether the nearest reinmaker.toml is one."""
    try:
        root = find_project_root(Path())
        if root is None:
            return Warned("project", "none upward from here", codes.NO_PROJECT, codes.NO_PROJECT.cure)
        project = load_project(root)
    except ReinmakerError as error:
        return failed_by("project", error)
    return Passed("project", f"`{root}`, manifests `{project.id}`")


def check_git_lfs(folder: Path) -> Iterator[Checked]:
    """Yield whether Git LFS is there, where a .gitattributes asks for it, and whether it has fetched the files."""
    from reinmaker_cli.cli.folders import pointers_below

    asking = _attributes_with_lfs(folder)
    if asking is None:
        yield Passed("git lfs", "no .gitattributes asks for it")
        return
    for command in (("git", "--version"), ("git", "lfs", "version")):
        if not _works(command):
            code = codes.GIT_LFS_MISSING
            yield Failed("git lfs", f"`{asking}` asks for it, and `{' '.join(command)}` fails", code, code.cure, 2)
            break
    else:
        yield Passed("git lfs", f"there, as `{asking}` asks for")
    pointers = [found.path for found in pointers_below(folder)]
    if pointers:
        more = f" and {len(pointers) - 1} more" if len(pointers) > 1 else ""
        place = "" if folder.resolve() == Path.cwd() else f"-C {shlex.quote(str(folder))} "
        fact = f"a pointer instead of the file: `{pointers[0]}`{more}"
        yield Failed("lfs files", fact, codes.LFS_POINTER, f"`git {place}lfs pull`", 3)
    else:
        yield Passed("lfs files", "no pointers in the folder")


def _attributes_with_lfs(folder: Path) -> Path | None:
    """Return the first .gitattributes that gives something to LFS: in the folder, below, or above in its checkout."""
    top = folder.resolve()
    above = []
    for parent in (top, *top.parents):
        above.append(parent / ".gitattributes")
        if (parent / ".git").exists():
            break
    below = (Path(at) / ".gitattributes" for at, _, names in os.walk(top) if ".gitattributes" in names)
    return next((path for path in (*above, *below) if _asks_for_lfs(path)), None)


def _asks_for_lfs(path: Path) -> bool:
    try:
        text = path.read_bytes()
    except OSError:  # none there, or nobody may read it: git cannot either
        return False
    return any(b"filter=lfs" in line and not line.lstrip().startswith(b"#") for line in text.splitlines())


def _works(command: tuple[str, ...]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    try:
        ended = subprocess.run(  # nosec B603  # words of ours
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=GIT_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0

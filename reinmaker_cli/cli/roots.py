"""Which folders a command line means, and what describes each."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reinmaker_cli.assets.own import own_document
from reinmaker_cli.assets.project import (
    PROJECT_FILE,
    Project,
    bare_project,
    find_catalogue,
    find_project_root,
    load_project,
    project_from_flags,
)
from reinmaker_cli.cli.run import Run
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError
from reinmaker_cli.settings import PROJECT_FLAGS


@dataclass(frozen=True)
class Folder:
    """One folder that the command line means."""

    root: Path
    label: str
    """How findings name it where there are several; "" where it is the only one."""


def find_folders(run: Run, paths: Sequence[Path]) -> tuple[Folder, ...]:
    """Return the asset roots that are meant; none given: the nearest project upward, else here."""
    if not paths:
        nearest = find_project_root(Path())
        return (Folder(nearest, ""),) if nearest is not None else _folders_of(run, Path())
    found: dict[Path, Folder] = {}
    for path in paths:
        for folder in _folders_of(run, path):
            found.setdefault(folder.root.resolve(), folder)  # named twice, it is still one
    folders = tuple(found.values())
    if len(folders) == 1:
        return folders
    return tuple(replace(folder, label=folder.label or folder.root.as_posix()) for folder in folders)


def require_folder(run: Run, path: Path) -> None:
    """Raise UsageError where a path is no folder."""
    if not path.exists():
        raise UsageError(
            f"no such folder or file: `{path}`", code=codes.FOLDER_NOT_FOUND, hint=_near(run, path) or "check the path"
        )
    if not path.is_dir() and not path.is_file():
        hint = "name a folder; what it gives can be written into a file"
        raise UsageError(f"not a regular file: `{path}`", code=codes.SPECIAL_FILE, hint=hint)
    if not path.is_dir():
        raise UsageError(
            f"a file where a folder is needed: `{path}`",
            code=codes.NOT_A_FOLDER,
            hint=f"name the folder: `{run.instead(path, path.parent)}`",
        )


def _near(run: Run, path: Path) -> str:
    """Return the hint that names what is called nearly so beside it, or what to look at."""
    if path.name == Path.cwd().name and path == Path(path.name):
        return f"you are in it: `{run.instead(path, '.')}`"
    if not path.parent.is_dir():
        return _near(run, path.parent) if path.parent != path else ""
    near = difflib.get_close_matches(path.name, [one.name for one in path.parent.iterdir()], n=1)
    if near:
        return f"did you mean `{run.instead(path, path.with_name(near[0]))}`?"
    return f"`ls {shlex.quote(str(path.parent))}` shows what is there"


def _folders_of(run: Run, path: Path) -> tuple[Folder, ...]:
    require_folder(run, path)
    if (path / PROJECT_FILE).is_file():
        return (Folder(path, ""),)
    if (project := find_project_root(path)) is not None:
        raise UsageError(
            f"`{path}` lies inside the project `{project}`",
            code=codes.INSIDE_PROJECT,
            hint=f"name the project's folder: `{run.instead(path, os.path.relpath(project))}`;"
            " `--only FIELD=VALUE` selects some of its manifests",
        )
    catalogue = find_catalogue(path)
    if not catalogue:
        return (Folder(path, ""),)
    return tuple(Folder(root, root.as_posix()) for root in catalogue)


def project_of(run: Run, folder: Folder, *, needs_project: bool) -> Project:
    """Return what describes a folder: its reinmaker.toml, or the flags that stand in for one.

    `needs_project` False: a folder that nothing describes is a project that says nothing.
    """
    flags = {name: getattr(run.settings, name) for name in PROJECT_FLAGS}
    if (folder.root / PROJECT_FILE).is_file():
        typed = [name for name in PROJECT_FLAGS if run.settings.claims[name][0].source == "flag"]
        if typed:
            raise UsageError(
                f"`{folder.root}` has a {PROJECT_FILE}, so --{typed[0].replace('_', '-')} would say it twice",
                code=codes.USAGE,
                hint="change the file, or leave the flag out",
            )
        return load_project(folder.root)
    if not needs_project and not any(flags.values()):
        return bare_project(folder.root)
    if not any(flags.values()):
        _refuse_manifests(run, folder.root)
    return project_from_flags(folder.root, **flags)


def _refuse_manifests(run: Run, root: Path) -> None:
    """A folder of built manifests is no folder of assets: its files are meant."""
    if any(file.is_file() and own_document(str(file)) == "manifest" for file in root.glob("*.json")):
        raise UsageError(
            f"a folder of manifests, not of assets: `{root}`",
            code=codes.CONFIG_MISSING,
            hint=f"name its files: `reinmaker {run.verb} {shlex.quote(str(root))}/*.json`",
        )

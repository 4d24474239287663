"""Arguments and options that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError

Folders = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[DIR...]", help="Folders; default: that of the nearest reinmaker.toml upward."),
]
FoldersOrManifests = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[DIR|MANIFEST...]", help="Folders and manifest files; default: the nearest project."),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="FIELD=VALUE", help="Only manifests whose source has this value; repeatable."),
]
Watch = Annotated[
    bool, typer.Option("--watch", help="Go on: look again whenever a file changes, and say what is different.")
]
Allow = Annotated[
    list[str] | None, typer.Option("--allow", metavar="CODE", help="Take a finding for a warning; repeatable.")
]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="URL_PREFIX=DIR", help="Let a folder stand for what lies below a URL; repeatable."),
]
Root = Annotated[
    Path | None, typer.Option("--root", metavar="DIR", help="Folder of the assets of a manifest file; hashed again.")
]
KeepGoing = Annotated[bool, typer.Option("--keep-going", help="Send what is clean although something else is not.")]


def parse_maps(texts: Sequence[str] | None) -> tuple[tuple[str, Path], ...]:
    """Return the URL prefixes of --map and the folders that stand for what lies below them. Raises UsageError."""
    return tuple(map(_parse_map, texts or ()))


def _parse_map(text: str) -> tuple[str, Path]:
    prefix, separator, folder = text.partition("=")
    example = "--map s3://lotd-reinmaker-assets/=./content"
    if not separator or "://" not in prefix or not folder:
        raise UsageError(f"--map cannot be read: `{text}`", code=codes.USAGE, hint=f"write it as `{example}`")
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise UsageError(f"--map names no folder: `{folder}`", code=codes.FOLDER_NOT_FOUND, hint="check the path")
    return prefix, path.resolve()

"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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

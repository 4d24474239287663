"""Which file is what: path -> type, captured fields, asset id, metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reinmaker_cli.assets.project import Project
from reinmaker_cli.contract.findings import Finding


class Match(NamedTuple):
    """What the rules say about one file."""

    type: str
    """One of `names.ASSET_TYPES`."""
    captures: Mapping[str, str]
    """Capture -> value, after [values]."""
    asset_id: str
    metadata: Mapping[str, Any]
    needs_look: bool = False
    """True for a `.json` that is an animation by its extension alone: only if it holds Audio2Face frames."""


class Matcher:
    """The rules of a project, compiled once for many files."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def match(self, path: str) -> Match | Finding:
        """Return what the file is, or the finding that says why that cannot be known."""
        raise NotImplementedError(path)

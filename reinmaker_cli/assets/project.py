"""The project: what `reinmaker.toml`, or the flags that stand in for it, say about a folder of assets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT_FILE = "reinmaker.toml"
AUTO_VERSION = "auto"


@dataclass(frozen=True, slots=True)
class Rule:
    """One `[[rule]]`: which files, and what they are."""

    match: str
    """Pattern with `{name}` captures, `*`, `**` and `?`."""
    type: str | None = None
    """None: by folder, then by extension."""
    id: str | None = None
    """Template of the asset id; None: made from the path."""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """What one folder of assets is to become."""

    root: Path
    """The asset root: the folder that holds `reinmaker.toml`."""
    path: Path | None
    """The file itself; None where flags stand in for it."""
    id: str
    product: str
    url: str
    """Template of an asset's URL."""
    version: str = AUTO_VERSION
    url_for: Mapping[str, str] = field(default_factory=dict)
    """Environment name -> URL template, where it differs from `url`."""
    source: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Capture -> captured text -> value. A list in the file maps each text to itself."""
    rules: tuple[Rule, ...] = ()
    ignore: tuple[str, ...] = ()
    """Patterns in gitignore syntax."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    coverage: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Field of [source] -> the values that every lesson must have."""

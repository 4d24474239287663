"""What a scan gives: assets, what is wrong, what was passed over, and how much was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from reinmaker_cli.assets.walk import Ignored
from reinmaker_cli.contract.findings import Finding


class Asset(NamedTuple):
    """One file that can be published."""

    path: str
    """Relative to the root, `/` between parts."""
    id: str
    type: str
    """One of `names.ASSET_TYPES`."""
    sha256: str
    """64 lower-case hex digits."""
    bytes: int
    metadata: Mapping[str, Any]
    captures: Mapping[str, str]
    """What the rule captured from the path, after [values]."""


@dataclass(frozen=True, slots=True)
class ScanStats:
    """How much was looked at."""

    files: int
    """Files that are not ignored."""
    bytes: int
    """Their size together."""
    hashed: int
    cached: int = 0
    """Files that were not read, because they are as they were when they were hashed."""


class ScanProgress(NamedTuple):
    """Where the hashing stands; both totals are known from the start."""

    files: int
    total_files: int
    bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What is in a folder."""

    root: Path
    assets: tuple[Asset, ...]
    """Sorted by id, then path."""
    findings: tuple[Finding, ...]
    """Sorted by path, then code."""
    ignored: tuple[Ignored, ...]
    stats: ScanStats
    cache_fault: str = ""
    """Why the digests could not be kept for the next scan; empty where they were, or where that was not asked."""

"""Where an asset's bytes are: a registered folder, a mapped prefix, http(s), or nowhere that this server can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RegisteredFolder:
    """A folder that a client named through the control API."""

    root: Path
    files: Mapping[str, str] = field(repr=False)
    """URL -> path relative to `root`, `/` between parts."""


@dataclass(frozen=True, slots=True)
class Sources:
    """All that a verification may read, in this order; picklable, so that it can go to a worker process."""

    folders: tuple[RegisteredFolder, ...] = ()
    """What the client said for this manifest."""
    maps: tuple[tuple[str, Path], ...] = ()
    """`--map PREFIX=DIR`; the longest prefix that fits wins."""
    network: bool = True
    """False: http(s) URLs count as unverified."""
    allow_private: bool = True
    """True where the server listens on loopback: private and loopback addresses may be asked."""
    allow_targets: tuple[str, ...] = ()
    """CIDR ranges that may be asked although they are private."""

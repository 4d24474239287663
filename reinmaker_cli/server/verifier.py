"""Manifest -> verdict: the asynchronous validation of a manifest's assets.

Pure of database and of Starlette, so that it also runs in a worker process. Where bytes come from: `sources.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from reinmaker_cli.contract.models import Validation
from reinmaker_cli.server.sources import Sources


class AssetRef(NamedTuple):
    """What the verifier needs of one asset of a manifest."""

    index: int
    """Position in `assets`, for the pointer."""
    id: str
    url: str
    sha256: str
    """64 hex digits, either case."""
    bytes: int


FindPublished = Callable[[Sequence[AssetRef]], Mapping[int, str]]
"""Assets -> index and hash of those whose URL an active or superseded manifest names with another hash."""


class VerificationStopped(Exception):
    """`stop` said so: no verdict was reached, and the same call later starts anew."""


def never_stop() -> bool:
    """Return False: run to the end."""
    return False


def verify(
    assets: Sequence[AssetRef],
    sources: Sources,
    *,
    strict: bool,
    immutable: FindPublished,
    stop: Callable[[], bool] = never_stop,
) -> Validation:
    """Return the verdict; the manifest is rejected where its `error_count` is not 0."""
    raise NotImplementedError

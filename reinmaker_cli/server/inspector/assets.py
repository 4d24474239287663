"""Some assets of a stored manifest, for people to look at."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.records import StoredSubmission
from reinmaker_cli.server.workers import LARGE_BODY_BYTES


@dataclass(frozen=True, slots=True)
class ShownAsset:
    """One asset as its manifest has it."""

    id: str
    type: str
    url: str
    hash: str
    bytes: int
    metadata: Mapping[str, str]
    """Every value as text: what is no text, as JSON."""


@dataclass(frozen=True, slots=True)
class AssetPage:
    """Assets by their position in the manifest."""

    assets: Mapping[int, ShownAsset]

    def at(self, pointer: str) -> ShownAsset | None:
        """Return the asset that a JSON pointer leads to, where it is on this page."""
        position = pointer.rpartition("/")[2]
        return self.assets.get(int(position)) if position.isdecimal() else None


async def assets_of(
    services: Services, submission: StoredSubmission, wanted: Sequence[int], *, limit: int
) -> AssetPage:
    """Return the assets at these positions; where none is named, the first ones."""
    positions = list(wanted)[:limit] or list(range(limit))
    gzipped = await services.threads.read(services.store.submissions.body, submission.no)
    if submission.body_bytes > LARGE_BODY_BYTES:  # to read it here would hold up every other thread
        return AssetPage(await services.workers.call(pick_assets, gzipped, positions))
    return AssetPage(await services.threads.examine(pick_assets, gzipped, positions))


def pick_assets(gzipped: bytes, positions: Sequence[int]) -> dict[int, ShownAsset]:
    """Return the assets at these positions of a manifest that was accepted, those that there are."""
    assets = json.loads(gzip.decompress(gzipped))["assets"]
    return {position: _shown(assets[position]) for position in positions if position < len(assets)}


def _shown(asset: Mapping[str, Any]) -> ShownAsset:
    metadata = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in asset.get("metadata", {}).items()
    }
    return ShownAsset(asset["id"], asset["type"], asset["url"], asset["hash"], asset["bytes"], metadata)

"""Two manifests -> what changes between them: assets by id, everything else by place.

`version` is left out, as it is from the content digest: a new version alone changes nothing for a player.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reinmaker_cli.contract.rules import normalized_url
from reinmaker_cli.contract.validation import json_pointer

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class AssetSide:
    """An asset as one of the two manifests has it."""

    id: str
    url: str
    sha256: str
    """64 lower-case hex digits."""
    bytes: int


@dataclass(frozen=True, slots=True)
class AssetChange:
    """An asset that both manifests have, differently."""

    id: str
    old: AssetSide
    new: AssetSide
    members: tuple[str, ...]
    """Which members differ, such as `hash` or `metadata`."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A place outside the assets that differs; None stands for absent too."""

    pointer: str
    """RFC 6901 JSON Pointer."""
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes from one manifest to another."""

    added: tuple[AssetSide, ...]
    removed: tuple[AssetSide, ...]
    changed: tuple[AssetChange, ...]
    fields: tuple[FieldChange, ...]
    moved_bytes: tuple[AssetChange, ...]
    """Other bytes under a URL that stays, whatever the ids are: what `asset-immutable` forbids."""

    @property
    def is_empty(self) -> bool:
        """True where the two have the same content."""
        return not (self.added or self.removed or self.changed or self.fields)

    @property
    def new_bytes(self) -> int:
        """Size of the assets that were added or have other bytes: what has to be uploaded."""
        changed = (change.new for change in self.changed if "hash" in change.members)
        return sum(side.bytes for side in (*self.added, *changed))


def diff_manifests(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Difference:
    """Return what changes from `old` to `new`, each list sorted by id; without `old`, all of it is added.

    Documents that break the schema are compared as far as they can be read.
    """
    before = {} if old is None else _assets(old)
    after = _assets(new)
    changed = (_change(one_id, before[one_id], after[one_id]) for one_id in sorted(before.keys() & after.keys()))
    return Difference(
        added=tuple(_side(after[one_id]) for one_id in sorted(after.keys() - before.keys())),
        removed=tuple(_side(before[one_id]) for one_id in sorted(before.keys() - after.keys())),
        changed=tuple(change for change in changed if change is not None),
        fields=() if old is None else tuple(_field_changes(_rest(old), _rest(new), ())),
        moved_bytes=tuple(_moved(before, after)),
    )


def _assets(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    assets = document.get("assets")
    listed = assets if isinstance(assets, list) else []
    return {asset["id"]: asset for asset in listed if isinstance(asset, Mapping) and isinstance(asset.get("id"), str)}


def _rest(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in ("assets", "version")}


def _side(asset: Mapping[str, Any]) -> AssetSide:
    size = asset.get("bytes")
    return AssetSide(
        id=str(asset["id"]),
        url=str(asset.get("url", "")),
        sha256=str(asset.get("hash", "")).lower(),
        bytes=size if isinstance(size, int) else 0,
    )


def _change(asset_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> AssetChange | None:
    members = tuple(name for name in {**old, **new} if not _same(name, old.get(name, _ABSENT), new.get(name, _ABSENT)))
    return AssetChange(asset_id, _side(old), _side(new), members) if members else None


def _same(name: str, old: Any, new: Any) -> bool:
    # contract.md: hashes are compared without regard to case.
    if name == "hash" and isinstance(old, str) and isinstance(new, str):
        return old.lower() == new.lower()
    return _equal(old, new)


def _equal(old: Any, new: Any) -> bool:
    """Compare as JSON does: in Python, True equals 1."""
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_equal(value, new[name]) for name, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_equal, old, new))
    return bool(old == new)


def _field_changes(old: Any, new: Any, place: tuple[str | int, ...]) -> Iterator[FieldChange]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted(old.keys() | new.keys()):
            yield from _field_changes(old.get(name, _ABSENT), new.get(name, _ABSENT), (*place, name))
    elif not _equal(old, new):
        yield FieldChange(json_pointer(place), None if old is _ABSENT else old, None if new is _ABSENT else new)


def _moved(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> Iterator[AssetChange]:
    published = {normalized_url(side.url): side for side in map(_side, before.values())}
    for asset_id in sorted(after):
        side = _side(after[asset_id])
        old = published.get(normalized_url(side.url))
        if old is not None and old.sha256 != side.sha256:
            yield AssetChange(asset_id, old, side, ("hash",))

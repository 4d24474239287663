"""One folder of the cache as bytes: its files as they were, their digests, and what they were found to be.

The files are columns, so that a folder that is as it was is taken by comparing two of them: 100,000 files in 30 ms.
Nothing in a page can do more than be wrong: it is numbers, text and JSON, and the checksum over all of it is tested
before (`cache_file.py`).
"""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any, Final, NamedTuple

from reinmaker_cli.assets.looking import Seen
from reinmaker_cli.assets.rules import Match
from reinmaker_cli.assets.walked import STATUS, FolderFiles
from reinmaker_cli.contract.findings import Finding

_HEAD: Final = struct.Struct("<IIII")  # files, and the bytes of names, asset ids and values
_DIGEST_BYTES: Final = 32
_BETWEEN: Final = "\0"  # no name holds it


class Row(NamedTuple):
    """What is remembered of one file."""

    name: str
    status: bytes
    """A `STATUS`, as it was when the bytes were read."""
    sha256: str
    seen: Seen
    match: Match | None
    """None where the rules do not say what the file is."""


class Shape(NamedTuple):
    """What many files of a folder have in common."""

    seen: Seen
    match: Match | None
    """Without the asset id, which each file has for itself."""


class Page:
    """The files of one folder as they were, read from the cache; each part is decoded when it is asked for."""

    def __init__(self, raw: memoryview) -> None:
        self.raw = raw
        self._count, names, ids, shapes = _HEAD.unpack_from(raw)
        sizes = (names, ids, shapes, self._count * STATUS.size, self._count * _DIGEST_BYTES, self._count * 4)
        parts = []
        start = _HEAD.size
        for size in sizes:
            parts.append(raw[start : start + size])
            start += size
        self._names, self._ids, self._shapes, self._status, self._digests, self._shape_of = parts

    def holds_exactly(self, folder: FolderFiles) -> bool:
        """Return whether the folder has the files of this page, none more, and all of them as they were."""
        return bytes(self._status) == folder.status and bytes(self._names) == _BETWEEN.join(folder.names).encode()

    @cached_property
    def ids(self) -> list[str]:
        """Return the asset id of each file; empty where there is none."""
        return str(self._ids, "utf-8").split(_BETWEEN)

    @cached_property
    def digests(self) -> list[str]:
        """Return the SHA-256 of each file, 64 hex digits."""
        return self._digests.hex("/", _DIGEST_BYTES).split("/")

    @cached_property
    def shapes(self) -> list[Shape]:
        """Return the different shapes of the folder's files."""
        return [_shape(value) for value in json.loads(bytes(self._shapes))]

    @cached_property
    def shape_of(self) -> array[int]:
        """Return the index of each file's shape."""
        return array("I", bytes(self._shape_of))

    def find(self, name: str, status: bytes) -> Row | None:
        """Return what is remembered of a file; None where it is another now."""
        index = self._index.get(name)
        if index is None or self._status[index * STATUS.size : (index + 1) * STATUS.size] != status:
            return None
        seen, match = self.shapes[self.shape_of[index]]
        own_match = None if match is None else match._replace(asset_id=self.ids[index])
        return Row(name, status, self.digests[index], seen, own_match)

    @cached_property
    def _index(self) -> Mapping[str, int]:
        names = str(self._names, "utf-8").split(_BETWEEN)
        return {name: index for index, name in enumerate(names)}


def encode_page(rows: Sequence[Row]) -> bytes:
    """Return the rows, sorted by name, as a page. ValueError, TypeError where one cannot be kept."""
    names, ids = [row.name for row in rows], ["" if row.match is None else row.match.asset_id for row in rows]
    if any(_BETWEEN in asset_id for asset_id in ids):
        raise ValueError("an asset id with a NUL")
    shapes: dict[Any, int] = {}
    same_objects: dict[tuple[int, ...], int] = {}  # most files of a folder share even the objects
    values: list[Any] = []
    shape_of = array("I")
    for row in rows:
        seen, match = row.seen, row.match
        objects = (id(seen),) if match is None else (id(seen), *map(id, (match[0], match[1], match[3])), match[4])
        index = same_objects.get(objects)
        if index is None:
            index = shapes.setdefault(_shape_key(row), len(values))
            if index == len(values):
                values.append(_shape_json(row))
            same_objects[objects] = index
        shape_of.append(index)
    texts = [part.encode() for part in (_BETWEEN.join(names), _BETWEEN.join(ids), json.dumps(values))]
    return b"".join(
        [
            _HEAD.pack(len(rows), *map(len, texts)),
            *texts,
            *(row.status for row in rows),
            bytes.fromhex("".join([row.sha256 for row in rows])),
            shape_of.tobytes(),
        ]
    )


def _shape_key(row: Row) -> Any:
    """Return what tells shapes apart; the metadata of a rule by identity, which the rows keep alive."""
    seen, match = row.seen, row.match
    probed = None if seen.metadata is None else tuple(seen.metadata.items())
    key = (seen.finding, probed, seen.is_audio2face)
    if match is None:
        return key
    return (*key, match.type, tuple(match.captures.items()), id(match.metadata), match.needs_look)


def _shape_json(row: Row) -> list[Any]:
    seen, match = row.seen, row.match
    finding = None if seen.finding is None else asdict(seen.finding)
    said = None if match is None else [match.type, match.captures, match.metadata, match.needs_look]
    return [finding, seen.metadata, seen.is_audio2face, said]


def _shape(value: Any) -> Shape:
    finding, metadata, is_audio2face, said = value
    seen = Seen(None if finding is None else Finding(**finding), metadata, is_audio2face)
    return Shape(seen, None if said is None else Match(said[0], said[1], "", said[2], said[3]))

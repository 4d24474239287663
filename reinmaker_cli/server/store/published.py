"""Which URL was published with which bytes: the memory behind `asset-immutable`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from reinmaker_cli.contract.rules import normalized_url
from reinmaker_cli.server.store.database import Database, insert_or_skip
from reinmaker_cli.server.store.tables import published_assets

if TYPE_CHECKING:
    from reinmaker_cli.server.verifier import AssetRef

_BATCH = 500  # bound variables of one statement; SQLite's old limit is 999


class PublishedAssets:
    """Reading what was published, outside of any transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_moved(self, assets: Sequence[AssetRef]) -> Mapping[int, str]:
        """Return index and published hash of the assets whose URL was published with another hash."""
        with self._database.read() as connection:
            return moved_assets(connection, assets)


def moved_assets(connection: Connection, assets: Sequence[AssetRef]) -> dict[int, str]:
    """Return index and published hash of the assets whose URL was published with another hash."""
    moved: dict[int, str] = {}
    remaining = iter(assets)
    while batch := {url_key(asset.url): asset for asset in islice(remaining, _BATCH)}:
        for key, sha256 in _published(connection, batch):
            if sha256.hex() != batch[key].sha256.lower():
                moved[batch[key].index] = sha256.hex()
    return moved


def remember_published(connection: Connection, assets: Sequence[AssetRef], submission_no: int) -> None:
    """Record the assets of a version that is active now, or was passed by a newer one."""
    rows = (
        {"url_key": url_key(asset.url), "sha256": bytes.fromhex(asset.sha256), "submission_no": submission_no}
        for asset in assets
    )
    while batch := list(islice(rows, 10 * _BATCH)):
        insert_or_skip(connection, published_assets, batch)


def url_key(url: str) -> bytes:
    """Return the 16 bytes that stand for a URL, scheme and host compared without regard to case."""
    return hashlib.sha256(normalized_url(url).encode()).digest()[:16]


def _published(connection: Connection, keys: Mapping[bytes, AssetRef]) -> Iterator[tuple[bytes, bytes]]:
    table = published_assets
    query = select(table.c.url_key, table.c.sha256).where(table.c.url_key.in_(list(keys)))
    for row in connection.execute(query):
        yield row.url_key, row.sha256

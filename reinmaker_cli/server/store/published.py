"""Which URL was published with which bytes: the memory behind `asset-immutable`."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import BindParameter, Connection, bindparam, delete, select

from reinmaker_cli.contract.rules import normalized_url
from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.inserts import insert_or_skip
from reinmaker_cli.server.store.prepared import Prepared
from reinmaker_cli.server.store.tables import published_assets

if TYPE_CHECKING:
    from reinmaker_cli.server.verifier import AssetRef

_LOOKED_UP_AT_ONCE = 500  # bound variables of one statement; SQLite's old limit is 999
_FEW = 20
"""Are looked up without hundreds of places for keys."""
_INSERTED_AT_ONCE = 5000
_TAKE_BACK = delete(published_assets).where(
    published_assets.c.url_key.in_(bindparam("keys", expanding=True)),
    published_assets.c.submission_no == bindparam("published_by"),
)


class PublishedAssets:
    """Reading what was published, outside of any transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_moved(self, keyed: Mapping[str, AssetRef]) -> Mapping[int, str]:
        """Return index and published hash of the assets whose URL was published with another hash."""
        with self._database.read() as connection:
            return moved_assets(connection, keyed)


def keyed_assets(assets: Sequence[AssetRef]) -> dict[str, AssetRef]:
    """Return the assets by the key of their URL, in the order in which all processes insert them.

    Takes a second for 100,000, so it is done before a transaction.
    """
    return dict(sorted((_url_key(asset.url), asset) for asset in assets))


def moved_assets(connection: Connection, keyed: Mapping[str, AssetRef]) -> dict[int, str]:
    """Return index and published hash of the assets whose URL was published with another hash."""
    moved: dict[int, str] = {}
    for batch in _batches(keyed):
        for key, sha256 in _published(connection, batch):
            if sha256 != keyed[key].sha256.lower():
                moved[keyed[key].index] = sha256
    return moved


def publish_assets(connection: Connection, keyed: Mapping[str, AssetRef], submission_no: int) -> dict[int, str]:
    """Record the assets of a version that is active now, or was passed by a newer one; all of them, or none.

    None where URLs were published with another hash: those are returned, as by `moved_assets`. Inserted first: another
    process may publish them at this moment, and whose key is there first decides.
    """
    rows = ((key, asset.sha256.lower(), submission_no) for key, asset in keyed.items())
    inserted = 0
    while part := list(islice(rows, _INSERTED_AT_ONCE)):
        inserted += insert_or_skip(connection, published_assets, ("url_key", "sha256", "submission_no"), part)
    moved = {} if inserted == len(keyed) else moved_assets(connection, keyed)
    if moved:
        for batch in _batches(keyed):
            connection.execute(_TAKE_BACK, {"keys": batch, "published_by": submission_no})
    return moved


def _published(connection: Connection, keys: list[str]) -> Sequence[Sequence[str]]:
    """Return key and hash of those that are published."""
    places = _FEW if len(keys) <= _FEW else _LOOKED_UP_AT_ONCE
    filled = keys + keys[-1:] * (places - len(keys))
    return _of_keys(places).rows(connection, {f"key_{place}": key for place, key in enumerate(filled)})


@functools.cache
def _of_keys(places: int) -> Prepared:
    keys: list[BindParameter[str]] = [bindparam(f"key_{place}") for place in range(places)]
    return Prepared(
        select(published_assets.c.url_key, published_assets.c.sha256).where(published_assets.c.url_key.in_(keys))
    )


def _batches(keyed: Iterable[str]) -> Iterator[list[str]]:
    keys = iter(keyed)
    while batch := list(islice(keys, _LOOKED_UP_AT_ONCE)):
        yield batch


def _url_key(url: str) -> str:
    """Return 32 hex digits that stand for a URL, scheme and host compared without regard to case.

    The first 8 stand for where it lies, two names from its end: the assets of a lesson are written into a few pages of
    the index, and not each into one of its own.
    """
    normalized = normalized_url(url)
    return _sha256(normalized.rsplit("/", 2)[0])[:8] + _sha256(normalized)[:24]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

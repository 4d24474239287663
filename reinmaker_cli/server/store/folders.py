"""Where clients of the control API said that a manifest's bytes lie."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import bindparam, or_, select

from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.inserts import insert_or_replace
from reinmaker_cli.server.store.prepared import Prepared
from reinmaker_cli.server.store.tables import asset_folders


@dataclass(frozen=True, slots=True)
class StoredFolder:
    """A folder, and which URL is which file in it."""

    manifest_id: str
    version: str | None
    """None: for every version that has no folder of its own."""
    root: str
    files_gzipped: bytes = field(repr=False)
    """gzip of a JSON object, URL -> path relative to `root`; 100,000 of them are some megabytes."""


class AssetFolders:
    """The registered folders; a later registration for the same manifest and version replaces the one before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, folder: StoredFolder, *, now: float) -> None:
        """Keep the folder."""
        row = {
            "manifest_id": folder.manifest_id,
            "version": folder.version or "",
            "root": folder.root,
            "files": folder.files_gzipped,
            "registered_at": now,
        }
        with self._database.write() as connection:
            insert_or_replace(connection, asset_folders, row)

    def find(self, manifest_id: str, version: str) -> tuple[StoredFolder, ...]:
        """Return the folder registered for this version, then the one for all versions."""
        with self._database.read() as connection:
            rows = _OF_VERSION.rows(connection, {"wanted_manifest": manifest_id, "wanted_version": version})
        return tuple(StoredFolder(manifest, found or None, root, files) for manifest, found, root, files in rows)


_OF_VERSION = Prepared(
    select(asset_folders.c.manifest_id, asset_folders.c.version, asset_folders.c.root, asset_folders.c.files)
    .where(
        asset_folders.c.manifest_id == bindparam("wanted_manifest"),
        or_(asset_folders.c.version == bindparam("wanted_version"), asset_folders.c.version == ""),
    )
    .order_by(asset_folders.c.version.desc())
)

"""The store: tables, and every SQL statement of the server."""

from __future__ import annotations

from pathlib import Path

from reinmaker_cli.server.store.client_limits import ClientLimits
from reinmaker_cli.server.store.clients import Clients
from reinmaker_cli.server.store.database import Database, join_database, open_database
from reinmaker_cli.server.store.entitlements import Entitlements
from reinmaker_cli.server.store.facts import Facts
from reinmaker_cli.server.store.folders import AssetFolders
from reinmaker_cli.server.store.people import People
from reinmaker_cli.server.store.published import PublishedAssets
from reinmaker_cli.server.store.submissions import Submissions
from reinmaker_cli.server.store.telemetry import Telemetry

DATABASE_NAME = "reinmaker.sqlite3"


class Store:
    """One database, seen as what it keeps. Calls block and are safe from any thread: none belongs on the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.client_limits = ClientLimits(database)
        self.clients = Clients(database)
        self.entitlements = Entitlements(database)
        self.facts = Facts(database)
        self.folders = AssetFolders(database)
        self.people = People(database)
        self.published = PublishedAssets(database)
        self.submissions = Submissions(database)
        self.telemetry = Telemetry(database)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()


def open_store(data: Path) -> Store:
    """Return the store in a data folder, made or brought up to date where needed."""
    return Store(open_database(data / DATABASE_NAME))


def join_store(data: Path) -> Store:
    """Return the store that another process has opened, for a worker process."""
    return Store(join_database(data / DATABASE_NAME))

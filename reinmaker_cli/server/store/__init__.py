"""The store: tables, and every SQL statement of the server."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from reinmaker_cli.server.store.client_limits import ClientLimits
from reinmaker_cli.server.store.clients import Clients
from reinmaker_cli.server.store.database import Database, join_database, open_database
from reinmaker_cli.server.store.dead_letters import DeadLetters
from reinmaker_cli.server.store.deliveries import Deliveries
from reinmaker_cli.server.store.delivery_log import DeliveryLog
from reinmaker_cli.server.store.effects import EffectsOf
from reinmaker_cli.server.store.endpoints import Endpoints
from reinmaker_cli.server.store.entitlements import Entitlements
from reinmaker_cli.server.store.facts import Facts
from reinmaker_cli.server.store.folders import AssetFolders
from reinmaker_cli.server.store.history import History
from reinmaker_cli.server.store.outbox import Outbox
from reinmaker_cli.server.store.people import People
from reinmaker_cli.server.store.published import PublishedAssets
from reinmaker_cli.server.store.snapshots import Snapshots
from reinmaker_cli.server.store.submissions import Submissions
from reinmaker_cli.server.store.telemetry import Telemetry

DATABASE_NAME = "reinmaker.sqlite3"


class Store:
    """One database, seen as what it keeps. Calls block and are safe from any thread: none belongs on the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.client_limits = ClientLimits(database)
        self.clients = Clients(database)
        self.dead_letters = DeadLetters(database)
        self.deliveries = Deliveries(database)
        self.delivery_log = DeliveryLog(database)
        self.effects = EffectsOf(database)
        self.endpoints = Endpoints(database)
        self.entitlements = Entitlements(database)
        self.facts = Facts(database)
        self.folders = AssetFolders(database)
        self.history = History(database)
        self.outbox = Outbox(database)
        self.people = People(database)
        self.published = PublishedAssets(database)
        self.snapshots = Snapshots(database)
        self.submissions = Submissions(database)
        self.telemetry = Telemetry(database)

    def one_commit(self) -> AbstractContextManager[None]:
        """Let all that this thread writes until the end be one commit; with an exception, none of it happened."""
        return self._database.one_commit()

    def revision(self) -> int | None:
        """Return a number that is another one after each commit, of whomever; None where the database has none.

        For one thread; it does not block, and may be the event loop's.
        """
        return self._database.revision()

    def close(self) -> None:
        """Close all connections."""
        self._database.close()


def open_store(data: Path) -> Store:
    """Return the store in a data folder, made or brought up to date where needed."""
    return Store(open_database(data / DATABASE_NAME))


def join_store(data: Path) -> Store:
    """Return the store that another process has opened, for a worker process."""
    return Store(join_database(data / DATABASE_NAME))

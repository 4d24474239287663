"""The store: tables, and every SQL statement of the server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from reinmaker_cli.server.store.session import Session
    from reinmaker_cli.server.store.shared import Shared

DATABASE_NAME = "reinmaker.sqlite3"


class Store:
    """One database, seen as what it keeps. Calls block and are safe from any thread: none belongs on the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.together: Callable[[Callable[[], Any]], Any] = _alone
        """Calls from a thread what writes, and returns what it returns once that is durable: in one commit with what
        others write, where somebody sees to that."""
        self.is_shared = database.is_shared
        """Whether other processes may use it at the same time."""
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

    def begin_session(self, *, alone: bool) -> Session | None:
        """Be one of the processes that use the database, or `alone` the only one; None where there is no other.

        UsageError where others are there who do not go with that.
        """
        if not self.is_shared:
            return None
        from reinmaker_cli.server.store.shared import begin_session  # and its dialect: 40 ms that SQLite saves

        return begin_session(self._database, alone=alone)

    def what_is_shared(self) -> Shared | None:
        """Return what the processes on a database have in it instead of in memory; None where there is one process."""
        if not self.is_shared:
            return None
        from reinmaker_cli.server.store.shared import Shared

        return Shared.of(self._database)

    def one_commit(self) -> AbstractContextManager[None]:
        """Let all that this thread writes until the end be one commit; with an exception, none of it happened."""
        return self._database.one_commit()

    def one_state(self) -> AbstractContextManager[None]:
        """Let all that this thread reads until the end see one state of the database."""
        return self._database.one_state()

    def revision(self) -> int | None:
        """Return a number that is another one after each commit, of whomever; None where the database has none.

        For one thread; it does not block, and may be the event loop's.
        """
        return self._database.revision()

    def close(self) -> None:
        """Close all connections."""
        self._database.close()


def _alone(function: Callable[[], Any]) -> Any:
    return function()


StorePlace = Path | str
"""Where a store is: the data folder, or the URL of a database; the latter may hold a password."""


def open_store(place: StorePlace) -> Store:
    """Return the store there, made or brought up to date where needed."""
    if isinstance(place, Path):
        return Store(open_database(place / DATABASE_NAME))
    from reinmaker_cli.server.store.postgres import open_postgres

    return Store(open_postgres(place))


def join_store(place: StorePlace) -> Store:
    """Return the store that another process has opened, for a worker process."""
    if isinstance(place, Path):
        return Store(join_database(place / DATABASE_NAME))
    from reinmaker_cli.server.store.postgres import join_postgres

    return Store(join_postgres(place))

"""What is in the database instead of in memory, where several processes answer. Imports PostgreSQL's dialect."""

from __future__ import annotations

from dataclasses import dataclass

from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.postgres import PostgresDatabase
from reinmaker_cli.server.store.rate_windows import RateWindows
from reinmaker_cli.server.store.requests import Requests
from reinmaker_cli.server.store.session import Session
from reinmaker_cli.server.store.shared_faults import SharedFaults


@dataclass(frozen=True, slots=True)
class Shared:
    """What one server has in memory."""

    rate_windows: RateWindows
    requests: Requests
    faults: SharedFaults

    @classmethod
    def of(cls, database: Database) -> Shared:
        """Return it for a database that several processes use."""
        assert isinstance(database, PostgresDatabase)
        return cls(RateWindows(database), Requests(database), SharedFaults(database))


def begin_session(database: Database, *, alone: bool) -> Session:
    """Return what this process is to the others on the database, there by now; UsageError."""
    assert isinstance(database, PostgresDatabase)
    session = Session(database)
    session.open(alone=alone)
    database.claimant_no = lambda: session.no
    return session

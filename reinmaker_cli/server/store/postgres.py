"""PostgreSQL: opening it, its transactions, and the locks by which transactions of several processes are told apart.

The only home of psycopg, with `session.py`. A writing transaction is READ COMMITTED: whoever must not be disturbed
names what it works on (`alone`), so what follows from a decision is never undone by a failed commit.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import URL, ColumnElement, Connection, create_engine, func, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError
from reinmaker_cli.server.store.database import Database, DatabaseUnreachable, WriteConflict
from reinmaker_cli.server.store.opening import make_or_upgrade, opened, unusable
from reinmaker_cli.server.store.shared_tables import SHARED
from reinmaker_cli.server.store.tables import (
    LEASED_SUBMISSION,
    LIVE_SUBMISSION,
    ONE_LIVE_SUBMISSION,
    SCHEMA_VERSION,
    SUBMISSIONS_LEASED,
    facts,
)
from reinmaker_cli.server.store.webhook_tables import DELIVERIES_LEASED, LEASED_DELIVERY

CONNECTIONS: Final = 16
"""Of one process, at most, beside that of its session."""
CONNECT_WITHIN_S: Final = 5
LOCK_SPACE: Final = 1_919_248_750
"""First number of our advisory locks: no other program's, as far as anybody can know."""
PRESENCE, NAMES, SESSIONS, GENERATIONS, MAKING = (LOCK_SPACE + place for place in range(5))
_SCHEMES: Final = ("postgresql", "postgres", "postgresql+psycopg")
_SETTINGS: Final = "-c lock_timeout=20s -c idle_in_transaction_session_timeout=60s -c client_min_messages=warning"
_CONFLICTS: Final = ("40P01", "40001", "55P03")  # deadlock, serialization, lock timeout

for _index, _where in (
    (ONE_LIVE_SUBMISSION, LIVE_SUBMISSION),
    (SUBMISSIONS_LEASED, LEASED_SUBMISSION),
    (DELIVERIES_LEASED, LEASED_DELIVERY),
):
    _index.dialect_options["postgresql"]["where"] = _where


class PostgresDatabase(Database):
    """Connections to a database that other processes use too."""

    is_shared = True
    claimant_no: Callable[[], int | None] = staticmethod(lambda: None)
    """Returns the number of this process's session; None while it has none."""

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _told_apart(), self._engine.connect() as connection:
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _told_apart(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def at_once(self) -> Iterator[Connection]:
        """Yield a connection whose every statement is a transaction of its own: one way to the database and back."""
        with _told_apart(), self._engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    def alone(self, connection: Connection, *names: str) -> None:
        """Let no other transaction that names one of these go on until this one has ended."""
        for key in sorted({lock_key(name) for name in names}):  # in one order, or two would wait for each other
            connection.execute(_LOCK, {"space": NAMES, "key": key})

    def alone_at_once(self, connection: Connection, name: str) -> bool:
        """Return whether this transaction is the only one with that name, without waiting for another."""
        return bool(connection.execute(_TRY_LOCK, {"space": NAMES, "key": lock_key(name)}).scalar_one())

    def claimant(self) -> int:
        """Return by which claims name this process; DatabaseUnreachable where it is cut off: it claims nothing then."""
        no = self.claimant_no()
        if no is None:
            raise DatabaseUnreachable("the session of this process has ended")
        return no

    def real_time(self, own_time: Any) -> ColumnElement[float]:
        """Return the real time as all processes have it: that of the database."""
        return func.extract("epoch", func.clock_timestamp()).cast(_FLOAT)

    def forget_deleted(self) -> None:
        """Let the database reuse what was deleted; bytes stay in its files and log until they are written over."""
        with self.at_once() as connection:
            for table in ("entitlements", "telemetry_events", "webhook_events", "webhook_deliveries"):
                connection.exec_driver_sql(f"VACUUM {table}")

    def revision(self) -> None:
        """Say that nothing can be answered from memory: other processes write too."""

    @property
    def url(self) -> URL:
        """Return where it is, password included."""
        return self._engine.url

    @property
    def driver_error(self) -> type[Exception]:
        """Return what `raw_connection` and its results raise."""
        import psycopg

        return psycopg.Error

    def raw_connection(self) -> Any:
        """Return a connection of the driver, outside of the pool, in autocommit; DatabaseUnreachable."""
        import psycopg

        try:
            return psycopg.connect(autocommit=True, **_driver_arguments(self._engine.url))
        except psycopg.OperationalError as error:
            raise DatabaseUnreachable(str(error).strip().splitlines()[-1]) from error


_FLOAT = facts.metadata.tables["submissions"].c.submitted_at.type
_LOCK = text("SELECT pg_advisory_xact_lock(:space, :key)")
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:space, :key)")


def open_postgres(url: str) -> PostgresDatabase:
    """Return the database at a URL, its tables made or brought up to date; UsageError says why not.

    One process does that at a time; an upgrade waits for nobody: it is refused while other servers run.
    """

    def make(database: PostgresDatabase) -> None:
        shown = shown_url(database.url)
        try:
            with database.write() as connection:
                connection.execute(_LOCK, {"space": MAKING, "key": 0})
                _make(connection, shown)
        except DatabaseUnreachable as error:
            raise _unreachable(database.url, shown) from error
        except WriteConflict as error:
            raise unusable(shown, "another server is making it ready", "start this one again in a minute") from error
        except DBAPIError as error:
            reason = str(error.orig).strip().splitlines()[0]
            hint = "give the user a database of its own: `createdb --owner USER NAME`"
            raise unusable(shown, reason, hint) from error

    return opened(join_postgres(url), make)


def join_postgres(url: str) -> PostgresDatabase:
    """Return the database that another process has brought up to date; nothing is connected yet."""
    parsed = _parsed(url)
    try:
        engine = create_engine(
            parsed,
            isolation_level="READ COMMITTED",
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=CONNECT_WITHIN_S * 2,
            pool_use_lifo=True,
            connect_args={"connect_timeout": CONNECT_WITHIN_S, "options": _SETTINGS},
            # Parameters hold what users sent, and an exception with them would carry it into the log.
            hide_parameters=True,
        )
    except ImportError as error:  # not only of psycopg: it is there without libpq, which it needs
        raise UsageError(
            f"psycopg cannot be used, which PostgreSQL needs ({str(error).splitlines()[0]})",
            code=codes.DATABASE_FAILED,
            hint="install it with `pip install 'reinmaker[postgres]'`",
        ) from error
    return PostgresDatabase(engine)


def shown_url(url: URL) -> str:
    """Return what may be shown of a URL: without password and options, which may hold one too."""
    return url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)


def _parsed(url: str) -> URL:
    hint = "write it as postgresql://USER@HOST/NAME; the password in PGPASSWORD, or the file that PGPASSFILE names"
    try:
        parsed = make_url(url)
        if parsed.drivername in _SCHEMES:
            return parsed.set(drivername="postgresql+psycopg")
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise UsageError("--database is no URL of a database", code=codes.USAGE, hint=hint) from error
    raise UsageError(f"--database is not PostgreSQL: `{parsed.drivername[:40]}://…`", code=codes.USAGE, hint=hint)


def _make(connection: Connection, shown: str) -> None:
    if connection.dialect.has_table(connection, facts.name):
        version = connection.execute(select(facts.c.value).where(facts.c.name == "schemaVersion")).scalar_one()
        if int(version) < SCHEMA_VERSION:
            if not connection.execute(_TRY_LOCK, {"space": PRESENCE, "key": 0}).scalar_one():
                raise UsageError(
                    f"the database is to be upgraded, and other servers use it: `{shown}`",
                    code=codes.DATABASE_FAILED,
                    hint="stop them all, start one of the new version, then the others",
                )
            SHARED.drop_all(connection)
    make_or_upgrade(connection, f"`{shown}`", "name another with --database")
    SHARED.create_all(connection)


def _unreachable(url: URL, shown: str) -> UsageError:
    """Return why nobody can be connected, as far as a second try tells."""
    import psycopg

    def attempt(database: str | None) -> psycopg.OperationalError | None:
        try:
            psycopg.connect(**_driver_arguments(url.set(database=database))).close()
        except psycopg.OperationalError as error:
            return error
        return None

    error = attempt(url.database)
    if error is None:
        return unusable(shown, "it was away for a moment", "start the server again")
    if error.pgconn is not None and error.pgconn.needs_password:
        return unusable(shown, "it wants a password", "set PGPASSWORD, or name a file with PGPASSFILE")
    if attempt("postgres") is None:
        return unusable(shown, "there is no such database", f"make it: `createdb {url.database}`")
    if error.pgconn is not None and error.pgconn.used_password:
        return unusable(shown, "user or password is wrong", "check the user, PGPASSWORD and PGPASSFILE")
    reason = str(error).strip().splitlines()[0]
    return unusable(shown, reason, "check that PostgreSQL runs, and host, port and user")


def _driver_arguments(url: URL) -> dict[str, Any]:
    query = {name: value for name, value in url.query.items() if isinstance(value, str)}
    given = {"host": url.host, "port": url.port, "user": url.username, "password": url.password}
    known = {name: value for name, value in given.items() if value is not None}
    return {"connect_timeout": CONNECT_WITHIN_S, **query, **known, "dbname": url.database, "options": _SETTINGS}


@contextmanager
def _told_apart() -> Iterator[None]:
    """Raise what can be tried again as what it is."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnreachable("all connections are in use") from error
    except (OperationalError, InterfaceError) as error:
        if getattr(error.orig, "sqlstate", None) in _CONFLICTS:
            raise WriteConflict(type(error.orig).__name__) from error
        raise DatabaseUnreachable(type(error.orig).__name__) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnreachable(type(error.orig).__name__) from error
        raise


def lock_key(name: str) -> int:
    """Return the second number of the lock of a name."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) - 2**31

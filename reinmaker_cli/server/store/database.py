"""The database: opening it, reading from it, and the one writer.

SQLite with WAL and `synchronous=FULL`: a write is durable when `write()` has been left. Everything that is SQLite's
alone is in this file, what goes past SQLAlchemy to its driver in `prepared.py` and `inserts.py`, what is PostgreSQL's
in `postgres.py`; the other files of the room are plain SQLAlchemy Core.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from reinmaker_cli.server.store.opening import make_or_upgrade, opened, unusable
from reinmaker_cli.server.store.prepared import sqlite_driver

_DISK_FAULTS = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
BUSY_TIMEOUT_MS = 30_000
"""How long a writer waits for another process: the verdict on 100,000 assets holds the database for about a second."""


class SnapshotFailed(Exception):
    """The state could not be written down, or put in place; nothing has changed. The text is the system's reason."""


class SnapshotUnreadable(Exception):
    """The file is no database."""


class DatabaseUnreachable(Exception):
    """The database does not answer now: it restarts, or the way to it is cut. Nothing was written that is known of."""


class DatabaseUnwritable(DatabaseUnreachable):
    """The disk takes no more, or fails; it can still be read. Nothing of what was to be written is there."""


class WriteConflict(Exception):
    """Another process wrote the same at the same time; nothing of this write has happened, and it may be made again."""


class Database:
    """Connections for readers, and one writer at a time in this process."""

    is_shared = False
    """Whether other processes may use it at the same time: then nothing is known from memory alone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = threading.Lock()
        self._writes_by: Connection | None = None
        self._watch: sqlite3.Connection | None = None
        self._shared = threading.local()
        """`connection` in the thread that is within `one_commit`, `reads_by` in one that is within `one_state`."""

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection that sees one consistent state; never waits for the writer."""
        shared: Connection | None = getattr(self._shared, "reads_by", None)
        if shared is not None:
            yield shared
            return
        with self._reading() as connection:
            yield connection

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """Let all that this thread reads until the end see one state: half of the time of a short read is to begin."""
        with self._reading() as connection:
            self._shared.reads_by = connection
            try:
                yield
            finally:
                self._shared.reads_by = None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield the writing connection; left without an exception, all of it is durable, else none of it happened.

        Within `one_commit` it is durable when that has been left, and an exception takes back all that is in there.
        """
        shared: Connection | None = getattr(self._shared, "connection", None)
        if shared is not None:
            yield shared
            return
        with self._writing() as connection:
            yield connection

    @contextmanager
    def one_commit(self) -> Iterator[None]:
        """Let all that this thread writes until the end be one commit; with an exception, none of it happened.

        For writes that belong to different requests: a commit waits for the disk, and four can wait together.
        """
        with self._writing() as connection:
            self._shared.connection = connection
            try:
                yield
            finally:
                self._shared.connection = None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._writer, _told_apart():
            # Always the same one: SQLite's pages in memory are worth nothing once another connection has written.
            if self._writes_by is None:
                self._writes_by = self._engine.connect()
                self._writes_by.execution_options(reinmaker_writes=True)  # what `_sqlite_begin` asks for
            connection = self._writes_by
            try:
                with connection.begin():
                    yield connection
            except BaseException:
                # A commit that fails leaves its transaction open; the pool ends it, or throws the connection away.
                self._writes_by = None
                connection.close()
                raise

    def alone(self, connection: Connection, *names: str) -> None:
        """Let no other transaction that names one of these go on until this one has ended: here none is under way."""

    def alone_at_once(self, connection: Connection, name: str) -> bool:
        """Return whether this transaction is the only one with that name, without waiting for another."""
        return True

    def claimant(self) -> int | None:
        """Return by which claims name this process; None where there is no other."""
        return None

    def real_time(self, own_time: Any) -> Any:
        """Return the real time as all who use the database have it, to be written or compared with."""
        return own_time

    def forget_deleted(self) -> None:
        """Write the file anew: SQLite leaves deleted bytes where they were. Seconds for a large one."""
        with self._writer, self._engine.connect() as connection:
            driver = sqlite_driver(connection)
            driver.execute("VACUUM")  # not within a transaction, and `connect()` has not begun one
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def copy_into(self, file: Path, changed_facts: Mapping[str, str]) -> None:
        """Write one moment of the database into an empty file, durably; SnapshotFailed. Waits for no writer."""
        try:
            with self._engine.connect() as connection, closing(sqlite3.connect(file, isolation_level=None)) as copy:
                # Without a journal: a copy that is cut short is thrown away.
                copy.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF")
                sqlite_driver(connection).backup(copy)
                # The copy says of itself that it has a write-ahead log, and would be read with one beside it.
                copy.execute("PRAGMA journal_mode=DELETE")
                copy.execute("PRAGMA synchronous=FULL")
                copy.execute("BEGIN IMMEDIATE")
                copy.executemany("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", changed_facts.items())
                copy.execute("COMMIT")
            sync_file(file)
        except (sqlite3.Error, OSError) as error:
            raise SnapshotFailed(_reason(error)) from error

    def replace_with(self, file: Path) -> None:
        """Put all that the file holds in the place of all that is here, or nothing of it: SnapshotFailed.

        Readers go on in what they have begun to read. A writer in another process is waited for.
        """
        try:
            with self._writer, self._engine.connect() as connection, closing(sqlite3.connect(file)) as source:
                source.backup(sqlite_driver(connection))
        except sqlite3.Error as error:
            raise SnapshotFailed(_reason(error)) from error

    def revision(self) -> int | None:
        """Return a number that is another one after each commit, of whomever; None where it cannot be had at once."""
        try:
            if self._watch is None:
                self._watch = _sqlite_watch(self._engine)
            return int(self._watch.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.OperationalError:  # busy: a log that is being folded in, another state being put in
            return None

    def close(self) -> None:
        """Close all connections; the last one folds the write-ahead log into the file."""
        if self._watch is not None:
            self._watch.close()
        if self._writes_by is not None:
            self._writes_by.close()
        self._engine.dispose()


def open_database(file: Path, *, is_scratch: bool = False) -> Database:
    """Return the database in `file`, made when it is not there; `database-newer`, `database-failed` otherwise.

    `is_scratch`: it is thrown away soon, so nothing in it needs to be durable.
    """

    hint = "check the folder's permissions and free space, or use another with --data"

    def make(database: Database) -> None:
        try:
            # SQLite gives its side files the mode of the database, which holds the key that signs tokens.
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
            with database.write() as connection:
                make_or_upgrade(connection, f"`{file}`", "use another folder with --data")
        except DatabaseUnwritable as error:
            if is_scratch:
                raise  # nothing is lost with it: whoever wanted it says what was not done
            raise unusable(str(file), error, hint) from error
        except (DBAPIError, OSError) as error:
            reason = error.orig if isinstance(error, DBAPIError) else error.strerror
            raise unusable(str(file), reason, hint) from error

    return opened(Database(_sqlite_engine(file, is_scratch=is_scratch)), make)


def join_database(file: Path) -> Database:
    """Return the database in `file` that another process has opened and brought up to date."""
    return Database(_sqlite_engine(file))


def read_facts(file: Path) -> dict[str, str]:
    """Return the facts in a database file that nobody has open, and leave it as it is; SnapshotUnreadable."""
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return dict(connection.execute("SELECT name, value FROM facts"))
    except sqlite3.Error as error:
        raise SnapshotUnreadable(str(error)) from error


def sync_file(file: Path) -> None:
    """Return when the file's bytes are on the disk."""
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told_apart() -> Iterator[None]:
    """Raise what is the disk's fault as what it is: the same may be written once there is room."""
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        reason = error.orig if isinstance(error, OperationalError) else error
        # The low byte is the kind: https://sqlite.org/rescode.html#primary_result_codes_versus_extended_result_codes
        if isinstance(reason, sqlite3.Error) and reason.sqlite_errorcode & 0xFF in _DISK_FAULTS:
            raise DatabaseUnwritable(str(reason)) from error
        raise


def _reason(error: sqlite3.Error | OSError) -> str:
    return (error.strerror or "").lower() if isinstance(error, OSError) else str(error)


def _sqlite_engine(file: Path, *, is_scratch: bool = False) -> Engine:
    url = URL.create("sqlite+pysqlite", database=str(file))
    # Parameters hold what users sent, and an exception with them would carry it into the log.
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, hide_parameters=True)
    event.listen(engine, "connect", _scratch_connect if is_scratch else _sqlite_connect)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_watch(engine: Engine) -> sqlite3.Connection:
    """Return a connection that never writes and never waits; closed by another thread than it was made in."""
    return sqlite3.connect(str(engine.url.database), timeout=0, isolation_level=None, check_same_thread=False)


def _sqlite_connect(connection: Any, _record: Any) -> None:
    # The driver's own idea of transactions would begin them late and deferred; `_sqlite_begin` says when.
    connection.isolation_level = None
    cursor = connection.cursor()
    # WAL: readers go on while one writes. FULL: NORMAL may lose the last commits at a power loss.
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()


def _scratch_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=MEMORY")
    connection.execute("PRAGMA synchronous=OFF")


def _sqlite_begin(connection: Connection) -> None:
    # IMMEDIATE: a transaction that reads first and writes later could otherwise fail half-way with SQLITE_BUSY.
    if connection.get_execution_options().get("reinmaker_writes", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        # Past SQLAlchemy, which takes ten times as long: it touches no file, so there is no failure to translate.
        sqlite_driver(connection).execute("BEGIN")

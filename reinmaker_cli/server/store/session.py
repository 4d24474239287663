"""One process among several on a shared database: who is there, what they tell each other, and who has died.

A session is one connection of its own, held for as long as the process runs. Its advisory locks are what the others
know it by: PostgreSQL lets go of them when the process dies, however it dies, so its leases end within a second. Where
the connection is lost instead, the process gets another number, and takes what it had claimed for somebody else's.
News comes as NOTIFY; whoever missed some finds out by polling.
"""

from __future__ import annotations

import json
import os
import secrets
import select as system
import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from sqlalchemy import text

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError
from reinmaker_cli.server.store.database import DatabaseUnreachable, WriteConflict
from reinmaker_cli.server.store.postgres import (
    GENERATIONS,
    NAMES,
    PRESENCE,
    SESSIONS,
    PostgresDatabase,
    lock_key,
    shown_url,
)
from reinmaker_cli.server.store.submissions import LEASE_S

POLL_S: Final = 1.0
"""Between two looks at what nobody told of."""
RENEW_EVERY_S: Final = 15.0
"""The lease of a validation, while the process lives and is not held up."""
FORGET_EVERY_S: Final = 60.0
CHANNEL: Final = "reinmaker"
STATE: Final = "state"
"""Topic: what processes have in memory is another by now."""
FOLLOW_WITHIN_S: Final = 2.0
"""How long whoever changed that waits for the others: one that hangs is not waited for."""
COME_WITHIN_S: Final = 2.0
"""How long whoever comes waits for one whose clock does not go with its own: that one may be leaving."""
_PAYLOAD_BYTES: Final = 7000  # PostgreSQL takes 7999


class Session:
    """What this process is on the shared database. `open` and `close` it in any thread; the rest is one of its own."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._connection: Any = None
        self._alone = False
        self._generation = 0
        self.no: int | None = None
        """By which claims name this process; None while it is cut off, and claims nothing."""
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._woken, self._wake = os.pipe()
        self._heard: list[str] = []

    def open(self, *, alone: bool) -> None:
        """Be there, `alone` or beside others; UsageError where others, or another, do not go with that."""
        self._alone = alone
        self._connect(is_first=True)

    def run(
        self, *, hear: Callable[[Collection[str]], None], reload: Callable[[], None], lose: Callable[[], None]
    ) -> None:
        """Listen: `hear` is called with topics, and with none once a second; `reload` when what is in memory is old,
        `lose` when cut off.
        """
        self._hear, self._reload, self._lose = hear, reload, lose
        self._thread = threading.Thread(target=self._listen, name="session", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it: what the process has claimed goes to others."""
        if not self._is_closed:
            self._is_closed = True
            os.write(self._wake, b"x")
            if self._thread is not None:
                self._thread.join()
            self._disconnect()
            os.close(self._wake)
            os.close(self._woken)

    def tell(self, topics: Collection[str]) -> None:
        """Tell the others that there is news of these. It may be lost; they poll."""
        with self._database.at_once() as connection:
            for payload in _payloads(self.no, topics):
                connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": payload})

    def hold(self, name: str) -> Any:
        """Return a connection that holds a lock of that name until it is closed; None where another has it."""
        connection = self._database.raw_connection()
        try:
            found = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (NAMES, lock_key(name))).fetchone()
        except BaseException:
            connection.close()
            raise
        if found[0]:
            return connection
        connection.close()
        return None

    def tell_state(self) -> int:
        """Tell the others that what they have in memory is old; return the number of the new state."""
        with self._database.write() as connection:
            generation: int = connection.execute(_NEXT_GENERATION).scalar_one()
        with self._database.at_once() as connection:  # this process hears it too
            for payload in _payloads(None, [STATE]):
                connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": payload})
        return generation

    def wait_for(self, generation: int) -> None:
        """Return when every other process has what the state of that number is, or one has taken too long."""
        ends_at = time.monotonic() + FOLLOW_WITHIN_S
        with self._database.at_once() as connection:
            while time.monotonic() < ends_at:
                parameters = {"space": GENERATIONS, "generation": generation}
                if not connection.execute(_BEHIND, parameters).scalar_one():
                    return
                time.sleep(0.002)

    # --- the session's own thread ------------------------------------------------------------------------------------

    def _listen(self) -> None:
        renew_at = forget_at = 0.0
        while not self._is_closed:
            try:
                if self._connection is None:
                    self._connect(is_first=False)
                    self._reload()
                    self._hear(["*"])
                self._look_after_the_dead()
                if time.monotonic() >= renew_at:
                    renew_at = time.monotonic() + RENEW_EVERY_S
                    self._connection.execute(_RENEW, {"no": self.no, "lease": LEASE_S})
                if time.monotonic() >= forget_at:
                    forget_at = time.monotonic() + FORGET_EVERY_S
                    self._connection.execute(_FORGET_WINDOWS)
                self._follow()
                for topics in self._news():
                    if others := [topic for topic in topics if topic != STATE]:
                        self._hear(others)
                    if STATE in topics:
                        self._follow()
                self._hear([])
            except (self._database.driver_error, DatabaseUnreachable, WriteConflict, UsageError, OSError) as error:
                self._cut_off(error)

    def _news(self) -> Iterator[list[str]]:
        """Yield topics as they come, for a second."""
        ends_at = time.monotonic() + POLL_S
        while (left_s := ends_at - time.monotonic()) > 0 and not self._is_closed:
            waiting = [self._connection.fileno(), self._woken]
            ready, _, _ = system.select(waiting, [], [], left_s)
            if self._connection.fileno() in ready:
                self._connection.pgconn.consume_input()
                while (notice := self._connection.pgconn.notifies()) is not None:
                    self._heard.append(notice.extra.decode())
            yield self._take_heard()

    def _take_heard(self) -> list[str]:
        payloads, self._heard = self._heard, []
        topics: dict[str, None] = {}
        for payload in payloads:
            by, told = _told(payload)
            if by != self.no:
                topics |= dict.fromkeys(told)
        return list(topics)

    def _follow(self) -> None:
        """Take over what others have changed of what is in memory; from then on nobody waits for this process."""
        found = self._connection.execute(_GENERATION).fetchone()
        generation = int(found[0]) if found else 1
        if generation != self._generation:
            self._reload()
            self._hold_generation(generation)

    def _hold_generation(self, generation: int) -> None:
        lock = "SELECT pg_advisory_lock_shared(%s, %s)"
        self._connection.execute(lock, (GENERATIONS, generation))
        if self._generation:
            self._connection.execute("SELECT pg_advisory_unlock_shared(%s, %s)", (GENERATIONS, self._generation))
        self._generation = generation

    def _look_after_the_dead(self) -> None:
        """End the leases of processes that are not there any more, and have what they claimed done by others."""
        ended = sum(self._connection.execute(end, {"space": SESSIONS}).rowcount for end in _END_LEASES)
        if ended:
            self._hear(["*"])

    def _cut_off(self, error: Exception) -> None:
        self.no = None
        self._disconnect()
        if not self._is_closed:
            self._lose()
            system.select([self._woken], [], [], POLL_S / 4)

    # --- connecting --------------------------------------------------------------------------------------------------

    def _connect(self, *, is_first: bool) -> None:
        connection = self._database.raw_connection()
        try:
            self._be_present(connection, is_first=is_first)
            connection.add_notify_handler(lambda notice: self._heard.append(notice.payload))
            connection.execute(f"LISTEN {CHANNEL}")
            no = secrets.randbelow(2**31 - 2) + 1
            connection.execute("SELECT pg_advisory_lock(%s, %s)", (SESSIONS, no))
            self._connection, self._generation = connection, 0
            found = connection.execute(_GENERATION).fetchone()
            self._hold_generation(int(found[0]) if found else 1)
        except BaseException:
            self._connection = None
            connection.close()
            raise
        self.no = no

    def _be_present(self, connection: Any, *, is_first: bool) -> None:
        """Take the place that goes with the others; the first of all throws away what earlier ones had in memory."""
        ends_at = time.monotonic() + COME_WITHIN_S
        while True:
            if _locked(connection, "pg_try_advisory_lock"):
                if is_first:
                    connection.execute("TRUNCATE rate_windows, fault_rules, request_counts, requests")
                if not self._alone:
                    connection.execute("SELECT pg_advisory_lock_shared(%s, 0)", (PRESENCE,))
                    connection.execute("SELECT pg_advisory_unlock(%s, 0)", (PRESENCE,))
                return
            if not self._alone and _locked(connection, "pg_try_advisory_lock_shared"):
                return
            if time.monotonic() >= ends_at:
                break
            time.sleep(0.02)  # the other may just be making itself at home, or leave
        shown = shown_url(self._database.url)
        what = "other servers use" if self._alone else "a server with a virtual clock uses"
        raise UsageError(
            f"{what} the database: `{shown}`",
            code=codes.CLOCK_NOT_SHARED,
            hint="a clock that stands still is of one server alone: stop the others, or use `--clock wall` everywhere",
        )

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _locked(connection: Any, function: str) -> bool:
    return bool(connection.execute(f"SELECT {function}(%s, 0)", (PRESENCE,)).fetchone()[0])


def _told(payload: str) -> tuple[int | None, list[str]]:
    """Return who told it, and its topics; what no server wrote is news of everything."""
    try:
        told = json.loads(payload)
        return told["by"], [str(topic) for topic in told["topics"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None, ["*"]


def _payloads(by: int | None, topics: Collection[str]) -> Iterator[str]:
    """Yield what NOTIFY can carry, as many texts as it takes."""
    some: list[str] = []
    for topic in topics:
        some.append(topic)
        if sum(len(one.encode()) + 3 for one in some) > _PAYLOAD_BYTES - 300:
            yield json.dumps({"by": by, "topics": some}, ensure_ascii=False)
            some = []
    if some:
        yield json.dumps({"by": by, "topics": some}, ensure_ascii=False)


_NOTIFY = text("SELECT pg_notify(:channel, :payload)")
_GENERATION = "SELECT value FROM facts WHERE name = 'generation'"
_NEXT_GENERATION = text(
    "INSERT INTO facts AS f (name, value) VALUES ('generation', '2')"
    " ON CONFLICT (name) DO UPDATE SET value = (f.value::int + 1)::text RETURNING value::int"
)
_BEHIND = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = :space AND objid < :generation"
    " AND objsubid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_RENEW = (
    "UPDATE submissions SET leased_until = extract(epoch FROM clock_timestamp()) + %(lease)s WHERE leased_by = %(no)s"
)
_FORGET_WINDOWS = "DELETE FROM rate_windows WHERE at < (SELECT max(at) FROM rate_windows) - 120"
_END_LEASES = (
    """
    UPDATE webhook_deliveries SET leased_by = NULL, leased_until = NULL WHERE leased_until IS NOT NULL
    AND leased_by NOT IN (
        SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = %(space)s AND objsubid = 2
        AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    """,
    """
    UPDATE submissions SET leased_by = NULL, leased_until = NULL WHERE leased_by IS NOT NULL
    AND (leased_until <= extract(epoch FROM clock_timestamp()) OR leased_by NOT IN (
        SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = %(space)s AND objsubid = 2
        AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())))
    """,
)

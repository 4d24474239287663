"""The journal of all processes on a database: what each has seen, put in one order when it is written."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from reinmaker_cli.server.store.inserts import insert_or_skip
from reinmaker_cli.server.store.postgres import PostgresDatabase
from reinmaker_cli.server.store.shared_tables import request_counts, requests

ENTRIES = requests.c
_ONLY: Final = 1


@dataclass(frozen=True, slots=True)
class JournalState:
    """How far the journal has come."""

    epoch: str
    requests: int
    last_no: int
    revision: int
    delivered: int
    """At its beginning, as the next."""
    dead_letters: int


class Requests:
    """The last requests that any process answered."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def begin(self, delivered: int, dead_letters: int) -> None:
        """Begin the journal with these counts, unless another process has."""
        with self._database.write() as connection:
            _begin(connection, delivered, dead_letters)

    def state(self) -> JournalState:
        """Return how far it has come."""
        with self._database.write() as connection:
            return _state(connection)

    def add(
        self, rows: Sequence[Mapping[str, Any]], touched: Mapping[str, int], counted: int, *, capacity: int, most: int
    ) -> None:
        """Write requests down, and that there is news of what those with a trace id caused, the newest `most` of each.

        `touched` has the trace ids; `counted` of the rows are requests to the API.
        """
        with self._database.write() as connection:
            state = _state(connection)
            last_no, revision = state.last_no, state.revision
            news = [
                {**row, "no": last_no + place, "revision": revision + place} for place, row in enumerate(rows, start=1)
            ]
            if news:
                connection.execute(insert(requests), news)
            revision += len(news)
            for no in _touched(connection, list(touched), most):
                revision += 1
                connection.execute(update(requests).where(ENTRIES.no == no).values(revision=revision))
            last_no += len(news)
            now = {"requests": state.requests + counted, "last_no": last_no, "revision": revision}
            connection.execute(update(request_counts).values(now))
            connection.execute(delete(requests).where(ENTRIES.no <= last_no - capacity))

    def entries(self, *, after: int | None, before_no: int | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return the next entries by revision after one; without it the last ones before a number, newest first."""
        query = select(requests).limit(limit)
        if after is not None:
            query = query.where(ENTRIES.revision > after).order_by(ENTRIES.revision)
        else:
            query = query.order_by(ENTRIES.no.desc())
            query = query if before_no is None else query.where(ENTRIES.no < before_no)
        with self._database.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def _begin(connection: Connection, delivered: int, dead_letters: int) -> None:
    row = {"no": _ONLY, "epoch": secrets.token_hex(6), "requests": 0, "last_no": 0, "revision": 0}
    row |= {"delivered": delivered, "dead_letters": dead_letters}
    insert_or_skip(connection, request_counts, tuple(row), [tuple(row.values())])


def _state(connection: Connection) -> JournalState:
    """Return the state, locked: whoever writes next waits."""
    query = select(request_counts).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:  # PostgreSQL has crashed, and what was in memory is gone, as after a crash of a server
        _begin(connection, 0, 0)
        row = connection.execute(query).one()
    return JournalState(row.epoch, row.requests, row.last_no, row.revision, row.delivered, row.dead_letters)


def _touched(connection: Connection, trace_ids: Sequence[str], most: int) -> list[int]:
    """Return the newest entries of each trace id that may have caused something."""
    if not trace_ids:
        return []
    causes = (ENTRIES.method.not_in(("GET", "HEAD", "OPTIONS")), ENTRIES.is_mark.is_(False))
    query = select(ENTRIES.no, ENTRIES.trace_id).where(ENTRIES.trace_id.in_(trace_ids), *causes)
    nos: defaultdict[str, list[int]] = defaultdict(list)
    for no, trace_id in connection.execute(query.order_by(ENTRIES.no.desc())):
        if len(nos[trace_id]) < most:
            nos[trace_id].append(no)
    return sorted(no for mine in nos.values() for no in mine)

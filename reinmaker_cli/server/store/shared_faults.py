"""Faults for all processes on a database: the rules as text, and what decides how often each strikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, true, update

from reinmaker_cli.server.store.postgres import PostgresDatabase
from reinmaker_cli.server.store.shared_tables import fault_rules

RULES = fault_rules.c


@dataclass(frozen=True, slots=True)
class StoredFault:
    """A fault that was asked for."""

    fault_id: str
    rule: str
    """JSON."""
    created_at: float
    hits: int


class SharedFaults:
    """The faults of all processes."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def all(self) -> Sequence[StoredFault]:
        """Return them, the oldest first; also those that have ended."""
        with self._database.read() as connection:
            rows = connection.execute(select(fault_rules).order_by(RULES.no)).all()
        return [StoredFault(row.fault_id, row.rule, row.created_at, row.hits) for row in rows]

    def add(self, fault: StoredFault) -> None:
        """Keep one."""
        row = {"fault_id": fault.fault_id, "rule": fault.rule, "created_at": fault.created_at, "draws": 0, "hits": 0}
        with self._database.write() as connection:
            connection.execute(insert(fault_rules).values(row))

    def remove(self, fault_ids: Sequence[str]) -> None:
        """End these."""
        with self._database.write() as connection:
            connection.execute(delete(fault_rules).where(RULES.fault_id.in_(fault_ids)))

    def draw(self, fault_id: str) -> int | None:
        """Return how many draws there were with this one; None where the fault has ended."""
        drawn = update(fault_rules).where(RULES.fault_id == fault_id).values(draws=RULES.draws + 1)
        with self._database.at_once() as connection:
            return connection.execute(drawn.returning(RULES.draws)).scalar_one_or_none()

    def hit(self, fault_id: str, times: int | None) -> bool:
        """Count a hit; False where it has struck as often as it may, or has ended."""
        may_strike = true() if times is None else RULES.hits < times
        hit = update(fault_rules).where(RULES.fault_id == fault_id, may_strike).values(hits=RULES.hits + 1)
        with self._database.at_once() as connection:
            return connection.execute(hit).rowcount == 1

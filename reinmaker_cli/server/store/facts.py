"""What the server knows of itself: signing keys, what its clock is set to, and whether the database can be written."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from reinmaker_cli.server.store.database import Database
from reinmaker_cli.server.store.inserts import insert_or_replace, insert_or_skip
from reinmaker_cli.server.store.tables import facts, signing_keys

UNMOVED: Final = "wall 0.0"
"""What the clock is set to where nobody has kept anything."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A private key that signs tokens."""

    kid: str
    private_pem: str = field(repr=False)
    created_at: float
    """Unix seconds of the server's clock."""


class Facts:
    """Signing keys, the clock and the write probe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def signing_keys(self) -> list[StoredKey]:
        """Return the signing keys, oldest first."""
        columns = (signing_keys.c.kid, signing_keys.c.private_pem, signing_keys.c.created_at)
        with self._database.read() as connection:
            found = connection.execute(select(*columns).order_by(signing_keys.c.created_at, signing_keys.c.kid)).all()
        return [StoredKey(row.kid, row.private_pem, row.created_at) for row in found]

    def add_signing_key(self, key: StoredKey, *, known: Sequence[str] = (), ended: Sequence[str] = ()) -> None:
        """Keep a new signing key, and erase those that ended, by their ids.

        Nothing happens where the keys are not those that are `known`: another process has made the new one.
        """
        values = {"kid": key.kid, "private_pem": key.private_pem, "created_at": key.created_at}
        with self._database.write() as connection:
            self._database.alone(connection, "signing keys")
            if set(connection.execute(select(signing_keys.c.kid)).scalars()) != set(known):
                return
            connection.execute(insert(signing_keys).values(values))
            connection.execute(delete(signing_keys).where(signing_keys.c.kid.in_(ended)))

    def clock(self) -> str | None:
        """Return what `keep_clock` kept last, or None."""
        with self._database.read() as connection:
            kept = select(facts.c.value).where(facts.c.name == "clock")
            return connection.execute(kept).scalar_one_or_none()

    def keep_clock(self, text: str) -> None:
        """Keep what the clock is set to."""
        with self._database.write() as connection:
            insert_or_replace(connection, facts, {"name": "clock", "value": text})

    def move_clock(self, text: str, *, known: str) -> bool:
        """Keep what the clock is set to, unless it is not what is `known` any more; return whether it was."""
        clock = facts.c.name == "clock"
        with self._database.write() as connection:
            insert_or_skip(connection, facts, ("name", "value"), [("clock", UNMOVED)])
            moved = update(facts).where(clock, facts.c.value == known).values(value=text)
            return connection.execute(moved).rowcount == 1

    def log_key(self) -> bytes:
        """Return the key of the pseudonyms in the log, made at the first call: 32 random bytes."""
        with self._database.read() as connection:
            kept = connection.execute(select(facts.c.value).where(facts.c.name == "logKey")).scalar_one_or_none()
        if kept is None:
            with self._database.write() as connection:
                insert_or_skip(connection, facts, ("name", "value"), [("logKey", secrets.token_hex(32))])
                kept = connection.execute(select(facts.c.value).where(facts.c.name == "logKey")).scalar_one()
        return bytes.fromhex(kept)

    def probe_write(self, now: float) -> None:
        """Write one row durably, or raise what the database says."""
        with self._database.write() as connection:
            insert_or_replace(connection, facts, {"name": "lastProbe", "value": repr(now)})


EPOCH: Final = func.coalesce(select(facts.c.value).where(facts.c.name == "epoch").scalar_subquery(), "")
"""The name of the epoch, for any statement: "" until the first time that another state was put into the database."""


def begin_epoch(connection: Connection) -> None:
    """Begin an epoch: whatever was claimed before it counts for nothing in it."""
    insert_or_replace(connection, facts, {"name": "epoch", "value": secrets.token_hex(16)})

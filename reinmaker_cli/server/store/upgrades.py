"""What brings the database of an earlier reinmaker up to date.

A step is SQL text, written down when its version came and never changed: built from today's tables, it would change
with them, and skip what a later step was written for. `tables.py` says what all steps together amount to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from reinmaker_cli.server.store.tables import SCHEMA_VERSION

_TO_2 = (
    """
    CREATE TABLE entitlements (
        user_id VARCHAR(256) NOT NULL,
        "plan" VARCHAR(64) NOT NULL,
        product VARCHAR(64) NOT NULL,
        status VARCHAR(16) NOT NULL,
        issued_at FLOAT NOT NULL,
        expires_at FLOAT,
        features TEXT NOT NULL,
        source VARCHAR(128) NOT NULL,
        region VARCHAR(64),
        PRIMARY KEY (user_id, "plan")
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE telemetry_batches (
        no INTEGER NOT NULL,
        batch_id VARCHAR(64) NOT NULL,
        client_id VARCHAR(128) NOT NULL,
        trace_id VARCHAR(128) NOT NULL,
        events INTEGER NOT NULL,
        accepted INTEGER NOT NULL,
        received_at FLOAT NOT NULL,
        PRIMARY KEY (no),
        UNIQUE (batch_id)
    )
    """,
    """
    CREATE TABLE telemetry_events (
        no INTEGER NOT NULL,
        client_id VARCHAR(128) NOT NULL,
        event_id VARCHAR(128) NOT NULL,
        type VARCHAR(128) NOT NULL,
        occurred_at VARCHAR(40) NOT NULL,
        user_id VARCHAR(256),
        session_id VARCHAR(256),
        properties TEXT,
        batch_no INTEGER NOT NULL,
        received_at FLOAT NOT NULL,
        PRIMARY KEY (no)
    )
    """,
    "CREATE UNIQUE INDEX one_event_per_id ON telemetry_events (client_id, event_id)",
)

_TO_3 = (
    """
    CREATE TABLE client_limits (
        client_id VARCHAR(128) NOT NULL,
        policy VARCHAR(64) NOT NULL,
        quota INTEGER NOT NULL,
        PRIMARY KEY (client_id, policy),
        FOREIGN KEY(client_id) REFERENCES clients (client_id)
    ) WITHOUT ROWID
    """,
)

UPGRADES: Final[Mapping[int, tuple[str, ...]]] = {1: _TO_2, 2: _TO_3}
"""Schema version → the statements that make the next version of it."""


def upgrade_statements(found: int) -> Iterator[str]:
    """Yield, in order, what turns a database of schema version `found` into one of today's; nothing for today's."""
    for version in range(found, SCHEMA_VERSION):
        yield from UPGRADES[version]

"""Add entitlements and telemetry. SQLite only: no earlier reinmaker knew another database."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
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


def upgrade() -> None:
    """Make the database of the version before one of this version."""
    for statement in STATEMENTS:
        op.execute(statement)

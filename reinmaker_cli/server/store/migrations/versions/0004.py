"""Add webhooks. SQLite only: no earlier reinmaker knew another database."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    "CREATE INDEX ix_submissions_trace_id ON submissions (trace_id)",
    "CREATE INDEX ix_telemetry_batches_trace_id ON telemetry_batches (trace_id)",
    "ALTER TABLE entitlements ADD COLUMN expiry_told_at FLOAT",
    "CREATE INDEX entitlements_by_end ON entitlements (expires_at)",
    """
    CREATE TABLE webhook_endpoints (
        no INTEGER NOT NULL,
        endpoint_id VARCHAR(64) NOT NULL,
        url TEXT NOT NULL,
        types TEXT NOT NULL,
        source VARCHAR(16) NOT NULL,
        enabled BOOLEAN NOT NULL,
        disabled_reason TEXT,
        created_at FLOAT NOT NULL,
        last_delivered_at FLOAT,
        removed_at FLOAT,
        PRIMARY KEY (no),
        UNIQUE (endpoint_id)
    )
    """,
    """
    CREATE TABLE webhook_secrets (
        no INTEGER NOT NULL,
        endpoint_no INTEGER NOT NULL,
        secret TEXT NOT NULL,
        created_at FLOAT NOT NULL,
        active_from FLOAT,
        signs_until FLOAT,
        fetched_at FLOAT,
        PRIMARY KEY (no),
        FOREIGN KEY(endpoint_no) REFERENCES webhook_endpoints (no)
    )
    """,
    "CREATE INDEX ix_webhook_secrets_endpoint_no ON webhook_secrets (endpoint_no)",
    """
    CREATE TABLE webhook_events (
        no INTEGER NOT NULL,
        event_id VARCHAR(64) NOT NULL,
        type VARCHAR(64) NOT NULL,
        trace_id VARCHAR(128) NOT NULL,
        user_id VARCHAR(256),
        body TEXT NOT NULL,
        created_at FLOAT NOT NULL,
        undelivered VARCHAR(64),
        PRIMARY KEY (no),
        UNIQUE (event_id)
    )
    """,
    "CREATE INDEX ix_webhook_events_created_at ON webhook_events (created_at)",
    "CREATE INDEX ix_webhook_events_trace_id ON webhook_events (trace_id)",
    "CREATE INDEX ix_webhook_events_user_id ON webhook_events (user_id)",
    """
    CREATE TABLE webhook_deliveries (
        no INTEGER NOT NULL,
        delivery_id VARCHAR(64) NOT NULL,
        event_no INTEGER NOT NULL,
        endpoint_no INTEGER NOT NULL,
        status VARCHAR(16) NOT NULL,
        attempt INTEGER NOT NULL,
        due_at FLOAT,
        fence INTEGER NOT NULL,
        leased_until FLOAT,
        created_at FLOAT NOT NULL,
        updated_at FLOAT NOT NULL,
        PRIMARY KEY (no),
        UNIQUE (delivery_id),
        FOREIGN KEY(event_no) REFERENCES webhook_events (no),
        FOREIGN KEY(endpoint_no) REFERENCES webhook_endpoints (no)
    )
    """,
    "CREATE INDEX ix_webhook_deliveries_event_no ON webhook_deliveries (event_no)",
    "CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint_no, status, due_at)",
    "CREATE INDEX webhook_deliveries_due ON webhook_deliveries (status, due_at)",
    """
    CREATE TABLE webhook_attempts (
        no INTEGER NOT NULL,
        delivery_no INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        kind VARCHAR(16) NOT NULL,
        started_at FLOAT NOT NULL,
        ended_at FLOAT NOT NULL,
        duration_ms FLOAT NOT NULL,
        webhook_timestamp INTEGER NOT NULL,
        status INTEGER,
        outcome VARCHAR(32) NOT NULL,
        error TEXT,
        PRIMARY KEY (no),
        FOREIGN KEY(delivery_no) REFERENCES webhook_deliveries (no)
    )
    """,
    "CREATE INDEX ix_webhook_attempts_delivery_no ON webhook_attempts (delivery_no)",
    """
    CREATE TABLE dead_letters (
        delivery_no INTEGER NOT NULL,
        reason TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        died_at FLOAT NOT NULL,
        expires_at FLOAT NOT NULL,
        forwarded_to TEXT,
        forwarded_at FLOAT,
        PRIMARY KEY (delivery_no),
        FOREIGN KEY(delivery_no) REFERENCES webhook_deliveries (no)
    )
    """,
    "CREATE INDEX ix_dead_letters_expires_at ON dead_letters (expires_at)",
)


def upgrade() -> None:
    """Make the database of the version before one of this version."""
    for statement in STATEMENTS:
        op.execute(statement)

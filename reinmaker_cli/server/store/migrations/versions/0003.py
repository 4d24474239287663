"""Add limits of clients. SQLite only: no earlier reinmaker knew another database."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
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


def upgrade() -> None:
    """Make the database of the version before one of this version."""
    for statement in STATEMENTS:
        op.execute(statement)

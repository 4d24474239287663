"""Let several processes share the work: who validates what, and who makes which attempt."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the database of the version before one of this version."""
    op.add_column("submissions", sa.Column("leased_by", sa.Integer()))
    op.add_column("submissions", sa.Column("leased_until", sa.Float()))
    op.add_column("webhook_deliveries", sa.Column("leased_by", sa.Integer()))
    leased = sa.text("leased_by IS NOT NULL")
    op.create_index("submissions_leased", "submissions", ["leased_by"], sqlite_where=leased)
    under_way = sa.text("leased_until IS NOT NULL")
    op.create_index("webhook_deliveries_leased", "webhook_deliveries", ["endpoint_no"], sqlite_where=under_way)

"""Begin with submissions, clients and keys."""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing: the first version was made whole."""

"""What brings the database of an earlier reinmaker up to date: Alembic runs the steps in `migrations/versions/`.

A revision is a schema version of four digits, written when that version came and never changed; `tables.py` says what
all of them amount to. Which one a database has is the fact `schemaVersion`, which every reinmaker has read and refused
where it was too high. A new database is made from today's tables, so Alembic (30 MiB, 0.2 s) is imported only here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def upgrade(connection: Connection, found: int) -> None:
    """Turn a database of schema version `found` into one of today's, in the caller's transaction."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    steps = list(ScriptDirectory(str(MIGRATIONS)).iterate_revisions("head", f"{found:04}"))
    with Operations.context(MigrationContext.configure(connection)):
        for step in reversed(steps):
            step.module.upgrade()

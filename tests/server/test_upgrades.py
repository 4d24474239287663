"""A database that an earlier reinmaker made goes on being used."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from reinmaker_cli.errors import ReinmakerError
from reinmaker_cli.server.store import DATABASE_NAME, open_store
from reinmaker_cli.server.store.tables import SCHEMA_VERSION
from reinmaker_cli.server.store.upgrades import MIGRATIONS
from tests.disk import small_files
from tests.server.live import live_server, manifest, place, run_sql

EARLIER = sorted((Path(__file__).parent / "schemas").glob("*.sql"), key=lambda path: int(path.stem))


def make_database(data: Path, schema: Path) -> Path:
    """Make a database as that version made it."""
    file = data / DATABASE_NAME
    with closing(sqlite3.connect(file)) as database:
        database.executescript(schema.read_text())
    return file


def schema_of(file: Path) -> set[tuple[str, str, str]]:
    """Return kind, name and normalised SQL of all that a database consists of."""
    with closing(sqlite3.connect(file)) as database:
        found = database.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    return {
        (kind, name, re.sub(r"\s+(?=[(),])|(?<=[(),])\s+", "", " ".join((sql or "").split())))
        for kind, name, sql in found
    }


def test_there_is_a_database_of_every_earlier_version():
    revisions = [step.revision for step in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    assert [int(path.stem) for path in EARLIER] == list(range(1, SCHEMA_VERSION))
    assert [int(revision) for revision in reversed(revisions)] == list(range(1, SCHEMA_VERSION + 1))


@pytest.mark.parametrize("schema", EARLIER, ids=lambda path: path.stem)
def test_an_earlier_database_becomes_the_same_as_a_new_one(tmp_path, schema):
    (tmp_path / "new").mkdir()
    open_store(tmp_path / "new").close()
    file = make_database(tmp_path, schema)
    open_store(tmp_path).close()
    assert schema_of(file) == schema_of(tmp_path / "new" / DATABASE_NAME)
    open_store(tmp_path).close()  # and again, with nothing left to do


def test_what_was_in_it_is_still_there(tmp_path):
    with live_server(data=tmp_path) as caller:
        caller.submit(manifest("kept"))
        client = caller.started.client
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as database:
        later = ("dead_letters", "webhook_attempts", "webhook_deliveries", "webhook_events", "webhook_secrets")
        for table in (
            *later,
            "webhook_endpoints",
            "client_limits",
            "entitlements",
            "telemetry_batches",
            "telemetry_events",
        ):
            database.execute(f"DROP TABLE {table}")
        for index in ("ix_submissions_trace_id", "submissions_leased"):
            database.execute(f"DROP INDEX {index}")
        for column in ("leased_by", "leased_until"):
            database.execute(f"ALTER TABLE submissions DROP COLUMN {column}")
        database.execute("UPDATE facts SET value = '1' WHERE name = 'schemaVersion'")
        database.commit()
    with live_server(data=tmp_path) as caller:
        assert caller.status("kept").json()["status"] == "active"
        assert caller.started.client.client_id == client.client_id


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_urls_published_before_their_keys_changed_keep_their_bytes(tmp_path, database):
    urls = {f"{number}" * 64: f"s3://bucket/lesson/{number}/sound.mp3" for number in range(3)}
    with live_server(data=tmp_path) as caller:
        for sha256, asset in urls.items():
            caller.submit(manifest(f"lesson-{sha256[0]}", sha256=sha256, url=asset.replace("s3:", "S3:")))
    keys = run_sql(place(tmp_path), "SELECT url_key, sha256 FROM published_assets ORDER BY sha256")
    before = [(hashlib.sha256(asset.encode()).hexdigest()[:32], sha256) for sha256, asset in urls.items()]
    changes = [f"UPDATE published_assets SET url_key = '{key}' WHERE sha256 = '{sha256}'" for key, sha256 in before]
    run_sql(place(tmp_path), *changes, "UPDATE facts SET value = '5' WHERE name = 'schemaVersion'")
    with live_server(data=tmp_path) as caller:
        assert run_sql(place(tmp_path), "SELECT url_key, sha256 FROM published_assets ORDER BY sha256") == keys
        answers = [caller.submit(manifest(f"other-{asset[19]}", url=asset)).json() for asset in urls.values()]
    assert [answer["status"] for answer in answers] == ["active", "rejected", "rejected"]


def test_an_upgrade_that_fails_has_not_happened(tmp_path):
    file = make_database(tmp_path, EARLIER[0])
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE webhook_endpoints (in_the_way INTEGER)")  # of the last but one step
    before = schema_of(file)
    with pytest.raises(ReinmakerError) as failure:
        open_store(tmp_path)
    assert failure.value.code == "database-failed"
    assert isinstance(failure.value.__cause__, DBAPIError)
    assert schema_of(file) == before
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("DROP TABLE webhook_endpoints")
    open_store(tmp_path).close()


@pytest.mark.parametrize("schema", [None, EARLIER[-1]], ids=["new", "earlier"])
def test_a_disk_without_room_for_the_database_is_told_of_and_nothing_has_happened(tmp_path, schema):
    file = tmp_path / DATABASE_NAME if schema is None else make_database(tmp_path, schema)
    before = schema_of(file)
    with small_files(16 * 1024), pytest.raises(ReinmakerError) as failure:
        open_store(tmp_path)
    assert (failure.value.code, "free space" in failure.value.hint) == ("database-failed", True)
    assert schema_of(file) == before
    open_store(tmp_path).close()


def test_a_start_without_an_upgrade_loads_nothing_of_it(tmp_path):
    script = (
        "import sys, pathlib; from reinmaker_cli.server.store import open_store\n"
        "open_store(pathlib.Path(sys.argv[1])).close(); open_store(pathlib.Path(sys.argv[1])).close()\n"
        "print(sorted({'alembic', 'psycopg', 'sqlalchemy.dialects.postgresql'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]", "30 MiB that every server would pay"

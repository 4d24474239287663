"""A real PostgreSQL for tests: a private cluster in a temporary folder, and a database of its own for whoever asks."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

USER = "reinmaker"
PASSWORD = "a-pass/word:of@its#own"


def programs() -> Path | None:
    """Return the folder of PostgreSQL's own programs; None where it is not installed."""
    found = shutil.which("initdb")
    folders = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    if found is not None:
        folders.append(Path(found).parent)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def needed() -> Path:
    """Return the folder of its programs; skip the test where there is none, but not in CI."""
    folder = programs()
    if folder is None:
        reason = "PostgreSQL is not installed (`apt-get install postgresql`)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason + ", and in CI it has to be")
        pytest.skip(reason)
    return folder


@dataclass
class Cluster:
    """A running PostgreSQL that listens on a Unix socket in `folder` alone."""

    folder: Path
    bin: Path

    def url(self, name: str, *, password: str = PASSWORD) -> str:
        """Return the URL of a database."""
        from urllib.parse import quote

        return f"postgresql://{USER}:{quote(password, safe='')}@/{name}?host={self.folder}"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of its programs as the user that may: it refuses root."""
        as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*as_user, "env", f"PGPASSWORD={PASSWORD}", str(self.bin / words[0]), *words[1:]]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")

    def start(self) -> None:
        # Nobody cuts the power during a test: what the system has is on the disk for all that matters here.
        options = "-c fsync=off -c full_page_writes=off -c listen_addresses= -c max_connections=200"
        options += f" -c unix_socket_directories={self.folder}"
        log = str(self.folder / "log")
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-o", options, "-l", log, "start")

    def stop(self, mode: str = "immediate") -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", mode, "stop")

    def sql(self, statement: str, database: str = "postgres") -> list[tuple]:
        """Run a statement in a connection of its own."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Yield the URL of a new database, dropped afterwards."""
        name = "t" + secrets.token_hex(6)
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Yield a new cluster, thrown away afterwards."""
    folder = needed()
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp", ignore_cleanup_errors=True) as name:
        made = Cluster(Path(name), folder)
        secret = made.folder / "password"
        secret.write_text(PASSWORD)
        made.folder.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(made.folder, "postgres")
            shutil.chown(secret, "postgres")
        data = str(made.folder / "data")
        locale = ("--locale-provider=libc", "--locale=C.UTF-8", "-E", "UTF8")
        made.run("initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync", *locale)
        made.start()
        try:
            yield made
        finally:
            made.stop()

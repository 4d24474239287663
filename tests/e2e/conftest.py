"""The command line as people meet it: real processes, a home folder of its own, a server on a free port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from reinmaker_cli.server.store import StorePlace
from tests.lessons import lesson
from tests.postgres import Cluster
from tests.server.live import Databases

ON_BOTH = {"test_journey", "test_webhooks"}
"""Modules that run once on SQLite and once on PostgreSQL."""


@dataclass(frozen=True)
class Result:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one document of `--json`."""
        return json.loads(self.out)

    @property
    def outcomes(self) -> list[str]:
        """The outcome of each manifest, in order."""
        return [result["outcome"] for result in self.document["results"]]


class Reinmaker:
    """Runs `reinmaker` in a clean environment."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "REINMAKER_DATA": str(home / "data"),
            "PYTHONWARNINGS": "error::ResourceWarning",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def command(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "reinmaker_cli", *map(str, words)]

    def start(
        self, *words: str | Path, cwd: Path | None = None, stdin: int = subprocess.DEVNULL, **variables: str
    ) -> subprocess.Popen[str]:
        """Start a command and return at once."""
        return subprocess.Popen(
            self.command(*words),
            cwd=cwd or self.home,
            env={**self.environment, **variables},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(
        self, *words: str | Path, cwd: Path | None = None, timeout_s: float = 240, given: str = "", **variables: str
    ) -> Result:
        """Run a command to its end; `given` is what it finds on stdin."""
        stdin = subprocess.PIPE if given else subprocess.DEVNULL
        process = self.start(*words, cwd=cwd, stdin=stdin, **variables)
        try:
            out, err = process.communicate(given or None, timeout=timeout_s)
        finally:
            process.kill()
        return Result(process.returncode, out, err)


class Server:
    """`reinmaker serve` in a process of its own."""

    def __init__(self, reinmaker: Reinmaker, *options: str | Path, variables: Mapping[str, str]) -> None:
        self._process = reinmaker.start("serve", "--port", "0", "--json", *options, **variables)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(self._process.communicate()[1])
        self.ready: dict[str, Any] = json.loads(line)
        self.url: str = self.ready["url"]
        self.pid = self._process.pid
        self.place: StorePlace = Path(self.ready["data"])
        """Where its store is: the folder, or the URL of the database."""

    @property
    def workers(self) -> list[int]:
        """The processes of `--workers` that run, oldest first."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        programs = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
        return [child for child, program in programs.items() if b"supervising" in program]

    def next_error(self) -> str:
        """Return the next line on stderr, as soon as there is one; `stop` has the ones after it."""
        assert self._process.stderr is not None
        return self._process.stderr.readline()

    def stop(self, number: int = signal.SIGTERM) -> Result:
        """End the server with a signal and return what it said."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        out, err = self._process.communicate(timeout=120)
        return Result(self._process.returncode, out, err)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Let the server's process do nothing at all within the block."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)  # returns once all its threads have stopped
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@pytest.fixture
def reinmaker(tmp_path: Path) -> Reinmaker:
    home = tmp_path / "home"
    home.mkdir()
    return Reinmaker(home)


@pytest.fixture
def folder(reinmaker: Reinmaker, tmp_path: Path) -> Path:
    """The English lesson, with the reinmaker.toml that `init` writes."""
    folder = lesson(tmp_path / "water-cycle", languages=["en"])
    assert reinmaker("init", folder).code == 0
    return folder


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of those modules that start servers on both databases."""
    if metafunc.module.__name__.rpartition(".")[2] in ON_BOTH and "serve" in metafunc.fixturenames:
        metafunc.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[Databases | None]:
    """The databases of the test's servers, one for each data folder; None: SQLite, in the folder."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield None
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    with ExitStack() as made:
        yield Databases(lambda: made.enter_context(cluster.database()))


@pytest.fixture
def serve(reinmaker: Reinmaker, database: Databases | None) -> Iterator[Callable[..., Server]]:
    """Return a function that starts `reinmaker serve` with options; ended after the test."""
    started: list[Server] = []

    def start(*options: str | Path, variables: Mapping[str, str] = MappingProxyType({})) -> Server:
        more: tuple[str | Path, ...] = ()
        if database is not None:
            data = options[options.index("--data") + 1] if "--data" in options else reinmaker.home / "data"
            more = ("--database", database.url_for(Path(data)))
        started.append(Server(reinmaker, *options, *more, variables=variables))
        if more:
            started[-1].place = more[1]
        return started[-1]

    yield start
    for server in started:
        server.stop()

"""A year of lessons published to a server whose limits are real and whose time passes only by waiting.

The full size is 365 lessons × 18 manifests; a test runs the same on a few lessons.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from reinmaker_cli.client.local import CLIENT_FILE, LocalControl, read_local_client

POSTS_A_MINUTE, GETS_A_MINUTE = 300, 120


@dataclass(frozen=True)
class Ended:
    """How a publication ended."""

    code: int
    document: dict[str, Any]
    minutes: float
    """Of the server's time."""
    refused: int
    """Answers that were 429."""
    cpu_s: float
    peak_mib: float

    @property
    def outcomes(self) -> Counter[str]:
        """How many manifests came to which end."""
        return Counter(result["outcome"] for result in self.document["results"])

    @property
    def requests(self) -> int:
        """Requests under limits, those for tokens not counted."""
        return int(self.document["stats"]["requests"])

    @property
    def manifests_a_minute(self) -> float:
        """Manifests a minute of the server's time."""
        return len(self.document["results"]) / max(self.minutes, 1 / 60)


@dataclass(frozen=True)
class Stage:
    """A server with a clock that is moved, and commands that move it."""

    data: Path
    environment: Mapping[str, str]
    server: subprocess.Popen[bytes]

    def publish(self, catalogue: Path, *words: str) -> Ended:
        """Publish the catalogue to its end."""
        before = self._now()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self._start(catalogue, "--json", "--trace", *words, stdout=out, stderr=err)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            refused = sum(line.startswith(b"< 429") for line in err)
            document = json.load(out)
        minutes = (self._now() - before).total_seconds() / 60
        cpu_s, peak_mib = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
        return Ended(process.returncode, document, minutes, refused, cpu_s, peak_mib)

    def publish_and(
        self, catalogue: Path, submitted: int, strike: Callable[[subprocess.Popen[bytes]], None], *words: str
    ) -> tuple[int, dict[str, Any]]:
        """Publish, and do something once when so many manifests were taken; return exit code and last event.

        The command gets no further than what its pipe holds: a page, some ten manifests.
        """
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "bufsize": 0}
        process = self._start(catalogue, "--quiet", "--events", "-", *words, **streams)
        last: dict[str, Any] = {}
        with process:
            assert process.stdout is not None
            if hasattr(fcntl, "F_SETPIPE_SZ"):
                fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, resource.getpagesize())
            for line in process.stdout:
                submitted -= b'"event": "submitted"' in line
                if submitted == 0:
                    submitted = -1
                    strike(process)
                if line.endswith(b"}\n"):
                    last = json.loads(line)
        return process.returncode, last

    def kill_after(self, catalogue: Path, submitted: int) -> int:
        """Publish, and kill when so many manifests more were taken; return the exit code."""
        return self.publish_and(catalogue, submitted, lambda process: process.kill())[0]

    def submissions(self) -> list[tuple[str, str]]:
        """Return manifest id and status of every submission that the server ever made."""
        with sqlite3.connect(f"file:{min(self.data.glob('*.sqlite*'))}?mode=ro", uri=True) as connection:
            return connection.execute("SELECT manifest_id, status FROM submissions").fetchall()

    @contextmanager
    def control(self) -> Iterator[LocalControl]:
        """The control API of the server."""
        client = read_local_client(self.data)
        assert client is not None
        with LocalControl(client.api_url, client.control_token) as control:
            yield control

    def refuse_listing(self) -> None:
        """Let the server be one without a listing."""
        self._run("local", "fault", "add", "no-listing", "--times", "always", "--for", "7d")

    @property
    def url(self) -> str:
        """Where the server is."""
        return str(json.loads((self.data / CLIENT_FILE).read_text())["apiUrl"])

    def behind(self, url: str, data: Path) -> Stage:
        """Return the same server for commands that reach it through a proxy; `data` is made for them."""
        data.mkdir()
        client = json.loads((self.data / CLIENT_FILE).read_text())
        (data / CLIENT_FILE).write_text(json.dumps(client | {"apiUrl": url}))
        return replace(self, data=data)

    def _now(self) -> datetime:
        with self.control() as control:
            return datetime.fromisoformat(control.clock().time)

    def _run(self, *words: str) -> None:
        command = [sys.executable, "-m", "reinmaker_cli", *words, "--data", str(self.data)]
        subprocess.run(command, env=self.environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _start(self, catalogue: Path, *words: str, **streams: Any) -> subprocess.Popen[bytes]:
        module = [sys.executable, "-m", "tests.benchmarks.moved_time", str(self.data)]
        return subprocess.Popen(
            [*module, "publish", str(catalogue), "--data", str(self.data), "--trust-cache", *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            **streams,
        )


@contextmanager
def stage(folder: Path, environment: Mapping[str, str]) -> Iterator[Stage]:
    """Start a server whose clock stands still, with limits and validation as in the contract; its data is kept."""
    data = folder / "data"
    command = [sys.executable, "-m", "reinmaker_cli", "serve", "--port", "0", "--json", "--log", "off"]
    env = {**environment, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [*command, "--clock", "virtual", "--data", str(data)], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    with process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # it is ready
            yield Stage(data, env, process)
        finally:
            process.terminate()


def killed_instants(manifests: int, times: int) -> list[int]:
    """Return after how many submissions to kill, each counted from where the run before was killed."""
    instants = sorted(random.Random(manifests).sample(range(1, manifests), times))
    return [later - earlier for earlier, later in zip([0, *instants], instants, strict=False)]

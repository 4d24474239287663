"""`serve --workers N`: several processes answer on the sockets of one, and one that dies is started again.

The first process binds, makes what all have in common, and answers nothing itself. A worker is a plain subprocess that
inherits the sockets; it ends with its standard input, which ends with the first process, however that ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.models import LocalClient
from reinmaker_cli.errors import ReinmakerError, UsageError
from reinmaker_cli.server.access_log import SERVER_LOG, access_log
from reinmaker_cli.server.config import ServerConfig
from reinmaker_cli.server.data_folder import development_client, occupied_folder
from reinmaker_cli.server.listening import Listening, listen
from reinmaker_cli.server.running import FINISH_WITHIN_S, Seat, Started, serve_seated
from reinmaker_cli.server.store import open_store
from reinmaker_cli.server.timekeeping import resume_clock

READY: Final = b"ready\n"
AGAIN_AFTER_S: Final = 1.0
"""Before a worker that died young is started again: what it died of may last."""
YOUNG_S: Final = 5.0


def serve_with_workers(config: ServerConfig, ready: Callable[[Started], None]) -> None:
    """Serve with several processes until SIGTERM or SIGINT; as `serve_forever`, and raises the same."""
    _check(config)
    with ExitStack() as stack:
        data = stack.enter_context(occupied_folder(config.data))
        listening = listen(config)
        for bound in listening.all:
            stack.callback(bound.close)
        stack.enter_context(access_log(config.log))
        client, ca_file = _made_ready(config, data, listening)
        # With the port that was taken, and the folder that is ours: a worker takes both as they are.
        seat = Seat(replace(config, data=data), client, _numbers(listening.api), _numbers(listening.control))
        crew = stack.enter_context(_crew(seat, config.workers))
        crew.wait_until_ready()
        ready(Started(listening.public_url, data, client, ca_file, listening.address))
        crew.watch()


def _check(config: ServerConfig) -> None:
    def refuse(fact: str, hint: str) -> UsageError:
        return UsageError(fact, code=codes.USAGE, hint=hint)

    if config.database is None:
        raise refuse("--workers without --database: SQLite is for one process", "add --database postgresql://…")
    if config.clock == "virtual":
        raise UsageError(
            "a clock that stands still is of one process",
            code=codes.CLOCK_NOT_SHARED,
            hint="leave --workers out, or use `--clock wall`",
        )
    if sys.platform == "win32":
        raise refuse("--workers: this system does not let processes share a socket", "start several servers")


def _made_ready(config: ServerConfig, data: Path, listening: Listening) -> tuple[LocalClient, Path | None]:
    """Make once what all workers find: tables, clock, certificate, the development client."""
    assert config.database is not None
    store = open_store(config.database)
    try:
        client = development_client(store, data, listening, resume_clock(store.facts, config.clock))
    finally:
        store.close()
    if not config.tls:
        return client, None
    from reinmaker_cli.server.tls import prepare_tls

    return client, prepare_tls(data, listening.hosts).ca_file


def _numbers(sockets: list[socket.socket]) -> tuple[int, ...]:
    return tuple(bound.fileno() for bound in sockets)


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    started_at: float
    said: bytes = b""
    """`READY`, or why it could not start; both end with a line."""

    @property
    def output(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def hear(self) -> bool:
        """Wait for more of what it says; False where it has ended."""
        more = os.read(self.output.fileno(), 4096)
        self.said += more
        return bool(more)


class _Crew:
    """The workers of one server. Lives in the main thread."""

    def __init__(self, seat: Seat, size: int) -> None:
        self._seat = pickle.dumps(seat)
        self._sockets = (*seat.api, *seat.control)
        self._woken, self._wake = os.pipe()
        self._is_stopping = False
        self.workers = [self._start() for _ in range(size)]

    def wait_until_ready(self) -> None:
        """Return when all answer; raise what kept one from it."""
        for worker in self.workers:
            while not worker.said.endswith(b"\n") and worker.hear():
                pass
            if worker.said != READY:
                raise _why(worker)

    def watch(self) -> None:
        """Start whoever dies again, until a signal comes."""
        while not self._is_stopping:
            outputs = {worker.output.fileno(): place for place, worker in enumerate(self.workers)}
            ended, _, _ = select.select([*outputs, self._woken], [], [])
            for number in ended:
                if number in outputs and not self.workers[outputs[number]].hear():
                    self._replace(outputs[number])

    def stop(self, *_: Any) -> None:
        """End it; from a signal handler."""
        self._is_stopping = True
        os.write(self._wake, b"x")

    def end(self) -> None:
        """Let all finish what is in flight, and end those that do not."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.terminate()
        ends_at = time.monotonic() + FINISH_WITHIN_S + 5
        for worker in self.workers:
            try:
                worker.process.wait(max(0.1, ends_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            _close(worker)
        os.close(self._woken)
        os.close(self._wake)

    def _replace(self, place: int) -> None:
        dead = self.workers[place]
        dead.process.wait()
        _close(dead)
        reason = _why(dead)
        hint = f" (hint: {reason.hint})" if isinstance(reason, UsageError) else ""
        SERVER_LOG.error("worker %s is started again: %s%s", dead.process.pid, reason, hint)
        if time.monotonic() - dead.started_at < YOUNG_S:
            select.select([self._woken], [], [], AGAIN_AFTER_S)
        if not self._is_stopping:
            self.workers[place] = self._start()

    def _start(self) -> _Worker:
        program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import work; sys.exit(work())"
        process = subprocess.Popen(  # nosec B603  # this Python, our program
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=self._sockets,
        )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended already: whoever hears it finds out why
            # By the pipe, and nowhere else: it holds the password of the database.
            process.stdin.write(len(self._seat).to_bytes(8, "big") + self._seat)
            process.stdin.flush()
        return _Worker(process, time.monotonic())


@contextlib.contextmanager
def _crew(seat: Seat, size: int) -> Iterator[_Crew]:
    crew = _Crew(seat, size)
    before = {number: signal.signal(number, crew.stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield crew
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        crew.end()


def _close(worker: _Worker) -> None:
    worker.output.close()
    with contextlib.suppress(BrokenPipeError):
        assert worker.process.stdin is not None
        worker.process.stdin.close()


def _why(worker: _Worker) -> Exception:
    """Return why a worker that has ended, or is about to, is not there."""
    said = worker.said.removeprefix(READY)
    if not said:
        how = "a worker ended" if worker.said else "a worker could not start: it ended"
        return RuntimeError(f"{how} with {worker.process.wait()}")
    reason = json.loads(said)
    return UsageError(reason["message"], code=reason["code"], hint=reason["hint"])


def work() -> int:
    """Be a worker: read from standard input what to do, answer until told to stop."""
    length = int.from_bytes(sys.stdin.buffer.read(8), "big")
    seat: Seat = pickle.loads(sys.stdin.buffer.read(length))  # nosec B301  # a pipe from our own process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C reaches the first process, which says what follows

    def say(line: bytes) -> None:
        os.write(1, line)

    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        serve_seated(seat, lambda _: say(READY))
    except ReinmakerError as error:
        said = {"message": error.message, "code": error.code, "hint": error.hint}
        say(json.dumps(said).encode() + b"\n")
        return 2
    return 0


def _end_with_parent() -> None:
    os.read(0, 1)  # not of sys.stdin: the interpreter wants its lock at the end, and aborts where a thread has it
    signal.raise_signal(signal.SIGTERM)

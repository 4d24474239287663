"""Worker processes for what would hold the interpreter's lock too long: 28 MB of JSON stall all other threads 0.3 s.

A worker is a spawned process at the end of a pipe. It takes one call at a time, is started when first needed, ignores
SIGINT, runs at lower priority than the server, and ends with it.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from reinmaker_cli.server.threads import run_detached

NICENESS = 10  # a manifest of 28 MB may take a second longer; an answer of /v1/health may not


class WorkerDied(Exception):
    """The worker process ended during the call: killed, or out of memory."""


class WorkerFailed(Exception):
    """The function raised in the worker; the text is its traceback."""


class Workers:
    """A fixed number of worker processes; calls beyond that number wait for their turn."""

    def __init__(self, size: int) -> None:
        self._free: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._turns = asyncio.Semaphore(size)
        self._is_closed = False

    async def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return `function(*args)` as a worker computes it; function, arguments and result must be picklable.

        A `bytearray` among the arguments arrives as `bytes`, sent as it is.
        """
        async with self._turns:
            worker = self._free.pop() if self._free else self._start()
            try:
                result = await run_detached(worker.call, function, args)
            except WorkerFailed:
                self._free.append(worker)
                raise
            except BaseException:
                # Cancelled or dead: what the process does now is unknown, so it does not get another call.
                self._discard(worker)
                raise
            self._free.append(worker)
            return result

    def close(self) -> None:
        """End the processes at once; calls under way raise WorkerDied."""
        self._is_closed = True
        for worker in tuple(self._all):
            self._discard(worker)

    def _start(self) -> _Worker:
        if self._is_closed:
            raise WorkerDied
        worker = _Worker()
        self._all.add(worker)
        return worker

    def _discard(self, worker: _Worker) -> None:
        self._all.discard(worker)
        worker.kill()


class _Worker:
    def __init__(self) -> None:
        # spawn: a fork of a process with threads can copy a lock that nobody will ever release.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve_calls, args=(theirs,), daemon=True, name="reinmaker-worker")
        self._started = False
        self._theirs = theirs

    def call(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        try:
            if not self._started:
                self._process.start()
                self._theirs.close()  # so that the end of the process is the end of the pipe
                self._started = True
            bodies = [index for index, value in enumerate(args) if isinstance(value, bytearray)]
            self._pipe.send(
                (function, [None if index in bodies else value for index, value in enumerate(args)], bodies)
            )
            for index in bodies:
                self._pipe.send_bytes(args[index])
            succeeded, result = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise WorkerDied(f"worker ended with {self._process.exitcode}") from error
        if not succeeded:
            raise WorkerFailed(result)
        return result

    def kill(self) -> None:
        if self._started:
            self._process.kill()
            self._process.join(1)
        self._pipe.close()


def _serve_calls(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C reaches the whole group; the server decides what ends
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    while True:
        try:
            function, args, bodies = pipe.recv()
            for index in bodies:
                args[index] = pipe.recv_bytes()
        except EOFError:
            return  # the server has ended, however it did
        try:
            answer = (True, function(*args))
        except Exception:  # noqa: BLE001  (sent to the caller, who raises it)
            answer = (False, traceback.format_exc())
        try:
            pipe.send(answer)
        except OSError:
            return

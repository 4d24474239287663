"""Worker processes for what would hold the interpreter's lock too long: 28 MB of JSON stall all other threads 0.3 s.

A worker takes one call at a time, is started when first needed, runs at lower priority than the server, and ends with
it. It is a plain subprocess: `multiprocessing` would import the caller's main module again, and run what stands there.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from reinmaker_cli.server.threads import run_detached
from reinmaker_cli.server.worker import LENGTH, read_frame

LARGE_BODY_BYTES = 1024 * 1024
"""What is larger belongs into a worker: below, a call costs more than it saves."""


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

        A `bytearray` among the arguments arrives as `bytes`, and is not copied on its way into the pipe.
        """
        async with self._turns:
            if self._is_closed:
                raise WorkerDied("the server is stopping")
            worker = self._free_worker()
            self._all.add(worker)
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

    def _free_worker(self) -> _Worker:
        while self._free:
            worker = self._free.pop()
            if worker.is_alive():
                return worker
            self._discard(worker)  # killed while it had nothing to do: no call has to pay for that
        return _Worker()

    def _discard(self, worker: _Worker) -> None:
        self._all.discard(worker)
        worker.kill()


class _Worker:
    """One process. `call` runs in a thread, `kill` may come from another at any time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._is_killed = False

    def call(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        process = self._process = self._process or _start()
        if self._is_killed:  # between the decision to start and the start
            self.kill()
        assert process.stdin is not None
        assert process.stdout is not None
        bodies = [index for index, value in enumerate(args) if isinstance(value, bytearray)]
        call = (function, [None if index in bodies else value for index, value in enumerate(args)], bodies)
        try:
            for frame in (pickle.dumps(call), *(args[index] for index in bodies)):
                process.stdin.write(LENGTH.pack(len(frame)))
                process.stdin.write(frame)
            process.stdin.flush()
            answer = read_frame(process.stdout)
        except (OSError, ValueError) as error:  # ValueError: closed by `kill`
            raise WorkerDied(f"the pipe broke: {error}") from error
        if answer is None:
            raise WorkerDied(f"ended with {process.wait()}")
        succeeded, result = pickle.loads(answer)  # nosec B301  # a pipe to our own process
        if not succeeded:
            raise WorkerFailed(result)
        return result

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        self._is_killed = True
        if self._process is not None and self._process.stdin is not None and self._process.stdout is not None:
            self._process.kill()
            self._process.wait()
            with contextlib.suppress(BrokenPipeError):  # of what nobody will read any more
                self._process.stdin.close()
            self._process.stdout.close()


def _start() -> subprocess.Popen[bytes]:
    # The same modules as here, from the same places, also where this process was started in an unusual way.
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; from reinmaker_cli.server.worker import serve_calls; serve_calls()"
    )
    command = [sys.executable, "-c", program]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # nosec B603  # this Python, our program

"""Threads for what blocks, so that the event loop never does."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from queue import Empty, SimpleQueue
from typing import ParamSpec, TypeVar

from reinmaker_cli.server.shared_writes import SharedWrites
from reinmaker_cli.server.store.database import WriteConflict

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4
EXAMINERS = 2
SHARED_WRITERS = 6
"""Where several processes write: PostgreSQL lets those who wait for the disk at a time wait together."""
CONFLICTS = 5
"""Writes in a row that another process was in the way of, before that is an error."""
KEEP_THREAD_S = 10.0


class Threads:
    """Three small pools of one process: readers of the database, writers, and examiners of small manifests.

    There is one writer where the database is this process's alone, and several where it is shared: they each wait for
    their own commit, and for those of other processes.
    """

    def __init__(
        self, one_commit: Callable[[], AbstractContextManager[None]] = nullcontext, *, writers: int = 1
    ) -> None:
        """`one_commit` makes one commit of all that the writer's thread writes within it."""
        self._writers = writers
        self._readers = ThreadPoolExecutor(READERS, "reader")
        self._writer = ThreadPoolExecutor(writers, "writer")
        self._examiners = ThreadPoolExecutor(EXAMINERS, "examiner")
        self._together = SharedWrites(self._writer, one_commit)

    async def read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that reads the database."""
        return await _run(self._readers, function, *args, **kwargs)

    async def write(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that writes the database; one at a time where there is one writer.

        Where there are several it may be called again: another process was in its way, and nothing of it had happened.
        """
        if self._writers == 1:
            return await _run(self._writer, function, *args, **kwargs)
        return await _run(self._writer, despite_conflicts, functools.partial(function, *args, **kwargs))

    async def write_together(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that writes the database and nothing else; those that wait at a time share a commit.

        It may be called twice: what others wrote with it was taken back, and nothing of it had happened.
        """
        if self._writers > 1:
            return await self.write(function, *args, **kwargs)
        return await self._together.write(functools.partial(function, *args, **kwargs))

    def call_together(self, function: Callable[[], T]) -> T:
        """Call from another thread what writes the database and nothing else, as `write_together`; blocks."""
        return despite_conflicts(function) if self._writers > 1 else self._together.call(function)

    async def examine(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that computes for some milliseconds."""
        return await _run(self._examiners, function, *args, **kwargs)

    def close(self) -> None:
        """Finish what was begun."""
        for pool in (self._examiners, self._readers, self._writer):
            pool.shutdown()


def despite_conflicts(function: Callable[[], T]) -> T:
    """Return what the function returns, which writes the database and nothing else; called again after a conflict."""
    for _ in range(CONFLICTS):
        try:
            return function()
        except WriteConflict:
            continue
    return function()


async def run_detached(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that may take minutes in a daemon thread: the end of the process does not wait for it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001  (raised again where the result is awaited)
            _settle(loop, future, functools.partial(future.set_exception, error))
        else:
            _settle(loop, future, functools.partial(future.set_result, result))

    _DETACHED.run(run)
    return await future


class _DaemonThreads:
    """As many threads as there are calls at a time, each kept for a while; the end of the process waits for none.

    To start one holds the event loop up until it runs, which takes as long as all who compute let it wait.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[Callable[[], None]]] = []

    def run(self, call: Callable[[], None]) -> None:
        """Make the call, which raises nothing, in a thread that has nothing to do."""
        with self._lock:
            calls = self._idle.pop() if self._idle else None
        if calls is None:
            calls = SimpleQueue()
            threading.Thread(target=self._serve, args=(calls,), name="detached", daemon=True).start()
        calls.put(call)

    def _serve(self, calls: SimpleQueue[Callable[[], None]]) -> None:
        while True:
            try:
                call = calls.get(timeout=KEEP_THREAD_S)
            except Empty:
                with self._lock:
                    if calls in self._idle:
                        self._idle.remove(calls)
                        return
                continue  # it was taken at this moment: a call is on its way
            call()
            del call  # what it holds may be large
            with self._lock:
                self._idle.append(calls)


_DETACHED = _DaemonThreads()


def _settle(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], settle: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(lambda: future.done() or settle())
    except RuntimeError:
        if not loop.is_closed():
            raise  # else the server has ended, and nobody waits for the result any more


async def _run(pool: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, lambda: function(*args, **kwargs))

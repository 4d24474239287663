"""Threads for what blocks, so that the event loop never does."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import ParamSpec, TypeVar

from reinmaker_cli.server.shared_writes import SharedWrites

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4
EXAMINERS = 2


class Threads:
    """Three small pools: readers of the database, its one writer, and examiners of small manifests."""

    def __init__(self, one_commit: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """`one_commit` makes one commit of all that the writer's thread writes within it."""
        self._readers = ThreadPoolExecutor(READERS, "reader")
        self._writer = ThreadPoolExecutor(1, "writer")
        self._examiners = ThreadPoolExecutor(EXAMINERS, "examiner")
        self._together = SharedWrites(self._writer, one_commit)

    async def read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that reads the database."""
        return await _run(self._readers, function, *args, **kwargs)

    async def write(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that writes the database; one at a time."""
        return await _run(self._writer, function, *args, **kwargs)

    async def write_together(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that writes the database and nothing else; those that wait at a time share a commit.

        It may be called twice: what others wrote with it was taken back, and nothing of it had happened.
        """
        return await self._together.write(functools.partial(function, *args, **kwargs))

    async def examine(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that computes for some milliseconds."""
        return await _run(self._examiners, function, *args, **kwargs)

    def close(self) -> None:
        """Finish what was begun."""
        for pool in (self._examiners, self._readers, self._writer):
            pool.shutdown()


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

    threading.Thread(target=run, name=getattr(function, "__name__", "detached"), daemon=True).start()
    return await future


def _settle(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], settle: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(lambda: future.done() or settle())
    except RuntimeError:
        if not loop.is_closed():
            raise  # else the server has ended, and nobody waits for the result any more


async def _run(pool: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, lambda: function(*args, **kwargs))

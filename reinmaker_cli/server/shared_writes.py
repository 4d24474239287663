"""Writes of several requests in one commit: a commit waits for the disk, and while it does, others come to wait."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

MOST_TOGETHER = 64
"""Writes in one commit: the first of them waits for the last."""


@dataclass(frozen=True, slots=True)
class _Done:
    result: Any


_Outcome = _Done | BaseException


@dataclass(frozen=True, slots=True)
class _Waiting:
    function: Callable[[], Any]
    loop: asyncio.AbstractEventLoop | None
    """Of whoever awaits the answer; None: a thread waits for it."""
    answer: asyncio.Future[Any] | concurrent.futures.Future[Any]

    def settle(self, outcome: _Outcome) -> None:
        """Hand the outcome over, on the loop; whoever was cancelled does not want it any more."""
        if self.answer.done():
            return
        if isinstance(outcome, _Done):
            self.answer.set_result(outcome.result)
        else:
            self.answer.set_exception(outcome)


class SharedWrites:
    """Calls functions in the writer's thread, as many as wait, within one commit; no answer before it is durable."""

    def __init__(self, writer: Executor, one_commit: Callable[[], AbstractContextManager[None]]) -> None:
        self._writer, self._one_commit = writer, one_commit
        self._waiting: deque[_Waiting] = deque()
        self._lock = threading.Lock()
        self._is_called = False
        """The writer's thread will look at what waits."""

    async def write(self, function: Callable[[], T]) -> T:
        """Return what the function returns, once it is durable; raise what it raises: then nothing of it happened."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._enqueue(_Waiting(function, loop, answer), lambda: loop.call_soon(self._begin, loop, 0))
        return await answer

    def call(self, function: Callable[[], T]) -> T:
        """Do as `write` for a thread that is not the writer's; blocks."""
        answer: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._enqueue(_Waiting(function, None, answer), self._call_writer)
        return answer.result()

    def _enqueue(self, waiting: _Waiting, begin: Callable[[], object]) -> None:
        with self._lock:
            if not self._is_called:
                begin()
                self._is_called = True
            self._waiting.append(waiting)

    def _begin(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        """Call the writer, unless more have come to wait since there were `before`: then others may be about to come.

        Two threads that run at once take the interpreter from each other, and each commit costs as much as ten writes.
        """
        waiting = len(self._waiting)
        if before < waiting < MOST_TOGETHER:
            loop.call_soon(self._begin, loop, waiting)
            return
        try:
            self._call_writer()
        except RuntimeError as error:  # told to those who wait: this is called by nobody
            with self._lock:
                taken, self._is_called = [*self._waiting], False
                self._waiting.clear()
            _hand_over(taken, [error] * len(taken))

    def _call_writer(self) -> None:
        self._writer.submit(self._carry_out)  # raises once the writer has ended: then nobody waits for it

    def _carry_out(self) -> None:
        with self._lock:
            taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]
            self._is_called = bool(self._waiting)
            if self._is_called:
                # Behind what else the writer has to do: nobody who writes alone waits for ever.
                self._call_writer()
        outcomes = self._together(taken) if len(taken) > 1 else None
        if outcomes is None:
            outcomes = [_outcome(one.function) for one in taken]
        _hand_over(taken, outcomes)

    def _together(self, taken: list[_Waiting]) -> list[_Outcome] | None:
        """Return what came of all of them in one commit; None where one of them failed, and so none happened.

        Some errors (a full disk) end the whole transaction, whatever they were within; told apart are none of them.
        """
        try:
            with self._one_commit():
                return [_Done(one.function()) for one in taken]
        except Exception:  # noqa: BLE001  (met again by whoever it belongs to: each is called alone)
            return None


def _outcome(function: Callable[[], Any]) -> _Outcome:
    try:
        return _Done(function())
    except BaseException as error:  # noqa: BLE001  (raised again where the result is awaited)
        return error


def _hand_over(taken: list[_Waiting], outcomes: list[_Outcome]) -> None:
    awaited = []
    for one, outcome in zip(taken, outcomes, strict=True):
        if one.loop is None:
            one.settle(outcome)
        else:
            awaited.append((one, outcome))

    def settle() -> None:
        for one, outcome in awaited:
            one.settle(outcome)

    if awaited:
        loop = awaited[0][0].loop
        assert loop is not None
        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:
            if not loop.is_closed():
                raise  # else the server has ended, and nobody waits for the result any more

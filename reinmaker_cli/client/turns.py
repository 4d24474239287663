"""Many pieces of work under way, of which one runs at a time: while one waits for an answer or for time to pass, others
go on.

Rows, budgets and events are only ever touched by whoever has the turn, so none of them needs a lock, and everything
reads as if there were one piece of work. Threads do the waiting; they are abandoned, not joined, when a run is cut off.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from reinmaker_cli.client.patience import Clockwork

Result = TypeVar("Result")

SIGNALS_EVERY_S: Final = 1.0  # on Windows ^C does not interrupt a wait
LAST_TURN_S: Final = 1.0  # for what is under way to reach its next pause, once the run is cut off


class _Over(BaseException):
    """The run was cut off: this piece of work is of no interest any more."""


class Turns:
    """The turns of one run. `start`, `until` and `finish` are for the thread that made it, which has the first turn."""

    def __init__(self, world: Clockwork, *, most: int) -> None:
        """`most` is how many pieces of work may be under way at a time."""
        self._world, self._most = world, most
        self._state = threading.Lock()
        self._turn = threading.Condition(self._state)
        self._time = threading.Condition(self._state)
        self._progress = threading.Condition(self._state)
        self._holder: threading.Thread | None = threading.current_thread()
        self._starting: threading.Thread | None = None
        self._under_way = 0
        self._awake = 1
        """How many have the turn, want it, or wait for an answer: while there is one, no clock needs to be moved."""
        self._due: list[float] = []
        self._awaited: Callable[[], bool] | None = None
        """What the thread that made this waits for."""
        self._failure: BaseException | None = None
        self._is_over = False
        self.world = Clockwork(world.clock, self.sleep, world.random)
        """The same time, for those who take turns."""

    def start(self, work: Callable[[], None]) -> None:
        """Begin a piece of work, once there is room for it; return when it waits for something for the first time.

        So whatever it counted before it asked is counted. Raises what an earlier piece of work raised.
        """
        self._let_go_on(lambda: self._under_way < self._most)
        thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        with self._state:
            self._under_way += 1
            self._awake += 1
            self._starting = thread
        thread.start()
        self._let_go_on(lambda: self._starting is not thread)

    def until(self, is_reached: Callable[[], bool]) -> None:
        """Let the others go on until something is reached, or none of them is left."""
        self._let_go_on(lambda: is_reached() or not self._under_way)

    def finish(self) -> None:
        """Let the others go on until all of them have ended; raises what one of them raised."""
        self._let_go_on(lambda: not self._under_way)

    def cut_off(self) -> None:
        """Let none of the others go on; what they wait for is not waited for."""
        with self._state:
            self._is_over = True
            for changed in (self._turn, self._time):
                changed.notify_all()
            me, end_at = threading.current_thread(), time.monotonic() + LAST_TURN_S
            while self._holder not in (None, me) and (left_s := end_at - time.monotonic()) > 0:
                self._progress.wait(left_s)
            self._holder = me

    def apart(self, ask: Callable[[], Result]) -> Result:
        """Return what `ask` returns, and let others go on while it waits. Once the run is cut off nothing is asked."""
        with self._state:
            self._leave()
            if self._is_over:
                raise _Over
        try:
            return ask()
        finally:
            with self._state:
                self._enter()

    def sleep(self, seconds: float) -> None:
        """Let others go on until so much time has passed."""
        due = self._world.clock() + seconds
        with self._state:
            self._leave()
            self._awake -= 1
            self._due.append(due)
            self._time.notify_all()
            try:
                while (left_s := due - self._world.clock()) > 0 and not self._is_over:
                    self._pass_time(due, left_s)
            finally:
                self._due.remove(due)
                self._awake += 1
            self._enter()

    def _pass_time(self, due: float, left_s: float) -> None:
        if self._world.is_real:
            self._time.wait(min(left_s, SIGNALS_EVERY_S))
        elif self._awake or due > min(self._due):
            self._time.wait()  # such a clock stands still as long as anybody can do anything
        else:
            self._world.sleep(left_s)
            self._time.notify_all()

    def _let_go_on(self, is_reached: Callable[[], bool]) -> None:
        with self._state:
            if not is_reached() and self._failure is None:
                self._leave()
                self._awaited = is_reached
                self._awake -= 1
                self._time.notify_all()
                while not self._progress.wait_for(lambda: self._awaited is None, SIGNALS_EVERY_S):
                    pass
                self._enter()
            if self._failure is not None:
                raise self._failure

    def _run(self, work: Callable[[], None]) -> None:
        try:
            with self._state:
                self._enter()
            work()
        except _Over:
            pass
        except BaseException as failure:  # noqa: BLE001  raised again where the work was started
            self._failure = self._failure or failure
        finally:
            with self._state:
                self._under_way -= 1
                self._leave()
                self._awake -= 1
                self._time.notify_all()

    def _enter(self) -> None:
        while self._holder is not None and not self._is_over:
            self._turn.wait()
        if self._is_over and self._holder is not threading.current_thread():
            raise _Over
        self._holder = threading.current_thread()

    def _leave(self) -> None:
        me = threading.current_thread()
        if self._holder is me:
            self._holder = None
            self._turn.notify()
        if self._starting is me:
            self._starting = None
        if self._awaited is not None and (self._failure is not None or self._awaited()):
            self._awaited = None  # from here on it is awake, although it does not know it yet
            self._awake += 1
        self._progress.notify_all()

"""How long to go on trying: time limits, pauses between attempts, and waiting where a server asks for it."""

from __future__ import annotations

import random as random_numbers
import time
from collections.abc import Callable
from typing import Final, TypeVar

from reinmaker_cli.client.answers import RetryLater
from reinmaker_cli.client.pacing import Paced
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ServerUnreachable

Result = TypeVar("Result")

MAX_ATTEMPTS: Final = 6  # with the pauses below about 15 s: a server that restarts is back by then
LOOKING_ATTEMPTS: Final = 3  # about 1.5 s: as long as nothing was sent, giving up costs nothing
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 8.0
MAX_LIMITS_IN_A_ROW: Final = 30  # a server that only ever says "later" ends too
UNSAID_LIMIT_PAUSE_S: Final = 5.0  # 429 without Retry-After
JITTER: Final = 0.1  # clients that were refused together do not come back together

PERMANENT: Final = frozenset({str(codes.TLS_FAILED), str(codes.ANSWER_UNUSABLE)})


class Clockwork:
    """The world's time, as the client uses it: tests give their own."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self.clock, self.sleep, self.random = clock, sleep, random
        self.is_real = sleep is time.sleep
        """False: time passes only while somebody sleeps."""


class Patience:
    """The time that is left for one piece of work. Waiting for limits does not use it up, a deadline ends it anyway."""

    def __init__(
        self,
        timeout_s: float,
        *,
        deadline_at: float | None = None,
        world: Clockwork | None = None,
        max_attempts: int = MAX_ATTEMPTS,
        on_limit: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Start now. `deadline_at` is on the clock of `world`; `on_limit` gets the seconds about to be waited."""
        self._world = world or Clockwork()
        self._end_at = self._world.clock() + timeout_s
        self._deadline_at = deadline_at
        self._max_attempts = max_attempts
        self._on_limit = on_limit
        self._limits_in_a_row = 0
        self._held_at: float | None = None
        self.limited_s = 0.0
        """Seconds spent waiting because the server asked for it."""

    def now(self) -> float:
        """Return the clock that all of this is measured on, in seconds."""
        return self._world.clock()

    def left_s(self) -> float:
        """Return the seconds that are left; 0 or less when time is out."""
        end_at = self._end_at if self._deadline_at is None else min(self._end_at, self._deadline_at)
        return end_at - self._world.clock()

    def hold(self) -> None:
        """Stop the time: what follows is other work, or a question to a person. A deadline goes on."""
        self._held_at = self._world.clock()

    def resume(self, *, max_attempts: int | None = None) -> None:
        """Let the time go on from where it was held."""
        if self._held_at is not None:
            self._end_at += self._world.clock() - self._held_at
            self._held_at = None
        if max_attempts is not None:
            self._max_attempts = max_attempts

    def extend(self, seconds: float) -> None:
        """Give time back that was waited for a limit elsewhere."""
        self._end_at += seconds

    def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the end."""
        self._world.sleep(max(0.0, min(seconds, self.left_s())))

    def back_off(self, attempt: int, error: ServerUnreachable) -> None:
        """Pause after the failed attempt number `attempt`, from 1; raise the error where it was the last one."""
        if attempt >= self._max_attempts or self.left_s() <= 0 or error.code in PERMANENT:
            raise error
        self.pause(self._jittered(min(FIRST_PAUSE_S * 2 ** (attempt - 1), LONGEST_PAUSE_S)))

    def wait_as_asked(self, error: RetryLater) -> None:
        """Wait as long as the server asks; raise where that is longer than what is left.

        Only the wait for a limit (429) is not counted: a server that is busy for ever uses the time up.
        """
        is_limit, is_refused = error.status == 429, not isinstance(error, Paced)
        self._limits_in_a_row += is_limit and is_refused
        asked_s = UNSAID_LIMIT_PAUSE_S if error.retry_after_s is None else error.retry_after_s
        asked_s = max(asked_s, FIRST_PAUSE_S) if is_refused else asked_s
        if asked_s > self.left_s() or self._limits_in_a_row > MAX_LIMITS_IN_A_ROW:
            limited = ServerUnreachable(
                f"the server asks to wait {asked_s:.0f} s, and {max(0.0, self.left_s()):.0f} s are left",
                code=error.code,
                hint="run the same command again later, or give a longer --timeout",
            )
            limited.trace_id = error.trace_id
            raise limited from error
        # Who was never refused does not come back together with others, and knows the instant.
        waited_s = min(self._jittered(asked_s), self.left_s()) if is_refused else asked_s
        self._on_limit(waited_s)
        self._world.sleep(waited_s)
        self.limited_s += waited_s
        if is_limit:
            self._end_at += waited_s

    def limit_passed(self) -> None:
        """Note that the server took a request that a limit could have refused."""
        self._limits_in_a_row = 0

    def ask(self, read: Callable[[], Result]) -> Result:
        """Return what `read` returns, repeated through limits and passing failures: only for what changes nothing."""
        attempt, limits_before = 1, self._limits_in_a_row
        while True:
            try:
                result = read()
            except RetryLater as error:
                self.wait_as_asked(error)
            except ServerUnreachable as error:
                self.back_off(attempt, error)
                attempt += 1
            else:
                # A question that passes says nothing about the limit of what is being sent.
                self._limits_in_a_row = limits_before
                return result

    def _jittered(self, seconds: float) -> float:
        return seconds * (1 + JITTER * self._world.random())

"""The queue of validations: which one is next, where it runs, who is told. The durable queue is the store itself."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import chain, repeat
from typing import Any

from reinmaker_cli.contract.names import Status
from reinmaker_cli.server.access_log import SERVER_LOG
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.clock import Clock
from reinmaker_cli.server.journal import Journal
from reinmaker_cli.server.judging import Rules, decide, judge, never_stop, with_own_store
from reinmaker_cli.server.store import Store, StorePlace
from reinmaker_cli.server.store.database import DatabaseUnreachable, WriteConflict
from reinmaker_cli.server.store.records import Claim
from reinmaker_cli.server.threads import Threads, run_detached
from reinmaker_cli.server.workers import LARGE_BODY_BYTES, WorkerDied, Workers

SMALL_AT_ONCE = 4
LARGE_AT_ONCE = 1
TAKEN_UP_AT_ONCE = 2 * SMALL_AT_ONCE
"""Of what other processes left, while this one has less to do."""
GIVE_WAY_S = 0.04
"""For so long a validation that nobody waits for lets submissions go first, while many come."""
MANY = 16
"""Submissions within that time, which leave no room for as many verdicts; where fewer come, they would only pile up."""
AWAY_S = 0.5
"""Between two tries to reach a database that is away."""
RETRY_AFTER_S = (1.0, 5.0, 30.0, 120.0, 300.0)
"""Pauses after failures that no manifest is to blame for: a full disk, a bug, a killed worker. The last one repeats."""


class _Line:
    """Submissions that are validated so many at a time; those behind wait as numbers: a task takes 3 KB and 15 µs."""

    def __init__(self, at_once: int) -> None:
        self.turns = asyncio.Semaphore(at_once)
        self.room = 2 * at_once
        """For tasks that have a turn, or wait for the next one."""
        self.waiting: OrderedDict[int, str] = OrderedDict()
        """Number and manifest id of those that have no task yet."""


class Validations:
    """Validates what is enqueued, a few at a time, and announces each change."""

    def __init__(
        self,
        place: StorePlace,
        store: Store,
        threads: Threads,
        changes: Changes,
        rules: Rules,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._place = place
        self._store = store
        self._threads = threads
        self._changes = changes
        self._journal = journal
        self._rules = rules
        self._clock = clock
        self._workers = Workers(LARGE_AT_ONCE)
        # Two lines: a small manifest must not wait behind four that take ten seconds each.
        self._small, self._large = _Line(SMALL_AT_ONCE), _Line(LARGE_AT_ONCE)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._came_at: deque[float] = deque([-GIVE_WAY_S] * MANY, maxlen=MANY)
        """When so many were enqueued last, by the event loop's time."""
        self._stopping = threading.Event()

    async def resume(self) -> None:
        """Enqueue what the store has without a verdict, oldest first: from a previous run, or before a `stop`."""
        if self._stopping.is_set():
            # Another event: threads of before the stop may still be on their way to see that it was set.
            self._workers, self._stopping = Workers(LARGE_AT_ONCE), threading.Event()
        if not self._store.is_shared:
            for no, body_bytes in await self._threads.read(self._store.submissions.open):
                self.enqueue(no, body_bytes)

    async def take_up(self) -> None:
        """Enqueue what nobody validates, from whichever process it came, as much as there are hands for."""
        room = TAKEN_UP_AT_ONCE - len(self._tasks) - len(self._small.waiting) - len(self._large.waiting)
        if room > 0 and not self._stopping.is_set():
            for no, body_bytes in await self._threads.read(self._store.submissions.unclaimed, limit=room):
                self.enqueue(no, body_bytes)

    def enqueue(self, no: int, body_bytes: int, manifest_id: str = "") -> None:
        """Validate this submission when its turn comes; between `stop` and `resume`, leave it to the latter.

        Whoever waits for news of the manifest does not wait for other submissions to be taken in first.
        """
        line = self._large if body_bytes > LARGE_BODY_BYTES else self._small
        if self._stopping.is_set() or no in self._tasks or no in line.waiting:
            return
        self._came_at.append(asyncio.get_running_loop().time())
        line.waiting[no] = manifest_id
        self._begin(line)

    def _begin(self, line: _Line) -> None:
        while line.waiting and line.room > 0:
            no, manifest_id = line.waiting.popitem(last=False)
            line.room -= 1
            self._tasks[no] = task = asyncio.create_task(self._validate(no, manifest_id, line))
            task.add_done_callback(functools.partial(self._ended, no, line))

    def _ended(self, no: int, line: _Line, task: asyncio.Task[None]) -> None:
        if self._tasks.get(no) is task:
            del self._tasks[no]
        line.room += 1
        self._begin(line)

    async def decide(self, no: int, reason: str | None) -> Status | None:
        """Give the verdict that a person decided; None where there is one already. Overtakes a validation under way."""
        stopping = self._stopping
        while True:
            claim = await self._threads.write(self._store.submissions.claim, no, now=self._clock.now(), overtaking=True)
            if claim is None:
                return None
            try:
                status = await self._run(decide, claim, reason, self._clock)
            except Exception:
                # The validation that was overtaken will not give its verdict any more.
                if (overtaken := self._tasks.pop(no, None)) is not None:
                    overtaken.cancel()
                self.enqueue(no, claim.body_bytes, claim.manifest_id)
                raise
            self._tell(claim)
            # None: a validation whose turn came meanwhile has overtaken the decision. It is overtaken again, unless
            # all has stopped, for a state may be put into the database in which this is the number of another.
            if status is not None or stopping.is_set():
                return status

    async def stop(self) -> None:
        """Stop validating; what is under way stays open in the store."""
        self._stopping.set()
        self._workers.close()
        for line in (self._small, self._large):
            line.waiting.clear()
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _validate(self, no: int, manifest_id: str, line: _Line) -> None:
        for pause_s in chain(RETRY_AFTER_S, repeat(RETRY_AFTER_S[-1])):
            while True:
                async with line.turns:
                    try:
                        await self._give_way(manifest_id)
                        if await self._attempt(no, pause_s):
                            return
                        break
                    except (DatabaseUnreachable, WriteConflict):
                        if self._stopping.is_set():
                            return
                await asyncio.sleep(AWAY_S)  # no failure of the validation: it begins as soon as it can
            line.room += 1  # nobody waits in the place of one that failed
            self._begin(line)
            try:
                await asyncio.sleep(pause_s)
            finally:
                line.room -= 1

    async def _give_way(self, manifest_id: str) -> None:
        """Let whoever sends submissions have his answer first, where many come and nobody waits for this verdict."""
        many_come = asyncio.get_running_loop().time() - self._came_at[0] < GIVE_WAY_S
        if many_come and not self._changes.is_awaited(manifest_id):
            await asyncio.sleep(GIVE_WAY_S)

    async def _attempt(self, no: int, pause_s: float) -> bool:
        """Validate once; False where that failed for a reason of the server's own, and is to be tried again."""
        trace_id = None
        try:
            claim = await self._threads.write_together(self._store.submissions.claim, no, now=self._clock.now())
            if claim is None:
                return True
            trace_id = claim.trace_id
            self._tell(claim)
            if self._rules.mode != "manual":
                await self._run(judge, claim, self._rules, self._clock)
                self._tell(claim)
        except (DatabaseUnreachable, WriteConflict):
            raise
        except Exception as error:  # noqa: BLE001  (logged; no manifest is rejected for a fault of the server)
            if not self._stopping.is_set():
                SERVER_LOG.error(
                    "validation failed (%s), and is tried again in %s s",
                    type(error).__name__,
                    pause_s,
                    exc_info=not isinstance(error, WorkerDied),
                    extra={"trace_id": trace_id},
                )
                return False
        return True

    def _tell(self, claim: Claim) -> None:
        self._changes.announce(claim.manifest_id)
        self._journal.touch(claim.trace_id)

    async def _run(self, conclude: Callable[..., Status | None], claim: Claim, *args: Any) -> Status | None:
        """Call `judge` or `decide`: in a thread, or in a worker process where the manifest is large."""
        if claim.body_bytes <= LARGE_BODY_BYTES:
            return await run_detached(conclude, self._store, claim, *args, self._stopping.is_set)
        status: Status | None = await self._workers.call(
            with_own_store, self._place, conclude, claim, *args, never_stop
        )
        return status

"""Outbox -> attempts -> delivered or dead letter: what is due is claimed, sent and recorded, a few at a time.

The durable queue is the store. One task takes turns with it: a turn is one transaction that records the attempts which
have ended and claims the next, so no transaction is open while a receiver is asked, and a crash repeats attempts and
loses none. Between turns it sleeps until an attempt ends, somebody wakes it, or the clock makes something due.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from reinmaker_cli.contract import names
from reinmaker_cli.server.access_log import SERVER_LOG
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.clock import MovableClock
from reinmaker_cli.server.delivery_turns import DeliveriesStopped, Turns
from reinmaker_cli.server.retries import CONTRACT_SCHEDULE, Schedule
from reinmaker_cli.server.sending import Sender
from reinmaker_cli.server.store import Store
from reinmaker_cli.server.store.database import DatabaseUnreachable, WriteConflict
from reinmaker_cli.server.store.deliveries import IN_FLIGHT_PER_ENDPOINT, Ask, NoRoom
from reinmaker_cli.server.store.webhook_records import Claimed, Sent
from reinmaker_cli.server.threads import Threads

NEWS: Final = names.CONTROL_PATH + "/webhooks"
"""What is announced when anything about webhooks has changed; no manifest has a slash in its id."""
PATIENCE_S: Final = 0.5
"""For attempts under way when somebody stops the deliveries; those that are cut short are made again."""
CHORES_EVERY_S: Final = 0.25
"""At most, while attempts are under way."""
RETRY_AFTER_S: Final = 1.0
"""Of a turn that failed: a full disk, a bug."""
AGAIN_S: Final = 0.02
"""Until another process has ended its turn with an endpoint: a transaction."""
POLL_S: Final = 1.0
"""Where several processes deliver: what another has written or freed is found without being told."""
AWAITED_POLL_S: Final = 0.05
"""The same while somebody waits for all of it to be done."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """An attempt that is to be recorded, and who waits for that."""

    sent: Sent
    recorded: asyncio.Future[Sent] | None


class Deliveries:
    """Delivers what is in the outbox. Lives on one event loop."""

    def __init__(
        self,
        store: Store,
        threads: Threads,
        changes: Changes,
        clock: MovableClock,
        sender: Sender,
        schedule: Schedule = CONTRACT_SCHEDULE,
        *,
        recorded: Callable[[str], None] = lambda trace_id: None,
    ) -> None:
        """`recorded` is told the trace id of each attempt that was written down."""
        self._store, self._threads, self._changes, self._clock = store, threads, changes, clock
        self._sender, self._schedule, self._tell_recorded = sender, schedule, recorded
        self._woken = asyncio.Event()
        self._turns = Turns()
        self._in_flight: Counter[int] = Counter()
        self._attempts: set[asyncio.Task[Sent]] = set()
        self._ended: list[_Ended] = []
        self._resends: list[tuple[Claimed, asyncio.Future[Sent]]] = []
        self._runner: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._chores_at_s = 0.0
        self._has_failed = False
        """The last turn; what it wrote may be there."""
        self._has_taken_over = False
        """What an earlier run had under way."""

    async def resume(self) -> None:
        """Deliver what is due, from now on; first what an earlier run had under way."""
        self._has_taken_over = False
        self._turns.is_stopped = False
        self._runner = asyncio.create_task(self._run())
        self.wake()

    async def stop(self, patience_s: float = PATIENCE_S) -> None:
        """Claim nothing more, give attempts under way a while, write down what came of them."""
        if self._runner is None:
            return
        self._turns.is_stopped = True
        await self._turns.tell()
        self.wake()
        await self._runner
        self._runner = None
        self._wake_after(None)
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=patience_s)
        for task in self._attempts:
            task.cancel()
        await asyncio.gather(*self._attempts, return_exceptions=True)
        await self._record_last()
        for _, recorded in self._resends:
            _refuse(recorded, DeliveriesStopped())
        self._resends.clear()
        self._in_flight.clear()

    def cut_off(self) -> None:
        """End attempts under way: what is claimed belongs to others from now on, who may begin at once."""
        for task in self._attempts:
            task.cancel()

    async def close(self) -> None:
        """End the connections to receivers."""
        await self._sender.close()

    def wake(self) -> None:
        """Look at once whether something is due: an event was written, or the clock was moved."""
        self._woken.set()

    async def settle(self) -> None:
        """Return when all that is due by now was attempted and recorded; DeliveriesStopped where nothing will be."""
        if self._changes.is_closed:
            raise DeliveriesStopped  # the clock would be moved for hours while the server is to stop
        begun = self._turns.begun
        self.wake()
        await self._turns.wait_until(lambda: self._turns.ended > begun and not self._turns.has_chores)
        now, last_no = self._clock.now(), await self._threads.read(self._store.deliveries.last_no)
        while True:
            ended = self._turns.ended
            if not await self._threads.read(self._store.deliveries.has_due, now=now, last_no=last_no):
                return
            await self._turns.wait_until(functools.partial(self._turns.has_ended_since, ended))

    async def next_due(self) -> float | None:
        """Return when something becomes due that is not due yet, by the server's clock; None where nothing will."""
        return await self._threads.read(self._store.deliveries.next_due, now=self._clock.now())

    async def resend(self, delivery_id: str) -> Sent | None:
        """Make one attempt beside the schedule, and return it once it is recorded; None where nobody is to be asked."""
        while True:
            now, real_now = self._clock.now(), time.time()
            claim = self._store.deliveries.claim_resend
            claimed = await self._threads.write(claim, delivery_id, now=now, real_now=real_now)
            if claimed is None:
                return None
            if not isinstance(claimed, NoRoom):
                break
            await self._changes.closed_within(AWAITED_POLL_S)
            if self._turns.is_stopped or self._changes.is_closed:
                raise DeliveriesStopped
        if self._turns.is_stopped:
            raise DeliveriesStopped
        recorded: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        self._resends.append((claimed, recorded))
        self.wake()
        return await recorded

    async def _record_last(self) -> None:
        ended, self._ended = self._ended, []
        try:
            sent, record = [one.sent for one in ended], self._store.deliveries.record
            await self._threads.write(record, sent, self._schedule, again=self._has_failed)
        except Exception:  # noqa: BLE001  (logged; those attempts are made again at the next start)
            SERVER_LOG.exception("deliveries cannot be written down")
        self._let_go(ended)

    async def _run(self) -> None:
        while not self._turns.is_stopped:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._turn()
            except WriteConflict:
                self.wake()
            except Exception as error:  # noqa: BLE001  (logged; nothing is lost, the next turn does the same again)
                is_away = isinstance(error, DatabaseUnreachable)
                SERVER_LOG.error(
                    "deliveries cannot be written down (%s), tried again in %s s",
                    type(error).__name__,
                    RETRY_AFTER_S,
                    exc_info=not is_away,
                )
                self._wake_after(RETRY_AFTER_S)
                self._turns.failed += 1
                await self._turns.tell()

    async def _turn(self) -> None:
        """Record, claim, send: see the top of the file."""
        if self._turns.is_stopped:
            return
        self._turns.begun += 1
        number = self._turns.begun
        if not self._has_taken_over:  # in a turn, which is taken again where the database is away
            await self._threads.write(self._store.deliveries.take_over, now=self._clock.now())
            self._has_taken_over = True
        self._start_resends()
        ended, self._ended = self._ended, []
        in_flight = self._in_flight - Counter(one.sent.claimed.endpoint_no for one in ended)
        with_chores = not in_flight or self._turns.is_awaited or self._are_chores_late()
        ask = Ask(in_flight, with_chores, now=self._clock.now(), real_now=time.time(), again=self._has_failed)
        try:
            sent = [one.sent for one in ended]
            turn = await self._threads.write(self._store.deliveries.turn, sent, self._schedule, ask)
        except Exception:
            self._ended, self._has_failed = ended + self._ended, True
            raise
        self._has_failed = False
        self._let_go(ended)
        for claimed in turn.claimed:
            self._start(claimed, None)
        if with_chores:
            self._chores_at_s = time.monotonic()
            self._turns.has_chores = turn.next_at is not None and turn.next_at <= ask.now
            self._wake_after(self._real_delay_s(turn.next_at))
        if turn.has_skipped:
            self._wake_after(AGAIN_S)
        self._turns.ended = number
        await self._turns.tell()
        if sent or turn.claimed or turn.has_done_chores:
            self._changes.announce(NEWS)

    def _start_resends(self) -> None:
        """Start resends whose endpoint has room, in order; the others wait for a later turn."""
        waiting, self._resends = self._resends, []
        for claimed, recorded in waiting:
            if self._in_flight[claimed.endpoint_no] >= IN_FLIGHT_PER_ENDPOINT:
                self._resends.append((claimed, recorded))
            else:
                self._start(claimed, recorded)

    def _start(self, claimed: Claimed, recorded: asyncio.Future[Sent] | None) -> None:
        self._in_flight[claimed.endpoint_no] += 1
        task = asyncio.create_task(self._sender.send(claimed))
        self._attempts.add(task)
        task.add_done_callback(functools.partial(self._end, claimed, recorded))

    def _end(self, claimed: Claimed, recorded: asyncio.Future[Sent] | None, task: asyncio.Task[Sent]) -> None:
        """Keep what came of an attempt. Not in the task itself: one that is cancelled may never have begun."""
        self._attempts.discard(task)
        error = DeliveriesStopped() if task.cancelled() else task.exception()
        if error is None:
            self._ended.append(_Ended(task.result(), recorded))
        else:
            if not task.cancelled():  # what is due is claimed again once its lease is over
                SERVER_LOG.error("an attempt has come to nothing (%s)", type(error).__name__, exc_info=error)
            # Make room for others: of this attempt nothing will be recorded.
            self._in_flight[claimed.endpoint_no] -= 1
            if recorded is not None:
                _refuse(recorded, error)
        self.wake()

    def _let_go(self, ended: Sequence[_Ended]) -> None:
        """Make room for others, and tell who waits: these attempts are recorded."""
        for one in ended:
            self._in_flight[one.sent.claimed.endpoint_no] -= 1
            self._tell_recorded(one.sent.claimed.trace_id)
            if one.recorded is not None and not one.recorded.done():  # whoever asked for it may have been cut short
                one.recorded.set_result(one.sent)

    def _are_chores_late(self) -> bool:
        return time.monotonic() - self._chores_at_s >= CHORES_EVERY_S

    def _real_delay_s(self, at: float | None) -> float | None:
        """Return in how many real seconds this time comes by itself, or others are to be looked at; None: never."""
        poll_s = None
        if self._store.is_shared:
            poll_s = AWAITED_POLL_S if self._turns.is_awaited else POLL_S
        if at is None:
            return poll_s
        left_s = max(0.0, at - self._clock.now())
        if self._clock.mode == "wall" or not left_s:
            return left_s if poll_s is None else min(left_s, poll_s)
        return poll_s

    def _wake_after(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self.wake)


def _refuse(recorded: asyncio.Future[Sent], error: BaseException) -> None:
    """Tell who waits for a resend that it is not recorded, unless whoever asked for it was cut short."""
    if not recorded.done():
        recorded.set_exception(error)

"""Dead letters -> a hub beyond this server: the table is the truth, and a hub gets each letter at least once.

One task beside the deliveries. It reads what waits from the table anew for every batch, so that what was redriven,
purged or forgotten meanwhile goes nowhere; sends; and then writes down what the hub has taken. Send first, record
second: a crash in between repeats letters and loses none. A hub that fails or hangs is asked again, ever more rarely.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from reinmaker_cli.errors import ReinmakerError
from reinmaker_cli.server.access_log import SERVER_LOG
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.clock import Clock
from reinmaker_cli.server.deliveries import NEWS
from reinmaker_cli.server.delivery_turns import DeliveriesStopped
from reinmaker_cli.server.routes.webhook_json import attempt_document, dead_letter_document
from reinmaker_cli.server.store import Store
from reinmaker_cli.server.store.webhook_records import StoredDeadLetter
from reinmaker_cli.server.threads import Threads

BATCH: Final = 10
"""Letters; what SQS takes at once."""
BATCH_BYTES: Final = 256 * 1024
"""Of all messages of a batch with their attributes: what SQS and Event Hubs take in every region and tier."""
LOOK_AGAIN_S: Final = 60.0
"""Without news: a letter that waits for its second chance is no news."""
LOOK_EVERY_S: Final = 0.25
"""At most, where nothing is left: under load there is news a hundred times a second."""


class HubFailed(Exception):
    """The hub did not say that it has the messages; the text says why and holds nothing that users sent."""


@dataclass(frozen=True, slots=True)
class Message:
    """A dead letter as a hub gets it."""

    letter: StoredDeadLetter = field(repr=False)
    text: str = field(repr=False)
    """JSON in ASCII, so that no hub can object to a character."""
    attributes: Mapping[str, str]

    @property
    def size_bytes(self) -> int:
        """Return what it counts for, its attributes and their type (`String`) included."""
        return len(self.text) + sum(len(name) + 6 + len(value.encode()) for name, value in self.attributes.items())

    @property
    def version(self) -> str:
        """Return another text for each time that the delivery was given up."""
        return f"{self.letter.delivery.delivery_id}.{self.letter.delivery.fence}"


@dataclass(frozen=True, slots=True)
class Put:
    """What became of a batch, by the places of its messages; one that is in neither is to be sent again."""

    taken: Collection[int]
    refused: Mapping[int, str] = field(default_factory=dict)
    """Those that the hub will never take as they are, and why."""


class Hub(Protocol):
    """Where dead letters go."""

    @property
    def name(self) -> str:
        """Return what `forwarded` says, without secrets."""
        ...

    def check(self) -> None:
        """Raise ReinmakerError where it is not fit for dead letters, HubFailed where nobody can tell now. Blocks."""
        ...

    async def put(self, messages: Sequence[Message]) -> Put:
        """Send a batch; HubFailed, or ReinmakerError as `check`."""
        ...

    async def close(self) -> None:
        """End the connections."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait for a hub, and how often to ask; real seconds."""

    time_limit_s: float = 20.0
    """For one batch, whatever the hub is doing."""
    first_retry_s: float = 1.0
    last_retry_s: float = 300.0
    refused_again_s: float = 3600.0
    """A letter that the hub refused: somebody may have changed the hub."""

    def retry_after_s(self, failures: int) -> float:
        """Return the pause after so many failures in a row: doubled each time."""
        return min(self.last_retry_s, self.first_retry_s * 2.0 ** min(failures - 1, 30))


class Others(Protocol):
    """The other processes on the same database."""

    def alone(self, name: str) -> AbstractAsyncContextManager[None]:
        """Be the only one that does this, in all processes."""
        ...


class Forwarder:
    """Takes dead letters to a hub. Lives on one event loop."""

    def __init__(
        self,
        store: Store,
        threads: Threads,
        changes: Changes,
        clock: Clock,
        hub: Hub,
        pace: Pace | None = None,
        others: Others | None = None,
    ) -> None:
        """`others` are processes that forward the same letters: one at a time does."""
        self._others = others
        self._store, self._threads, self._changes, self._clock = store, threads, changes, clock
        self._hub, self._pace = hub, pace or Pace()
        self._refused_until: dict[int, float] = {}
        """Delivery number -> when it gets another chance, on the monotonic clock."""
        self._is_sending = False
        self._is_stopped = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Forward what waits, from now on; first what an earlier run had not."""
        self._task = asyncio.create_task(self._run())

    async def stop(self, patience_s: float) -> None:
        """Begin no batch any more, and give one under way a while; cut short, it is sent again at the next start."""
        self._is_stopped = True
        if self._task is not None:
            if self._is_sending:
                await asyncio.wait({self._task}, timeout=patience_s)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._hub.close()

    async def _run(self) -> None:
        failures = 0
        while not self._is_stopped and not self._changes.is_closed:
            try:
                letters = await self._changes.wait_until(NEWS, self._waiting, bool, timeout_s=LOOK_AGAIN_S)
                async with self._alone():
                    # Another process may have sent them while this one waited for its turn.
                    letters = await self._waiting() if self._others is not None else letters
                    is_well = await self._forward(letters)
            except DeliveriesStopped:
                return
            except Exception:  # noqa: BLE001  (logged; nothing is lost, the same letters are read again)
                SERVER_LOG.exception("dead letters cannot be forwarded")
                letters, is_well = (), False
            failures = 0 if is_well else failures + 1
            if not is_well:
                await asyncio.sleep(self._pace.retry_after_s(failures))
            elif len(letters) < BATCH:
                await asyncio.sleep(LOOK_EVERY_S)

    def _alone(self) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._others is None else self._others.alone("forwarding")

    async def _waiting(self) -> tuple[StoredDeadLetter, ...]:
        now = time.monotonic()
        self._refused_until = {no: until for no, until in self._refused_until.items() if until > now}
        read = self._store.delivery_log.unforwarded
        return await self._threads.read(read, limit=BATCH, without=tuple(self._refused_until))

    async def _forward(self, letters: Sequence[StoredDeadLetter]) -> bool:
        """Send as many of these as one batch holds, and write it down; False where the hub is to be left alone."""
        messages = first_batch([message_of(letter) for letter in letters])
        if not messages:
            return True
        self._is_sending = True
        try:
            async with asyncio.timeout(self._pace.time_limit_s):
                put = await self._hub.put(messages)
            taken = [messages[place].letter for place in sorted(put.taken)]
            if taken:
                mark = self._store.dead_letters.mark_forwarded
                await self._threads.write(mark, taken, self._hub.name, now=self._clock.now())
                self._changes.announce(NEWS)
        except TimeoutError:
            return self._failed(f"no answer within {self._pace.time_limit_s:g} s")
        except (HubFailed, ReinmakerError) as error:
            return self._failed(str(error))
        finally:
            self._is_sending = False
        for place, reason in put.refused.items():
            self._refused(messages[place].letter, reason)
        left = len(messages) - len(put.taken) - len(put.refused)
        return not left or self._failed(f"{left} of {len(messages)} messages were not taken")

    def _failed(self, reason: str) -> bool:
        SERVER_LOG.warning("dead letters wait, %s did not take them: %s", self._hub.name, reason)
        return False

    def _refused(self, letter: StoredDeadLetter, reason: str) -> None:
        delivery = letter.delivery
        self._refused_until[delivery.no] = time.monotonic() + self._pace.refused_again_s
        SERVER_LOG.warning("%s refused dead letter %s: %s", self._hub.name, delivery.delivery_id, reason)


def message_of(letter: StoredDeadLetter) -> Message:
    """Return the message of a dead letter: as `dead-letters export` shows it, without the oldest attempts where they
    are too many for a hub (`historyOmitted` says how many).
    """
    delivery = letter.delivery
    attributes = {
        "deduplicationId": delivery.event_id,
        "deliveryId": delivery.delivery_id,
        "type": delivery.type,
        "traceId": delivery.trace_id,
    }
    history = [attempt_document(attempt) for attempt in delivery.attempts]
    document: dict[str, Any] = dead_letter_document(letter) | {"body": delivery.body, "history": history}
    del document["forwarded"]
    message = Message(letter, _json(document), attributes)
    while message.size_bytes > BATCH_BYTES and history:
        # Resends are without number; half of what is left each time, the newest stay.
        history = history[(len(history) + 1) // 2 :]
        document |= {"history": history, "historyOmitted": len(delivery.attempts) - len(history)}
        message = Message(letter, _json(document), attributes)
    return message


def first_batch(messages: Sequence[Message]) -> Sequence[Message]:
    """Return as many of the first messages as go together; at least one, where there is one."""
    size_bytes = 0
    for place, message in enumerate(messages):
        size_bytes += message.size_bytes
        if place == BATCH or (place and size_bytes > BATCH_BYTES):
            return messages[:place]
    return messages


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))

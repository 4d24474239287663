"""Events go in, one by one and however many; batches go out, each repeated until the server says that it has it.

There is no journal on this side: every event has an id, and the server counts one that it has as a duplicate. So after
a lost answer the batch is sent again, and after an interruption all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from reinmaker_cli.client.answers import RetryLater
from reinmaker_cli.client.api import Api, BatchTooLarge, Body
from reinmaker_cli.client.event_reader import ENVELOPE, EventText
from reinmaker_cli.client.patience import LOOKING_ATTEMPTS, Clockwork, Patience
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.contract.models import BatchTaken
from reinmaker_cli.contract.names import MAX_EVENTS, MAX_EVENTS_BYTES
from reinmaker_cli.errors import ContentInvalid, ServerUnreachable

MAX_ATTEMPTS: Final = 12  # about a minute: a server that is started anew is back by then


@dataclass(slots=True)
class Sent:
    """How far it went, true at any instant: whatever ends the sending, this is what the server has."""

    events: int = 0
    batches: int = 0
    accepted: int = 0
    """Events that were new to the server."""
    duplicates: int = 0
    repeated: int = 0
    """Batches that were sent again because an answer was lost."""
    limited_s: float = 0.0
    """Seconds spent waiting because the server asked for it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to go on with one batch, and with all of them."""

    timeout_s: float
    deadline_at: float | None = None
    """On the clock of `world`."""
    world: Clockwork | None = None
    on_limit: Callable[[float], None] = lambda _: None


def cut_into_batches(events: Iterable[EventText]) -> Iterator[list[EventText]]:
    """Yield batches as large as the contract allows: 500 events, 1 MiB."""
    batch: list[EventText] = []
    size = _size(batch)
    for event in events:
        if batch and (len(batch) == MAX_EVENTS or size + len(event.raw) + 1 > MAX_EVENTS_BYTES):
            yield batch
            batch = []
            size = _size(batch)
        batch.append(event)
        size += len(event.raw) + 1  # the comma
    if batch:
        yield batch


def send_events(
    api: Api,
    batches: Iterable[list[EventText]],
    sent: Sent,
    *,
    path: str,
    trace_id: str,
    pace: Pace,
    on_batch: Callable[[BatchTaken], None] = lambda _: None,
) -> None:
    """Send all batches, in order, and keep `sent` true; ContentInvalid, with lines, where the server refuses one.

    A batch that is too large for this server is halved, down to one event, and so is each later one of its size.
    """
    fitting = _Fitting(batches)
    for batch in fitting:
        try:
            taken = _send_batch(api, batch, sent, trace_id=trace_id, pace=pace)
        except BatchTooLarge as error:
            if len(batch) == 1:
                error.findings = (_too_large(batch[0], path),)
                raise
            fitting.halve(batch)
            continue
        except ContentInvalid as error:
            error.findings = tuple(_placed(finding, batch, path) for finding in error.findings)
            raise
        sent.events += len(batch)
        sent.batches += 1
        sent.accepted += taken.accepted
        sent.duplicates += taken.duplicates
        on_batch(taken)


class _Fitting:
    """Yields batches no larger than the server takes, as far as that is known by then."""

    def __init__(self, batches: Iterable[list[EventText]]) -> None:
        self._batches = batches
        self._first: list[list[EventText]] = []
        """What goes before the next of `batches`, in order."""
        self._most_bytes = MAX_EVENTS_BYTES

    def __iter__(self) -> Iterator[list[EventText]]:
        for batch in self._batches:
            self._first.append(batch)
            while self._first:
                part = self._first.pop(0)
                if len(part) > 1 and _size(part) > self._most_bytes:
                    middle = len(part) // 2
                    self._first[:0] = [part[:middle], part[middle:]]
                else:
                    yield part

    def halve(self, refused: list[EventText]) -> None:
        """Yield a batch that was too large again, in halves, and nothing of its size any more."""
        self._most_bytes = _size(refused) - 1
        self._first.insert(0, refused)


def _size(batch: list[EventText]) -> int:
    """Return the bytes of a batch, counting a comma before each event but the first."""
    return sum(map(len, ENVELOPE)) + sum(len(event.raw) + 1 for event in batch) - 1


def _too_large(event: EventText, path: str) -> Finding:
    found = codes.EVENT_INVALID.finding(f"{len(event.raw)} bytes, more than this server takes", path=path)
    return replace(found, line=event.line)


def _send_batch(api: Api, batch: list[EventText], sent: Sent, *, trace_id: str, pace: Pace) -> BatchTaken:
    body = Body.json(ENVELOPE[0] + b",".join(event.raw for event in batch) + ENVELOPE[1])
    # As long as the server never answered, it is more likely not there than away for a moment.
    patience = Patience(
        pace.timeout_s,
        deadline_at=pace.deadline_at,
        world=pace.world,
        max_attempts=MAX_ATTEMPTS if sent.batches else LOOKING_ATTEMPTS,
        on_limit=pace.on_limit,
    )
    attempt, limited_before = 1, sent.limited_s
    while True:
        try:
            return api.send_events(body, trace_id=trace_id, limit_s=patience.left_s())
        except RetryLater as error:
            patience.wait_as_asked(error)
            sent.limited_s = limited_before + patience.limited_s
        except ServerUnreachable as error:
            patience.back_off(attempt, error)
            attempt += 1
            sent.repeated += attempt == 2


def _placed(finding: Finding, batch: list[EventText], path: str) -> Finding:
    """Return a server's finding with the line of the event that it means."""
    parts = (finding.pointer or "").split("/")
    if len(parts) < 3 or parts[1] != "events" or not parts[2].isdecimal() or int(parts[2]) >= len(batch):
        return replace(finding, path=path)
    pointer = "".join(f"/{part}" for part in parts[3:])
    return replace(finding, path=path, line=batch[int(parts[2])].line, pointer=pointer)

"""The journal of the local server: what was asked of it, what came of that, and waiting for it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reinmaker_cli.client.local import LocalControl
from reinmaker_cli.contract.models import Wire
from reinmaker_cli.contract.names import MAX_PREFER_WAIT_S


class CausedSubmission(Wire):
    """A manifest that was submitted, and where it stands."""

    submission_id: str
    manifest_id: str
    version: str
    status: str


class CausedBatch(Wire):
    """Gameplay events that were taken."""

    batch_id: str
    events: int
    accepted: int


class CausedAttempt(Wire):
    """One POST to a receiver."""

    attempt: int
    kind: str
    status: int | None = None
    outcome: str
    duration_ms: float
    ended_at: str


class CausedDelivery(Wire):
    """A webhook for one receiver."""

    delivery_id: str
    endpoint_id: str
    status: str
    due_at: str | None = None
    dead_letter: str | None = None
    """Why it was given up."""
    attempts: tuple[CausedAttempt, ...] = ()


class CausedEvent(Wire):
    """An event in the outbox."""

    event_id: str
    type: str
    undelivered: str | None = None
    deliveries: tuple[CausedDelivery, ...] = ()


class Caused(Wire):
    """All that a request caused."""

    submissions: tuple[CausedSubmission, ...] = ()
    batches: tuple[CausedBatch, ...] = ()
    events: tuple[CausedEvent, ...] = ()


class JournalEntry(Wire):
    """One request that the server answered; or a mark, where its whole state was changed."""

    no: int
    revision: int
    time: str
    mark: str | None = None
    """What was done: `reset`, `restored NAME`. The members below then say nothing."""
    method: str = ""
    route: str = ""
    status: int | None = None
    ms: float = 0.0
    trace_id: str = ""
    client_id: str | None = None
    code: str | None = None
    caused: Caused = Caused()


class JournalPage(Wire):
    """Entries of the journal."""

    items: tuple[JournalEntry, ...]
    next: int
    """What `after` is to be for what comes after them."""
    first_no: int
    """The oldest request that the journal still has."""
    capacity: int


class WaitCondition(Wire):
    """One thing that is waited for."""

    name: str
    met: bool
    wanted: int | str | None = None
    found: int | str | None = None


class WaitStanding(Wire):
    """How all that is waited for stands."""

    met: bool
    conditions: tuple[WaitCondition, ...]
    requests: int
    delivered: int
    dead_letters: int
    cursor: str
    """What `since` is to be to count from here."""


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """Which requests are wanted."""

    trace_id: str | None = None
    client_id: str | None = None
    route: str | None = None
    status: str | None = None
    """One like `404`, or a class like `4xx`."""

    def query(self) -> dict[str, str]:
        """Return it as query parameters."""
        named = {"traceId": self.trace_id, "clientId": self.client_id, "route": self.route, "status": self.status}
        return {name: value for name, value in named.items() if value is not None}


def read_journal(control: LocalControl, wanted: JournalFilter, limit: int) -> JournalPage:
    """Return the last requests, oldest first."""
    return control.ask("GET", "/requests", query=wanted.query() | {"limit": str(limit)}).read(JournalPage)


def follow_journal(control: LocalControl, wanted: JournalFilter, limit: int) -> Iterator[JournalPage]:
    """Yield the last requests, then what comes and what becomes of it, for ever; an entry comes again with news."""
    page = read_journal(control, wanted, limit)
    while True:
        yield page
        query = wanted.query() | {"after": str(page.next)}
        answer = control.ask("GET", "/requests", query=query)
        while not (page := answer.read(JournalPage)).items:
            known = {"If-None-Match": answer.etag or ""}
            latest = control.ask("GET", "/requests", query=query, headers=known, wait_s=MAX_PREFER_WAIT_S)
            answer = answer if latest.status == 304 else latest


def wait_for(
    control: LocalControl,
    wanted: dict[str, str],
    *,
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> WaitStanding:
    """Return how it stands once all of it is so, or when time has run out. `wanted`: the query of `/_local/wait`."""
    ends_at = clock() + timeout_s
    while True:
        wait_s = max(0, min(MAX_PREFER_WAIT_S, math.ceil(ends_at - clock())))  # whole seconds, and never a busy loop
        standing = control.ask("GET", "/wait", query=wanted, wait_s=wait_s).read(WaitStanding)
        if standing.met or clock() >= ends_at:
            return standing

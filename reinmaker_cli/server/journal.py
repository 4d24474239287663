"""What was asked of the server lately: one entry per request, in memory, a bounded number of them.

An entry is made of fields that no user writes: a route's template and not its path, never a body, a query or a secret.
What a request caused is not kept here: it is read from the store by trace id when somebody asks (`store/effects.py`).
Lives on the event loop.
"""

from __future__ import annotations

import secrets
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from reinmaker_cli.contract.names import CONTROL_PATH
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.clock import Clock

CAPACITY: Final = 10_000
"""Entries, some 400 bytes each."""
TOUCHED_AT_ONCE: Final = 20
"""Requests of one trace id that hear of news: some callers send all they have under one."""
NEWS: Final = CONTROL_PATH + "/requests"
"""What is announced when there is something new; no manifest has a slash in its id."""

_READS: Final = ("GET", "HEAD", "OPTIONS")
_METHODS: Final = (*_READS, "POST", "PUT", "PATCH", "DELETE")
_CAUSE_NOTHING: Final = ("/oauth/token",)
PAGES: Final = frozenset({"/", "/inspector/{file}", "/docs", "/docs/{file}"})
"""Routes of what people look at in a browser: no requests to the API."""


@dataclass(slots=True)
class Entry:
    """One request that was answered, or the mark where another state was put into the database."""

    no: int
    """Counted from 1 since the start of the server."""
    revision: int
    """Grows over all entries, and again when there is news of what a request caused."""
    at: float
    """Unix seconds of the server's clock, at the end of the answer."""
    method: str
    route: str
    """Template of the route, `-` where there is none; for a mark what was done."""
    status: int
    """0 where no answer was begun; for a mark too."""
    ms: float
    trace_id: str
    client_id: str | None
    code: str | None
    """Of the problem that was answered."""
    is_mark: bool = False

    @property
    def may_have_caused(self) -> bool:
        """False for what only reads: another request of the same trace id has caused what there is."""
        return not self.is_mark and self.method not in _READS and self.route not in _CAUSE_NOTHING


@dataclass(frozen=True, slots=True)
class Page:
    """Entries that were found."""

    entries: Sequence[Entry]
    revision: int
    """Up to which the journal was looked at."""
    first_no: int
    """The oldest entry that is still there; the next one where there is none."""
    epoch: str


@dataclass(frozen=True, slots=True)
class Counted:
    """How many requests to the API there were in this epoch, and what there was before."""

    epoch: str
    requests: int
    delivered: int
    dead_letters: int


class Journal:
    """The last requests."""

    def __init__(self, clock: Clock, changes: Changes, capacity: int = CAPACITY) -> None:
        self._clock, self._changes, self.capacity = clock, changes, capacity
        self._entries: deque[Entry] = deque()
        self._causes: defaultdict[str, list[Entry]] = defaultdict(list)  # a deque takes 600 bytes, and most have one
        self._last_no = self._revision = 0
        self.epoch = secrets.token_hex(6)
        """Another one after each start, restore and reset."""
        self.requests = 0
        """To the API in this epoch: those to `/_local/` are not counted."""
        self._before = (0, 0)

    @property
    def revision(self) -> int:
        """Of the newest entry or news."""
        return self._revision

    @property
    def first_no(self) -> int:
        """The oldest entry that is still there; the next one where there is none."""
        return self._entries[0].no if self._entries else self._last_no + 1

    def add(
        self,
        *,
        method: str,
        route: str,
        status: int,
        seconds: float,
        trace_id: str,
        client_id: str | None,
        code: str | None,
    ) -> None:
        """Write a request down. What only reads the control API is left out: whoever follows would follow itself."""
        method = method if method in _METHODS else "OTHER"  # whoever asks may write anything there
        is_control = route.startswith(CONTROL_PATH + "/")
        if method in _READS and (is_control or route in PAGES):
            return
        if not is_control:
            self.requests += 1
        self._append(method, route, status, round(seconds * 1000, 1), trace_id, client_id, code)

    def mark(self, what: str, *, empty: bool = False) -> None:
        """Write down that the whole state was changed; an epoch begins, and with `empty` the journal is emptied."""
        if empty:
            self._entries.clear()
            self._causes.clear()
        self.epoch, self.requests = secrets.token_hex(6), 0
        self._append("-", what, 0, 0.0, "", None, None, is_mark=True)

    def touch(self, trace_id: str) -> None:
        """Say that there is news of what the requests with this trace id caused."""
        for entry in islice(reversed(self._causes.get(trace_id, ())), TOUCHED_AT_ONCE):
            entry.revision = self._next_revision()
        self._changes.wake(NEWS)

    def entries(self, matches: Callable[[Entry], bool], *, after: int | None, limit: int) -> list[Entry]:
        """Return the first entries with a later revision than `after`; without it, the last ones. In that order."""
        if after is None:
            found = sorted((entry for entry in self._entries if matches(entry)), key=lambda entry: entry.no)
            return found[-limit:]
        later = (entry for entry in self._entries if entry.revision > after and matches(entry))
        return sorted(later, key=lambda entry: entry.revision)[:limit]

    async def look(self, matches: Callable[[Entry], bool], *, after: int | None, limit: int) -> Page:
        """Return entries as `entries`, and how far that is."""
        found = self.entries(matches, after=after, limit=limit)
        is_whole = after is None or len(found) < limit
        return Page(found, self.revision if is_whole else found[-1].revision, self.first_no, self.epoch)

    async def begin(self, delivered: int, dead_letters: int) -> None:
        """Remember what there was when counting began."""
        self._before = (delivered, dead_letters)

    async def counted(self) -> Counted:
        """Return how much was asked, and what there was before."""
        return Counted(self.epoch, self.requests, *self._before)

    async def write(self) -> None:
        """Let others see what was seen here: nobody else looks."""

    async def close(self) -> None:
        """Let others see the last of it, and write nothing later."""

    def _append(
        self,
        method: str,
        route: str,
        status: int,
        ms: float,
        trace_id: str,
        client_id: str | None,
        code: str | None,
        *,
        is_mark: bool = False,
    ) -> None:
        self._last_no += 1
        revision, now = self._next_revision(), self._clock.now()
        entry = Entry(self._last_no, revision, now, method, route, status, ms, trace_id, client_id, code, is_mark)
        self._entries.append(entry)
        if entry.may_have_caused:
            self._causes[trace_id].append(entry)
        while len(self._entries) > self.capacity:
            self._drop_oldest()
        self._changes.wake(NEWS)

    def _drop_oldest(self) -> None:
        oldest = self._entries.popleft()
        if oldest.may_have_caused:
            mine = self._causes[oldest.trace_id]
            mine.pop(0)  # they are in the order of their numbers
            if not mine:
                del self._causes[oldest.trace_id]

    def _next_revision(self) -> int:
        self._revision += 1
        return self._revision

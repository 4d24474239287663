"""What a receiver knows of the deliveries that came: each one, the secrets they are held to, the ids seen before."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from reinmaker_cli.client.posting import Answered, NoAnswer
from reinmaker_cli.contract.signing import NotVerified, Verified

MAX_IDS: Final = 10_000
"""How many ids are remembered, the oldest forgotten first: a day of one event every nine seconds."""
MAX_ENDED: Final = 5


@dataclass(frozen=True, slots=True)
class Received:
    """One delivery and what was answered to it."""

    at_s: float
    """When its last byte came, Unix seconds."""
    verdict: Verified | NotVerified
    message_id: str | None
    attempt: int | None
    trace_id: str | None
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Names in lower case, in the order sent."""
    body: bytes = field(repr=False)
    status: int | None
    """What was answered; None: the connection was closed without an answer, on purpose."""
    took_s: float
    is_sender_gone: bool = False
    """It gave up before the answer, and so will try again."""
    times_seen: int = 0
    """How often this id had come before."""
    is_duplicate: bool = False
    """One of those was answered with 2xx: its event is dealt with."""
    forwarded: Answered | NoAnswer | None = None

    @property
    def is_verified(self) -> bool:
        """True where somebody with the secret sent it."""
        return isinstance(self.verdict, Verified)

    @property
    def is_news(self) -> bool:
        """True where it brought an event, and this receiver said yes to it for the first time."""
        return self.is_verified and not self.is_duplicate and self.status is not None and 200 <= self.status < 300

    @property
    def event(self) -> dict[str, Any]:
        """The event in it; empty where the body is no JSON object."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}


class Secrets:
    """The secrets of one endpoint, newest first. Safe to change while deliveries are verified."""

    def __init__(self, live: Sequence[bytes] = ()) -> None:
        self._lock = threading.Lock()
        self._live = tuple(live)
        self._ended: tuple[bytes, ...] = ()

    def add(self, secret: bytes) -> None:
        """Take a newer secret; those there are stay."""
        with self._lock:
            if secret not in self._live:
                self._live = (secret, *self._live)

    def keep(self, count: int) -> None:
        """End all but the newest `count` secrets; a signature of theirs is then named as what it is."""
        with self._lock:
            self._live, ended = self._live[:count], self._live[count:]
            self._ended = (*ended, *self._ended)[:MAX_ENDED]

    @property
    def live(self) -> tuple[bytes, ...]:
        """Those that verify."""
        with self._lock:
            return self._live

    @property
    def ended(self) -> tuple[bytes, ...]:
        """Those that did."""
        with self._lock:
            return self._ended


class SeenIds:
    """Which messages came before, in bounded memory."""

    def __init__(self, most: int = MAX_IDS) -> None:
        self._most = most
        self._seen: OrderedDict[str, tuple[int, bool]] = OrderedDict()

    def look(self, message_id: str) -> tuple[int, bool]:
        """Count one more arrival; return how often it had come before, and whether it was dealt with."""
        times, is_done = self._seen.pop(message_id, (0, False))
        self._seen[message_id] = (times + 1, is_done)
        while len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return times, is_done

    def done(self, message_id: str) -> None:
        """Remember that it was answered with 2xx."""
        times, _ = self._seen.get(message_id, (1, False))
        self._seen[message_id] = (times, True)

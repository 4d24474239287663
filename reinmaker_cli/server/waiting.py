"""What a test waits for: counts since some moment, nothing left to do, a version that is active."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from reinmaker_cli.contract.names import Status
from reinmaker_cli.server.clock import Clock
from reinmaker_cli.server.journal import Journal
from reinmaker_cli.server.store import Store
from reinmaker_cli.server.threads import Threads

_CURSOR: Final = re.compile(r"([0-9a-f]{12})\.([0-9]{1,15})\.([0-9]{1,15})\.([0-9]{1,15})")


class ForeignCursor(Exception):
    """The text is no cursor, or one from before the last start, restore or reset: what it counted is gone."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How much there was at one moment."""

    requests: int = 0
    delivered: int = 0
    dead_letters: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is waited for; all of it is to be so at once."""

    requests: int | None = None
    delivered: int | None = None
    dead_letters: int | None = None
    idle: bool = False
    active: str | None = None
    """A manifest that is to have an active version,"""
    version: str | None = None
    """and that it is to be this one."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is waited for, and how it stands."""

    name: str
    is_met: bool
    wanted: int | str | None
    found: int | str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How all of it stands."""

    conditions: tuple[Condition, ...]
    counted: Counted
    """Since the cursor."""
    cursor: str
    """Of now: what is counted from here."""

    @property
    def is_met(self) -> bool:
        """Whether nothing is missing."""
        return all(condition.is_met for condition in self.conditions)


class Counts:
    """Counts since the last start, restore or reset, and since any cursor after that."""

    def __init__(self, journal: Journal, store: Store, threads: Threads, clock: Clock) -> None:
        self._journal, self._store, self._threads, self._clock = journal, store, threads, clock
        self._steady = asyncio.Event()
        """Cleared while another state is put into the database, whose counts go with no cursor."""
        self._begun = 0

    async def begin(self) -> None:
        """Count from now: what the store has by now was there before."""
        await self._journal.begin(*await self._threads.read(self._store.effects.totals))
        self._begun += 1
        self.go_on()

    def pause(self) -> None:
        """Let nobody count before `begin`, or before `go_on` where the state stays as it is."""
        self._steady.clear()

    def go_on(self) -> None:
        """Let those count who waited for that."""
        self._steady.set()

    async def standing(self, wanted: Wanted, since: str | None) -> Standing:
        """Return how what is wanted stands, all of it in one state; ForeignCursor."""
        while True:
            await self._steady.wait()
            begun = self._begun
            standing = await self._standing(wanted, since)
            if self._steady.is_set() and begun == self._begun:
                return standing

    async def _standing(self, wanted: Wanted, since: str | None) -> Standing:
        now = await self._journal.counted()
        epoch, requests = now.epoch, now.requests
        first = Counted(0, now.delivered, now.dead_letters) if since is None else _read_cursor(since, epoch)
        delivered, dead = await self._threads.read(self._store.effects.totals)
        counted = Counted(
            requests - first.requests, max(0, delivered - first.delivered), max(0, dead - first.dead_letters)
        )
        conditions = [*_counts(wanted, counted)]
        if wanted.idle:
            conditions.append(await self._idle())
        if wanted.active is not None:
            conditions.append(await self._active(wanted.active, wanted.version))
        return Standing(tuple(conditions), counted, f"{epoch}.{requests}.{delivered}.{dead}")

    async def _idle(self) -> Condition:
        """Return whether nothing waits for a verdict, and no webhook is due."""
        open_ = len(await self._threads.read(self._store.submissions.open))
        due = await self._threads.read(self._store.effects.due, now=self._clock.now())
        left = [f"{open_} without a verdict"] * bool(open_) + [f"{due} webhooks due"] * bool(due)
        return Condition("idle", not left, None, ", ".join(left) or None)

    async def _active(self, manifest_id: str, version: str | None) -> Condition:
        found = await self._threads.read(self._store.submissions.find, manifest_id, version)
        name = f"active {manifest_id}" + (f" {version}" if version else "")
        if found is None:
            return Condition(name, False, Status.ACTIVE, None)
        active = found.active.version if found.active else None
        is_met = active is not None and version in (None, active)
        return Condition(name, is_met, Status.ACTIVE, Status.ACTIVE if is_met else found.status)


def _read_cursor(text: str, epoch: str) -> Counted:
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise ForeignCursor("since is no cursor of `local wait`")
    if match[1] != epoch:
        raise ForeignCursor("since is from before the last start, restore or reset; take a new one")
    return Counted(int(match[2]), int(match[3]), int(match[4]))


def _counts(wanted: Wanted, counted: Counted) -> Iterator[Condition]:
    pairs: tuple[tuple[str, Any, int], ...] = (
        ("requests", wanted.requests, counted.requests),
        ("delivered", wanted.delivered, counted.delivered),
        ("deadLetters", wanted.dead_letters, counted.dead_letters),
    )
    for name, number, found in pairs:
        if number is not None:
            yield Condition(name, found >= number, number, found)

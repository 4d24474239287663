"""Failures on request: rules that say which requests and deliveries are struck, how, how often and until when.

The rules are in memory. Where several processes answer, each has all of them (`fault_keeping.py`), and the database
counts for all (`SharedCounts`), so a fault strikes as often as it may whoever is asked. None survives the last process.
Each ends by itself, on the server's clock, and `/_local/` is never struck, so that no fault can keep its own end from
being asked for.
"""

from __future__ import annotations

import random
import re
import secrets
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from reinmaker_cli.contract.faults import FaultKind
from reinmaker_cli.server.clock import Clock

DeliveryFault = Literal["dns", "tls", "timeout"]

MOST_FAULTS: Final = 100
"""At a time; each costs every request a look."""

_DELIVERY_FAULTS: Final[dict[FaultKind, DeliveryFault]] = {
    FaultKind.DNS: "dns",
    FaultKind.TLS: "tls",
    FaultKind.TIMEOUT: "timeout",
}
_WILD = re.compile(r"\{[^{}/]*\}|\*")


class TooManyFaults(Exception):
    """There are as many faults as there may be."""


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests or deliveries a fault strikes; what is None strikes all."""

    method: str | None = None
    path: str | None = None
    """`{name}` stands for one segment, `*` for any text."""
    operation: str | None = None
    """What `method` and `path` were taken from."""
    client_id: str | None = None
    url: str | None = None
    """Of a delivery; `*` as in `path`."""
    event_type: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault as it was asked for."""

    kind: FaultKind
    match: Match = Match()
    times: int | None = 1
    """How often it strikes; None: whenever it matches, until its end."""
    probability: float = 1.0
    """Of striking what matches, above 0, at most 1."""
    seed: int = 0
    """With the same seed and the same sequence of matching requests, the same ones are struck."""
    lifetime_s: float = 300.0
    status: int = 500
    delay_s: float = 0.0
    retry_after_s: int | None = None
    skew_s: int = 0


@dataclass(frozen=True, slots=True)
class FaultState:
    """A fault as it is now."""

    fault_id: str
    rule: Rule
    hits: int
    created_at: float
    ends_at: float

    @property
    def left(self) -> int | None:
        """How often it will strike yet; None: no number ends it."""
        return None if self.rule.times is None else self.rule.times - self.hits


@dataclass(frozen=True, slots=True)
class Asked:
    """What a fault is matched with of a request."""

    method: str
    path: str
    client_id: str | None


@dataclass(slots=True)
class _Fault:
    fault_id: str
    rule: Rule
    created_at: float
    random: random.Random
    path: re.Pattern[str] | None
    url: re.Pattern[str] | None
    hits: int = 0
    draws: int = 0

    @property
    def ends_at(self) -> float:
        return self.created_at + self.rule.lifetime_s

    @property
    def is_spent(self) -> bool:
        return self.rule.times is not None and self.hits >= self.rule.times

    def matches(self, asked: Asked) -> bool:
        match = self.rule.match
        return (
            (match.method is None or match.method == asked.method)
            and (self.path is None or self.path.fullmatch(asked.path) is not None)
            and (match.client_id is None or match.client_id == asked.client_id)
        )

    def matches_delivery(self, url: str, event_type: str) -> bool:
        wanted = self.rule.match.event_type
        return (wanted is None or wanted == event_type) and (self.url is None or self.url.fullmatch(url) is not None)

    def strikes(self) -> bool:
        """Count a hit, unless chance spares what matched."""
        # Not drawn where it decides nothing: the sequence of draws is that of the matching requests.
        if self.rule.probability < 1.0 and self.is_spared(self.draws + 1):
            return False
        self.hits += 1
        return True

    def is_spared(self, draw: int) -> bool:
        """Return whether chance spares what matched as the so-manieth, counted from 1."""
        if draw <= self.draws:
            self.random, self.draws = random.Random(self.rule.seed), 0  # nosec B311
        value = 1.0
        while self.draws < draw:
            value, self.draws = self.random.random(), self.draws + 1
        return value >= self.rule.probability

    def state(self) -> FaultState:
        return FaultState(self.fault_id, self.rule, self.hits, self.created_at, self.ends_at)


class SharedCounts(Protocol):
    """What decides, among several processes, whether a fault strikes."""

    async def draw(self, fault_id: str) -> int | None:
        """Return the number of this draw, counted from 1; None where the fault has ended."""
        ...

    async def hit(self, fault_id: str, times: int | None) -> bool:
        """Count a hit; False where it has struck as often as it may."""
        ...


@dataclass(slots=True)
class Faults:
    """The faults as one process has them. May be asked from any thread."""

    clock: Clock
    seeds: random.Random = field(default_factory=random.SystemRandom)
    """Where a fault's seed is drawn from, where none was given."""
    counts: SharedCounts | None = None
    """Counts hits for all processes, where there are several."""
    is_quiet: bool = True
    """True: nothing can be struck now. What every request looks at, and all that most ever do."""
    _faults: dict[str, _Fault] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, rule: Rule) -> FaultState:
        """Make a fault; TooManyFaults where there are enough."""
        made = _made("flt_" + secrets.token_hex(6), rule, self.clock.now())
        with self._lock:
            self._drop_ended()
            if len(self._faults) >= MOST_FAULTS:
                raise TooManyFaults
            self._faults[made.fault_id] = made
            self._see_if_quiet()
        return made.state()

    def all(self) -> list[FaultState]:
        """Return the faults that have not ended, oldest first; also those that have struck as often as they may."""
        with self._lock:
            self._drop_ended()
            return [fault.state() for fault in self._faults.values()]

    def remove(self, fault_id: str) -> bool:
        """End a fault; False where there is none of that id."""
        with self._lock:
            self._drop_ended()
            removed = self._faults.pop(fault_id, None)
            self._see_if_quiet()
        return removed is not None

    def clear(self) -> int:
        """End all faults; returns how many there were."""
        with self._lock:
            self._drop_ended()
            count = len(self._faults)
            self._faults.clear()
            self._see_if_quiet()
        return count

    def replace(self, found: Iterable[FaultState]) -> None:
        """Take these for all there are: other processes have them too."""
        with self._lock:
            self._faults = {one.fault_id: _made(one.fault_id, one.rule, one.created_at, one.hits) for one in found}
            self._see_if_quiet()

    async def struck(self, kinds: Collection[FaultKind], asked: Asked) -> Rule | None:
        """Return as `strike`, where other processes count hits too."""
        if self.is_quiet or self.counts is None:
            return self.strike(kinds, asked)
        return await self._struck(self.counts, lambda fault: fault.rule.kind in kinds and fault.matches(asked))

    async def struck_delivery(self, url: str, event_type: str) -> DeliveryFault | None:
        """Return as `delivery`, where other processes count hits too."""
        if self.is_quiet or self.counts is None:
            return self.delivery(url, event_type)

        def fits(fault: _Fault) -> bool:
            return fault.rule.kind in _DELIVERY_FAULTS and fault.matches_delivery(url, event_type)

        rule = await self._struck(self.counts, fits)
        return None if rule is None else _DELIVERY_FAULTS[rule.kind]

    async def _struck(self, counts: SharedCounts, fits: Callable[[_Fault], bool]) -> Rule | None:
        with self._lock:
            self._drop_ended()
            fitting = [fault for fault in self._faults.values() if not fault.is_spent and fits(fault)]
        for fault in fitting:
            if fault.rule.probability < 1.0:
                draw = await counts.draw(fault.fault_id)
                if draw is None or fault.is_spared(draw):
                    continue
            if await counts.hit(fault.fault_id, fault.rule.times):
                return fault.rule
            fault.hits = fault.rule.times or 0
            with self._lock:
                self._see_if_quiet()
        return None

    def strike(self, kinds: Collection[FaultKind], asked: Asked) -> Rule | None:
        """Return the oldest fault of these kinds that strikes this request, and count its hit; None: none does."""
        if self.is_quiet:
            return None
        with self._lock:
            self._drop_ended()
            for fault in self._faults.values():
                if fault.rule.kind in kinds and not fault.is_spent and fault.matches(asked) and fault.strikes():
                    self._see_if_quiet()
                    return fault.rule
        return None

    def delivery(self, url: str, event_type: str) -> DeliveryFault | None:
        """Return what is to go wrong with one attempt to deliver an event, and count its hit; None: nothing."""
        if self.is_quiet:
            return None
        with self._lock:
            self._drop_ended()
            for fault in self._faults.values():
                what = _DELIVERY_FAULTS.get(fault.rule.kind)
                if what and not fault.is_spent and fault.matches_delivery(url, event_type) and fault.strikes():
                    self._see_if_quiet()
                    return what
        return None

    def _drop_ended(self) -> None:
        now = self.clock.now()
        for fault_id in [one.fault_id for one in self._faults.values() if one.ends_at <= now]:
            del self._faults[fault_id]
        self._see_if_quiet()

    def _see_if_quiet(self) -> None:
        self.is_quiet = all(fault.is_spent for fault in self._faults.values())


def _made(fault_id: str, rule: Rule, created_at: float, hits: int = 0) -> _Fault:
    return _Fault(
        fault_id=fault_id,
        rule=rule,
        created_at=created_at,
        random=random.Random(rule.seed),  # nosec B311  # chance that can be repeated
        path=_pattern(rule.match.path),
        url=_pattern(rule.match.url),
        hits=hits,
    )


def _pattern(text: str | None) -> re.Pattern[str] | None:
    """Return what matches the text, where `{name}` is one segment of a path and `*` is anything."""
    if text is None:
        return None
    parts, place = [], 0
    for wild in _WILD.finditer(text):
        parts += [re.escape(text[place : wild.start()]), ".*" if wild[0] == "*" else "[^/]+"]
        place = wild.end()
    return re.compile("".join(parts) + re.escape(text[place:]), re.DOTALL)

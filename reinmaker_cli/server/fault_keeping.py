"""Faults as they are asked for, listed and ended: in memory, and where several processes answer, in all of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from reinmaker_cli.contract.faults import FaultKind
from reinmaker_cli.server.faults import Faults, FaultState, Match, Rule
from reinmaker_cli.server.threads import Threads

if TYPE_CHECKING:
    from reinmaker_cli.server.store.shared_faults import SharedFaults, StoredFault


class FaultKeeping:
    """What the control API asks for; and what decides whether a fault strikes, where others could say so too."""

    def __init__(
        self, faults: Faults, kept: SharedFaults | None, threads: Threads, tell: Callable[[], Awaitable[None]]
    ) -> None:
        """`tell` returns when other processes have the same faults."""
        self._faults, self._kept, self._threads, self._tell = faults, kept, threads, tell
        self._reloading = asyncio.Lock()
        faults.counts = None if kept is None else self

    async def all(self) -> list[FaultState]:
        """Return the faults that have not ended, oldest first."""
        await self.reload()
        return self._faults.all()

    async def add(self, rule: Rule) -> FaultState:
        """Make a fault; TooManyFaults."""
        await self.reload()
        made = self._faults.add(rule)
        if self._kept is not None:
            from reinmaker_cli.server.store.shared_faults import StoredFault

            stored = StoredFault(made.fault_id, json.dumps(asdict(rule)), made.created_at, 0)
            await self._threads.write(self._kept.add, stored)
            await self._tell()
        return made

    async def end(self, fault_id: str | None = None) -> int:
        """End one fault, or all; return how many there were."""
        await self.reload()
        ended = [one.fault_id for one in self._faults.all() if fault_id in (None, one.fault_id)]
        for one in ended:
            self._faults.remove(one)
        if self._kept is not None:
            await self._threads.write(self._kept.remove, ended)
            await self._tell()
        return len(ended)

    async def reload(self) -> None:
        """Take over what other processes have made and ended."""
        if self._kept is not None:
            async with self._reloading:  # what was read first must not be taken over last
                found = await self._threads.read(self._kept.all)
                self._faults.replace([_state(one) for one in found])

    async def draw(self, fault_id: str) -> int | None:
        """Return the number of this draw, counted from 1; None where the fault has ended."""
        assert self._kept is not None
        return await self._threads.read(self._kept.draw, fault_id)

    async def hit(self, fault_id: str, times: int | None) -> bool:
        """Count a hit; False where it has struck as often as it may."""
        assert self._kept is not None
        return await self._threads.read(self._kept.hit, fault_id, times)


def _state(stored: StoredFault) -> FaultState:
    said = json.loads(stored.rule)
    rule = Rule(**{**said, "kind": FaultKind(said["kind"]), "match": Match(**said["match"])})
    return FaultState(stored.fault_id, rule, stored.hits, stored.created_at, stored.created_at + rule.lifetime_s)

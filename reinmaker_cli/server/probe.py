"""What /v1/health tells of the database, asked in the background, so that its answer never waits for a disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from reinmaker_cli.server.access_log import SERVER_LOG
from reinmaker_cli.server.reads import Reads, Unknown
from reinmaker_cli.server.store.delivery_log import OutboxState
from reinmaker_cli.server.threads import Threads

FRESH_FOR_S = 1.0
PATIENCE_S = 0.05  # of one answer; monitoring wants to know soon rather than exactly
SLOW_AFTER_S = 10.0


@dataclass(frozen=True, slots=True)
class Probed:
    """The last result of the probe."""

    status: Literal["ok", "slow", "failing"]
    write_ms: float
    """How long the write took, or has been taking so far, in real milliseconds."""


class WriteProbe:
    """Writes at most once a second, and only when somebody asks."""

    def __init__(self, threads: Threads, write: Callable[[], None]) -> None:
        self._threads = threads
        self._write = write
        self._last = Probed("ok", 0.0)
        self._last_at = -FRESH_FOR_S
        self._started_at = 0.0
        self._running: asyncio.Task[None] | None = None

    async def look(self) -> Probed:
        """Return the newest result, at most a second old or on its way, within 50 ms."""
        if self._running is None and time.monotonic() - self._last_at >= FRESH_FOR_S:
            self._running = asyncio.create_task(self._probe())
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=PATIENCE_S)
        if self._running is not None and (taking_s := time.monotonic() - self._started_at) > SLOW_AFTER_S:
            return Probed("slow", round(taking_s * 1000, 1))
        return self._last

    async def _probe(self) -> None:
        self._started_at = time.monotonic()
        try:
            await self._threads.write(self._write)
            status: Literal["ok", "failing"] = "ok"
        except Exception:  # noqa: BLE001  (whatever it is, the probe says failing and the log says why)
            SERVER_LOG.exception("the database cannot be written")
            status = "failing"
        self._last_at = time.monotonic()
        self._last = Probed(status, round((self._last_at - self._started_at) * 1000, 1))
        self._running = None


class OutboxWatch:
    """Looks at the outbox when somebody asks, once at a time."""

    def __init__(self, reads: Reads, read: Callable[[], OutboxState]) -> None:
        self._reads = reads
        self._read = read
        self._last: OutboxState | None = None
        self._running: asyncio.Task[None] | None = None

    async def look(self) -> OutboxState | None:
        """Return the outbox as it is now, or as it was when it could last be read, within 50 ms; None before that."""
        known = self._reads.known(self._read)
        if not isinstance(known, Unknown):
            return known
        if self._running is None:
            self._running = asyncio.create_task(self._look())
        await asyncio.wait({self._running}, timeout=PATIENCE_S)
        return self._last

    async def _look(self) -> None:
        try:
            self._last = await self._reads.read(self._read)
        except Exception:  # noqa: BLE001  (the write probe says failing, and the log says why)
            SERVER_LOG.exception("the outbox cannot be read")
        finally:
            self._running = None

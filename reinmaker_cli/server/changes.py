"""Who waits for news of a manifest, and how they are woken."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from reinmaker_cli.server.answering import in_a_task

T = TypeVar("T")


class Changes:
    """Wakes those who wait for a manifest to change. Lives on one event loop; may be told from any thread.

    Where other processes change what is waited for, they are told of what happens here, and `poll_s` finds what nobody
    told of.
    """

    def __init__(self, tell: Callable[[str], None] | None = None, poll_s: float | None = None) -> None:
        self._tell, self._poll_s = tell, poll_s
        self._loop = asyncio.get_running_loop()
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._closed = asyncio.Event()

    def announce(self, manifest_id: str) -> None:
        """Wake all who wait for this manifest; the change must be readable by now."""
        self._loop.call_soon_threadsafe(self.wake, manifest_id)
        if self._tell is not None:
            self._tell(manifest_id)

    def announce_all(self) -> None:
        """Wake all who wait for anything: another state was put into the database."""
        for manifest_id in list(self._waiting):
            self.wake(manifest_id)

    def close(self) -> None:
        """End all waits, now and from now on: the server is stopping. Nothing happens where it has stopped."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._close)

    @property
    def is_closed(self) -> bool:
        """True from when on the server is stopping."""
        return self._closed.is_set()

    async def closed_within(self, seconds: float) -> None:
        """Return at the end of all waits, or after so many seconds."""
        await in_a_task()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), seconds)

    async def wait_until(
        self, manifest_id: str, read: Callable[[], Awaitable[T]], enough: Callable[[T], bool], *, timeout_s: float
    ) -> T:
        """Return what `read` gives, as soon as it is `enough`, or after `timeout_s` of real time, or at the end."""
        return await self.wait_for_any((manifest_id,), read, enough, timeout_s=timeout_s)

    async def wait_for_any(
        self, topics: Sequence[str], read: Callable[[], Awaitable[T]], enough: Callable[[T], bool], *, timeout_s: float
    ) -> T:
        """Return as `wait_until`, woken by news of any of these.

        The event is set up before the first read, so that no change between reading and waiting is lost.
        """
        await in_a_task()
        woken = asyncio.Event()
        for topic in topics:
            self._waiting[topic].add(woken)
        ends_at = self._loop.time() + timeout_s
        try:
            while True:
                woken.clear()
                value = await read()
                left_s = ends_at - self._loop.time()
                if enough(value) or left_s <= 0 or self._closed.is_set():
                    return value
                with contextlib.suppress(TimeoutError):  # then it is read once more
                    await asyncio.wait_for(woken.wait(), left_s if self._poll_s is None else min(left_s, self._poll_s))
        finally:
            for topic in topics:
                self._waiting[topic].discard(woken)
                if not self._waiting[topic]:
                    del self._waiting[topic]

    def wake(self, manifest_id: str) -> None:
        """Wake them from the event loop: as `announce`, but nearly free where nobody waits."""
        for event in self._waiting.get(manifest_id, ()):
            event.set()

    def is_awaited(self, manifest_id: str) -> bool:
        """Return whether somebody waits for news of this manifest, here and now."""
        return manifest_id in self._waiting

    def _close(self) -> None:
        self._closed.set()
        for manifest_id in list(self._waiting):
            self.wake(manifest_id)

"""Other processes on the same database: what is told to them, what they tell, and what follows from it here.

Where a server has its database for itself there is no `Peers`. What is in memory (the clock, limits of clients, keys,
faults) is loaded anew when another process has changed it; whoever changes it waits until all others have followed, so
that the next request sees it whichever process answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from reinmaker_cli.server.access_log import SERVER_LOG
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.deliveries import NEWS
from reinmaker_cli.server.delivery_turns import DeliveriesStopped
from reinmaker_cli.server.store.database import DatabaseUnreachable, WriteConflict
from reinmaker_cli.server.store.session import FOLLOW_WITHIN_S, Session
from reinmaker_cli.server.threads import READERS, Threads

AGAIN_S: Final = 0.05
"""Between two looks whether another process has ended what only one may do."""
GATHER_S: Final = 0.005
"""News of so long goes out together: each is a transaction."""


class Peers:
    """The link between a session and the event loop. Lives on the loop; `tell` may be called from any thread."""

    def __init__(self, session: Session, threads: Threads) -> None:
        self._session, self._threads = session, threads
        self._loop = asyncio.get_running_loop()
        # Whoever waits for others keeps a reader from them: with all four, two processes would wait for each other.
        self._waits = asyncio.Semaphore(READERS // 2)
        self._news: dict[str, None] = {}
        self._telling: asyncio.Task[None] | None = None
        self._taking_up: asyncio.Task[None] | None = None
        self._reloading = asyncio.Lock()
        self._is_closed = False

    def begin(
        self,
        changes: Changes,
        *,
        reload: Callable[[], Coroutine[Any, Any, None]],
        take_up: Callable[[], Awaitable[None]],
        deliver: Callable[[], None],
        cut_off: Callable[[], None],
    ) -> None:
        """Listen: `reload` what is in memory, `take_up` and `deliver` what others left, `cut_off` what is claimed."""
        self._changes, self._take_up, self._deliver = changes, take_up, deliver

        async def reload_in_order() -> None:
            async with self._reloading:  # what was read first must not be taken over last
                await reload()

        def run_reload() -> None:
            done = asyncio.run_coroutine_threadsafe(reload_in_order(), self._loop)
            with contextlib.suppress(TimeoutError):  # the loop is held up: nobody waits for it longer than this
                done.result(FOLLOW_WITHIN_S)

        self._session.run(
            hear=lambda topics: self._call(self._hear, topics), reload=run_reload, lose=lambda: self._call(cut_off)
        )

    def tell(self, topic: str) -> None:
        """Tell the others that there is news."""
        self._call(self._gather, topic)

    async def tell_state(self) -> None:
        """Tell the others that what they have in memory has changed, and return when they have followed."""
        generation = await self._threads.write(self._session.tell_state)
        async with self._waits:
            await self._threads.read(self._session.wait_for, generation)

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[None]:
        """Be the only one that does this, in all processes, until the block is left; DeliveriesStopped at a stop."""
        while (held := await self._threads.read(self._session.hold, name)) is None:
            if self._changes.is_closed:
                raise DeliveriesStopped
            await self._changes.closed_within(AGAIN_S)
        try:
            yield
        finally:
            await self._threads.read(held.close)

    async def close(self) -> None:
        """Leave the others; what this process has claimed is theirs. In a thread: the session may be reloading."""
        self._is_closed = True
        await asyncio.get_running_loop().run_in_executor(None, self._session.close)
        under_way = [task for task in (self._telling, self._taking_up) if task is not None]
        await asyncio.gather(*under_way, return_exceptions=True)

    def _call(self, function: Callable[..., object], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(function, *args)

    def _gather(self, topic: str) -> None:
        if self._is_closed:
            return
        self._news[topic] = None
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        await asyncio.sleep(GATHER_S)
        try:
            while self._news:
                news, self._news = self._news, {}
                await self._threads.read(self._session.tell, list(news))
        except (DatabaseUnreachable, WriteConflict):
            SERVER_LOG.info("news could not be told to other processes: they find it by polling")

    def _hear(self, topics: Collection[str]) -> None:
        for topic in topics:
            if topic == "*":
                self._changes.announce_all()
            else:
                self._changes.wake(topic)
        if not topics or "*" in topics:
            # Not at each news: whoever writes an event or frees a place delivers; all would wake each other for ever.
            self._deliver()
        if set(topics) == {NEWS}:
            return
        if not self._is_closed and (self._taking_up is None or self._taking_up.done()):
            self._taking_up = asyncio.create_task(self._poll())

    async def _poll(self) -> None:
        with contextlib.suppress(DatabaseUnreachable):  # the next poll is due in a second
            await self._take_up()

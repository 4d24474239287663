"""A small HTTP/1.1 server on this machine, in a thread of its own: each request goes to one function.

On asyncio and h11 (`exchange.py`): to close a connection without an answer is what no framework lets one do.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from reinmaker_cli.client.exchange import Connection, Reply, Request
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError

HOST: Final = "127.0.0.1"  # never wider: what is received and forwarded here is nobody else's business

Receive = Callable[[Request], Awaitable[Reply | None]]
"""Request -> reply; None closes the connection without one."""


async def _nothing() -> None:
    """Have nothing to close."""


@contextmanager
def answering(receive: Receive, *, port: int = 0, close: Callable[[], Awaitable[None]] = _nothing) -> Iterator[str]:
    """Yield the URL of a server that answers until the block is left; what is in flight then is cut off.

    `close` is awaited at the end, on the same event loop. Port 0 takes a free one; UsageError where one is taken.
    """
    server = _Server(receive, close)
    thread = threading.Thread(target=server.run, args=(port,), name="webhook receiver", daemon=True)
    thread.start()
    server.is_decided.wait()
    try:
        if server.url:
            yield server.url
    finally:
        server.end()
        thread.join()
    if server.failure is not None:
        raise server.failure


class _Server:
    """The server and the event loop of its thread."""

    def __init__(self, receive: Receive, close: Callable[[], Awaitable[None]]) -> None:
        self._receive, self._close = receive, close
        self._loop = asyncio.new_event_loop()
        self._is_over = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self.is_decided = threading.Event()
        """Set once it listens, or cannot."""
        self.url = ""
        self.failure: BaseException | None = None

    def run(self, port: int) -> None:
        """Serve until `end`."""
        try:
            self._loop.run_until_complete(self._serve(port))
        except BaseException as error:  # noqa: BLE001  (raised in the thread that asked for the server)
            self.failure = error
        finally:
            self._loop.close()
            self.is_decided.set()

    def end(self) -> None:
        """Have `run` return; from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._is_over.set)

    async def _serve(self, port: int) -> None:
        try:
            await self._listen_until_over(port)
        finally:
            await self._close()

    async def _listen_until_over(self, port: int) -> None:
        try:
            server = await asyncio.start_server(self._connected, HOST, port)
        except OSError as error:
            raise UsageError(
                f"port cannot be listened on: `{port}`",
                code=codes.PORT_TAKEN,
                hint="leave out --port, and a free one is taken",
            ) from error
        self.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/"
        self.is_decided.set()
        await self._is_over.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await Connection(reader, writer).serve(self._receive)
        except asyncio.CancelledError:  # at the end; asyncio would write its traceback to stderr
            return
        finally:
            self._connections.discard(task)

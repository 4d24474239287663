"""One connection of the webhook receiver: bytes -> requests, replies -> bytes, within limits. HTTP/1.1 by h11."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import h11

MAX_BODY_BYTES: Final = 1024 * 1024  # far above any event of the contract
MAX_HEAD_BYTES: Final = 64 * 1024
REQUEST_LIMIT_S: Final = 10.0  # for a whole request, so that one that drips ends
IDLE_LIMIT_S: Final = 75.0  # between two requests
_PIECE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request, read whole."""

    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in the order sent."""
    body: bytes = field(repr=False)
    is_sender_gone: Callable[[], bool] = field(repr=False)
    """Whether the sender has closed the connection by now: nobody will read the reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class _Refused(Exception):
    """A request that is no delivery; carries the reply to it."""

    def __init__(self, status: int, said: str, **headers: str) -> None:
        super().__init__(said)
        self.reply = Reply(status, {"content-type": "text/plain", **headers}, f"{said}\n".encode())


class Connection:
    """Serves one connection until either side closes it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)

    async def serve(self, receive: Callable[[Request], Awaitable[Reply | None]]) -> None:
        """Answer every request with what `receive` says; where that is None, close without an answer."""
        try:
            while await self._serve_one(receive):
                self._http.start_next_cycle()
        except (ConnectionError, TimeoutError):
            self._writer.transport.abort()  # the sender has gone, or never says the rest
        finally:
            self._writer.close()

    async def _serve_one(self, receive: Callable[[Request], Awaitable[Reply | None]]) -> bool:
        """Serve one request; return whether another may follow."""
        try:
            async with asyncio.timeout(IDLE_LIMIT_S):
                first = await self._next_event()
            if not isinstance(first, h11.Request):
                return False
            async with asyncio.timeout(REQUEST_LIMIT_S):
                request = await self._read(first)
            reply = await receive(request)
        except _Refused as refused:
            reply = refused.reply
        except h11.RemoteProtocolError as error:
            reply = Reply(error.error_status_hint, {"connection": "close"})
        if reply is None:
            self._writer.transport.abort()
            return False
        await self._send(reply)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                assert not isinstance(event, type) or event is h11.PAUSED
                return event
            if self._http.they_are_waiting_for_100_continue:
                await self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
            self._http.receive_data(await self._reader.read(_PIECE_BYTES))

    async def _read(self, head: h11.Request) -> Request:
        if head.method != b"POST":
            raise _Refused(405, "webhooks are delivered here, with POST", allow="POST", connection="close")
        body = bytearray()
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            if len(body) > MAX_BODY_BYTES:
                raise _Refused(413, f"more than {MAX_BODY_BYTES} bytes", connection="close")
        if not isinstance(event, h11.EndOfMessage):
            raise ConnectionResetError("the sender closed before the end of its request")
        headers = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers)
        return Request(headers, bytes(body), self._reader.at_eof)

    async def _send(self, reply: Reply) -> None:
        has_body = reply.status not in (204, 304)
        headers = {**reply.headers, **({"content-length": str(len(reply.body))} if has_body else {})}
        start = h11.Response(status_code=reply.status, headers=[*headers.items()])
        pieces = [self._http.send(start)]
        if has_body and reply.body:
            pieces.append(self._http.send(h11.Data(data=reply.body)))
        pieces.append(self._http.send(h11.EndOfMessage()))
        await self._write(b"".join(piece for piece in pieces if piece))

    async def _write(self, raw: bytes | None) -> None:
        self._writer.write(raw or b"")
        await self._writer.drain()

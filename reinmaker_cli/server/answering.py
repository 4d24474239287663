"""Requests of a connection and their answers, in as few steps as it takes.

uvicorn makes a task for each request. Most requests wait for nothing: they are answered as they are read, and have no
task. And uvicorn looks at each field of an answer by itself; here it is one look at all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Iterable
from typing import Any, Final
from urllib.parse import unquote

import httptools
from starlette.types import Message
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

Field = tuple[bytes, bytes]

_TEXT: Final = bytes({*range(0x20, 0x100), 0x09} - {0x7F})
"""What a field may hold, RFC 9110 section 5.5."""
_WITHOUT_BODY: Final = (204, 304)
_READS: Final = ("GET", "HEAD")


class PromptProtocol(HttpToolsProtocol):
    """uvicorn's protocol, that has a request answered as it is read where nothing is changed by it."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.method: str | None = None
        """Of the head that the parser has, where it knows another."""
        self.is_in_body = False
        """From the end of a head to the end of the body, which may be none."""
        self.is_followed = False
        """Whether more was read behind the head that the parser has."""
        self.answered: RequestResponseCycle | None = None
        """The request that the application knows of, or knew of last; `cycle` is the one that was read last."""
        self._unbegun: Answering | None = None
        """The request whose head is complete, and that the application does not know of."""
        self._rests_since = 0.0
        self._rest_limit: asyncio.TimerHandle | None = None

    @property
    def is_answering(self) -> bool:
        """Whether there is a request without a whole answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        if self._rest_limit is not None:
            self._rest_limit.cancel()
        if self.answered is not None and not self.answered.response_complete:
            self.answered.disconnected = True
            self.answered.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came, and let the application answer what is the next request."""
        super().data_received(data)
        if self._unbegun is None or self.transport.is_closing():  # closed: the parser did not like the head's end
            return
        cycle, self._unbegun = self._unbegun, None
        self.answered = cycle
        # Who sends requests ahead waits for a turn of the loop with each: thousands may be read at once.
        if self.is_followed or self.is_in_body or cycle.scope["method"] not in _READS:
            self._start_asgi_task(cycle, self.app)
        elif (task := begin(self.loop, cycle.run_asgi(self.app))) is not None:
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def on_headers_complete(self) -> None:
        """Complete the scope of a request, which is the next one to begin unless another is being answered."""
        version, target = self.parser.get_http_version(), httptools.parse_url(self.url)
        path = target.path.decode()
        self.scope["http_version"] = version
        self.scope["method"], self.method = self.method or self.parser.get_method().decode(), None
        self.scope["path"], self.scope["raw_path"] = unquote(path) if "%" in path else path, target.path
        self.scope["query_string"] = target.query or b""
        is_next, self.is_in_body = not self.is_answering, True
        self.cycle = Answering(
            self.scope,
            self.transport,
            self.flow,
            self.logger,
            self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version == "1.1" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if is_next:
            self._unbegun = self.cycle
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_message_complete(self) -> None:
        """End the body."""
        self.is_in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Begin the next request that was sent ahead; behind the last one is a rest."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self.answered, app = self.pipeline.pop()
            self._start_asgi_task(self.answered, app)
            return
        self._rests_since = self.loop.time()
        if self._rest_limit is None:
            self._rest_limit = self.loop.call_at(self._rests_since + self.timeout_keep_alive, self._see_if_at_rest)

    def _see_if_at_rest(self) -> None:
        """End a rest that was long enough. One timer lasts for many requests: to set one takes as long as a route."""
        self._rest_limit = None
        ends_at = self._rests_since + self.timeout_keep_alive
        if self.is_answering:
            return  # another rest comes after the answer
        if ends_at > self.loop.time():
            self._rest_limit = self.loop.call_at(ends_at, self._see_if_at_rest)
        else:
            self.end_rest()

    def end_rest(self) -> None:
        """Close the connection: nobody has asked anything for a while."""
        self.transport.close()


class Answering(RequestResponseCycle):
    """The `receive` and `send` of one request, as ASGI has them. Names of fields are in lower case."""

    is_ended_by_close = False
    """Whether nothing else says where the body ends."""

    async def send(self, message: Message) -> None:  # type: ignore[override]
        """Write a piece of the answer."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self.response_started, self.waiting_for_100_continue = True, False
            self.transport.write(self._head_of(message["status"], message["headers"]))
            return
        self._write(message.get("body", b""), is_last=not message.get("more_body", False))

    def _head_of(self, status: int, fields: Iterable[Field]) -> bytes:
        """Return the head; ValueError where a field would be more than one."""
        lines, length, says_close = [STATUS_LINE[status][:-2]], None, False
        for name, value in (*self.default_headers, *fields):
            lines.append(name + b": " + value)
            if name == b"content-length":
                length = int(value)
            elif name == b"connection" and value == b"close":
                self.keep_alive, says_close = False, True
        if not self.keep_alive and not says_close:
            lines.append(b"connection: close")
        if self.scope["method"] == "HEAD" or status in _WITHOUT_BODY:
            self.chunked_encoding = False
        elif length is not None:
            self.expected_content_length = length
        elif self.scope["http_version"] == "1.0":
            self.is_ended_by_close = True  # RFC 9112 section 6.1: no chunks for who may not know them
        else:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked")
        lines += (b"", b"")
        head = b"\r\n".join(lines)
        if head.translate(None, _TEXT) != b"\r\n" * (len(lines) - 1):
            raise ValueError("a field of the answer holds what none may")
        return head

    def _write(self, body: bytes, *, is_last: bool) -> None:
        """Write a piece of the body; ValueError where there is more or less of it than the head said."""
        if self.response_complete:
            raise ValueError("the answer has ended")
        if self.scope["method"] == "HEAD":
            body = b""
        elif self.chunked_encoding:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"0\r\n\r\n" if is_last else b"")
        elif not self.is_ended_by_close:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (is_last and self.expected_content_length):
                raise ValueError("the body is not as long as the head says")
        self.transport.write(body)
        if is_last:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()


def begin(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run the coroutine until it waits, and return the task in which it goes on; None where it has ended."""
    try:
        awaited = coroutine.send(None)
    except StopIteration:
        return None
    return loop.create_task(_Begun(coroutine, awaited))


async def in_a_task() -> None:
    """Return in a task: what has time limits needs one, and a request that has waited for nothing has none yet."""
    if asyncio.current_task() is None:
        await asyncio.sleep(0)


class _Begun(Coroutine[Any, Any, None]):
    """A coroutine that waits for `awaited`, as one that has not begun, which is what a task wants."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], awaited: Any) -> None:
        self._coroutine, self._awaited = coroutine, awaited
        self._say_is_awaited(False)
        self._has_said = False
        """Whether the task knows what is waited for."""

    def send(self, value: None) -> object:
        """Go on, or say first what is waited for."""
        if self._has_said:
            return self._coroutine.send(value)
        self._has_said = True
        self._say_is_awaited(True)
        return self._awaited

    def throw(self, *error: Any) -> object:
        """Raise an error where the coroutine waits."""
        self._has_said = True
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """End the coroutine where it waits."""
        self._coroutine.close()

    def _say_is_awaited(self, is_so: bool) -> None:
        # From an `await` until its task has heard of it a future says that it is awaited, and then others may await it.
        if self._awaited is not None:
            self._awaited._asyncio_future_blocking = is_so

    def __await__(self) -> Generator[Any, Any, None]:
        """Wait for it as for the coroutine."""
        return self._coroutine.__await__()

"""Requests that wait for nothing are answered as they are read; all others in a task, with the same answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from reinmaker_cli.server.answering import in_a_task
from reinmaker_cli.server.wire import TimedProtocol
from tests.server.test_gathering import Recorded

KEEP_ALIVE_S = 30
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Connection(Recorded):
    """Writes down what it is told, and says whether it was closed."""

    def is_closing(self) -> bool:
        return "closed" in self.told

    def resume_reading(self) -> None:
        """Read on."""

    def pause_reading(self) -> None:
        """Read nothing."""

    @property
    def written(self) -> bytes:
        """All that was written by now."""
        return b"".join(piece for piece in self.told if isinstance(piece, bytes))


class MovableLoop(asyncio.SelectorEventLoop):
    """A loop whose time can be moved."""

    moved_s = 0.0

    def time(self) -> float:
        return super().time() + self.moved_s


def connected(app: App) -> tuple[TimedProtocol, Connection]:
    """Return a connection to an application, and what is at its other end."""
    connection, state = Connection(), ServerState()
    config = Config(app, log_config=None, timeout_keep_alive=KEEP_ALIVE_S, lifespan="off", interface="asgi3")
    protocol = TimedProtocol(config, state, {}, asyncio.get_running_loop())
    protocol.connection_made(connection)
    return protocol, connection


async def until(is_so: Callable[[], bool]) -> None:
    """Return once it is so; it takes turns of the loop, and no time."""
    for _ in range(100):
        if is_so():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come to that")


async def received(protocol: TimedProtocol, data: bytes) -> None:
    """Let the connection read this, as the loop does, which is no task."""
    asyncio.get_running_loop().call_soon(protocol.data_received, data)
    await asyncio.sleep(0)


async def say_ok(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def answering(*messages: Message) -> App:
    """Return an application that sends these messages."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


def test_a_request_that_waits_for_nothing_has_no_task_unless_it_may_change_something() -> None:
    async def scenario() -> None:
        tasks: list[asyncio.Task[None] | None] = []

        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            tasks.append(asyncio.current_task())
            await say_ok(send)

        protocol, connection = connected(app)
        await received(protocol, GET)
        assert tasks == [None]
        await until(lambda: connection.told == [OK])
        await received(protocol, POST)
        await until(lambda: connection.told == [OK, OK])
        assert tasks[1] is not None
        protocol.connection_lost(None)

    asyncio.run(scenario())


def test_a_request_that_waits_goes_on_in_a_task_that_the_stop_knows_of() -> None:
    async def scenario() -> None:
        going_on, tasks = asyncio.Event(), []

        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            await going_on.wait()
            tasks.append(asyncio.current_task())
            await asyncio.sleep(0)
            await say_ok(send)

        protocol, connection = connected(app)
        await received(protocol, GET)
        known = set(protocol.tasks)
        assert len(known) == 1
        going_on.set()
        await until(lambda: connection.told == [OK])
        assert set(tasks) == known
        await until(lambda: not protocol.tasks)
        protocol.connection_lost(None)

    asyncio.run(scenario())


def test_a_request_that_is_cancelled_while_it_waits_is_told_and_may_wait_again() -> None:
    async def scenario() -> None:
        told = []

        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            for _ in range(2):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    told.append("cancelled")
            await say_ok(send)

        protocol, connection = connected(app)
        await received(protocol, GET)
        (task,) = protocol.tasks
        for times in (1, 2):
            task.cancel()
            await until(lambda times=times: len(told) == times)
        await until(lambda: connection.told == [OK])
        protocol.connection_lost(None)

    asyncio.run(scenario())


def test_requests_may_wait_for_the_same_at_a_time() -> None:
    async def scenario() -> None:
        going_on: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            await going_on
            await say_ok(send)

        connections = [connected(app) for _ in range(3)]
        for (protocol, _), request in zip(connections, (GET, POST, GET), strict=True):
            asyncio.get_running_loop().call_soon(protocol.data_received, request)
        await until(lambda: all(protocol.tasks for protocol, _ in connections))
        await asyncio.sleep(0)  # a turn, in which the tasks begin
        going_on.set_result(None)
        await until(lambda: all(connection.told == [OK] for _, connection in connections))
        for protocol, _ in connections:
            protocol.connection_lost(None)

    asyncio.run(scenario())


def test_who_sends_requests_ahead_gets_one_answer_a_turn() -> None:
    """Thousands come with one read, and others wait meanwhile."""

    async def scenario() -> None:
        answered: list[int] = []

        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            answered[-1] += 1
            await say_ok(send)

        protocol, connection = connected(app)
        asyncio.get_running_loop().call_soon(protocol.data_received, GET * 9)
        while connection.written != OK * 9:
            answered.append(0)
            await asyncio.sleep(0)
        assert max(answered) == 1
        protocol.connection_lost(None)

    asyncio.run(scenario())


@pytest.mark.parametrize("behind", [b"", GET], ids=["alone", "with one behind it"])
def test_a_request_is_told_that_its_connection_has_ended(behind: bytes) -> None:
    async def scenario() -> None:
        told: list[str] = []

        async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
            while "http.disconnect" not in told:
                told.append((await receive())["type"])

        protocol, _ = connected(app)
        await received(protocol, GET + behind)
        await until(lambda: told == ["http.request"])
        protocol.connection_lost(None)
        await until(lambda: not protocol.tasks)
        assert told == ["http.request", "http.disconnect"]

    asyncio.run(scenario())


def test_the_date_that_is_shifted_is_that_of_the_answer_under_way() -> None:
    async def scenario() -> None:
        going_on = asyncio.Event()

        async def app(scope: Scope, _receive: Receive, send: Send) -> None:
            if scope["path"] == "/skewed":
                await going_on.wait()
                protocol.shift_date(-60)
            await say_ok(send)

        protocol, connection = connected(app)
        await received(protocol, GET.replace(b"/ ", b"/skewed ") + GET)
        going_on.set()
        await until(lambda: connection.written.endswith(OK))
        assert connection.written.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
        assert connection.written.count(b"date: ") == 1
        protocol.connection_lost(None)

    asyncio.run(scenario())


def test_a_request_that_is_refused_is_not_carried_out() -> None:
    """RFC 9112 section 6.3: where a body ends that does not end in chunks, nobody can say."""

    async def scenario() -> None:
        asked: list[str] = []

        async def app(scope: Scope, _receive: Receive, send: Send) -> None:
            asked.append(scope["method"])
            await say_ok(send)

        protocol, connection = connected(app)
        await received(protocol, b"DELETE / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n")
        assert connection.written.startswith(b"HTTP/1.1 400 ")
        assert connection.is_closing()
        await until(lambda: not protocol.tasks)
        assert not asked
        protocol.connection_lost(None)

    asyncio.run(scenario())


def test_what_has_a_time_limit_is_in_a_task() -> None:
    async def scenario() -> None:
        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            await in_a_task()
            async with asyncio.timeout(60):
                await say_ok(send)

        protocol, connection = connected(app)
        await received(protocol, GET)
        await until(lambda: connection.told == [OK])
        protocol.connection_lost(None)

    asyncio.run(scenario())


def test_requests_that_were_sent_ahead_are_answered_in_their_order() -> None:
    async def scenario() -> None:
        going_on, asked = asyncio.Event(), []

        async def app(scope: Scope, _receive: Receive, send: Send) -> None:
            asked.append(scope["path"])
            if scope["path"] == "/slow":
                await going_on.wait()
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
            await send({"type": "http.response.body", "body": scope["path"].encode().ljust(5)})

        protocol, connection = connected(app)
        await received(
            protocol, b"".join(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % path for path in (b"/a", b"/slow", b"/b"))
        )
        await until(lambda: asked == ["/a", "/slow"])
        going_on.set()
        await until(lambda: connection.written.endswith(b"/b   "))
        assert [connection.written.find(path) for path in (b"/a   ", b"/slow", b"/b   ")] == sorted(
            connection.written.find(path) for path in (b"/a   ", b"/slow", b"/b   ")
        )
        protocol.connection_lost(None)

    asyncio.run(scenario())


START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}


@pytest.mark.parametrize(
    "messages",
    [
        ({**START, "headers": [(b"x", b"a\r\nset-cookie: b")]},),
        ({**START, "headers": [(b"x", b"\r\n")]},),
        ({**START, "headers": [(b"x\r\ny", b"a")]},),
        ({**START, "headers": [(b"x", b"a\0")]},),
        (START, {"type": "http.response.body", "body": b"abc"}),
        (START, {"type": "http.response.body", "body": b"a"}),
        (START, {"type": "http.response.body", "body": b"ab"}, {"type": "http.response.body", "body": b"c"}),
    ],
    ids=[
        "two fields in a value",
        "the end of a head",
        "two fields in a name",
        "a zero byte",
        "too long",
        "too short",
        "behind the end",
    ],
)
def test_an_answer_that_would_mislead_is_not_written(messages: tuple[Message, ...]) -> None:
    async def scenario() -> None:
        protocol, connection = connected(answering(*messages))
        await received(protocol, GET)
        await until(lambda: "closed" in connection.told or connection.written.endswith(b"\r\n\r\nab"))
        await asyncio.sleep(0)
        assert connection.written in (b"", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", OK.replace(b"ok", b"ab"))
        protocol.connection_lost(None)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("request_line", "status", "fields", "expected"),
    [
        (b"HEAD / HTTP/1.1", 200, [(b"content-length", b"2")], b"content-length: 2\r\n\r\n"),
        (b"HEAD / HTTP/1.1", 200, [], b"\r\n"),
        (b"GET / HTTP/1.1", 304, [(b"etag", b'"a"')], b'etag: "a"\r\n\r\n'),
        (b"GET / HTTP/1.1", 200, [], b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
        (b"GET / HTTP/1.0", 200, [], b"connection: close\r\n\r\nab"),
        (b"GET / HTTP/1.0", 200, [(b"content-length", b"2")], b"content-length: 2\r\nconnection: close\r\n\r\nab"),
        (
            *(b"GET / HTTP/1.1\r\nConnection: close", 200, [(b"content-length", b"2")]),
            b"content-length: 2\r\nconnection: close\r\n\r\nab",
        ),
        (
            *(b"GET / HTTP/1.1", 200, [(b"content-length", b"2"), (b"connection", b"close")]),
            b"content-length: 2\r\nconnection: close\r\n\r\nab",
        ),
    ],
)
def test_the_end_of_an_answer_is_said_as_http_has_it(request_line, status, fields, expected) -> None:
    """RFC 9112 sections 6.1, 6.3 and 9.3."""

    async def scenario() -> None:
        body = b"" if status == 304 else b"ab"
        app = answering(
            {"type": "http.response.start", "status": status, "headers": fields},
            {"type": "http.response.body", "body": body},
        )
        protocol, connection = connected(app)
        await received(protocol, request_line + b"\r\nHost: h\r\n\r\n")
        await until(lambda: bool(connection.told))
        assert connection.written.partition(b"\r\n")[2] == expected
        assert connection.is_closing() == (b"close" in expected)
        protocol.connection_lost(None)

    asyncio.run(scenario())


def test_a_connection_rests_from_its_last_answer_on() -> None:
    loop = MovableLoop()

    async def scenario() -> None:
        protocol, connection = connected(answering(START, {"type": "http.response.body", "body": b"ok"}))
        for _ in range(3):
            await received(protocol, GET)
            loop.moved_s += KEEP_ALIVE_S - 1
            for _ in range(3):
                await asyncio.sleep(0)
            assert not connection.is_closing()
        loop.moved_s += 2
        await until(connection.is_closing)
        assert connection.told == [OK, OK, OK, "closed"]
        protocol.connection_lost(None)

    loop.run_until_complete(scenario())
    loop.close()


def test_a_head_that_began_before_an_answer_and_does_not_end_is_not_waited_for() -> None:
    loop = MovableLoop()

    async def scenario() -> None:
        going_on = asyncio.Event()

        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            await going_on.wait()
            await say_ok(send)

        protocol, connection = connected(app)
        await received(protocol, GET + GET[:10])
        going_on.set()
        await until(lambda: connection.written == OK)
        loop.moved_s += KEEP_ALIVE_S + 1
        await until(connection.is_closing)
        protocol.connection_lost(None)

    loop.run_until_complete(scenario())
    loop.close()


def test_a_connection_is_not_at_rest_while_it_is_answered_or_a_head_comes() -> None:
    loop = MovableLoop()

    async def scenario() -> None:
        going_on = asyncio.Event()

        async def app(scope: Scope, _receive: Receive, send: Send) -> None:
            if scope["path"] == "/slow":
                await going_on.wait()
            await say_ok(send)

        protocol, connection = connected(app)
        await received(protocol, GET)
        await received(protocol, GET.replace(b"/ ", b"/slow "))
        loop.moved_s += 2 * KEEP_ALIVE_S
        for _ in range(3):
            await asyncio.sleep(0)
        assert not connection.is_closing()
        going_on.set()
        await until(lambda: connection.written == OK + OK)
        loop.moved_s += KEEP_ALIVE_S - 1
        await received(protocol, GET[:10])
        loop.moved_s += 2
        for _ in range(3):
            await asyncio.sleep(0)
        assert not connection.is_closing()
        await received(protocol, GET[10:])
        await until(lambda: connection.written == OK + OK + OK)
        protocol.connection_lost(None)

    loop.run_until_complete(scenario())
    loop.close()

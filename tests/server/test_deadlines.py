"""Time limits of a connection, with real sockets: heads, bodies and pauses that never end."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from reinmaker_cli.server.running import running_server
from tests.server.live import MANIFESTS, QUIET, Caller, live_server, manifest, one_answer

HEAD_LIMIT = "reinmaker_cli.server.wire.HEAD_LIMIT_S"
KEEP_ALIVE = "reinmaker_cli.server.running.KEEP_ALIVE_S"
EXCHANGE = "reinmaker_cli.server.routes.exchange."
HEALTH = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
DRIP_S = 0.02


@contextlib.contextmanager
def connected(caller: Caller) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", int(caller.started.url.rpartition(":")[2])), timeout=120) as connection:
        yield connection


def answers(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes the connection, a reset after an answer included."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            received += piece
    return received


@contextlib.contextmanager
def dripping(connection: socket.socket, piece: bytes) -> Iterator[None]:
    """Send a piece again and again, until the block is left or the server has had enough."""
    enough = threading.Event()

    def drip() -> None:
        with contextlib.suppress(OSError):
            while not enough.wait(DRIP_S):
                connection.sendall(piece)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


# --- heads -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def caller() -> Iterator[Caller]:
    """Of a server that will give a head a third of a second, and has answered once before it does."""
    with live_server(validation="manual") as caller:
        yield caller


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What gives the heads that begin from now on a third of a second."""
    return lambda: monkeypatch.setattr(HEAD_LIMIT, 0.3)


def in_time(ask: Callable[[], bytes]) -> bytes:
    """Return what is answered to who was in time: to whom says nothing within the limit nothing is said either."""
    answer = b""
    while not answer:
        answer = ask()
    return answer


def test_a_head_that_comes_line_by_line_for_ever_is_given_up(caller: Caller, hurry):
    def ask() -> bytes:
        with connected(caller) as connection, contextlib.suppress(ConnectionError):
            connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n")
            with dripping(connection, b"X-A: b\r\n"):
                return answers(connection)
        return b""

    hurry()
    answer = in_time(ask)
    assert answer.startswith(b"HTTP/1.1 408 ")
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (problem["code"], problem["status"]) == ("request-timeout", 408)
    assert problem["instance"].rpartition("/")[2].encode() in answer.partition(b"\r\n\r\n")[0]


def test_a_connection_that_never_says_a_word_is_closed_without_one(caller: Caller, hurry):
    hurry()
    with connected(caller) as connection:
        assert answers(connection) == b""


def test_the_limit_holds_for_the_second_head_of_a_connection_too(caller: Caller, hurry):
    with connected(caller) as connection:
        connection.sendall(HEALTH)
        assert one_answer(connection).startswith(b"HTTP/1.1 200 ")
        hurry()
        connection.sendall(HEALTH[:1])
        connection.sendall(HEALTH[1:-2])
        with dripping(connection, b"X-A: b\r\n"):
            assert answers(connection).startswith(b"HTTP/1.1 408 ")


def test_a_head_that_begins_behind_another_request_has_the_limit_too(caller: Caller, hurry):
    with connected(caller) as connection:
        connection.sendall(HEALTH + HEALTH[:-2])
        received = one_answer(connection)
        hurry()
        with dripping(connection, b"X-A: b\r\n"):
            received += answers(connection)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in received


def test_an_answer_may_take_longer_than_a_head(caller: Caller, hurry):
    """The limit ends with the head: a wait of a second is not cut."""
    body = json.dumps(manifest("slow")).encode()

    def ask() -> bytes:
        with connected(caller) as connection, contextlib.suppress(ConnectionError):
            connection.sendall(head_of_post(caller, len(body), "Prefer: wait=1", "Connection: close") + body)
            return answers(connection)
        return b""

    hurry()
    assert in_time(ask).startswith(b"HTTP/1.1 202 ")


def test_a_body_may_take_longer_than_a_head(caller: Caller, hurry):
    def ask() -> bytes:
        with connected(caller) as connection, contextlib.suppress(ConnectionError):
            connection.sendall(head_of_post(caller, 2, "Connection: close") + b"{")
            assert not threading.Event().wait(0.6)
            connection.sendall(b"}")
            return answers(connection)
        return b""

    hurry()
    assert in_time(ask).startswith(b"HTTP/1.1 422 ")


def test_a_connection_without_a_handshake_of_tls_gets_no_further(monkeypatch):
    """asyncio gives a handshake 60 s; what comes after it has the limit of heads."""
    monkeypatch.setattr(HEAD_LIMIT, 0.3)
    with running_server(replace(QUIET, tls=True)) as started:
        context = ssl.create_default_context(cafile=started.ca_file)
        assert started.address is not None

        def ask() -> bytes:
            with (
                contextlib.suppress(ConnectionError, ssl.SSLError),
                socket.create_connection(started.address, timeout=120) as plain,
                context.wrap_socket(plain, server_hostname="localhost") as connection,
            ):
                connection.sendall(b"GET / HTTP/1.1\r\n")
                return connection.recv(65536)
            return b""

        assert in_time(ask).startswith(b"HTTP/1.1 408 ")


def test_a_slow_head_is_in_the_log_without_a_word_of_it(capfd, hurry):
    with live_server(log="json") as caller:

        def ask() -> bytes:
            with connected(caller) as connection, contextlib.suppress(ConnectionError):
                connection.sendall(b"GET /secret-path HTTP/1.1\r\nX-Secret: secret\r\n")
                return answers(connection)
            return b""

        hurry()
        assert in_time(ask).startswith(b"HTTP/1.1 408 ")
    logged = capfd.readouterr().err
    assert [json.loads(line)["status"] for line in logged.splitlines() if '"status": 408' in line] == [408]
    assert "secret" not in logged


def test_a_stop_does_not_wait_for_a_head(monkeypatch):
    monkeypatch.setattr("reinmaker_cli.server.running.FINISH_WITHIN_S", 3600)
    monkeypatch.setattr(HEAD_LIMIT, 3600.0)
    with contextlib.ExitStack() as stack:
        with live_server() as caller:
            connection = stack.enter_context(connected(caller))
            connection.sendall(b"GET / HTTP/1.1\r\n")
            caller.http.get("/v1/health")  # the beginning has arrived before this
        assert answers(connection) == b""  # whoever waits for the head is still here after the limit of a test


# --- between requests ------------------------------------------------------------------------------------------------


def test_an_idle_connection_is_closed(monkeypatch):
    monkeypatch.setattr(KEEP_ALIVE, 1)
    with live_server() as caller, connected(caller) as connection:
        connection.sendall(HEALTH)
        assert one_answer(connection).startswith(b"HTTP/1.1 200 ")
        assert answers(connection) == b""


# --- bodies ----------------------------------------------------------------------------------------------------------


def head_of_post(caller: Caller, length: int, *more: str) -> bytes:
    fields = [
        f"POST {MANIFESTS} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Authorization: {caller.api.headers['Authorization']}",
        f"Content-Length: {length}",
        *more,
    ]
    return "\r\n".join([*fields, "", ""]).encode()


def test_a_body_that_drips_is_given_up_though_it_is_never_idle(live: Caller, monkeypatch):
    monkeypatch.setattr(EXCHANGE + "BODY_GRACE_S", 0.3)
    with connected(live) as connection:
        connection.sendall(head_of_post(live, 1_000_000))
        with dripping(connection, b" "):
            answer = answers(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"bytes a second" in answer
    assert b'"code":"request-timeout"' in answer


def test_a_body_that_comes_fast_enough_may_take_longer_than_the_grace(live: Caller, monkeypatch):
    """A KiB that comes with the head gives an hour here, and the rest comes a fifth of a second later."""
    monkeypatch.setattr(EXCHANGE + "BODY_GRACE_S", 0.05)
    monkeypatch.setattr(EXCHANGE + "MIN_BYTES_PER_S", 0.25)
    body = b"{" + b" " * 1023 + b"}"
    with connected(live) as connection:
        connection.sendall(head_of_post(live, len(body)) + body[:1024])
        assert not threading.Event().wait(0.2)
        connection.sendall(body[1024:])
        assert one_answer(connection).startswith(b"HTTP/1.1 422 ")


def test_only_the_time_of_waiting_counts(live: Caller, monkeypatch):
    """A body that is all there is read to its end, however long the server itself takes for it."""
    monkeypatch.setattr(EXCHANGE + "BODY_GRACE_S", 0.0)
    monkeypatch.setattr(EXCHANGE + "MIN_BYTES_PER_S", 1e12)
    with connected(live) as connection:
        body = json.dumps(manifest("at-once")).encode()
        connection.sendall(head_of_post(live, len(body)) + body)
        assert one_answer(connection)[:12] in (b"HTTP/1.1 200", b"HTTP/1.1 202")

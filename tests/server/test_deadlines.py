"""Time limits of a connection, with real sockets: heads, bodies and pauses that never end."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from reinmaker_cli.server.running import running_server
from tests.server.live import MANIFESTS, QUIET, Caller, live_server, manifest

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


def one_answer(connection: socket.socket) -> bytes:
    """Return one answer with its JSON body."""
    received = connection.recv(65536)
    while not received.endswith(b"}"):
        received += connection.recv(65536)
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
def hasty(monkeypatch) -> Iterator[Caller]:
    """A server that gives a head a third of a second."""
    monkeypatch.setattr(HEAD_LIMIT, 0.3)
    with live_server() as caller:
        yield caller


def test_a_head_that_comes_line_by_line_for_ever_is_given_up(hasty: Caller):
    with connected(hasty) as connection:
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n")
        with dripping(connection, b"X-A: b\r\n"):
            answer = answers(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (problem["code"], problem["status"]) == ("request-timeout", 408)
    assert problem["instance"].rpartition("/")[2].encode() in answer.partition(b"\r\n\r\n")[0]


def test_a_connection_that_never_says_a_word_is_closed_without_one(hasty: Caller):
    with connected(hasty) as connection:
        assert answers(connection) == b""


def test_the_limit_holds_for_the_second_head_of_a_connection_too(hasty: Caller):
    with connected(hasty) as connection:
        connection.sendall(HEALTH)
        assert one_answer(connection).startswith(b"HTTP/1.1 200 ")
        connection.sendall(HEALTH[:1])
        connection.sendall(HEALTH[1:-2])
        with dripping(connection, b"X-A: b\r\n"):
            assert answers(connection).startswith(b"HTTP/1.1 408 ")


def test_a_head_that_begins_behind_another_request_has_the_limit_too(hasty: Caller):
    with connected(hasty) as connection:
        connection.sendall(HEALTH + HEALTH[:-2])
        received = one_answer(connection)
        with dripping(connection, b"X-A: b\r\n"):
            received += answers(connection)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in received


def test_an_answer_may_take_longer_than_a_head(monkeypatch):
    """The limit ends with the head: a wait of a second is not cut."""
    monkeypatch.setattr(HEAD_LIMIT, 0.3)
    with live_server(validation="manual") as caller:
        began = time.monotonic()
        answer = caller.submit(manifest("slow"), wait=1)
        assert (answer.status_code, time.monotonic() - began >= 1) == (202, True)


def test_a_body_may_take_longer_than_a_head(hasty: Caller):
    def slowly() -> Iterator[bytes]:
        yield b"{"
        assert not threading.Event().wait(0.6)
        yield b"}"

    answer = hasty.api.post(MANIFESTS, content=slowly(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


def test_a_connection_without_a_handshake_of_tls_gets_no_further(monkeypatch):
    """asyncio gives a handshake 60 s; what comes after it has the limit of heads."""
    monkeypatch.setattr(HEAD_LIMIT, 0.3)
    with running_server(replace(QUIET, tls=True)) as started:
        context = ssl.create_default_context(cafile=started.ca_file)
        assert started.address is not None
        with (
            socket.create_connection(started.address, timeout=120) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.sendall(b"GET / HTTP/1.1\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_a_slow_head_is_in_the_log_without_a_word_of_it(capfd, monkeypatch):
    monkeypatch.setattr(HEAD_LIMIT, 0.2)
    with live_server(log="json") as caller, connected(caller) as connection:
        connection.sendall(b"GET /secret-path HTTP/1.1\r\nX-Secret: secret\r\n")
        assert answers(connection).startswith(b"HTTP/1.1 408 ")
    logged = capfd.readouterr().err
    assert [json.loads(line)["status"] for line in logged.splitlines() if '"status": 408' in line] == [408]
    assert "secret" not in logged


def test_a_stop_does_not_wait_for_a_head(monkeypatch):
    monkeypatch.setattr("reinmaker_cli.server.running.FINISH_WITHIN_S", 60)
    with contextlib.ExitStack() as stack:
        with live_server() as caller:
            connection = stack.enter_context(connected(caller))
            connection.sendall(b"GET / HTTP/1.1\r\n")
            caller.http.get("/v1/health")  # the beginning has arrived before this
            began = time.monotonic()
        assert time.monotonic() - began < 50


# --- between requests ------------------------------------------------------------------------------------------------


def test_an_idle_connection_is_closed(monkeypatch):
    monkeypatch.setattr(KEEP_ALIVE, 1)
    with live_server() as caller, connected(caller) as connection:
        connection.sendall(HEALTH)
        assert one_answer(connection).startswith(b"HTTP/1.1 200 ")
        assert answers(connection) == b""


# --- bodies ----------------------------------------------------------------------------------------------------------


def head_of_post(caller: Caller, length: int) -> bytes:
    fields = [
        f"POST {MANIFESTS} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Authorization: {caller.api.headers['Authorization']}",
        f"Content-Length: {length}",
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
    monkeypatch.setattr(EXCHANGE + "BODY_GRACE_S", 0.2)
    pieces = 30
    body = b"{" + b" " * (1024 * pieces - 2) + b"}"
    with connected(live) as connection:
        connection.sendall(head_of_post(live, len(body)))
        for number in range(pieces):  # 1 KiB each 20 ms: 50 KiB a second, for 0.6 s
            assert not threading.Event().wait(DRIP_S)
            connection.sendall(body[number * 1024 : (number + 1) * 1024])
        assert one_answer(connection).startswith(b"HTTP/1.1 422 ")


def test_only_the_time_of_waiting_counts(live: Caller, monkeypatch):
    """A body that is all there is read to its end, however long the server itself takes for it."""
    monkeypatch.setattr(EXCHANGE + "BODY_GRACE_S", 0.0)
    monkeypatch.setattr(EXCHANGE + "MIN_BYTES_PER_S", 1e12)
    with connected(live) as connection:
        body = json.dumps(manifest("at-once")).encode()
        connection.sendall(head_of_post(live, len(body)) + body)
        assert one_answer(connection)[:12] in (b"HTTP/1.1 200", b"HTTP/1.1 202")

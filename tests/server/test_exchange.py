"""How an exchange ends when its body is not read to the end, does not come, or the server stops meanwhile."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.server.live import MANIFESTS, QUIET, Caller, live_server, one_answer

EXCHANGE = "reinmaker_cli.server.routes.exchange."
MIB = 1024 * 1024


@contextlib.contextmanager
def posting(caller: Caller, *fields: str) -> Iterator[socket.socket]:
    """Yield a connection on which the head of a POST was sent, without a token unless a field says so."""
    port = int(caller.started.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        lines = [f"POST {MANIFESTS} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *fields, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        yield connection


@contextlib.contextmanager
def posting_within(caller: Caller, length: str) -> Iterator[socket.socket]:
    """Yield a connection on whose body the server waits: before that, a stop would close it without a word."""
    with posting(caller, length, authorized(caller), "Expect: 100-continue") as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        yield connection


def authorized(caller: Caller) -> str:
    return f"Authorization: {caller.api.headers['Authorization']}"


def rest_of(connection: socket.socket) -> bytes:
    """Return all that comes until the server ends the connection cleanly; a reset is an error."""
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return answer


def test_refused_body_is_read_so_that_the_answer_arrives(live: Caller):
    with posting(live, f"Content-Length: {30 * MIB}") as connection:
        connection.sendall(bytes(30 * MIB))
        answer = rest_of(connection)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in answer.lower()


def test_refused_body_without_an_end_is_cut(live: Caller, monkeypatch):
    monkeypatch.setattr(EXCHANGE + "LINGER_S", 0.2)
    with posting(live, "Transfer-Encoding: chunked") as connection:
        answer = connection.recv(65536)
        with pytest.raises(ConnectionError):
            while True:
                connection.sendall(b"10000\r\n" + bytes(0x10000) + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")


def test_refused_body_that_stops_coming_is_not_waited_for(live: Caller, monkeypatch):
    monkeypatch.setattr(EXCHANGE + "LINGER_IDLE_S", 0.1)
    with posting(live, f"Content-Length: {MIB}") as connection:
        assert rest_of(connection).startswith(b"HTTP/1.1 401 ")


def test_small_refused_body_keeps_its_connection(live: Caller):
    with posting(live, "Content-Length: 2") as connection:
        connection.sendall(b"{}")
        assert one_answer(connection).startswith(b"HTTP/1.1 401 ")
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert one_answer(connection).startswith(b"HTTP/1.1 200 ")


def test_client_that_asks_before_it_sends_is_told_at_once(live: Caller):
    with posting(live, f"Content-Length: {MIB}", "Expect: 100-continue") as connection:
        assert rest_of(connection).startswith(b"HTTP/1.1 401 ")


def test_body_that_does_not_come_is_given_up(live: Caller, monkeypatch):
    monkeypatch.setattr(EXCHANGE + "IDLE_LIMIT_S", 1)
    with posting(live, "Content-Length: 100", authorized(live)) as connection:
        connection.sendall(b"half")
        answer = rest_of(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"no byte of the body" in answer


def test_stop_does_not_wait_for_a_body_that_is_half_sent(capfd, monkeypatch):
    monkeypatch.setattr("reinmaker_cli.server.running.FINISH_WITHIN_S", 3600)  # whoever waits does not end in a test
    monkeypatch.setattr(EXCHANGE + "IDLE_LIMIT_S", 3600)
    monkeypatch.setattr(EXCHANGE + "BODY_GRACE_S", 3600.0)
    with contextlib.ExitStack() as stack:
        with live_server(QUIET) as caller:
            connection = stack.enter_context(posting_within(caller, "Content-Length: 100"))
            connection.sendall(b"half")
        answer = rest_of(connection)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b'"code":"server-busy"' in answer
    assert capfd.readouterr().err == ""


def test_body_that_never_ends_is_cut_short_by_a_stop_without_a_traceback(capfd, monkeypatch):
    monkeypatch.setattr("reinmaker_cli.server.running.FINISH_WITHIN_S", 1)
    gone = threading.Event()

    def drip(connection: socket.socket) -> None:
        with contextlib.suppress(ConnectionError):
            while not gone.wait(0.05):
                connection.sendall(b" ")

    with contextlib.ExitStack() as stack:
        with live_server(QUIET) as caller:
            connection = stack.enter_context(posting_within(caller, "Content-Length: 1000000"))
            dripping = threading.Thread(target=drip, args=(connection,))
            dripping.start()
        answer = connection.recv(65536)
        gone.set()
        dripping.join()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert "Traceback" not in capfd.readouterr().err

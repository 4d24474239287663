"""What a head may be, with real sockets: the rules of HTTP/1.1 that the parser leaves to us."""

from __future__ import annotations

import base64
import json
import socket

import pytest

from reinmaker_cli.contract.names import EVENTS_PATH
from reinmaker_cli.server.wire import HEAD_LIMIT_BYTES
from tests.server.live import Caller
from tests.server.test_deadlines import HEALTH, answers, connected, one_answer


def refusal(connection: socket.socket) -> dict[str, object]:
    """Return the problem document of the answer that ends the connection."""
    head, _, body = answers(connection).partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return dict(json.loads(body))


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/health HTTP/1.1\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /v1/health HTTP/1.0\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /v1/health HTTP/2.0\r\nHost: localhost\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-A: a\r\n b\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-A : a\r\n\r\n",
        b"POST /v1/health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"no http\r\n\r\n",
    ],
)
def test_a_head_that_two_readers_may_read_differently_is_refused(live: Caller, head: bytes):
    with connected(live) as connection:
        connection.sendall(head)
        assert refusal(connection)["code"] == "bad-request"


def test_an_http_1_0_head_needs_no_host_but_this_server_has_a_name(live: Caller):
    with connected(live) as connection:
        connection.sendall(b"GET /v1/health HTTP/1.0\r\n\r\n")
        assert refusal(connection)["code"] == "host-not-allowed"


@pytest.mark.parametrize("piece", [b"X-A: " + b"a" * 4000 + b"\r\n", b"a" * 4000])
def test_a_head_without_an_end_is_refused_before_it_is_large(live: Caller, piece: bytes):
    with connected(live) as connection:
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-A: ")
        for _ in range(HEAD_LIMIT_BYTES // len(piece) + 1):
            connection.sendall(piece)
        assert refusal(connection)["code"] == "bad-request"


def test_white_space_around_a_value_does_not_belong_to_it(live: Caller):
    with connected(live) as connection:
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: \tlocalhost \t\r\n\r\n")
        assert one_answer(connection).startswith(b"HTTP/1.1 200 ")


def test_an_offer_to_change_to_http_2_is_declined_and_the_body_is_read(live: Caller):
    body = json.dumps({"events": []}).encode()
    fields = [
        *("Host: localhost", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB"),
        *(f"Authorization: Bearer {live.token()}", "Content-Type: application/json", f"Content-Length: {len(body)}"),
    ]
    with connected(live) as connection:
        connection.sendall("\r\n".join([f"POST {EVENTS_PATH} HTTP/1.1", *fields, "", ""]).encode() + body)
        assert b'"too-many-events"' in one_answer(connection)  # it was read: there are none in it
        connection.sendall(HEALTH)
        assert one_answer(connection).startswith(b"HTTP/1.1 200 ")


TOKEN = "POST /oauth/token HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize("cut_behind", [b"POST", b"localhost\r\n", b"\r\nUpg", b"h2c", b"\r\n\r"])
def test_the_body_of_a_request_is_no_request_wherever_its_head_is_cut(live: Caller, cut_behind: bytes):
    body, rest = b"a\r\nUpgrade: none", HEALTH
    length = f"Content-Length: {len(body + rest)}"
    head = f"{TOKEN}Upgrade: h2c\r\nConnection: Upgrade\r\n{length}\r\n\r\n".encode()
    cut_at = head.index(cut_behind) + len(cut_behind)
    with connected(live) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(head[:cut_at])
        # Another request is answered, so what was sent has been read by itself.
        assert live.http.get("/v1/health").status_code == 200
        connection.sendall(head[cut_at:] + body)
        assert one_answer(connection).startswith(b"HTTP/1.1 400 ")
        connection.sendall(rest + HEALTH.replace(b"health", b"nothing"))
        assert one_answer(connection).startswith(b"HTTP/1.1 404 ")


def test_an_offer_behind_another_request_ends_the_connection_and_its_body_is_no_request(live: Caller):
    offer = f"{TOKEN}Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: {len(HEALTH)}\r\n\r\n".encode()
    with connected(live) as connection:
        connection.sendall(HEALTH + offer + HEALTH)
        assert answers(connection).count(b"HTTP/1.1 200 ") < 2


def test_a_field_behind_the_body_is_none_of_the_head(live: Caller):
    client = live.started.client
    secret = base64.b64encode(f"{client.client_id}:{client.client_secret}".encode())
    form = b"grant_type=client_credentials"
    head = f"{TOKEN}Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with connected(live) as connection:
        connection.sendall(head + b"%x\r\n%b\r\n0\r\nAuthorization: Basic %b\r\n\r\n" % (len(form), form, secret))
        assert one_answer(connection).startswith(b"HTTP/1.1 401 ")


def test_what_is_no_chunk_ends_the_connection(live: Caller):
    head = b"POST /v1/telemetry/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connected(live) as connection:
        connection.sendall(head + b"no chunk\r\n")
        assert answers(connection).count(b"HTTP/1.1 4") == 1

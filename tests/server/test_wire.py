"""What a head may be, with real sockets: the rules of HTTP/1.1 that the parser leaves to us."""

from __future__ import annotations

import base64
import json
import re
import socket
import uuid
from typing import Any

import pytest

from reinmaker_cli.contract.names import EVENTS_PATH
from reinmaker_cli.server.heads import MAX_METHOD_LENGTH
from reinmaker_cli.server.wire import HEAD_LIMIT_BYTES
from tests.server.live import MANIFESTS, Caller, manifest, one_answer, some
from tests.server.test_deadlines import HEALTH, answers, connected

TOKEN = "POST /oauth/token HTTP/1.1\r\nHost: localhost\r\n"
WITH_BODY = f"{TOKEN}Content-Length: 1\r\n\r\na".encode()
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
IN_CHUNKS = f"{TOKEN}{FORM}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n".encode()


def refusal(connection: socket.socket) -> dict[str, object]:
    """Return the problem document of the answer that ends the connection."""
    head, _, body = answers(connection).partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return dict(json.loads(body))


def answer_of(connection: socket.socket, status: bytes) -> tuple[bytes, dict[str, Any]]:
    """Read one answer of this status, and nothing behind it: its head, and the JSON of its body."""
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        received += some(connection, 1)
    assert received.startswith(b"HTTP/1.1 %b " % status), received
    length = int(re.search(rb"content-length: ([0-9]+)", received.lower())[1])
    body = b""
    while len(body) < length:
        body += some(connection, length - len(body))
    return received, json.loads(body)


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
        b"GE(T /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"F" * (MAX_METHOD_LENGTH + 1) + b" /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://localhost@evil.example/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET ftp://localhost/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http:///v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET localhost/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://[::1/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://localhost/v1/health HTTP/1.1\r\n\r\n",
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


@pytest.mark.parametrize(
    "method", ["FOO", "get", "GETS", "CONNECT", "TRACE", "M-SEARCH", "PRI", "F" * MAX_METHOD_LENGTH]
)
@pytest.mark.parametrize(
    ("before", "statuses"),
    [(b"", []), (b"\r\n", []), (HEALTH, [b"200"]), (WITH_BODY, [b"400"]), (WITH_BODY + HEALTH, [b"400", b"200"])],
)
def test_a_method_that_nobody_knows_is_not_allowed(live: Caller, method: str, before: bytes, statuses: list[bytes]):
    head = (
        f"{method} /v1/health HTTP/1.1\r\nHost: localhost\r\nX-Lesson-Trace-Id: mine\r\nContent-Length: 2\r\n\r\n{{}}"
    )
    with connected(live) as connection:
        connection.sendall(before + head.encode())
        for earlier in statuses:
            assert answer_of(connection, earlier)
        fields, problem = answer_of(connection, b"405")
        assert b"\r\nallow: get, head, options\r\n" in fields.lower()
        assert b"\r\nx-lesson-trace-id: mine\r\n" in fields.lower()
        assert (problem["code"], problem["instance"].rpartition("/")[2]) == ("method-not-allowed", "mine")
        connection.sendall(HEALTH)
        assert answer_of(connection, b"200")


def test_a_method_that_comes_in_pieces_is_read_as_a_whole(live: Caller):
    with connected(live) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in (b"F", b"OO", b" ", b"/v1/health HTTP/1.1\r\nHost: localhost\r\n\r", b"\n"):
            connection.sendall(piece)
            # Another request is answered, so what was sent has been read by itself.
            assert live.http.get("/v1/health").status_code == 200
        assert answer_of(connection, b"405")


# --- whom a target names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "host", "status", "code"),
    [
        (b"http://evil.example/v1/health", b"localhost", b"421", "host-not-allowed"),
        (b"HTTP://localhost.evil.example:7040/v1/health?a=b", b"localhost", b"421", "host-not-allowed"),
        (b"http://localhost/v1/health", b"evil.example", b"200", None),
        (b"http://LOCALHOST:7040/v1/health?a=b", b"localhost", b"200", None),
        (b"http://[::1]/v1/health", b"localhost", b"200", None),
        (b"http://localhost/v1/nothing", b"localhost", b"404", "not-found"),
    ],
)
def test_a_target_that_names_a_host_counts_for_more_than_the_field(live: Caller, target, host, status, code):
    with connected(live) as connection:
        connection.sendall(b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, host))
        assert answer_of(connection, status)[1].get("code") == code


def test_a_target_of_a_host_alone_is_its_root(live: Caller):
    with connected(live) as connection:
        connection.sendall(b"HEAD http://localhost HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert answers(connection).startswith(b"HTTP/1.1 200 ")


# --- requests that are sent ahead ------------------------------------------------------------------------------------


GARBAGE = b"no http\r\n\r\n"
NO_CHUNK = b"POST /v1/telemetry/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n"


@pytest.mark.parametrize(
    ("behind", "statuses"),
    [
        (GARBAGE, [b"200", b"400"]),
        (HEALTH + GARBAGE, [b"200", b"200", b"400"]),
        (b"GET / HTTP/1.1\r\n\r\n" + HEALTH, [b"200", b"400"]),
        (NO_CHUNK + HEALTH, [b"200", b"400"]),
        (HEALTH + NO_CHUNK, [b"200", b"200", b"400"]),
        (b"GET / HTTP/1.1\r\nX-A: " + b"a" * HEAD_LIMIT_BYTES, [b"200", b"400"]),
    ],
)
def test_what_is_no_request_is_refused_behind_the_answers_to_those_before(manual: Caller, behind, statuses):
    name = f"ahead-{uuid.uuid4()}"
    manual.submit(manifest(name), wait=None)
    while manual.status(name).json()["status"] != "validating":  # each change would end the wait below
        pass
    fields = f"Host: localhost\r\nAuthorization: Bearer {manual.token()}\r\nPrefer: wait=20\r\n"
    with connected(manual) as connection:
        connection.sendall(f"GET {MANIFESTS}/{name} HTTP/1.1\r\n{fields}\r\n".encode() + behind)
        # Another request is answered, so what was sent has been read, and the first of it is being waited for.
        assert manual.status(name).json()["status"] != "active"
        manual.decide(name, "2026.11.23", "active")
        assert answer_of(connection, b"200")[1]["status"] == "active"
        for status in statuses[1:]:
            fields, problem = answer_of(connection, status)
        assert (problem["code"], b"connection: close" in fields.lower()) == ("bad-request", True)
        assert connection.recv(1) == b""


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


def test_an_offer_behind_another_request_is_declined_and_its_body_is_no_request(live: Caller):
    offer = f"{TOKEN}Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: {len(HEALTH)}\r\n\r\n".encode()
    with connected(live) as connection:
        connection.sendall(WITH_BODY + offer + HEALTH + HEALTH.replace(b"health", b"nothing"))
        for status in (b"400", b"400", b"404"):
            answer_of(connection, status)


def test_a_method_that_nobody_knows_behind_chunks_ends_the_connection(live: Caller):
    with connected(live) as connection:
        connection.sendall(IN_CHUNKS + HEALTH.replace(b"GET", b"FOO"))
        answer_of(connection, b"400")
        assert refusal(connection)["code"] == "bad-request"


def test_a_request_behind_chunks_keeps_its_body(live: Caller):
    head, rest = f"{TOKEN}Content-Length: {len(HEALTH)}\r\n\r\n".encode(), HEALTH.replace(b"health", b"nothing")
    with connected(live) as connection:
        connection.sendall(IN_CHUNKS + head + HEALTH[:5])
        answer_of(connection, b"400")
        connection.sendall(HEALTH[5:] + rest)
        for status in (b"400", b"404"):
            answer_of(connection, status)


def test_an_offer_behind_chunks_ends_the_connection_and_its_own_body_is_no_request(live: Caller):
    offer = f"{TOKEN}Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: {len(HEALTH)}\r\n\r\n".encode()
    with connected(live) as connection:
        connection.sendall(IN_CHUNKS + offer + HEALTH)
        assert answers(connection).count(b"HTTP/1.1 200 ") == 0


def test_a_field_behind_the_body_is_none_of_the_head(live: Caller):
    client = live.started.client
    secret = base64.b64encode(f"{client.client_id}:{client.client_secret}".encode())
    form = b"grant_type=client_credentials"
    head = f"{TOKEN}{FORM}Transfer-Encoding: chunked\r\n\r\n".encode()
    with connected(live) as connection:
        connection.sendall(head + b"%x\r\n%b\r\n0\r\nAuthorization: Basic %b\r\n\r\n" % (len(form), form, secret))
        assert one_answer(connection).startswith(b"HTTP/1.1 401 ")


def test_what_is_no_chunk_ends_the_connection(live: Caller):
    head = b"POST /v1/telemetry/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connected(live) as connection:
        connection.sendall(head + b"no chunk\r\n")
        assert answers(connection).count(b"HTTP/1.1 4") == 1

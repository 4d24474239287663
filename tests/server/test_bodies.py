"""Request bodies that are too large, wrongly packed, or JSON that readers disagree about."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import os
import select
import signal
import socket
import sys
import termios
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.server.live import (
    MANIFESTS,
    Caller,
    gzipped,
    large_manifest,
    live_server,
    manifest,
    one_answer,
    problem_code,
)

MIB = 1024 * 1024
JSON = {"Content-Type": "application/json"}
GZIP = {"Content-Type": "application/json", "Content-Encoding": "gzip"}


def send_raw(caller: Caller, head: str, body: bytes = b"") -> bytes:
    """Send a request as it is written here and return the whole answer, read to its end."""
    port = int(caller.started.url.rpartition(":")[2])
    authorization = caller.api.headers["Authorization"]
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        fields = f"Host: localhost\r\nAuthorization: {authorization}\r\nConnection: close\r\n"
        connection.sendall(f"POST {MANIFESTS} HTTP/1.1\r\n{fields}{head}\r\n".encode() + body)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def held_at_half(body: bytes, go_on: threading.Event) -> Iterator[bytes]:
    """Yield a body in two halves, the second one when it may come: until then its request is under way."""
    yield body[: len(body) // 2]
    assert go_on.wait(120), "nobody was answered while a body came in"
    yield body[len(body) // 2 :]


def test_body_over_64_mib_is_refused_before_a_byte_of_it_is_read(live: Caller, monkeypatch):
    monkeypatch.setattr("reinmaker_cli.server.routes.exchange.LINGER_IDLE_S", 0.1)
    answer = send_raw(live, f"Content-Type: application/json\r\nContent-Length: {64 * MIB + 1}\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"body-too-large"' in answer


@pytest.mark.usefixtures("hurried_health")
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_body_of_64_mib_is_taken_while_others_are_answered(live: Caller, packed):
    """The figures, for a manifest that fills it, are in tests/benchmarks/health.py."""
    body = json.dumps(manifest(f"padded-{packed}")).encode().ljust(64 * MIB)
    content, headers = (gzip.compress(body, 1), GZIP) if packed else (body, JSON)
    answered = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(live.api.post, MANIFESTS, content=held_at_half(content, answered), headers=headers)
        for _ in range(4):
            assert live.http.get("/v1/health").status_code == 200
        answered.set()
        while not posting.done():
            assert live.http.get("/v1/health").status_code == 200
    assert posting.result().status_code == 202


def test_client_that_sends_all_of_a_large_body_sees_the_answer(live: Caller):
    answer = live.api.post(MANIFESTS, content=bytes(64 * MIB + 1), headers=JSON)
    assert (answer.status_code, problem_code(answer)) == (413, "body-too-large")
    assert live.http.get("/v1/health").status_code == 200


def test_chunked_body_over_64_mib_is_refused_when_it_is_over(live: Caller):
    pieces = (b" " * MIB for _ in range(66))
    answer = live.api.post(MANIFESTS, content=pieces, headers=JSON)
    assert problem_code(answer) == "body-too-large"


def test_client_without_a_token_sees_the_answer_after_a_large_body(live: Caller):
    answer = live.http.post(MANIFESTS, content=bytes(20 * MIB), headers=JSON)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [{}, {"Content-Type": "text/plain"}, JSON | {"Content-Encoding": "br"}, JSON | {"Content-Encoding": "gzip, gzip"}],
)
def test_other_types_and_encodings_are_unsupported(live: Caller, headers):
    answer = live.api.post(MANIFESTS, content=b"{}", headers=headers)
    assert (answer.status_code, problem_code(answer)) == (415, "media-type-unsupported")


# --- gzip ------------------------------------------------------------------------------------------------------------


def test_gzip_body_is_the_manifest_it_holds(live: Caller):
    plain = live.submit(manifest("packed")).json()
    packed = live.api.post(MANIFESTS, content=gzipped(manifest("packed")), headers=GZIP)
    assert packed.headers["idempotent-replayed"] == "true"
    assert packed.json()["digest"] == plain["digest"]


def test_gzip_bomb_stops_at_the_limit(live: Caller):
    bomb = gzip.compress(bytes(65 * MIB), 6)
    assert len(bomb) < MIB
    answer = live.api.post(MANIFESTS, content=bomb, headers=GZIP)
    assert (answer.status_code, problem_code(answer)) == (413, "body-too-large")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(gzipped(manifest("x")) * 2, id="two members"),
        pytest.param(gzipped(manifest("x")) + b"\0", id="a byte after it"),
        pytest.param(gzipped(manifest("x"))[:-3], id="cut"),
        pytest.param(b"{}", id="not gzip"),
        pytest.param(b"", id="empty"),
        pytest.param(gzipped(manifest("x"))[:-8] + bytes(8), id="wrong checksum"),
    ],
)
def test_gzip_that_is_not_one_whole_member_is_a_bad_request(live: Caller, body):
    answer = live.api.post(MANIFESTS, content=body, headers=GZIP)
    assert (answer.status_code, problem_code(answer)) == (400, "bad-request")


def test_byte_after_a_member_is_seen_in_a_chunk_of_its_own(live: Caller):
    answer = live.api.post(MANIFESTS, content=iter([gzipped(manifest("x")), b"\0"]), headers=GZIP)
    assert problem_code(answer) == "bad-request"


# --- JSON ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b"\xff\xfe", "not-json"),
        (b'{"a": 1, "a": 2}', "not-i-json"),
        (b'{"a": NaN}', "not-i-json"),
        (b'{"a": "\\ud800"}', "not-i-json"),
        (b'{"a": 9007199254740992}', "not-i-json"),
        (b"[" * 100_000, "not-i-json"),
        (b"[" * 65 + b"]" * 65, "not-i-json"),
    ],
)
def test_json_that_readers_disagree_about_is_refused(live: Caller, body, code):
    answer = live.api.post(MANIFESTS, content=body, headers=JSON)
    assert (answer.status_code, problem_code(answer)) == (400, code)


# --- large bodies ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def roomy():
    with live_server() as caller:
        yield caller


def test_large_manifest_goes_through_workers_to_its_verdict(roomy: Caller):
    document = large_manifest(5_000)
    answer = roomy.submit(document, wait=30)
    assert (answer.status_code, answer.json()["status"]) == (200, "active")
    assert roomy.status("large", include="manifest").json()["manifest"] == document


def test_large_manifest_that_is_invalid_is_refused_with_its_errors(roomy: Caller):
    document = large_manifest(5_000, "large-and-wrong")
    document["assets"][4_999]["bytes"] = 0
    problem = roomy.submit(document).json()
    assert [error["pointer"] for error in problem["errors"]] == ["/assets/4999/bytes"]


def test_third_large_body_at_once_is_told_to_come_back(roomy: Caller):
    """Three uploads are held open after 2 of 3 MiB: whichever comes third is answered, and the others wait."""
    port = int(roomy.started.url.rpartition(":")[2])
    head = (
        f"POST {MANIFESTS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {roomy.api.headers['Authorization']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {3 * MIB}\r\n\r\n"
    )
    with contextlib.ExitStack() as stack:
        uploads = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=120)) for _ in range(3)]
        for upload in uploads:
            upload.sendall(head.encode() + b" " * (2 * MIB))
        (refused,), _, _ = select.select(uploads, [], [], 120)
        answer = one_answer(refused)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: " in answer.lower()
        assert b'"code":"server-busy"' in answer
        assert problem_code(roomy.api.post(MANIFESTS, content=b" " * (2 * MIB), headers=JSON)) == "server-busy"
    while roomy.api.post(MANIFESTS, content=b" " * (2 * MIB), headers=JSON).status_code == 503:
        pass  # an upload that broke off gives its place back


def workers() -> list[int]:
    """Return every child process; threads and children may vanish meanwhile."""
    found: list[int] = []
    for children in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, children.read_text().split())
    return found


def kill_workers() -> None:
    """Kill every child process, and wait until it is dead."""
    for pid in workers():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # leaves it to be reaped by its owner


def unread_bytes(pid: int) -> int:
    """Return how much a worker was given that it has not taken; 0 where it has ended."""
    try:
        pipe = os.open(f"/proc/{pid}/fd/0", os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
    finally:
        os.close(pipe)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="child processes are found through /proc")
def test_worker_that_dies_while_it_waits_costs_nothing(roomy: Caller):
    assert roomy.submit(large_manifest(5_000, "first")).json()["status"] == "active"
    kill_workers()
    assert roomy.submit(large_manifest(5_000, "second")).json()["status"] == "active"


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="child processes are found through /proc")
def test_worker_that_dies_costs_one_answer_and_no_more(roomy: Caller):
    """All stand still before the body comes, so that whoever gets it still has it when they are killed."""
    assert roomy.submit(large_manifest(5_000, "before")).json()["status"] == "active"
    idle = workers()
    for pid in idle:
        os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        try:
            posting = pool.submit(roomy.submit, large_manifest(5_000, "killed"), wait=None)
            while not any(map(unread_bytes, idle)):
                assert not posting.done(), posting.result().text
        finally:
            kill_workers()
    answer = posting.result()
    assert (answer.status_code, problem_code(answer)) == (503, "server-busy")
    assert roomy.submit(large_manifest(5_000, "after")).json()["status"] == "active"


def test_bytes_of_the_manifest_are_kept_as_they_were_received(live: Caller):
    body = json.dumps(manifest("verbatim"), indent=7).encode() + os.linesep.encode()
    live.api.post(MANIFESTS, content=body, headers=JSON)
    assert body.strip() in live.status("verbatim", include="manifest").content

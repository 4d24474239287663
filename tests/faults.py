"""A TCP proxy that loses answers on purpose, and may be slow: for the failures that a healthy server never shows.

Each connection carries one request (`Connection: close` goes to both sides), so that the proxy knows where an answer
ends. A fault says which request it strikes and how; the others pass untouched.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from tests.ports import listening

Kind = Literal["drop", "reset", "cut", "refuse", "answer"]


@dataclass(frozen=True)
class Fault:
    """What to do to one request.

    `drop`: the server gets it, its answer is lost, the connection closes. `reset`: the same, with a TCP reset.
    `cut`: half of the answer arrives. `refuse`: the server never sees it. `answer`: nor this, `with_answer` is sent.
    """

    nth: int
    """Counted from 1 among the requests that match; 0: all of them."""
    kind: Kind = "drop"
    method: str = "POST"
    path: str | None = "/v1/content/manifests"
    """None: any."""
    with_answer: bytes = b""


_CUT = Fault(0, "refuse", path=None)


@dataclass(frozen=True)
class Passed:
    """A request that came whole, and what became of it."""

    method: str
    path: str
    status: int
    """0 where there was no answer."""
    body_bytes: int


class Line:
    """A line that takes so many bytes a second, all connections together; None: at once. Counts what came over it."""

    def __init__(self, bytes_per_s: float | None) -> None:
        self._bytes_per_s = bytes_per_s
        self._free_at = time.monotonic()
        self._came = 0
        self._cuts = 0
        self._changed = threading.Condition()

    def take(self, size: int) -> None:
        """Return when the bytes are through."""
        with self._changed:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + (size / self._bytes_per_s if self._bytes_per_s else 0)
            wait_s = self._free_at - now
        time.sleep(wait_s)
        with self._changed:
            self._came += size
            self._changed.notify_all()

    @property
    def cuts(self) -> int:
        """How often it was cut."""
        return self._cuts

    def cut(self) -> None:
        """Lose every request that has not come whole: a killed program's last bytes are sent on by its system."""
        self._cuts += 1

    @property
    def came(self) -> int:
        """Bytes that came until now."""
        return self._came

    def wait_for(self, total: int, timeout_s: float = 120) -> bool:
        """Return once so many bytes have come, False where that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._came >= total, timeout_s)


@dataclass
class FaultProxy:
    """Listens on `url` and passes requests on to one server."""

    target: tuple[str, int]
    faults: Sequence[Fault] = ()
    url: str = ""
    requests: list[str] = field(default_factory=list)
    """`METHOD path` of all requests that came, in order, without query."""
    passed: list[Passed] = field(default_factory=list)
    """All requests that came whole, in the order in which they were answered."""
    on_request: Callable[[str], None] = lambda _: None
    on_head: Callable[[bytes], None] = lambda _: None
    """Gets line and headers of each request, as they came."""
    line: Line = field(default_factory=lambda: Line(None))
    """Over which requests come; answers are not slowed down."""
    outage: range = range(0)
    """Places of requests, from 1 in the order in which they come, that reach nobody: the network is cut."""
    is_silent: bool = False
    """In an outage nothing is said at all, until the other side gives up; else the connection ends at once."""
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed: the test is over
            threading.Thread(target=self._serve_one, args=(client,), daemon=True).start()

    def _serve_one(self, client: socket.socket) -> None:
        with suppress(ConnectionError):  # one of the two was killed; the other one sees the connection end
            self._pass_one(client)

    def _pass_one(self, client: socket.socket) -> None:
        with client:
            client.settimeout(60)
            cuts = self.line.cuts
            request = _read_request(client, self.line)
            if request is None:
                return
            line = request.split(b"\r\n", 1)[0].decode("latin-1")
            method, target, _ = line.split(" ")
            path = urlsplit(target).path
            fault = self._strike(method, path)
            self.on_head(request[: request.index(b"\r\n\r\n") + 2])
            self.on_request(f"{method} {path}")
            if fault is _CUT and self.is_silent:
                client.recv(1)
            if fault is not None and fault.kind == "refuse":
                return
            if self.line.cuts > cuts:
                return
            answer = fault.with_answer if fault is not None and fault.kind == "answer" else self._ask(request)
            status = int(answer.split(b" ", 2)[1]) if answer else 0
            self.passed.append(Passed(method, path, status, len(request) - request.index(b"\r\n\r\n") - 4))
            _give(client, answer, fault)

    def _strike(self, method: str, path: str) -> Fault | None:
        with self._lock:
            self.requests.append(f"{method} {path}")
            count = self._counts[method, path] = self._counts.get((method, path), 0) + 1
            if len(self.requests) in self.outage:
                return _CUT
        struck = (f for f in self.faults if f.method == method and f.path in (path, None) and f.nth in (count, 0))
        return next(struck, None)

    def _ask(self, request: bytes) -> bytes:
        with socket.create_connection(self.target, timeout=60) as server:
            server.sendall(request)
            return b"".join(iter(lambda: server.recv(65536), b""))


def _give(client: socket.socket, answer: bytes, fault: Fault | None) -> None:
    if fault is None or fault.kind == "answer":
        client.sendall(answer)
    elif fault.kind == "cut":
        client.sendall(answer[: len(answer) // 2])
    elif fault.kind == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _read_request(client: socket.socket, line: Line) -> bytes | None:
    """Return one whole request that asks for the connection to be closed after it, None where there is none."""
    received, cuts = bytearray(), line.cuts
    while b"\r\n\r\n" not in received:
        if not _receive(client, received, line):
            return None
    head, _, begun = bytes(received).partition(b"\r\n\r\n")
    body = bytearray(begun)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    while length is not None and len(body) < int(length[1]):
        if not _receive(client, body, line) or line.cuts > cuts:
            return None
    head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head)
    return head + b"\r\nConnection: close\r\n\r\n" + body


def _receive(client: socket.socket, into: bytearray, line: Line) -> bool:
    """Add what comes next; False at the end, also where whoever was sending was killed."""
    piece = client.recv(65536)
    line.take(len(piece))
    into += piece
    return bool(piece)


@contextmanager
def fault_proxy(
    server_url: str,
    *faults: Fault,
    on_request: Callable[[str], None] = lambda _: None,
    on_head: Callable[[bytes], None] = lambda _: None,
    bytes_per_s: float | None = None,
) -> Iterator[FaultProxy]:
    """Yield a proxy before a server, closed afterwards."""
    parts = urlsplit(server_url)
    assert parts.hostname is not None and parts.port is not None
    with listening() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        proxy = FaultProxy(
            (parts.hostname, parts.port), faults, url, on_request=on_request, on_head=on_head, line=Line(bytes_per_s)
        )
        threading.Thread(target=proxy.serve, args=(listener,), daemon=True).start()
        yield proxy
        proxy.line.cut()  # what was still on its way reaches no server, which may be another test's by then

"""A TCP proxy that loses answers on purpose: for the failures that a healthy server never shows.

Each connection carries one request (`Connection: close` goes to both sides), so that the proxy knows where an answer
ends. A fault says which request it strikes and how; the others pass untouched.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Kind = Literal["drop", "reset", "cut", "refuse", "answer"]


@dataclass(frozen=True)
class Fault:
    """What to do to one request.

    `drop`: the server gets it, its answer is lost, the connection closes. `reset`: the same, with a TCP reset.
    `cut`: half of the answer arrives. `refuse`: the server never sees it. `answer`: nor this, `with_answer` is sent.
    """

    nth: int
    """Counted from 1 among the requests that match."""
    kind: Kind = "drop"
    method: str = "POST"
    path: str = "/v1/content/manifests"
    with_answer: bytes = b""


@dataclass
class FaultProxy:
    """Listens on `url` and passes requests on to one server."""

    target: tuple[str, int]
    faults: Sequence[Fault] = ()
    url: str = ""
    requests: list[str] = field(default_factory=list)
    """`METHOD path` of all requests that came, in order, without query."""
    on_request: Callable[[str], None] = lambda _: None
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed: the test is over
            threading.Thread(target=self._pass_one, args=(client,), daemon=True).start()

    def _pass_one(self, client: socket.socket) -> None:
        with client:
            client.settimeout(60)
            request = _read_request(client)
            if request is None:
                return
            line = request.split(b"\r\n", 1)[0].decode("latin-1")
            method, target, _ = line.split(" ")
            path = urlsplit(target).path
            fault = self._strike(method, path)
            self.on_request(f"{method} {path}")
            if fault is not None and fault.kind == "refuse":
                return
            if fault is not None and fault.kind == "answer":
                client.sendall(fault.with_answer)
                return
            answer = self._ask(request)
            _give(client, answer, fault)

    def _strike(self, method: str, path: str) -> Fault | None:
        with self._lock:
            self.requests.append(f"{method} {path}")
            count = self._counts[method, path] = self._counts.get((method, path), 0) + 1
        return next((f for f in self.faults if (f.method, f.path, f.nth) == (method, path, count)), None)

    def _ask(self, request: bytes) -> bytes:
        with socket.create_connection(self.target, timeout=60) as server:
            server.sendall(request)
            return b"".join(iter(lambda: server.recv(65536), b""))


def _give(client: socket.socket, answer: bytes, fault: Fault | None) -> None:
    if fault is None:
        client.sendall(answer)
    elif fault.kind == "cut":
        client.sendall(answer[: len(answer) // 2])
    elif fault.kind == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _read_request(client: socket.socket) -> bytes | None:
    """Return one whole request that asks for the connection to be closed after it, None where there is none."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = client.recv(65536)
        if not piece:
            return None
        received += piece
    head, body = received.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    while length is not None and len(body) < int(length[1]):
        piece = client.recv(65536)
        if not piece:
            return None
        body += piece
    head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head)
    return head + b"\r\nConnection: close\r\n\r\n" + body


@contextmanager
def fault_proxy(
    server_url: str, *faults: Fault, on_request: Callable[[str], None] = lambda _: None
) -> Iterator[FaultProxy]:
    """Yield a proxy before a server, closed afterwards."""
    parts = urlsplit(server_url)
    assert parts.hostname is not None and parts.port is not None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        proxy = FaultProxy((parts.hostname, parts.port), faults, url, on_request=on_request)
        threading.Thread(target=proxy.serve, args=(listener,), daemon=True).start()
        yield proxy

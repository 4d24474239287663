"""A receiver of webhooks that answers as a test wants it to: well, badly, slowly, never. A real port, raw sockets."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.ports import listening

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Respond = Callable[["Received", socket.socket], bytes | None]
"""What came, and its connection -> the whole answer; None where the function has answered itself, and it closes."""


@dataclass(frozen=True)
class Received:
    """One POST."""

    target: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def attempt(self) -> int:
        return int(self.headers["reinmaker-attempt"])

    @property
    def server_time(self) -> str:
        """When the attempt began, by the server's clock."""
        return self.headers["reinmaker-time"]

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Listens on `url`; each path is a receiver of its own."""

    url: str = ""
    respond: Respond = lambda _received, _connection: OK
    received: list[Received] = field(default_factory=list)
    most_at_once: Counter[str] = field(default_factory=Counter)
    """By path: the largest number of POSTs that were being answered at once."""
    _now: Counter[str] = field(default_factory=Counter)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int, *, target: str | None = None, timeout_s: float = 120) -> list[Received]:
        """Return what came, as soon as it is so many; AssertionError where that takes too long."""

        def mine() -> list[Received]:
            return [one for one in self.received if target is None or one.target == target]

        with self._news:
            assert self._news.wait_for(lambda: len(mine()) >= count, timeout_s), f"{len(mine())} of {count} came"
        return mine()

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed: the test is over
            threading.Thread(target=self._answer_all, args=(connection,), daemon=True).start()

    def _answer_all(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(60)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while (one := read_request(connection)) is not None:
                    with self._news:
                        self._now[one.target] += 1
                        self.most_at_once[one.target] = max(self.most_at_once[one.target], self._now[one.target])
                        self.received.append(one)
                        self._news.notify_all()
                    try:
                        answer = self.respond(one, connection)
                    finally:
                        self._now[one.target] -= 1
                    if answer is None:
                        return
                    connection.sendall(answer)
            except OSError:
                return  # the server has had enough


def answer(status: int, **fields: str) -> bytes:
    """Return an answer without a body."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Status\r\nContent-Length: 0\r\n{lines}\r\n".encode()


def always(reply: bytes) -> Respond:
    """Answer every POST so."""
    return lambda _received, _connection: reply


def read_request(connection: socket.socket) -> Received | None:
    """Return one whole request, None at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    return Received(first.split(" ")[1], headers, body)


@contextmanager
def receiver(respond: Respond | None = None) -> Iterator[Receiver]:
    """Yield a receiver that answers until the block is left."""
    with listening(backlog=512) as listener:
        one = Receiver(f"http://127.0.0.1:{listener.getsockname()[1]}")
        if respond is not None:
            one.respond = respond
        threading.Thread(target=one.serve, args=(listener,), daemon=True).start()
        yield one

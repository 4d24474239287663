"""A receiver of webhooks that costs little, in a process of its own: `python -m tests.benchmarks.receiving`.

It prints its port. POSTs to `/slow` are answered after a while, those to `/failing` with 500, others at once. A GET of
a path tells what came there.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field

SLOW_S = 0.03
_OK, _FAILED = b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 500 Failed\r\nContent-Length: 0\r\n\r\n"
_LENGTH, _ID = b"content-length:", b"webhook-id:"


@dataclass
class Came:
    """What came to one path."""

    at: dict[str, float] = field(default_factory=dict)
    """`webhook-id`, or a number where there is none → when it came first, on the machine's monotonic clock."""
    posts: int = 0
    under_way: int = 0
    most_at_once: int = 0


class Receiver(asyncio.Protocol):
    """One connection, whose requests come one after the other."""

    def __init__(self, came: defaultdict[bytes, Came]) -> None:
        self._came = came
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            first, *fields = head.split(b"\r\n")
            length = int(_value(fields, _LENGTH) or 0)
            if len(rest) < length:
                return
            self._received = rest[length:]
            method, path, _ = first.split()
            if method == b"POST":
                self._take(path, _value(fields, _ID))
            else:
                self._tell(self._came[path])

    def _take(self, path: bytes, given: bytes | None) -> None:
        came = self._came[path]
        came.posts += 1
        came.at.setdefault((given or b"%d" % came.posts).decode(), time.monotonic())
        came.under_way += 1
        came.most_at_once = max(came.most_at_once, came.under_way)
        if path == b"/slow":
            asyncio.get_running_loop().call_later(SLOW_S, self._answer, came, _OK)
        else:
            self._answer(came, _FAILED if path == b"/failing" else _OK)

    def _answer(self, came: Came, answer: bytes) -> None:
        came.under_way -= 1
        self._transport.write(answer)

    def _tell(self, came: Came) -> None:
        report = json.dumps({"posts": came.posts, "mostAtOnce": came.most_at_once, "at": came.at}).encode()
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(report), report))


def _value(fields: list[bytes], name: bytes) -> bytes | None:
    return next((field.partition(b":")[2].strip() for field in fields if field.lower().startswith(name)), None)


async def _main() -> None:
    came: defaultdict[bytes, Came] = defaultdict(Came)
    server = await asyncio.get_running_loop().create_server(lambda: Receiver(came), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())

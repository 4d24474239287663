"""Ports to listen on, and ones for what has to come again under the same number."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_FIRST, _BELOW = 20_000, 32_000
"""Below what Linux gives to who asks for any port, 32768 and more."""
_NEXT = itertools.count(os.getpid() * 37)


@contextmanager
def listening(backlog: int | None = None) -> Iterator[socket.socket]:
    """Yield a socket that listens on any port, and at the end wake who waits in `accept`.

    Linux lets such a thread go on listening after the close, and take one connection more.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        try:
            yield listener
        finally:
            with suppress(OSError):  # macOS has woken them by itself
                listener.shutdown(socket.SHUT_RDWR)


def own_port() -> int:
    """Return a port on which nobody listens, and that no other test is given meanwhile.

    Two processes of a test run begin at different places.
    """
    while True:
        port = _FIRST + next(_NEXT) % (_BELOW - _FIRST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port

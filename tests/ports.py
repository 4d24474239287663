"""Ports for what has to come again under the same number: no other test is given one of them meanwhile."""

from __future__ import annotations

import itertools
import os
import socket

_FIRST, _BELOW = 20_000, 32_000
"""Below what Linux gives to who asks for any port, 32768 and more."""
_NEXT = itertools.count(os.getpid() * 37)


def own_port() -> int:
    """Return a port on which nobody listens; two processes of a test run begin at different places."""
    while True:
        port = _FIRST + next(_NEXT) % (_BELOW - _FIRST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port

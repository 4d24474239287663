"""The sockets of a server: loopback only, and a clear word when the port is taken."""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ReinmakerError, UsageError
from reinmaker_cli.server.config import ServerConfig

BACKLOG = 512


def listen(config: ServerConfig) -> list[socket.socket]:
    """Return the bound sockets; for `localhost` one of each address family that the machine has."""
    if config.host != "localhost":
        return [_bind(_loopback(config.host), config.port)]
    first = _bind("127.0.0.1", config.port)
    port = first.getsockname()[1]
    try:
        # Without it another program could take [::1]:PORT, which many clients try first for `localhost`.
        return [first, _bind("::1", port)]
    except ReinmakerError:
        if config.port != 0:
            first.close()
            raise
        return [first]
    except OSError:
        return [first]  # a machine without IPv6


def public_url(config: ServerConfig, sockets: list[socket.socket]) -> str:
    """Return the URL under which the server is told to clients, without a slash at the end."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"http://{host}:{sockets[0].getsockname()[1]}"


def _loopback(host: str) -> str:
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise UsageError(
        f"cannot listen beyond this machine without TLS: `{host}`",
        code=codes.USAGE,
        hint="use --host localhost, 127.0.0.1 or ::1",
    )


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # Without the protocol's number asyncio does not set TCP_NODELAY, and every answer takes 40 ms longer.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if sys.platform != "win32":  # there it would let two programs share the port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
        bound.listen(BACKLOG)  # also where another program bound without listening, this says EADDRINUSE
        bound.setblocking(False)
        return bound
    except OSError as error:
        bound.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise UsageError(
                f"the port is taken: `{address}` port {port}",
                code=codes.PORT_TAKEN,
                hint="stop the other program, or take a free port with `--port 0`",
            ) from error
        raise

"""Where a server listens and under which URLs it is told to clients; beyond this machine only with TLS in front."""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.host_names import hint_for_host, hint_for_host_of
from reinmaker_cli.contract.loopback import is_loopback
from reinmaker_cli.errors import ReinmakerError, UsageError
from reinmaker_cli.server.config import ServerConfig

BACKLOG = 512
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Listening:
    """The bound sockets of a server, and what it is called."""

    api: list[socket.socket]
    control: list[socket.socket]
    """Of the control API, where it has a port of its own."""
    public_url: str
    """The issuer and audience of tokens, and what clients are told; without a slash at the end."""
    control_url: str | None
    """Where the control API is; None: it is off."""
    hosts: frozenset[str]
    """The names and addresses under which the API is asked for: in the Host field, and in the certificate."""
    control_is_apart: bool
    """True: no request to the API's port reaches the control API."""
    is_behind_proxy: bool
    """True: whom the API's port hears from is the proxy, wherever the request began."""

    @property
    def address(self) -> tuple[str, int]:
        """The address and port of the API."""
        host, port = self.api[0].getsockname()[:2]
        return host, port

    @property
    def is_within_this_machine(self) -> bool:
        """True: nobody beyond this machine reaches the API, so its users may have their own networks asked."""
        return not self.is_behind_proxy and all(is_loopback(bound.getsockname()[0]) for bound in self.api)

    @property
    def all(self) -> list[socket.socket]:
        """Every socket, to be closed in the end."""
        return [*self.api, *self.control]


def listen(config: ServerConfig) -> Listening:
    """Return the bound sockets; UsageError where that would leave this machine in clear, `port-taken`."""
    public = _public_parts(config)
    api = _bind_host(config.host, config.port)
    try:
        control = [] if config.control_port is None else _bind_host("localhost", config.control_port)
    except BaseException:
        for bound in api:
            bound.close()
        raise
    return _named(config, public, api, control)


def inherited(config: ServerConfig, api: Sequence[int], control: Sequence[int]) -> Listening:
    """Return the sockets that another process has bound, by their numbers."""
    sockets = [[socket.socket(fileno=number) for number in numbers] for numbers in (api, control)]
    return _named(config, _public_parts(config), *sockets)


def _named(
    config: ServerConfig, public: str | None, api: list[socket.socket], control: list[socket.socket]
) -> Listening:
    is_open = not is_loopback(config.host) or config.behind_proxy
    is_apart = is_open or bool(control)
    public_url = public or _own_url(config, api)
    control_url = public_url if not is_apart else f"http://localhost:{_port(control)}" if control else None
    named = {urlsplit(public_url).hostname or "", *config.allow_hosts}
    # Not the wildcard: a web page may ask http://0.0.0.0:7040 of its visitor's machine, and the Host says so.
    bound_to = {config.host} if not _is_wildcard(config.host) else set[str]()
    hosts = frozenset(host.lower().strip("[]") for host in {*LOOPBACK_NAMES, *bound_to, *named})
    return Listening(api, control, public_url, control_url, hosts, is_apart, config.behind_proxy)


def _own_url(config: ServerConfig, sockets: list[socket.socket]) -> str:
    """Return the URL by which the server can be reached without anything in front of it."""
    host = config.host
    if _is_wildcard(host):  # no address that anybody could ask for
        host = next(iter(config.allow_hosts), "localhost")
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if config.tls else 'http'}://{shown}:{_port(sockets)}"


def _public_parts(config: ServerConfig) -> str | None:
    """Return --public-url without a slash at the end; UsageError where it, or its company, makes no sense."""
    for host in config.allow_hosts:
        if hint := hint_for_host(host):  # a Host field never says it so
            raise _usage(f"--allow-host is not in ASCII: `{host}`", hint)
    if config.behind_proxy and config.tls:
        raise _usage("TLS ends here with --tls, and in front of here with --behind-proxy", "give one of the two")
    if config.behind_proxy and config.public_url is None:
        raise _usage("--behind-proxy without --public-url", "name the proxy's address: `--public-url https://HOST`")
    if not config.behind_proxy and not config.tls:
        if not is_loopback(config.host):
            raise _usage(
                f"cannot listen beyond this machine without TLS: `{config.host}`",
                "use --host localhost, or add --tls; where TLS ends in front: --behind-proxy --public-url https://HOST",
            )
        if config.public_url is not None:
            raise _usage("--public-url without --behind-proxy or --tls", "leave it out, or add one of them")
    if config.public_url is None:
        return None
    try:
        parts = urlsplit(config.public_url)
        is_usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    is_usable = is_usable and config.public_url.isascii() and parts.scheme in ("http", "https")
    if not is_usable or parts.username or parts.query or parts.fragment:
        hint = hint_for_host_of(config.public_url) or "write it as https://host or https://host:port"
        raise _usage(f"--public-url is no address: `{config.public_url}`", hint)
    if parts.path not in ("", "/"):
        raise _usage(f"--public-url has a path: `{config.public_url}`", "let the proxy serve the API at its root")
    if parts.scheme == "http" and (config.tls or not is_loopback(parts.hostname or "")):
        raise _usage(
            f"--public-url is plain http: `{config.public_url}`", "write it as https://host or https://host:port"
        )
    return config.public_url.rstrip("/")


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _port(sockets: list[socket.socket]) -> int:
    port: int = sockets[0].getsockname()[1]
    return port


def _bind_host(host: str, port: int) -> list[socket.socket]:
    """Return the sockets of a host; for `localhost` one of each address family that the machine has."""
    if host != "localhost":
        return [_bind(_address_of(host), port)]
    first = _bind("127.0.0.1", port)
    try:
        # Without it another program could take [::1]:PORT, which many clients try first for `localhost`.
        return [first, _bind("::1", _port([first]))]
    except ReinmakerError:
        if port != 0:
            first.close()
            raise
        return [first]
    except OSError:
        return [first]  # a machine without IPv6


def _address_of(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError as error:
        raise _usage(
            f"--host is no address: `{host}`", "use localhost, or an address; names go with --allow-host"
        ) from error


def _usage(fact: str, hint: str) -> UsageError:
    return UsageError(fact, code=codes.USAGE, hint=hint)


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
        if error.errno == errno.EADDRNOTAVAIL and not is_loopback(address):
            raise _usage(f"no address of this machine: `{address}`", "use 0.0.0.0 for all of them") from error
        raise

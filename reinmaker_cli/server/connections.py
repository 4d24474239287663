"""Connections to permitted addresses only: the network backends under `downloads.py` and `sending.py`.

httpx has no seam between name resolution and connection, so this goes one floor down, to the network backend of
httpcore, which httpx itself stands on: pools stay keyed by name, certificates are checked for the name, and each new
connection goes to an address that `addresses.py` permitted.
"""

# ruff: noqa: ASYNC109  (the parameters are those of httpcore's interface)

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpcore
import truststore

from reinmaker_cli.server.addresses import (
    AddressPolicy,
    AddressRefused,
    IPAddress,
    Lookup,
    literal_address,
    permitted_addresses,
)
from reinmaker_cli.server.threads import run_detached


class Deadline(threading.local):
    """When the asset that this thread is reading must be complete, on the monotonic clock."""

    ends_at_s: float = float("inf")

    def start(self, limit_s: float) -> None:
        """Begin a time limit for this thread."""
        self.ends_at_s = time.monotonic() + limit_s

    def left_s(self, exceeded: type[httpcore.TimeoutException]) -> float:
        """Return the seconds left; raise `exceeded` where there are none."""
        left_s = self.ends_at_s - time.monotonic()
        if left_s <= 0:
            raise exceeded("time limit")
        return left_s


class NameNotResolved(httpcore.ConnectError):
    """The name has no address."""


class TlsFailed(httpcore.ConnectError):
    """No TLS 1.3, or a certificate that is not trusted for this name."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Which addresses the connections of one pool may go to."""

    policy: AddressPolicy
    lookup: Lookup
    loopback_only: bool
    """For plain http."""

    def addresses(self, host: str, port: int) -> tuple[IPAddress, ...]:
        """Return the addresses to try, best first; NameNotResolved or AddressRefused where there is none. Blocks."""
        try:
            addresses = permitted_addresses(host, port, self.policy, self.lookup)
        except OSError as error:
            raise NameNotResolved(f"name does not resolve ({error.strerror})") from error
        if self.loopback_only:
            addresses = tuple(address for address in addresses if address.is_loopback)
            if not addresses:
                raise AddressRefused(f"plain http beyond this machine: `{host}`")
        return addresses


class CheckedBackend(httpcore.NetworkBackend):
    """Connects to permitted addresses only, and bounds every step by the deadline of the thread."""

    def __init__(self, targets: Targets, deadline: Deadline) -> None:
        self._targets, self._deadline = targets, deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError(host)
        for address in self._targets.addresses(host, port):
            left_s = self._deadline.left_s(httpcore.ConnectTimeout)
            try:
                stream = self._sockets.connect_tcp(str(address), port, left_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _BoundedStream(stream, self._deadline)
        raise failure


class _BoundedStream(httpcore.NetworkStream):
    """A connection whose every read and write ends at the deadline: a slow drip of bytes cannot extend it."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left_s(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left_s(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        # A context of its own: truststore holds a lock during the handshake, so one silent host would hold up all.
        left_s = self._deadline.left_s(httpcore.ConnectTimeout)
        return _BoundedStream(self._stream.start_tls(tls_context(), server_hostname, left_s), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class AsyncCheckedBackend(httpcore.AsyncNetworkBackend):
    """The same on an event loop, where the caller's timeout bounds all steps together."""

    def __init__(self, targets: Targets, tls: Callable[[], ssl.SSLContext]) -> None:
        self._targets, self._tls = targets, tls
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError(host)
        for address in await self._addresses(host, port):
            try:
                stream = await self._sockets.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _CheckedStream(stream, self._tls)
        raise failure

    async def _addresses(self, host: str, port: int) -> tuple[IPAddress, ...]:
        if literal_address(host) is not None:
            return self._targets.addresses(host, port)
        # A resolver may take half a minute to give up; in a thread of its own it holds nobody up.
        return await run_detached(self._targets.addresses, host, port)


class _CheckedStream(httpcore.AsyncNetworkStream):
    """A connection that says so when TLS is what failed."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, tls: Callable[[], ssl.SSLContext]) -> None:
        self._stream, self._tls = stream, tls

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        context = await run_detached(self._tls)  # reads the certificates of the world
        try:
            stream = await self._stream.start_tls(context, server_hostname, timeout)
        except httpcore.ConnectError as error:
            raise TlsFailed(str(error)) from error
        return _CheckedStream(stream, self._tls)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def tls_context() -> ssl.SSLContext:
    """Return TLS 1.3 or newer, with the certificates that the operating system trusts."""
    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    return context

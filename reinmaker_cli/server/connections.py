"""Connections to permitted addresses only, each step within a deadline: the network backend under `downloads.py`.

httpx has no seam between name resolution and connection, so this goes one floor down, to the network backend of
httpcore, which httpx itself stands on: pools stay keyed by name, certificates are checked for the name, and each new
connection goes to an address that `addresses.py` permitted.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore
import truststore

from reinmaker_cli.server.addresses import AddressPolicy, AddressRefused, Lookup, permitted_addresses


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


class CheckedBackend(httpcore.NetworkBackend):
    """Connects to permitted addresses only, and bounds every step by the deadline of the thread."""

    def __init__(self, policy: AddressPolicy, lookup: Lookup, deadline: Deadline, *, loopback_only: bool) -> None:
        self._policy, self._lookup, self._deadline = policy, lookup, deadline
        self._loopback_only = loopback_only
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = permitted_addresses(host, port, self._policy, self._lookup)
        except OSError as error:
            raise httpcore.ConnectError(f"name does not resolve ({error.strerror})") from error
        if self._loopback_only:
            addresses = tuple(address for address in addresses if address.is_loopback)
            if not addresses:
                raise AddressRefused(f"plain http beyond this machine: `{host}`")
        failure: Exception = httpcore.ConnectError(host)
        for address in addresses:
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


def tls_context() -> ssl.SSLContext:
    """Return TLS 1.3 or newer, with the certificates that the operating system trusts."""
    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    return context

"""An asset's bytes over http(s) -> their size and hash, asked of checked addresses only (`connections.py`).

No proxies, cookies, credentials or variables are involved.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import httpcore
import httpx

from reinmaker_cli.contract.object_urls import without_query
from reinmaker_cli.server.addresses import AddressPolicy, AddressRefused, Lookup, system_lookup
from reinmaker_cli.server.connections import CheckedBackend, Deadline, Targets, tls_context
from reinmaker_cli.server.folders import Content
from reinmaker_cli.server.http_urls import NotHttp, checked_url, http_url, wire_url
from reinmaker_cli.server.sources import origin_of

MAX_REDIRECTS: Final = 3
TIME_LIMIT_S: Final = 30.0
"""For one asset from its first byte to its last, redirects included; large ones get `SLOWEST_BYTES_S` on top."""
SLOWEST_BYTES_S: Final = 1 << 20
"""Bytes a second. A source that is slower serves no game, and would hold the validation up for hours."""
LONGEST_S: Final = 6 * 3600.0
"""For any asset, whatever size the manifest claims; beyond 24 days sockets refuse the number itself."""
ASK_HEAD_FROM_BYTES: Final = 1 << 20
"""Below this size, one GET is less work than a HEAD that mostly has no checksum."""
MAX_FAILURES_IN_A_ROW: Final = 3
"""Then the rest of an origin fails at once: 100,000 time limits in a row would never end."""
MAX_CONNECTIONS: Final = 8

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final = (("Accept-Encoding", "identity"), ("Accept", "*/*"), ("x-amz-checksum-mode", "ENABLED"))
_BROKEN: Final = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)

# A connection that lay idle may be closed by the server just when it is used again: once more is then right.
_STALE: Final = (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError)


class DownloadFailed(Exception):
    """Nothing usable came; the text says why and never holds a query, which may be signed."""


def limit_s(expected_bytes: int, base_s: float = TIME_LIMIT_S) -> float:
    """Return how long reading an asset of a size may take, in seconds."""
    return min(base_s + expected_bytes // SLOWEST_BYTES_S, LONGEST_S)


class Failures:
    """Where nothing could be read several times in a row: the rest of it fails at once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, str]] = {}

    def require_hope(self, origin: str) -> None:
        """Raise DownloadFailed where the origin has failed too often."""
        failures, reason = self._known.get(origin, (0, ""))
        if failures >= MAX_FAILURES_IN_A_ROW:
            raise DownloadFailed(f"{reason} (as {failures} times before; not asked again)")

    def failed(self, origin: str, reason: str) -> DownloadFailed:
        """Count a failure and return it to be raised."""
        self._known[origin] = (self._known.get(origin, (0, ""))[0] + 1, reason)
        return DownloadFailed(reason)

    def passed(self, origin: str) -> None:
        """Forget the failures of an origin that answers."""
        self._known.pop(origin, None)


class Downloader:
    """Reads assets over http(s); safe for several threads, each asset within its own time limit."""

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        stop: Callable[[], bool] = lambda: False,
        lookup: Lookup = system_lookup,
        time_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        self._stop = stop
        self._time_limit_s = time_limit_s
        self._deadline = Deadline()
        self._failures = Failures()
        self._pools = {
            scheme: httpcore.ConnectionPool(
                ssl_context=tls_context(),
                max_connections=MAX_CONNECTIONS,
                keepalive_expiry=5.0,
                network_backend=CheckedBackend(Targets(policy, lookup, scheme == "http"), self._deadline),
            )
            for scheme in ("http", "https")
        }

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()

    def read(self, url: str, expected_bytes: int) -> Content:
        """Return size and hash of what the URL serves, reading at most one byte more than expected.

        DownloadFailed where it serves nothing.
        """
        origin = origin_of(url)
        self._failures.require_hope(origin)
        self._deadline.start(limit_s(expected_bytes, self._time_limit_s))
        try:
            try:
                content = self._ask(url, expected_bytes)
            except _STALE:
                content = self._ask(url, expected_bytes)
        except AddressRefused as error:
            raise DownloadFailed(str(error)) from error
        except _BROKEN as error:
            raise self._failures.failed(origin, f"{_reason(error)}: `{origin}`") from error
        self._failures.passed(origin)
        return content

    def _ask(self, url: str, expected_bytes: int) -> Content:
        if expected_bytes >= ASK_HEAD_FROM_BYTES:
            with self._answer("HEAD", url) as answer:
                content = _content_by_checksum(answer)
            if content is not None:
                return content
        with self._answer("GET", url) as answer:
            if answer.status != 200:
                raise DownloadFailed(f"answered {answer.status}: `{without_query(url)}`")
            return self._read_body(answer, expected_bytes)

    def _read_body(self, answer: httpcore.Response, expected_bytes: int) -> Content:
        headers = _named(answer)
        coding = headers.get("content-encoding", "identity")
        if coding != "identity":
            raise DownloadFailed(f"answered with Content-Encoding `{coding}`, although only identity was accepted")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > expected_bytes:
            return Content(int(length), None)
        digest = hashlib.sha256()
        size = 0
        for chunk in answer.iter_stream():
            size += len(chunk)
            if size > expected_bytes:
                return Content(expected_bytes + 1, None, is_whole=False)
            if self._stop():
                raise DownloadFailed("stopped")
            digest.update(chunk)
        return Content(size, digest.hexdigest())

    @contextmanager
    def _answer(self, method: str, url: str) -> Iterator[httpcore.Response]:
        """Open the final answer, after at most three redirects; each target is checked like the first."""
        try:
            target = http_url(url)
        except NotHttp as error:
            raise DownloadFailed(str(error)) from error
        for _ in range(MAX_REDIRECTS + 1):
            with self._pools[target.scheme].stream(method, wire_url(target), headers=_HEADERS) as answer:
                location = _named(answer).get("location")
                if answer.status not in _REDIRECTS or location is None:
                    yield answer
                    return
            target = _redirected(target, location)
        raise DownloadFailed(f"more than {MAX_REDIRECTS} redirects: `{without_query(url)}`")


def _redirected(url: httpx.URL, location: str) -> httpx.URL:
    try:
        target = url.join(location)
    except httpx.InvalidURL as error:
        raise DownloadFailed(f"redirected to something that is no URL by `{url.scheme}://{url.host}`") from error
    if url.scheme == "https" and target.scheme == "http":
        raise DownloadFailed(f"redirected from https to http by `{url.scheme}://{url.host}`")
    try:
        return checked_url(target)
    except NotHttp as error:
        raise DownloadFailed(str(error)) from error


def _content_by_checksum(answer: httpcore.Response) -> Content | None:
    """Return size and hash as the answer to a HEAD states them, where it states a SHA-256 of the whole object."""
    headers = _named(answer)
    length = headers.get("content-length", "")
    if answer.status != 200 or not length.isdecimal() or headers.get("content-encoding", "identity") != "identity":
        return None
    sha256 = stated_sha256(headers)
    return Content(int(length), sha256) if sha256 else None


def stated_sha256(headers: Mapping[str, str]) -> str | None:
    """Return the SHA-256 of the whole object, 64 hex digits, that headers (names in lower case) state, if any.

    `Repr-Digest` (RFC 9530), and S3's own header unless it is the hash of the hashes of parts (type COMPOSITE).
    """
    encoded = None
    for item in headers.get("repr-digest", "").split(","):
        name, _, value = item.strip().partition("=")
        if name == "sha-256" and len(value) > 2 and value[0] == value[-1] == ":":
            encoded = value[1:-1]
    if encoded is None and headers.get("x-amz-checksum-type", "FULL_OBJECT") == "FULL_OBJECT":
        encoded = headers.get("x-amz-checksum-sha256")
    if encoded is None:
        return None
    try:
        digest = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None  # `…-3`, a multipart checksum of older buckets, is no base64
    return digest.hex() if len(digest) == 32 else None


def _named(answer: httpcore.Response) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}


def _reason(error: Exception) -> str:
    if isinstance(error, httpcore.TimeoutException):
        return "no complete answer in time"
    text = f" ({error})" if str(error) else ""
    if isinstance(error, httpcore.ConnectError):
        return f"cannot connect{text}"
    return f"the connection broke{text}"

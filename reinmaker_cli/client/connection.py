"""The one place that makes an `httpx.Client`, and the one place that sends with it.

TLS 1.3 or newer with the operating system's certificates, plain http to this machine only and past any proxy, no
redirects, time limits for every phase, and a limit on every answer: an endless body costs neither memory nor the day.
A head has a limit of size, but of time only between two of its pieces: httpx has none for all of it.
"""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import httpx
import truststore

from reinmaker_cli import __version__
from reinmaker_cli.client.answers import Answer, plain, trace_id_of
from reinmaker_cli.client.entitlements import without_user
from reinmaker_cli.client.environment import require_safe_transport, stays_here
from reinmaker_cli.client.pacing import Pacing, policy_of
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import LOCAL_PORT, TRACE_HEADER
from reinmaker_cli.errors import ConfigError, ServerUnreachable

CONNECT_LIMIT_S: Final = 10.0
READ_LIMIT_S: Final = 30.0  # between two pieces of an answer, a `Prefer: wait` not counted
WRITE_LIMIT_S: Final = 30.0
ANSWER_LIMIT_S: Final = 120.0  # for a whole body, so that one that drips ends too
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
GZIP_FROM_BYTES: Final = 64 * 1024

# Built from an allow-list, so that a header nobody thought of cannot carry a token into a log.
SHOWN_HEADERS: Final = (
    *("x-lesson-trace-id", "prefer", "if-none-match", "content-type", "content-encoding", "content-length"),
    *("etag", "retry-after", "ratelimit", "ratelimit-policy", "preference-applied", "idempotent-replayed"),
)

_NETWORK_HINT: Final = "check the network, then run the same command again"
TraceLog = Callable[[str], None]
Apart = Callable[[Callable[[], httpx.Response]], httpx.Response]
MAX_CONNECTIONS: Final = 40  # more than anybody has requests in flight, so that each finds its connection again
Cause = TypeVar("Cause", bound=BaseException)


def wait_alone(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Wait for an answer, and do nothing else meanwhile."""
    return ask()


@dataclass(frozen=True, slots=True)
class Body:
    """A request body, ready to be sent any number of times."""

    content: bytes
    headers: Mapping[str, str]

    @classmethod
    def json(cls, raw: bytes) -> Body:
        """Return JSON text as a body, compressed where that is worth it."""
        if len(raw) <= GZIP_FROM_BYTES:
            return cls(raw, {"Content-Type": "application/json"})
        packed = gzip.compress(raw, compresslevel=6, mtime=0)
        return cls(packed, {"Content-Type": "application/json", "Content-Encoding": "gzip"})


class _AnswerTooLong(Exception):
    """An answer is larger than any answer of the API is."""


class _AnswerTooSlow(Exception):
    """An answer goes on when its time is out."""


# The last is Python's resolver, of a name with an empty label or one of more than 63 letters.
_NO_ANSWER: Final = (httpx.RequestError, _AnswerTooLong, _AnswerTooSlow, UnicodeError)


class _BoundedStream(httpx.SyncByteStream):
    """An answer's bytes, up to a size and a time."""

    def __init__(self, stream: httpx.SyncByteStream, max_bytes: int, limit_s: float) -> None:
        self._stream, self._max_bytes, self._limit_s = stream, max_bytes, limit_s
        self._end_at = time.monotonic() + limit_s

    def __iter__(self) -> Iterator[bytes]:
        received = 0
        for piece in self._stream:
            received += len(piece)
            if received > self._max_bytes:
                raise _AnswerTooLong(f"more than {self._max_bytes} bytes")
            if time.monotonic() > self._end_at:
                raise _AnswerTooSlow(f"more than {self._limit_s:g} s")
            yield piece

    def close(self) -> None:
        self._stream.close()


def open_http(
    base_url: str,
    *,
    ca_file: Path | None = None,
    local_host: str | None = None,
    trace: TraceLog | None = None,
    transport: httpx.BaseTransport | None = None,
) -> httpx.Client:
    """Return a client for one origin. `ca_file` adds to the system's certificates; `trace` gets a redacted log.

    Proxy variables count for addresses beyond this machine only: to loopback, a proxy would get the secret in clear.
    """
    require_safe_transport(base_url, local_host=local_host)
    try:
        return httpx.Client(
            verify=tls_context(ca_file),
            trust_env=not stays_here(base_url, local_host=local_host),
            follow_redirects=False,
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
            # Answers come as they are: an inflated one could be a thousand times what was received.
            headers={"User-Agent": f"reinmaker/{__version__}", "Accept-Encoding": "identity"},
            event_hooks={"request": [_log_request(trace)], "response": [_bound_answer, _log_answer(trace)]},
            transport=transport,
        )
    except (ValueError, ImportError, httpx.InvalidURL) as error:
        raise ConfigError(
            f"a proxy variable cannot be used: {error}",
            code=codes.CONFIG_INVALID,
            hint="correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or unset it",
        ) from error


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return TLS 1.3 with the system's certificates and those of `ca_file`; ConfigError where that is none."""
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=str(ca_file))
        except OSError as error:  # ssl.SSLError is one: not PEM
            raise ConfigError(
                f"certificate file cannot be used: `{ca_file}`",
                code=codes.CONFIG_UNREADABLE,
                hint="--ca-file wants a PEM file with one or more certificates",
            ) from error
    return context


def _bound_answer(response: httpx.Response) -> None:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise _AnswerTooLong("an encoding that was not asked for")
    assert isinstance(response.stream, httpx.SyncByteStream)
    max_bytes: int = response.request.extensions.get("max_answer_bytes", MAX_ANSWER_BYTES)
    limit_s: float = response.request.extensions.get("answer_limit_s", ANSWER_LIMIT_S)
    response.stream = _BoundedStream(response.stream, max_bytes, limit_s)


def _log_request(trace: TraceLog | None) -> Callable[[httpx.Request], None]:
    def log(request: httpx.Request) -> None:
        request.extensions["sent_at"] = time.monotonic()
        if trace is not None:
            trace(f"> {request.method} {without_user(str(request.url))}{_shown(request.headers)}")

    return log


def _log_answer(trace: TraceLog | None) -> Callable[[httpx.Response], None]:
    def log(response: httpx.Response) -> None:
        if trace is not None:
            took_s = time.monotonic() - response.request.extensions["sent_at"]
            trace(f"< {response.status_code} in {took_s:.3f} s{_shown(response.headers)}")

    return log


def _shown(headers: httpx.Headers) -> str:
    return "".join(f"  {name}: {plain(headers[name])}" for name in SHOWN_HEADERS if name in headers)


class Connection:
    """Sends requests to one origin and returns whole answers; what goes wrong on the way becomes our error."""

    def __init__(
        self,
        http: httpx.Client,
        base_url: str,
        *,
        auth: httpx.Auth | None = None,
        trace: TraceLog | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        self._http, self._base_url, self._auth, self._trace = http, base_url.rstrip("/"), auth, trace
        self._pacing = pacing
        self.apart: Apart = wait_alone
        """How an answer is waited for: a publication lets others go on meanwhile."""
        self.requests = 0
        """How many requests were sent, those for tokens not counted."""

    def close(self) -> None:
        """Close the connections; waits for nothing."""
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        trace_id: str,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        wait_s: int = 0,
        limit_s: float | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        with_token: bool = True,
    ) -> Answer:
        """Return the answer, whatever its status; ServerUnreachable where none came, Paced where limits forbid asking.

        `wait_s` is sent as `Prefer: wait`; `limit_s` shortens the time limits where less time than usual is left.
        """
        sent = {
            TRACE_HEADER: trace_id,
            "Accept": "application/json",
            **(headers or {}),
            **(body.headers if body else {}),
        }
        if wait_s > 0:
            sent["Prefer"] = f"wait={wait_s}"
        request = self._http.build_request(
            method,
            self._base_url + path,
            params=query or None,
            content=body.content if body else None,
            headers=sent,
            timeout=_time_limits(wait_s, limit_s),
            extensions={
                "max_answer_bytes": max_answer_bytes,
                "answer_limit_s": ANSWER_LIMIT_S if limit_s is None else min(ANSWER_LIMIT_S, max(1.0, limit_s)),
            },
        )
        pacing, policy = self._pacing if with_token else None, policy_of(method, path)
        sent_at = pacing.admit(policy) if pacing is not None else 0.0
        self.requests += 1
        answered, status = None, 0
        try:
            auth = self._auth if with_token else None
            response = self.apart(lambda: self._http.send(request, auth=auth))
            status, answered = response.status_code, {name.lower(): value for name, value in response.headers.items()}
        except _NO_ANSWER as error:
            if self._trace is not None:
                self._trace(f"! {type(error).__name__}")
            failure = self._explain(error)
            if not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):  # else nothing arrived
                failure.trace_id = trace_id
            raise failure from error
        finally:
            if pacing is not None:
                pacing.answered(policy, sent_at, answered, status)
        url = without_user(self._base_url + path)
        return Answer(response.status_code, answered, response.content, url, trace_id_of(answered, trace_id))

    def _explain(self, error: Exception) -> ServerUnreachable:
        url = self._base_url
        if isinstance(error, _AnswerTooLong):
            hint = "check the address with `reinmaker config show --origin`"
            return ServerUnreachable(f"unexpected answer from `{url}`: {error}", code=codes.ANSWER_UNUSABLE, hint=hint)
        tls = _cause_of(error, ssl.SSLError)
        if tls is not None:
            reason = getattr(tls, "verify_message", "") or tls.reason or type(tls).__name__
            hint = "the server must speak TLS 1.3; name a certificate of your own with `--ca-file`"
            return ServerUnreachable(f"no safe connection to `{url}`: {reason}", code=codes.TLS_FAILED, hint=hint)
        stays = stays_here(url, local_host=httpx.URL(url).host if url.startswith("http:") else None)
        proxy = None if stays else _proxy_variable(url)
        if proxy is None and any(_cause_of(error, kind) is not None for kind in (socket.gaierror, UnicodeError)):
            fact = f"no address is known for the server of `{url}`"
            return ServerUnreachable(fact, code=codes.NAME_UNKNOWN, hint=codes.NAME_UNKNOWN.cure)
        hint = f"start one: `reinmaker serve{_port_option(url)}`" if stays else _NETWORK_HINT
        if proxy is not None:
            hint = f"requests go through the proxy that {proxy} names; if they should not: `unset {proxy}`"
        if stays and isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout | _AnswerTooSlow):
            hint = "a server is there and slow: run the same command again; `reinmaker doctor --online` asks it too"
        if isinstance(error, httpx.TimeoutException | _AnswerTooSlow):
            return ServerUnreachable(f"no answer in time from `{url}`", code=codes.SERVER_UNREACHABLE, hint=hint)
        if isinstance(error, httpx.ConnectError):
            return ServerUnreachable(f"cannot reach server: `{url}`", code=codes.SERVER_UNREACHABLE, hint=hint)
        return ServerUnreachable(f"connection broke: `{url}`", code=codes.SERVER_UNREACHABLE, hint=hint)


def _port_option(url: str) -> str:
    """Return what makes a server of this machine listen where it is looked for."""
    port = urlsplit(url).port
    return "" if port in (None, LOCAL_PORT) else f" --port {port}"


def _time_limits(wait_s: int, limit_s: float | None) -> httpx.Timeout:
    most_s = float("inf") if limit_s is None else max(1.0, limit_s)
    return httpx.Timeout(
        connect=min(CONNECT_LIMIT_S, most_s),
        read=min(READ_LIMIT_S + wait_s, most_s),
        write=min(WRITE_LIMIT_S, most_s),
        pool=min(CONNECT_LIMIT_S, most_s),
    )


def _proxy_variable(url: str) -> str | None:
    """Return the variable that sends requests to this address through a proxy, or None."""
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc):
        return None
    names = (f"{parts.scheme}_proxy", "all_proxy")
    return next((one for name in names for one in (name, name.upper()) if os.environ.get(one)), None)


def _cause_of(error: BaseException, kind: type[Cause]) -> Cause | None:
    """Return the error of this kind that an HTTP library's error was raised from, or None."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, kind):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None

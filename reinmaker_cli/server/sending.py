"""A claimed delivery -> an attempt that was made: one signed POST, within 5 s in total, to a permitted address.

No redirects, proxies, cookies, credentials or variables are involved.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal

import httpcore

from reinmaker_cli import __version__
from reinmaker_cli.contract import names, signing
from reinmaker_cli.server.addresses import AddressPolicy, AddressRefused, Lookup, system_lookup
from reinmaker_cli.server.clock import Clock, rfc3339
from reinmaker_cli.server.connections import (
    AsyncCheckedBackend,
    NameNotResolved,
    Targets,
    TlsFailed,
    tls_context,
)
from reinmaker_cli.server.http_urls import NotHttp, http_url, wire_url
from reinmaker_cli.server.kept_connections import KeptConnections
from reinmaker_cli.server.retries import Answered, Failed, Failure, Outcome, retry_after_seconds
from reinmaker_cli.server.store.webhook_records import Claimed, Sent
from reinmaker_cli.server.threads import run_detached

TIME_LIMIT_S: Final = 5.0
"""Real time, for name, connection, TLS, request, and the whole answer together."""
MAX_ANSWER_BYTES: Final = 64 * 1024

FaultOf = Callable[[str, str], Awaitable[Literal["dns", "tls", "timeout"] | None]]
"""URL, event type -> the failure that a test asks for."""

_NO_ANSWER: Final = f"no complete answer within {TIME_LIMIT_S:g} s"
_AS_IF: Final[Mapping[Failure, str]] = {
    "dns": "name does not resolve (Name or service not known)",
    "tls": "TLS failed (handshake failure)",
    "timeout": _NO_ANSWER,
}
"""What failures are like that a test asks for: they cost no time, and are told as the real ones."""

_BROKEN: Final = (httpcore.NetworkError, httpcore.ProtocolError)


async def no_fault(_url: str, _event_type: str) -> None:
    """Let every delivery go its way."""


class Sender:
    """Makes attempts; any number at once."""

    def __init__(
        self,
        policy: AddressPolicy,
        clock: Clock,
        *,
        fault: FaultOf = no_fault,
        stamp: Callable[[], float] = time.time,
        lookup: Lookup = system_lookup,
        tls: Callable[[], ssl.SSLContext] = tls_context,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._fault = fault
        self._stamp = stamp
        backends = {
            scheme: AsyncCheckedBackend(Targets(policy, lookup, scheme == b"http"), tls)
            for scheme in (b"http", b"https")
        }
        unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # each connection has its own

        def connect(origin: httpcore.Origin, kept_s: float) -> httpcore.AsyncHTTPConnection:
            return httpcore.AsyncHTTPConnection(origin, unused, kept_s, network_backend=backends[origin.scheme])

        self._connections = KeptConnections(connect, monotonic)
        self._has_loaded = False
        """What reads URLs."""

    async def close(self) -> None:
        """Close the connections that are kept."""
        await self._connections.close()

    async def send(self, claimed: Claimed) -> Sent:
        """Make the attempt; whatever happens is its outcome."""
        started_at, began_s, timestamp_s = self._clock.now(), time.monotonic(), int(self._stamp())
        outcome = await self._outcome(claimed, _headers(claimed, timestamp_s, started_at))
        return Sent(
            claimed=claimed,
            outcome=outcome,
            started_at=started_at,
            ended_at=self._clock.now(),
            duration_ms=round((time.monotonic() - began_s) * 1000, 1),
            webhook_timestamp=timestamp_s,
        )

    async def _outcome(self, claimed: Claimed, headers: list[tuple[str, str]]) -> Outcome:
        fault = await self._fault(claimed.url, claimed.type)
        if fault is not None:
            return Failed(fault, _AS_IF[fault])
        try:
            async with asyncio.timeout(TIME_LIMIT_S):
                return await self._post(claimed, headers)
        except TimeoutError:
            return Failed("timeout", _NO_ANSWER)
        except (NotHttp, AddressRefused) as error:
            return Failed("address-refused", str(error))
        except NameNotResolved as error:
            return Failed("dns", str(error))
        except TlsFailed as error:
            return Failed("tls", f"TLS failed ({error})")
        except httpcore.ConnectError as error:
            return Failed("connect", f"cannot connect ({error})")
        except _BROKEN as error:
            return Failed("connection-broken", f"the connection broke ({type(error).__name__})")

    async def _post(self, claimed: Claimed, headers: list[tuple[str, str]]) -> Answered:
        if not self._has_loaded:
            await run_detached(http_url, claimed.url)  # loads a library, for which nobody else is to wait
            self._has_loaded = True
        (url, host), body = _target(claimed.url), claimed.body.encode()
        framing = [("Host", host), ("Content-Length", str(len(body)))]
        request = httpcore.Request("POST", url, headers=framing + headers, content=body)
        async with self._connections.answer(request) as answer:
            received = 0
            async for piece in answer.aiter_stream():
                received += len(piece)
                if received > MAX_ANSWER_BYTES:
                    break  # the status says what became of the event; nobody needs the rest
            given = next((value for name, value in answer.headers if name.lower() == b"retry-after"), None)
            retry_after_s = None if given is None else retry_after_seconds(given.decode("latin-1"), time.time())
            return Answered(answer.status, retry_after_s)


@functools.lru_cache(256)
def _target(url: str) -> tuple[httpcore.URL, str]:
    """Return the URL of an endpoint as it is asked, and its Host; NotHttp. Parsed once, not for each delivery."""
    parsed = http_url(url)
    return wire_url(parsed), parsed.netloc.decode()


def _headers(claimed: Claimed, timestamp_s: int, started_at: float) -> list[tuple[str, str]]:
    body, keys = claimed.body.encode(), [signing.secret_bytes(secret) for secret in claimed.secrets]
    return [
        ("Content-Type", "application/json"),
        ("User-Agent", f"reinmaker/{__version__}"),
        (signing.ID_HEADER, claimed.event_id),
        (signing.TIMESTAMP_HEADER, str(timestamp_s)),
        (signing.SIGNATURE_HEADER, signing.signature_header(keys, claimed.event_id, timestamp_s, body)),
        (names.TRACE_HEADER, claimed.trace_id),
        (names.ATTEMPT_HEADER, str(claimed.attempt)),
        (names.SERVER_TIME_HEADER, rfc3339(started_at)),
    ]

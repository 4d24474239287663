"""POST to a receiver of webhooks -> its answer, or why none came: for forwarding and for probing.

TLS 1.3, plain http to this machine only and past any proxy, no redirects, one time limit over all of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import httpx

from reinmaker_cli.client.connection import tls_context
from reinmaker_cli.client.environment import require_safe_transport, stays_here
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ConfigError, UsageError

MAX_ANSWER_BYTES: Final = 64 * 1024  # contract, "Webhooks": more of an answer is not read
IN_FLIGHT: Final = 20


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer, its body cut at 64 KiB."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    took_s: float


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No whole answer within the time."""

    kind: Literal["unreachable", "timeout", "broken"]
    took_s: float


class Poster:
    """Sends webhooks to one URL."""

    def __init__(self, url: str, *, ca_file: Path | None = None, local_host: str | None = None) -> None:
        self.url = require_receiver_url(url, local_host=local_host)
        origin = _origin(self.url)
        try:
            self._http = httpx.AsyncClient(
                # Reading the world's certificates takes longer than a delivery on this machine.
                verify=tls_context(ca_file) if origin.startswith("https:") else False,
                trust_env=not stays_here(origin, local_host=local_host),
                follow_redirects=False,
                limits=httpx.Limits(max_connections=IN_FLIGHT),
            )
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise ConfigError(
                f"a proxy variable cannot be used: {error}",
                code=codes.CONFIG_INVALID,
                hint="correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or unset it",
            ) from error

    async def post(self, headers: Sequence[tuple[str, str]], body: bytes, *, limit_s: float) -> Answered | NoAnswer:
        """Return the answer to one POST; `limit_s` is for all of it, connecting and the answer's body included."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(limit_s):
                return await self._exchange(headers, body, started)
        except TimeoutError:
            return NoAnswer("timeout", time.monotonic() - started)
        except httpx.ConnectError:
            return NoAnswer("unreachable", time.monotonic() - started)
        except httpx.RequestError:
            return NoAnswer("broken", time.monotonic() - started)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _exchange(self, headers: Sequence[tuple[str, str]], body: bytes, started: float) -> Answered:
        # No time limits of httpx's own: the one above covers every phase.
        async with self._http.stream("POST", self.url, headers=list(headers), content=body, timeout=None) as response:
            received = bytearray()
            async for piece in response.aiter_raw():
                received += piece
                if len(received) >= MAX_ANSWER_BYTES:
                    break
            answered = {name.lower(): value for name, value in response.headers.items()}
            return Answered(
                response.status_code, answered, bytes(received[:MAX_ANSWER_BYTES]), time.monotonic() - started
            )


def require_receiver_url(url: str, *, local_host: str | None = None) -> str:
    """Return the URL as it is; UsageError where it is none, or plain http that would leave this machine."""
    require_safe_transport(_origin(url), local_host=local_host)
    return url


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _not_a_receiver() from error
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc or parts.fragment:
        raise _not_a_receiver()
    return f"{parts.scheme}://{parts.netloc}"


def _not_a_receiver() -> UsageError:
    # The URL is not shown: what stands before an @ may be a password.
    hint = "write it as https://host/path, or http://localhost:PORT/path for this machine"
    return UsageError("not the URL of a receiver", code=codes.USAGE, hint=hint)

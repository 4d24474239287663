"""Dead letters -> an Azure event hub, over its HTTPS interface: signed POSTs, for which no SDK is needed.

Source: Azure Event Hubs REST API, "Send batch events" and "Generate SAS token".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import quote

import httpcore

from reinmaker_cli.server.addresses import AddressPolicy, AddressRefused, system_lookup
from reinmaker_cli.server.config import EventHubsTarget
from reinmaker_cli.server.connections import AsyncCheckedBackend, Targets, tls_context
from reinmaker_cli.server.forwarding import BATCH_BYTES, HubFailed, Message, Put
from reinmaker_cli.server.http_urls import http_url, wire_url

SIGNED_FOR_S: Final = 600
"""Real time, as Azure knows no other; made anew for each batch, and clocks differ."""
TOO_LARGE: Final = 413
CREATED: Final = 201
# A namespace may belong to a private network, so private addresses are allowed; those of metadata services never are.
_POLICY: Final = AddressPolicy.from_ranges(allow_private=True, allow_targets=())


class EventHub:
    """A hub that was named."""

    def __init__(self, target: EventHubsTarget) -> None:
        self._target = target

    @property
    def name(self) -> str:
        """Return the hub's URL."""
        return self._target.text

    def check(self) -> None:
        """Find nothing: whether a hub is fit can only be seen with rights that sending does not need."""

    async def put(self, messages: Sequence[Message]) -> Put:
        """Send a batch, as `Hub`; in several requests where it grows too large when it is wrapped."""
        taken: set[int] = set()
        refused: dict[int, str] = {}
        async with self._connections() as connections:
            for places, body in _requests(messages):
                status = await self._post(connections, body)
                if status == CREATED:
                    taken.update(places)
                elif status == TOO_LARGE and len(places) == 1:
                    refused[places[0]] = "it is larger than a message may be"
                elif taken:
                    break  # what was taken is written down; the rest is sent again
                else:
                    raise HubFailed(f"HTTP {status}")
        return Put(taken, refused)

    async def close(self) -> None:
        """Do nothing: connections end with their batch."""

    def _connections(self) -> httpcore.AsyncConnectionPool:
        is_plain = self._target.origin.startswith("http:")
        return httpcore.AsyncConnectionPool(
            network_backend=AsyncCheckedBackend(Targets(_POLICY, system_lookup, is_plain), _azure_tls),
            ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # never used: each connection has its own
        )

    async def _post(self, connections: httpcore.AsyncConnectionPool, body: bytes) -> int:
        resource = f"{self._target.origin}/{self._target.hub}"
        headers = [
            ("Authorization", shared_access_signature(resource, self._target, int(time.time()) + SIGNED_FOR_S)),
            ("Content-Type", "application/vnd.microsoft.servicebus.json"),
        ]
        url = wire_url(http_url(f"{resource}/messages?api-version=2014-01&timeout=15"))
        try:
            async with connections.stream("POST", url, headers=headers, content=body) as answer:
                return answer.status
        except AddressRefused as error:
            raise HubFailed("its address is not asked") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise HubFailed(type(error).__name__) from error


def shared_access_signature(resource: str, target: EventHubsTarget, expires_s: int) -> str:
    """Return the `Authorization` value for a resource, good until then (Unix seconds)."""
    signed = quote(resource, safe="")
    digest = hmac.digest(target.key.encode(), f"{signed}\n{expires_s}".encode(), hashlib.sha256)
    signature = quote(base64.b64encode(digest), safe="")
    return f"SharedAccessSignature sr={signed}&sig={signature}&se={expires_s}&skn={quote(target.key_name, safe='')}"


def _requests(messages: Sequence[Message]) -> Iterator[tuple[list[int], bytes]]:
    """Yield places and body of each request: an array of events, within what a hub takes at once."""
    places: list[int] = []
    events: list[str] = []
    for place, message in enumerate(messages):
        event = json.dumps({"Body": message.text, "UserProperties": dict(message.attributes)})
        if events and sum(map(len, events)) + len(event) + len(events) + 2 > BATCH_BYTES:
            yield places, f"[{','.join(events)}]".encode()
            places, events = [], []
        places.append(place)
        events.append(event)
    if events:
        yield places, f"[{','.join(events)}]".encode()


def _azure_tls() -> ssl.SSLContext:
    """Return TLS 1.2 or newer: not every namespace has 1.3 yet."""
    context = tls_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

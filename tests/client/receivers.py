"""A receiver for tests, what it received, and a sender of webhooks to it."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from reinmaker_cli.client.posting import Poster
from reinmaker_cli.client.received import Received, Secrets
from reinmaker_cli.client.receiver import Behaviour, running_receiver
from reinmaker_cli.client.respond import parse_script
from reinmaker_cli.contract.signing import new_secret, secret_bytes, signature_header

SECRET = secret_bytes(new_secret())
BODY = b'{"type":"reinmaker.telemetry.flushed","timestamp":"2026-11-23T07:00:00Z","data":{"events":3}}'
LIMIT_S = 120.0


class Inbox:
    """A receiver and the deliveries that it told of."""

    def __init__(self, url: str, received: queue.Queue[Received], secrets: Secrets) -> None:
        self.url, self._received, self.secrets = url, received, secrets
        self.http = httpx.Client(trust_env=False, timeout=LIMIT_S, verify=False)

    def next(self) -> Received:
        """Return the next delivery, waiting for it."""
        return self._received.get(timeout=LIMIT_S)

    def is_empty(self) -> bool:
        """Return whether nothing more came."""
        return self._received.empty()

    def deliver(self, body: bytes = BODY, **changes: Any) -> httpx.Response:
        """Send one signed delivery; its headers can be changed."""
        return self.http.post(self.url, content=body, headers=signed(body, **changes))


def signed(
    body: bytes = BODY,
    *,
    message_id: str = "evt_1",
    secrets: tuple[bytes, ...] = (SECRET,),
    age_s: int = 0,
    **more: str,
) -> dict[str, str]:
    """Return the headers of a delivery as the server sends it."""
    timestamp_s = int(time.time()) - age_s
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signature_header(secrets, message_id, timestamp_s, body),
        "x-lesson-trace-id": "trace-1",
        "reinmaker-attempt": "1",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }


@contextmanager
def inbox(respond: str = "200", *, forward_to: str | None = None, secrets: Secrets | None = None) -> Iterator[Inbox]:
    """Yield a running receiver that keeps what it received."""
    received: queue.Queue[Received] = queue.Queue()
    held = secrets or Secrets([SECRET])
    behaviour = Behaviour(parse_script(respond), Poster(forward_to) if forward_to else None)
    with running_receiver(held, on_received=received.put, behaviour=behaviour) as url:
        box = Inbox(url, received, held)
        try:
            yield box
        finally:
            box.http.close()

"""A receiver's place at the local server: registered, followed, its secrets fetched before they are used, removed.

The secret that will be next is always fetched ahead, so that a rotation at any time finds the receiver ready.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from reinmaker_cli.client.local import LocalControl
from reinmaker_cli.client.received import Secrets
from reinmaker_cli.client.webhooks import Endpoint, Webhooks
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.signing import secret_bytes
from reinmaker_cli.errors import ReinmakerError, UsageError

AGAIN_AFTER_S: Final = 2.0  # between two attempts to reach a server that has gone
END_WITHIN_S: Final = 3.0
LIVE_SECRETS: Final = 3  # next, current, and the one before while both sign

What = Literal["registered", "changed", "rotated", "lost"]


@dataclass(frozen=True, slots=True)
class News:
    """Something about the receiver's place has changed."""

    what: What
    endpoint: Endpoint | None = None
    detail: str = ""


class Registration:
    """Keeps one receiver registered from `start` to `end`; news come from a thread of its own."""

    def __init__(
        self,
        open_control: Callable[[], LocalControl],
        url: str,
        types: Sequence[str],
        secrets: Secrets,
        on_news: Callable[[News], None],
    ) -> None:
        self._open_control, self._url, self._types = open_control, url, tuple(types)
        self._secrets, self._on_news = secrets, on_news
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="webhook registration", daemon=True)
        self._secret_made_at = ""
        self.endpoint_id = ""

    def start(self) -> None:
        """Register, and follow what becomes of it. Raises what the server says."""
        with self._open_control() as control:
            self._register(Webhooks(control))
        self._thread.start()

    def end(self) -> None:
        """Remove the endpoint, so that nobody is tried again; raises what the server says."""
        self._is_over.set()
        removed = self.endpoint_id
        self._remove(removed)
        if self._thread.is_alive():
            self._thread.join(END_WITHIN_S)
        if self.endpoint_id != removed:  # it was being registered again at that very moment
            self._remove(self.endpoint_id)

    def _remove(self, endpoint_id: str) -> None:
        if not endpoint_id:
            return
        with self._open_control() as control:
            try:
                Webhooks(control).remove(endpoint_id)
            except UsageError as error:
                if error.code != codes.WEBHOOK_NOT_FOUND:  # else somebody was faster
                    raise

    def _register(self, webhooks: Webhooks) -> None:
        for stale in webhooks.endpoints():
            if stale.url == self._url and stale.source == "control":  # of one that was killed on this very port
                webhooks.remove(stale.endpoint_id)
        made = webhooks.add_endpoint(self._url, self._types)
        self.endpoint_id, self._secret_made_at = made.endpoint_id, made.secret.created_at
        self._secrets.add(secret_bytes(made.signing_secret))
        self._fetch_next(webhooks)
        self._on_news(News("registered", made))

    def _follow(self) -> None:
        """Look again at every change, until the end; a server that has gone may come back."""
        while not self._is_over.is_set():
            try:
                with self._open_control() as control:
                    self._follow_with(Webhooks(control))
            except ReinmakerError as error:
                if self._is_over.is_set():
                    return
                self._on_news(News("lost", detail=error.message))
                self._is_over.wait(AGAIN_AFTER_S)

    def _follow_with(self, webhooks: Webhooks) -> None:
        while not self._is_over.is_set():
            try:
                for endpoint in webhooks.follow_endpoint(self.endpoint_id):
                    if self._is_over.is_set():
                        return
                    self._look(webhooks, endpoint)
            except UsageError as error:
                if error.code != codes.WEBHOOK_NOT_FOUND:
                    raise
                if not self._is_over.is_set():  # removed by somebody, or the server was reset
                    self._register(webhooks)

    def _look(self, webhooks: Webhooks, endpoint: Endpoint) -> None:
        has_rotated = endpoint.secret.created_at != self._secret_made_at
        if has_rotated or not endpoint.secret.next_fetched:
            self._secret_made_at = endpoint.secret.created_at
            self._fetch_next(webhooks)
        self._on_news(News("rotated" if has_rotated else "changed", endpoint))

    def _fetch_next(self, webhooks: Webhooks) -> None:
        self._secrets.add(secret_bytes(webhooks.secret(self.endpoint_id, "next").signing_secret))
        self._secrets.keep(LIVE_SECRETS)

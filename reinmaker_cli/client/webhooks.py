"""The webhooks of the local server, through its control API: endpoints, secrets, deliveries, dead letters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from reinmaker_cli.client.answers import Answer
from reinmaker_cli.client.connection import Body
from reinmaker_cli.client.local import LocalControl, path_of
from reinmaker_cli.contract.canonical import canonical_json
from reinmaker_cli.contract.models import Wire
from reinmaker_cli.contract.names import MAX_PREFER_WAIT_S

ENDPOINTS: Final = "/webhooks/endpoints"
DELIVERIES: Final = "/webhooks/deliveries"
DEAD_LETTERS: Final = "/webhooks/dead-letters"
PAGE: Final = 1000


class EndpointSecret(Wire):
    """When the secret of an endpoint was made and is replaced; never the secret."""

    created_at: str
    rotates_at: str | None = None
    next_ready: bool = False
    next_fetched: bool = False
    """Somebody has it, so that it may take over."""
    overdue: bool = False


class Endpoint(Wire):
    """Who is told of events."""

    endpoint_id: str
    url: str
    types: tuple[str, ...] = ()
    """Those it is told of; empty: all."""
    enabled: bool = True
    disabled_reason: str | None = None
    source: str = "control"
    created_at: str = ""
    secret: EndpointSecret
    open: int = 0
    """Deliveries that are still tried."""
    dead_letters: int = 0
    last_delivered_at: str | None = None


class NewEndpoint(Endpoint):
    """An endpoint that was just made, with its secret; shown this once."""

    signing_secret: str

    def __repr__(self) -> str:
        return f"NewEndpoint(endpoint_id={self.endpoint_id!r})"

    __str__ = __repr__


class ShownSecret(Wire):
    """A signing secret, asked for."""

    endpoint_id: str
    which: Literal["current", "next"]
    signing_secret: str

    def __repr__(self) -> str:
        return f"ShownSecret(endpoint_id={self.endpoint_id!r}, which={self.which!r})"

    __str__ = __repr__


class Attempt(Wire):
    """One POST to a receiver."""

    attempt: int
    kind: str
    """`scheduled`, or `resend`: by hand, beside the schedule."""
    started_at: str
    ended_at: str
    duration_ms: float
    webhook_timestamp: int
    status: int | None = None
    outcome: str
    error: str | None = None


class Delivery(Wire):
    """One event on its way to one endpoint, with every attempt."""

    delivery_id: str
    event_id: str
    type: str
    endpoint_id: str
    url: str
    status: str
    """`open`, `delivered` or `dead`."""
    attempt: int
    due_at: str | None = None
    created_at: str
    updated_at: str
    trace_id: str
    attempts: tuple[Attempt, ...] = ()


class DeadLetter(Wire):
    """A delivery that was given up."""

    delivery_id: str
    event_id: str
    type: str
    endpoint_id: str
    url: str
    reason: str
    died_at: str
    expires_at: str
    attempts: int
    trace_id: str
    forwarded: dict[str, Any] | None = None
    body: str | None = None
    """The exact text that was signed and sent; only where it was asked for."""
    history: tuple[Attempt, ...] = ()


class Triggered(Wire):
    """An event that was made, and where it goes."""

    event_id: str
    type: str
    trace_id: str
    deliveries: tuple[str, ...] = ()


class Redriven(Wire):
    """Dead letters that are deliveries again."""

    redriven: int
    deliveries: tuple[str, ...] = ()
    left: int = 0
    """Of those that were meant, how many stay dead letters because nobody takes them."""


class Purged(Wire):
    """Dead letters that are gone."""

    purged: int


class _EndpointList(Wire):
    items: tuple[Endpoint, ...]


class _DeliveryPage(Wire):
    items: tuple[Delivery, ...]
    next: str | None = None


class _DeadLetterPage(Wire):
    items: tuple[DeadLetter, ...]
    next: str | None = None


Chosen = Mapping[str, Any]
"""Which dead letters: `{"deliveryId": …}`, `{"endpointId": …}` or `{"all": True}`."""


class Webhooks:
    """The webhooks of one local server, as its owner."""

    def __init__(self, control: LocalControl) -> None:
        self._control = control

    # --- endpoints --------------------------------------------------------------------------------------------------

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return all endpoints."""
        return self._control.ask("GET", ENDPOINTS).read(_EndpointList).items

    def endpoint(self, endpoint_id: str) -> Endpoint:
        """Return one endpoint; UsageError `webhook-not-found` where there is none."""
        return self._control.ask("GET", path_of(ENDPOINTS, endpoint_id)).read(Endpoint)

    def follow_endpoint(self, endpoint_id: str, *, wait_s: int = MAX_PREFER_WAIT_S) -> Iterator[Endpoint]:
        """Yield the endpoint as it is, and again at every change; the same again where `wait_s` passed without one."""
        answer = self._control.ask("GET", path_of(ENDPOINTS, endpoint_id))
        latest = answer.read(Endpoint)
        while True:
            yield latest
            answer = self._again(path_of(ENDPOINTS, endpoint_id), answer.etag, wait_s)
            latest = latest if answer.status == 304 else answer.read(Endpoint)

    def add_endpoint(self, url: str, types: Sequence[str] = ()) -> NewEndpoint:
        """Tell a URL of events from now on; without types, of all."""
        return self._control.post(ENDPOINTS, {"url": url, "types": list(types)}).read(NewEndpoint)

    def enable(self, endpoint_id: str) -> Endpoint:
        """Tell it of events again."""
        return self._control.post(path_of(ENDPOINTS, endpoint_id, "enable"), {}).read(Endpoint)

    def disable(self, endpoint_id: str, reason: str | None = None) -> Endpoint:
        """Tell it nothing more; what is on its way becomes dead letters."""
        said = {"reason": reason} if reason else {}
        return self._control.post(path_of(ENDPOINTS, endpoint_id, "disable"), said).read(Endpoint)

    def remove(self, endpoint_id: str) -> None:
        """Forget an endpoint."""
        self._control.ask("DELETE", path_of(ENDPOINTS, endpoint_id))

    def secret(self, endpoint_id: str, which: Literal["current", "next"]) -> ShownSecret:
        """Return the next secret, or the current one where it was never shown."""
        return self._control.post(path_of(ENDPOINTS, endpoint_id, "secret"), {"which": which}).read(ShownSecret)

    def rotate(self, endpoint_id: str, overlap_s: int | None = None) -> Endpoint:
        """Let the next secret take over; both sign for `overlap_s`, by default 24 h."""
        asked = {} if overlap_s is None else {"overlapSeconds": overlap_s}
        return self._control.post(path_of(ENDPOINTS, endpoint_id, "rotate"), asked).read(Endpoint)

    # --- events and deliveries --------------------------------------------------------------------------------------

    def trigger(self, event_type: str, data: Mapping[str, Any] | None = None) -> Triggered:
        """Have the server do what causes an event of this type."""
        asked = {"type": event_type} | ({"data": dict(data)} if data else {})
        return self._control.post("/webhooks/trigger", asked).read(Triggered)

    def request_content(self, phase_dna_id: str, locale: str, age_persona: str) -> Triggered:
        """Have the server ask for content."""
        asked = {"phaseDNAId": phase_dna_id, "locale": locale, "agePersona": age_persona}
        return self._control.post("/request-content", asked).read(Triggered)

    def deliveries(self, query: Mapping[str, str], *, most: int) -> tuple[Delivery, ...]:
        """Return the newest deliveries, newest first. `query`: endpointId, eventId, status, traceId."""
        found: list[Delivery] = []
        for page in self._pages(DELIVERIES, {**query, "limit": str(min(most, PAGE))}):
            read = page.read(_DeliveryPage)
            found += read.items
            if len(found) >= most or not read.items:
                break
        return tuple(found[:most])

    def follow_deliveries(self, query: Mapping[str, str], *, most: int) -> Iterator[tuple[Delivery, ...]]:
        """Yield the newest deliveries, and again each time that something about them has changed."""
        asked = {**query, "limit": str(min(most, PAGE))}
        answer = self._control.ask("GET", DELIVERIES, query=asked)
        while True:
            if answer.status != 304:
                yield answer.read(_DeliveryPage).items
            answer = self._again(DELIVERIES, answer.etag, MAX_PREFER_WAIT_S, asked)

    def delivery(self, delivery_id: str) -> Delivery:
        """Return one delivery."""
        return self._control.ask("GET", path_of(DELIVERIES, delivery_id)).read(Delivery)

    def resend(self, delivery_id: str) -> Attempt:
        """Make one POST now and return what came of it; the schedule stays as it is."""
        body = Body.json(canonical_json({}))
        return self._control.ask("POST", path_of(DELIVERIES, delivery_id, "resend"), body).read(Attempt)

    # --- dead letters -----------------------------------------------------------------------------------------------

    def dead_letters(self, query: Mapping[str, str] | None = None, *, with_body: bool = False) -> Iterator[DeadLetter]:
        """Yield dead letters, newest first."""
        asked = {**(query or {}), "limit": str(PAGE)} | ({"include": "body"} if with_body else {})
        for page in self._pages(DEAD_LETTERS, asked):
            yield from page.read(_DeadLetterPage).items

    def dead_letter(self, delivery_id: str) -> DeadLetter:
        """Return one dead letter with its body and every attempt."""
        return self._control.ask("GET", path_of(DEAD_LETTERS, delivery_id)).read(DeadLetter)

    def redrive(self, chosen: Chosen) -> Redriven:
        """Deliver dead letters again: fresh schedule, same ids."""
        return self._control.post(DEAD_LETTERS + "/redrive", chosen).read(Redriven)

    def purge(self, chosen: Chosen) -> Purged:
        """Delete dead letters."""
        return self._control.post(DEAD_LETTERS + "/purge", chosen).read(Purged)

    # --- below ------------------------------------------------------------------------------------------------------

    def _pages(self, path: str, query: Mapping[str, str]) -> Iterator[Answer]:
        answer = self._control.ask("GET", path, query=query)
        yield answer
        while (following := answer.read(_Page).next) is not None:
            answer = self._control.ask("GET", path, query={**query, "after": following})
            yield answer

    def _again(self, path: str, etag: str | None, wait_s: int, query: Mapping[str, str] | None = None) -> Answer:
        known = {"If-None-Match": etag or ""}
        return self._control.ask("GET", path, query=query, headers=known, wait_s=wait_s)


class _Page(Wire):
    next: str | None = None

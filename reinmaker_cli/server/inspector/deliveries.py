"""Deliveries on a time line, attempt by attempt with what was signed; and dead letters, to be redriven."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from reinmaker_cli.contract import signing
from reinmaker_cli.contract.names import EventType
from reinmaker_cli.server.inspector.clock import clock_buttons
from reinmaker_cli.server.inspector.frame import View
from reinmaker_cli.server.inspector.markup import Child, Html, group, tag
from reinmaker_cli.server.inspector.parts import (
    breakable,
    button,
    command,
    copyable,
    duration,
    empty,
    facts,
    form,
    hidden,
    link,
    mark,
    moment,
    number,
    row,
    section,
    stack,
    table,
    until,
    url_text,
    without_users,
)
from reinmaker_cli.server.inspector.timeline import answer_of, timeline
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.delivery_log import Wanted
from reinmaker_cli.server.store.endpoints import StoredEndpoint
from reinmaker_cli.server.store.webhook_records import StoredAttempt, StoredDeadLetter, StoredDelivery

SHOWN: Final = 50

_HEAD: Final = ("Status", "Event", "Attempts, by the time since the event", "Next or last")
_DEAD_HEAD: Final = ("Event", "Why", "Attempts", "Died", "Kept until", "Redrive")
_ENDPOINT_HEAD: Final = ("Status", "Receiver", "Events", "Under way", "Dead letters")


async def show_deliveries(services: Services, query: Mapping[str, str]) -> View:
    """Return the deliveries, or the one that `id` names."""
    if "id" in query:
        found_one = await services.threads.read(services.store.delivery_log.delivery, query["id"])
        if found_one is None:
            return View("No such delivery", empty("There is no delivery of that id."), is_detail=True)
        return View(f"Delivery of {found_one.type}", _one(found_one), is_detail=True)
    endpoints = await services.threads.read(services.store.endpoints.all)
    found = await services.threads.read(services.store.delivery_log.deliveries, Wanted(), limit=SHOWN)
    body = tag("div", _lists(endpoints, found) if endpoints or found else _nobody_listens())
    return View("Deliveries", body)


def _nobody_listens() -> Html:
    return empty(
        "Nobody is told of events yet.",
        ["A receiver that verifies what it gets: ", command("reinmaker webhooks listen")],
        ["Or your own, from the start: ", command("reinmaker serve --webhook http://localhost:8000/hooks")],
    )


def _lists(endpoints: Sequence[StoredEndpoint], found: Sequence[StoredDelivery]) -> Child:
    kinds = [tag("option", str(kind), value=str(kind)) for kind in EventType]
    event = tag("label", "Event ", tag("select", kinds, name="type"))
    trigger = form("POST /_local/webhooks/trigger", event, button("Send"), done="Sent", class_="inline")
    shown: Html = empty("No event yet.", "Send one, above.")
    if found:
        shown = table("Deliveries", _HEAD, [_delivery_row(one) for one in found])
    tools = tag("div", clock_buttons(), trigger, class_="tools")
    receivers = table("Receivers", _ENDPOINT_HEAD, [_endpoint_row(one) for one in endpoints])
    return [tools, shown, section("Receivers", receivers) if endpoints else None]


def _delivery_row(one: StoredDelivery) -> Html:
    name = stack(link("deliveries", breakable(one.type), id=one.delivery_id), moment(one.created_at))
    return row(f"d-{one.delivery_id}", _HEAD, (mark(one.status), name, timeline(one), _next_or_last(one)))


def _next_or_last(one: StoredDelivery) -> Child:
    if one.status == "open" and one.due_at is not None:
        return stack(moment(one.due_at), until(one.due_at))
    return stack(_answer(one.attempts[-1]), moment(one.updated_at)) if one.attempts else None


def _answer(attempt: StoredAttempt) -> Html:
    is_good = attempt.outcome == "delivered"
    return mark("delivered" if is_good else "failed", answer_of(attempt))


def _endpoint_row(one: StoredEndpoint) -> Html:
    status = mark("enabled" if one.enabled else "disabled")
    reason = tag("span", one.disabled_reason, class_="soft") if one.disabled_reason else None
    again = None
    if not one.enabled:
        enable = f"POST /_local/webhooks/endpoints/{one.endpoint_id}/enable"
        again = form(enable, button("Enable", label=f"Enable {one.endpoint_id}"), done="Enabled")
    receiver = stack(url_text(one.url), tag("span", one.endpoint_id, class_="soft"))
    cells = (
        stack(status, reason, again),
        receiver,
        ", ".join(one.types) or "all",
        number(one.open),
        number(one.dead_letters),
    )
    return row(f"e-{one.endpoint_id}", _ENDPOINT_HEAD, cells)


def _one(one: StoredDelivery) -> Html:
    resend = f"POST /_local/webhooks/deliveries/{one.delivery_id}/resend"
    actions = [form(resend, button("Send once more, now"), done="Sent")]
    if one.status == "dead":
        actions.append(_redrive(one.delivery_id, one.type))
    due = None
    if one.status == "open" and one.due_at is not None:
        due = group("next attempt ", moment(one.due_at), " ", until(one.due_at))
    lead = tag("p", [tag("span", part) for part in (mark(one.status), url_text(one.url), due) if part], class_="lead")
    tools = tag("div", clock_buttons() if one.status == "open" else None, actions, class_="tools after")
    attempts = [_attempt(one, attempt, place) for place, attempt in enumerate(one.attempts)]
    listed = tag("ol", attempts, class_="attempts") if attempts else tag("p", "None yet.", class_="soft")
    about = facts(
        ("Event", one.type),
        ("Happened", moment(one.created_at)),
        ("webhook-id", copyable(one.event_id, one.event_id, "event id")),
        ("Delivery", copyable(one.delivery_id, one.delivery_id, "delivery id")),
        ("Receiver", one.endpoint_id),
        ("Trace id", link("requests", tag("code", one.trace_id), trace=one.trace_id)),
    )
    return tag("div", lead, tools, section("Attempts", timeline(one), listed), section("This delivery", about))


def _attempt(delivery: StoredDelivery, attempt: StoredAttempt, place: int) -> Html:
    kind = "resend" if attempt.kind == "resend" else f"attempt {attempt.attempt}"
    since = tag("span", f"+{duration(attempt.started_at - delivery.created_at)}", class_="number since")
    head = group(since, _answer(attempt), kind, tag("span", f"{attempt.duration_ms:.0f} ms", class_="number soft"))
    error = tag("p", attempt.error, class_="reason") if attempt.error and attempt.status is None else None
    return tag(
        "li",
        tag("div", head, moment(attempt.started_at), class_="attempt"),
        error,
        tag("details", tag("summary", "What was signed"), _signed(delivery, attempt, place)),
        id=f"t-{place}",
    )


def _signed(delivery: StoredDelivery, attempt: StoredAttempt, place: int) -> Html:
    """Return what the signature covers, and enough to find out why a receiver computes another one."""
    content = f"{delivery.event_id}.{attempt.webhook_timestamp}.{delivery.body}"
    shown, body = without_users(content), delivery.body.encode()
    hint = tag("p", "The user is left out here, and is in the SHA-256.", class_="soft") if shown != content else None
    return tag(
        "div",
        tag("pre", tag("code", shown), tabindex="0", role="region", aria_label=f"What was signed, POST {place + 1}"),
        facts(
            (signing.TIMESTAMP_HEADER, tag("code", attempt.webhook_timestamp)),
            ("SHA-256 of it all", copyable(*_sha256(content.encode()), "SHA-256")),
            ("SHA-256 of the body", copyable(*_sha256(body), "SHA-256")),
            ("Body", f"{len(body):,} bytes"),
        ),
        hint,
        class_="signed",
    )


def _sha256(content: bytes) -> tuple[str, str]:
    whole = hashlib.sha256(content).hexdigest()
    return whole[:12] + "…", whole


async def show_dead_letters(services: Services, _query: Mapping[str, str]) -> View:
    """Return the dead letters."""
    found = await services.threads.read(services.store.delivery_log.dead, Wanted(), limit=SHOWN)
    if not found:
        return View("Dead letters", _no_dead_letters())
    every = form(
        "POST /_local/webhooks/dead-letters/redrive", button("Redrive all", name="all", value=True), done="Redriven"
    )
    rows = [_dead_row(letter) for letter in found]
    first = tag("p", f"The newest {SHOWN}.", class_="soft") if len(found) == SHOWN else None
    return View(
        "Dead letters", tag("div", tag("div", every, class_="tools"), table("Dead letters", _DEAD_HEAD, rows), first)
    )


def _no_dead_letters() -> Html:
    return empty(
        "No dead letters.",
        group(
            "A delivery comes here after its sixth failure. To see one: ",
            command("reinmaker local fault add timeout --times 6"),
        ),
        group("then send an event under ", link("deliveries", "Deliveries"), ", and advance the clock by 8 hours."),
    )


def _dead_row(letter: StoredDeadLetter) -> Html:
    one = letter.delivery
    name = stack(link("deliveries", breakable(one.type), id=one.delivery_id), url_text(one.url))
    gone_to = tag("span", f"forwarded to {letter.forwarded_to}", class_="soft") if letter.forwarded_to else None
    why = stack(mark("dead", letter.reason), gone_to)
    cells: tuple[Any, ...] = (
        *(name, why, number(letter.attempts), moment(letter.died_at), moment(letter.expires_at)),
        _redrive(one.delivery_id, one.type),
    )
    return row(f"x-{one.delivery_id}", _DEAD_HEAD, cells)


def _redrive(delivery_id: str, event_type: str) -> Html:
    again = button("Redrive", label=f"Redrive {event_type}, {delivery_id}")
    return form("POST /_local/webhooks/dead-letters/redrive", hidden("deliveryId", delivery_id), again, done="Redriven")

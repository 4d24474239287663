"""A received batch of events -> rows to be stored, or why all of it is refused. Pure."""

from __future__ import annotations

import json
from typing import Any

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.events import broken_event_rules
from reinmaker_cli.contract.findings import places_wrong
from reinmaker_cli.contract.ijson import NotIJson, read_ijson
from reinmaker_cli.contract.names import MAX_ERRORS_LISTED, MAX_EVENTS
from reinmaker_cli.server.intake import Refused
from reinmaker_cli.server.store.telemetry import EventRow

# Made once: `json.dumps` with arguments makes an encoder for each event, which takes longer than encoding it.
_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def examine_events(body: bytes) -> tuple[EventRow, ...] | Refused:
    """Return the rows of all events in `body`, or the reason why none is taken."""
    try:
        document = read_ijson(body)
    except NotIJson as error:
        return Refused(str(error.code), error.detail)
    events = document.get("events") if isinstance(document, dict) else None
    if not isinstance(events, list):
        return _invalid([("/events" if isinstance(document, dict) else "", "not an object with a list of events")])
    if not 1 <= len(events) <= MAX_EVENTS:
        return Refused(str(codes.TOO_MANY_EVENTS), f"{len(events)} events, and a batch has 1 to {MAX_EVENTS}")
    wrong = [
        (f"/events/{index}{pointer}", fact)
        for index, event in enumerate(events)
        for pointer, fact in broken_event_rules(event)
    ]
    return _invalid(wrong) if wrong else tuple(_row(event) for event in events)


def _row(event: dict[str, Any]) -> EventRow:
    properties = event.get("properties")
    return {
        "event_id": event["eventId"],
        "type": event["type"],
        "occurred_at": event["occurredAt"],
        "user_id": event.get("userId"),
        "session_id": event.get("sessionId"),
        "properties": None if properties is None else _encoded(properties),
    }


def _invalid(wrong: list[tuple[str, str]]) -> Refused:
    code = str(codes.EVENT_INVALID)
    errors = tuple({"code": code, "pointer": pointer, "detail": fact} for pointer, fact in wrong[:MAX_ERRORS_LISTED])
    return Refused(code, f"{places_wrong(len(wrong))}, and nothing of the batch was taken", errors, len(wrong))

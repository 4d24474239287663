"""A received batch of events -> rows to be stored, or why all of it is refused. Pure."""

from __future__ import annotations

import json
import secrets
from typing import Any

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.events import broken_event_rules, event_columns
from reinmaker_cli.contract.findings import places_wrong
from reinmaker_cli.contract.ijson import NotIJson, read_ijson
from reinmaker_cli.contract.names import MAX_ERRORS_LISTED, MAX_EVENTS
from reinmaker_cli.server.intake import Refused
from reinmaker_cli.server.store.telemetry import EventRow

_ROW = ("eventId", "type", "occurredAt", "userId", "sessionId", "properties")
"""An `EventRow`, as the contract calls it."""
_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_BETWEEN = secrets.token_hex(16)
"""Text that no event has: nobody outside of this process knows it."""


def examine_events(body: bytes) -> list[EventRow] | Refused:
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
    columns = event_columns(events)
    if columns is None:
        return _invalid(
            [
                (f"/events/{index}{pointer}", fact)
                for index, event in enumerate(events)
                for pointer, fact in broken_event_rules(event)
            ]
        )
    columns["properties"] = _each_encoded(columns["properties"])
    return list(zip(*(columns[name] for name in _ROW), strict=True))


def _each_encoded(values: list[dict[str, Any] | None]) -> list[str | None]:
    """Return the JSON of each; None stays None.

    Encoded as one list and cut apart: for an object of a few members, the encoder takes twice as long to begin as to
    encode it.
    """
    listed = [item for value in values for item in (_BETWEEN, value)][1:]
    texts = _encoded(listed)[1:-1].split(f',"{_BETWEEN}",')
    return [None if text == "null" else text for text in texts]


def _invalid(wrong: list[tuple[str, str]]) -> Refused:
    code = str(codes.EVENT_INVALID)
    errors = tuple({"code": code, "pointer": pointer, "detail": fact} for pointer, fact in wrong[:MAX_ERRORS_LISTED])
    return Refused(code, f"{places_wrong(len(wrong))}, and nothing of the batch was taken", errors, len(wrong))

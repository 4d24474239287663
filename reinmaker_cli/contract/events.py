"""The rules of a gameplay event; client and server check the same ones.

A message never quotes what stands at the place: it may be a child's name where none belongs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from reinmaker_cli.contract.names import MAX_USER_ID

MAX_NAME: Final = 128  # characters of an eventId or a type

_TEXTS: Final = (
    ("eventId", MAX_NAME, True),
    ("type", MAX_NAME, True),
    ("userId", MAX_USER_ID, False),
    ("sessionId", MAX_USER_ID, False),
)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:(?:[0-5][0-9]|60)(?:\.[0-9]{1,9})?Z")
_MEMBERS: Final = (*(name for name, _, _ in _TEXTS), "occurredAt", "properties")
_MINUTE: Final = slice(0, len("2026-11-23T07:00"))


def broken_event_rules(event: Any) -> list[tuple[str, str]]:
    """Return place (RFC 6901, below the event) and fact of all that is wrong; members that no rule names are legal."""
    if not isinstance(event, dict):
        return [("", "not an object")]
    wrong = []
    for name, longest, is_required in _TEXTS:
        value = event.get(name)
        if type(value) is str and 0 < len(value) <= longest:
            continue
        if name in event:
            wrong.append((f"/{name}", f"not a text of 1 to {longest} characters"))
        elif is_required:
            wrong.append((f"/{name}", "missing"))
    if "occurredAt" not in event:
        wrong.append(("/occurredAt", "missing"))
    elif not is_utc_time(event["occurredAt"]):
        wrong.append(("/occurredAt", "not a time like 2026-11-23T07:00:00Z (RFC 3339, UTC)"))
    if "properties" in event and not isinstance(event["properties"], dict):
        wrong.append(("/properties", "not an object"))
    return wrong


def event_columns(events: Sequence[Any]) -> dict[str, list[Any]] | None:
    """Return each member that a rule names, of all events, None for one that has it not; at least one event.

    Nothing is returned where a rule is broken: `broken_event_rules` says which. This looks at one member of all events
    at a time, which takes half of the time.
    """
    if set(map(type, events)) != {dict}:
        return None
    columns = {name: [event.get(name) for event in events] for name in _MEMBERS}
    is_right = (
        all(
            _are_of_kind(str, name, columns[name], events, is_required=is_required)
            and _are_short(columns[name], longest)
            for name, longest, is_required in _TEXTS
        )
        and _are_of_kind(str, "occurredAt", columns["occurredAt"], events, is_required=True)
        and all(map(_TIME.fullmatch, columns["occurredAt"]))
        and all(map(_is_minute, {time[_MINUTE] for time in columns["occurredAt"]}))
        and _are_of_kind(dict, "properties", columns["properties"], events, is_required=False)
    )
    return columns if is_right else None


def _are_of_kind(
    kind: type, name: str, column: list[Any], events: Sequence[dict[str, Any]], *, is_required: bool
) -> bool:
    kinds = set(map(type, column))
    if kinds == {kind}:
        return True
    # None is a member that is not there, or the null of JSON.
    return not is_required and kinds <= {kind, type(None)} and not any(event.get(name, 0) is None for event in events)


def _are_short(column: list[str | None], longest: int) -> bool:
    lengths = {len(text) for text in column if text is not None}
    return not lengths or (min(lengths) > 0 and max(lengths) <= longest)


def is_utc_time(value: Any) -> bool:
    """Return whether the value is an RFC 3339 time with `Z`; a leap second is one."""
    return isinstance(value, str) and _TIME.fullmatch(value) is not None and _is_minute(value[_MINUTE])


def _is_minute(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True

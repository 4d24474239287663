"""The rules of a gameplay event; client and server check the same ones.

A message never quotes what stands at the place: it may be a child's name where none belongs.
"""

from __future__ import annotations

import re
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


def is_utc_time(value: Any) -> bool:
    """Return whether the value is an RFC 3339 time with `Z`; a leap second is one."""
    if not isinstance(value, str) or _TIME.fullmatch(value) is None:
        return False
    try:
        datetime.fromisoformat(value[_MINUTE])
    except ValueError:
        return False
    return True

"""Instants and durations as people type them."""

from __future__ import annotations

import re
from typing import Final

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.events import is_utc_time
from reinmaker_cli.errors import UsageError

UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PARTS = re.compile(r"(?:[0-9]{1,9}[smhdw])+")


def parse_instant(text: str, place: str) -> str:
    """Return RFC 3339 with `Z`; a date is its first instant. UsageError names the place where it was typed."""
    time = f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text
    if not is_utc_time(time):
        raise UsageError(
            f"{place}: no such time: `{text}`", code=codes.USAGE, hint="2027-11-23 or 2027-11-23T07:00:00Z"
        )
    return time


def parse_duration_s(text: str, place: str) -> int:
    """Return the seconds of `90s`, `15m`, `8h`, `2d`, `1w`, or of several such parts, `1h30m`."""
    if not _PARTS.fullmatch(text):
        raise UsageError(f"{place}: no such duration: `{text}`", code=codes.USAGE, hint="90s, 15m, 8h, 2d or 1h30m")
    return sum(int(number) * UNITS_S[unit] for number, unit in re.findall(r"([0-9]+)([smhdw])", text))


def duration_text(seconds: float, *, most_parts: int = 2) -> str:
    """Return a duration, 0 or more, as it would be typed: `2d 3h`, rounded down; four parts leave out no second."""
    whole, parts = int(seconds), []
    for unit in ("d", "h", "m", "s"):
        count, whole = divmod(whole, UNITS_S[unit])
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:most_parts]) or "0s"


def seconds_between(earlier: str, later: str) -> float:
    """Return the seconds from one RFC 3339 time to another, 0 or more."""
    from datetime import datetime

    first, second = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (earlier, later))
    return max(0.0, (second - first).total_seconds())

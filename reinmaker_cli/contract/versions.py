"""Manifest versions: which form they have, which is newer, which comes next.

A version is a date with an optional suffix, `2026.11.23` or `2026.11.23-2`. The order is the date, then no suffix,
then digit suffixes by value, then other suffixes by code point, as SemVer 2.0.0 section 11 orders identifiers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import date, timedelta
from itertools import count
from typing import Final

# The draft's pattern, with `\Z` for `$`: Python's `$` also matches before a final newline.
VERSION_PATTERN = re.compile(r"([0-9]{4})\.([0-9]{2})\.([0-9]{2})(?:-([a-z0-9]+))?\Z")

VersionKey = tuple[tuple[str, str, str], int, int, str, str]
_MOST_DIGITS: Final = 18  # of a number that another is made to follow; a longer one is nobody's count


def version_key(version: str) -> VersionKey:
    """Return the key that sorts versions oldest first; ValueError where the text is no version.

    The suffix itself comes last, so that `-2` and `-02`, equal in value, still have one order everywhere.
    """
    match = VERSION_PATTERN.match(version)
    if match is None:
        raise ValueError(f"not a version: `{version}`")
    year, month, day, suffix = match.groups()
    if suffix is None:
        return (year, month, day), 0, 0, "", ""
    if suffix.isdigit():
        number = suffix.lstrip("0")  # longer is larger; int() refuses more than 4,300 digits
        return (year, month, day), 1, len(number), number, suffix
    return (year, month, day), 2, 0, "", suffix


def version_date(version: str) -> date | None:
    """Return the calendar date of a version, or None where no calendar has it (`2025.13.45` fits the pattern)."""
    match = VERSION_PATTERN.match(version)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def is_newer(version: str, other: str) -> bool:
    """Return whether `version` comes after `other`."""
    return version_key(version) > version_key(other)


def next_version(today: date, *, newer_than: Collection[str], taken: Callable[[str], bool] = lambda _: False) -> str:
    """Return the smallest of today, today-2, today-3, … that is not taken and newer than all of `newer_than`.

    Where none is, because something there is dated in the future or has a worded suffix, the day after the newest;
    OverflowError where that is the last day there is, 9999-12-31.
    """
    newest = max(newer_than, key=version_key, default=None)
    first = _first_number(today, newest)
    if first is not None:
        plain = _dotted(today)
        candidates = (plain if number == 1 else f"{plain}-{number}" for number in count(first))
        return next(candidate for candidate in candidates if not taken(candidate))
    assert newest is not None
    following = (version_date(newest) or today) + timedelta(days=1)
    while taken(_dotted(following)):
        following += timedelta(days=1)
    return _dotted(following)


def _first_number(today: date, newest: str | None) -> int | None:
    """Return the first number that is newer than `newest` today, 1 for no suffix; None where no number is.

    It may be any: the suffix of a version that somebody fixed can be the number of a build, or a time.
    """
    plain = _dotted(today)
    if newest is None or is_newer(plain, newest):
        return 1
    day, kind, digits, number, _ = version_key(newest)
    if day > version_key(plain)[0] or kind == 2 or digits > _MOST_DIGITS:
        return None
    return max(2, int(number or 0) + 1)


def _dotted(day: date) -> str:
    return f"{day.year:04}.{day.month:02}.{day.day:02}"

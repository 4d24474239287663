"""An event -> the places in it that tell, or may tell, who a player is.

Looked at: every member's name, at any depth (`personal_words.py`), and every text for e-mail addresses and phone
numbers. `userId` and `sessionId` are pseudonyms, and a finding only where they are e-mail addresses. What is found is
never repeated: a place whose own name is personal data stands as `*` in the pointer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reinmaker_cli.client.personal_words import Kind, read_name
from reinmaker_cli.contract import codes

PSEUDONYMS: Final = frozenset({"eventId", "type", "occurredAt", "userId", "sessionId"})
"""The members of an event that the contract names; their names say nothing, and they hold no free text."""

CODES: Final[Mapping[Kind, codes.Code]] = {
    "name": codes.PERSONAL_NAME,
    "email": codes.PERSONAL_EMAIL,
    "phone": codes.PERSONAL_PHONE,
    "birth date": codes.PERSONAL_BIRTH_DATE,
    "address": codes.PERSONAL_ADDRESS,
}

# Bounded, so that no text takes more than a look at each of its characters. %40 is the @ of a URL.
_EMAIL: Final = re.compile(r"[\w.+'-]{1,64}(?:@|%40)((?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24})(?![\w-])")
_PICTURE: Final = re.compile(r"[0-9](?:\.[0-9])?x\.[a-z0-9]+", re.IGNORECASE)  # hero@2x.png
# As they are written in the countries of the lessons, and with a country code anywhere.
_PHONE: Final = re.compile(
    r"""(?<![\w+@-]) (?<!\d[.,:/]) (?:
        (?: \+ | 00[ .-] ) [1-9] [\d ().-]{6,18} \d          # +34 612 345 678
      | \(? [2-9]\d{2} \)? [ .-] \s? \d{3} [ .-] \d{4}       # (555) 123-4567
      | 0[1-9] (?: [ .-]? \d{2} ){4}                         # 06 12 34 56 78
      | [6789]\d{2} [ .-] \d{3} [ .-]? \d{3}                 # 612 345 678
      | [6789]\d{2} (?: [ .-] \d{2} ){3}                     # 612 34 56 78
      | 0\d{3,4} [ -] \d{3} [ -]? \d{3,4}                    # 07700 900 123
    ) (?! [\w-] | [.,:/]\d )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class PersonalPlace:
    """One place with personal data."""

    pointer: str
    """RFC 6901, in the event."""
    kind: Kind
    fact: str


def personal_places(event: Mapping[str, Any]) -> Iterator[PersonalPlace]:
    """Yield the places in an event, in its order."""
    for name, value in event.items():
        if name in PSEUDONYMS and isinstance(value, str):
            if _has_email(value):
                yield PersonalPlace(f"/{name}", "email", "an e-mail address instead of a pseudonym")
        else:
            yield from _member(name, value, "", is_person=True)


def _member(name: str, value: Any, above: str, *, is_person: bool) -> Iterator[PersonalPlace]:
    reading = read_name(name)
    pointer = f"{above}/{name.replace('~', '~0').replace('/', '~1')}"
    if kind := _kind_of_text(name):
        pointer = f"{above}/*"
        yield PersonalPlace(pointer, kind, f"its own name has {_A[kind]} in it")
    kind = reading.kind or (reading.weak_kind if is_person else None)
    if kind is not None and _may_hold(kind, value):
        yield PersonalPlace(pointer, kind, f"its name says {_A[kind]}")
        return  # one finding a place; what is below belongs to it
    yield from _value(value, pointer, is_person=reading.is_person)


def _value(value: Any, pointer: str, *, is_person: bool) -> Iterator[PersonalPlace]:
    if isinstance(value, str):
        if kind := _kind_of_text(value):
            yield PersonalPlace(pointer, kind, f"its text has {_A[kind]} in it")
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _member(name, member, pointer, is_person=is_person)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _value(item, f"{pointer}/{index}", is_person=is_person)


def _may_hold(kind: Kind, value: Any) -> bool:
    """Return whether a value can be what its name says: `hasEmail: true` and `emails: 3` hold no address."""
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int | float):
        return kind in ("phone", "birth date", "address")
    return bool(value)


def _kind_of_text(text: str) -> Kind | None:
    if _has_email(text):
        return "email"
    return "phone" if len(text) >= _SHORTEST_PHONE and _PHONE.search(_plain(text)) else None


def _has_email(text: str) -> bool:
    if not text.isascii():
        text = _plain(text)  # ＠ is @ to whoever reads it
    if "@" not in text and "%40" not in text:
        return False
    return any(not _PICTURE.fullmatch(match[1]) for match in _EMAIL.finditer(text))


def _plain(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


_SHORTEST_PHONE: Final = 9
_A: Final[Mapping[Kind, str]] = {
    "name": "a person's name",
    "email": "an e-mail address",
    "phone": "a phone number",
    "birth date": "a birth date",
    "address": "an address",
}

"""The text of an event -> what is wrong with it, before it leaves this machine. Never says what stands at a place."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

from reinmaker_cli.client.event_reader import Piece, Unreadable
from reinmaker_cli.client.personal_data import CODES, personal_places
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.events import broken_event_rules
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.contract.ijson import NotIJson, read_ijson

PERSONAL: Final = frozenset(map(str, CODES.values()))
"""The codes of findings that are personal data."""

_UNWRAP: Final = "one event a line, or one array of them: `jq '.events' FILE | reinmaker telemetry send -`"

# What `read_ijson` quotes: a name in quotes, a number at the end.
_QUOTED: Final = re.compile(r' ?"(?:[^"\\]|\\.)*"|: [-+0-9].*')


def check_event(piece: Piece, path: str, allowed: Collection[str] = ()) -> list[Finding]:
    """Return the findings of one event, with its line; those of an allowed code as warnings.

    `allowed` may name `personal-data` for all findings of that kind.
    """
    return [_weighed(finding, path, allowed) for finding in _findings(piece)]


def _findings(piece: Piece) -> Iterator[Finding]:
    if isinstance(piece, Unreadable):
        yield _at(piece.line, codes.NOT_JSON.finding(piece.fact, hint="one JSON object a line, or one array of them"))
        return
    try:
        event = read_ijson(piece.raw)
    except NotIJson as error:
        yield _unreadable(error, piece.line)
        return
    if isinstance(event, dict) and isinstance(event.get("events"), list) and "eventId" not in event:
        yield _at(piece.line, codes.EVENT_INVALID.finding("the body of a request, not an event", hint=_UNWRAP))
        return
    for pointer, fact in broken_event_rules(event):
        yield _at(piece.line, codes.EVENT_INVALID.finding(fact, pointer=pointer))
    if isinstance(event, dict):
        for place in personal_places(event):
            yield _at(piece.line, CODES[place.kind].finding(place.fact, pointer=place.pointer))


def _unreadable(error: NotIJson, line: int) -> Finding:
    cause = error.__cause__
    if isinstance(cause, json.JSONDecodeError):
        fact = f"{cause.msg[:1].lower()}{cause.msg[1:]}, column {cause.colno}"
        return _at(line + cause.lineno - 1, error.code.finding(fact))
    return _at(line, error.code.finding(_QUOTED.sub("", error.detail)))


def _at(line: int, finding: Finding) -> Finding:
    return replace(finding, line=line)


def _weighed(finding: Finding, path: str, allowed: Collection[str]) -> Finding:
    is_allowed = finding.code in allowed or (finding.code in PERSONAL and codes.PERSONAL_DATA in allowed)
    return replace(finding, path=path, severity="warning" if is_allowed else finding.severity)

"""Every way to split a text between the tokens of a pattern, counted without backtracking.

First, from the end: at which positions can the rest of the tokens still match? Then, from the start: only steps onto
such positions. So no step is in vain, and the work is bounded by tokens x characters x readings asked for. Captures
that occur twice break that promise (matching with back references is NP-hard), so steps are counted and limited.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_STEPS: Final = 10_000  # tenths of a second; only a hostile pattern with repeated captures gets there


class TooManySplits(ValueError):
    """The splits of a name cannot be counted in reasonable time."""


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that stands for itself."""

    text: str


@dataclass(frozen=True, slots=True)
class AnyChar:
    """`?`: one character of a path part."""


@dataclass(frozen=True, slots=True)
class AnyText:
    """`*`: any number of characters of one path part."""


@dataclass(frozen=True, slots=True)
class AnyFolders:
    """`**/`: any number of whole folders, each with its `/`."""


@dataclass(frozen=True, slots=True)
class AnyRest:
    """`/**` at the end: everything below a folder."""


@dataclass(frozen=True, slots=True)
class Capture:
    """`{name}`: one or more characters of one path part, or one of the listed texts, longest first."""

    name: str
    texts: tuple[str, ...] | None


Token = Literal | AnyChar | AnyText | AnyFolders | AnyRest | Capture


def enumerate_splits(tokens: tuple[Token, ...], text: str, *, limit: int) -> tuple[dict[str, str], ...]:
    """Return the distinct captures with which the tokens match the whole text, at most `limit` of them.

    What `*` and `**` stand for makes no difference. TooManySplits after 10,000 steps.
    """
    live = _live_positions(tokens, text)
    found: dict[tuple[tuple[str, str], ...], None] = {}
    waiting: list[tuple[int, int, tuple[tuple[str, str], ...]]] = [(0, 0, ())] if 0 in live[0] else []
    seen = set(waiting)
    while waiting and len(found) < limit:
        index, start, captured = waiting.pop()
        if index == len(tokens):
            found[captured] = None
            continue
        token, nexts = tokens[index], live[index + 1]
        for end in _ends(token, text, start, dict(captured)):
            if end not in nexts:
                continue
            grown = captured
            if isinstance(token, Capture) and token.name not in dict(captured):
                grown = (*captured, (token.name, text[start:end]))
            state = (index + 1, end, grown)
            if state not in seen:
                seen.add(state)
                waiting.append(state)
        if len(seen) > MAX_STEPS:
            if len(found) > 1:
                break  # ambiguous, whatever else there is
            raise TooManySplits(f"more than {MAX_STEPS} ways begin to read the name")
    return tuple(dict(captured) for captured in found)


def _live_positions(tokens: tuple[Token, ...], text: str) -> list[frozenset[int]]:
    """Return, for each token, the positions from which it and all that follow can match to the end."""
    live = [frozenset({len(text)})]
    for token in reversed(tokens):
        live.append(frozenset(_starts(token, text, live[-1])))
    live.reverse()
    return live


def _starts(token: Token, text: str, ends: frozenset[int]) -> Iterator[int]:
    match token:
        case Literal(literal):
            yield from (end - len(literal) for end in ends if text.endswith(literal, 0, end) and end >= len(literal))
        case AnyChar():
            yield from (end - 1 for end in ends if end and text[end - 1] != "/")
        case Capture(_, texts) if texts is not None:
            yield from (end - len(one) for end in ends for one in texts if text.endswith(one, 0, end))
        case AnyText():
            yield from ends
            yield from _starts_within_part(text, ends)
        case Capture():
            yield from _starts_within_part(text, ends)
        case AnyFolders():
            farthest = max((end for end in ends if _begins_part(text, end)), default=-1)
            yield from (start for start in range(farthest + 1) if _begins_part(text, start))
        case AnyRest():
            yield from range(len(text))


def _starts_within_part(text: str, ends: frozenset[int]) -> Iterator[int]:
    reachable = False
    for start in range(len(text) - 1, -1, -1):
        reachable = (reachable or start + 1 in ends) and text[start] != "/"
        if reachable:
            yield start


def _ends(token: Token, text: str, start: int, captured: dict[str, str]) -> Iterator[int]:
    match token:
        case Literal(literal):
            yield start + len(literal)
        case AnyChar():
            yield start + 1
        case Capture(name, _) if name in captured:
            if text.startswith(captured[name], start):
                yield start + len(captured[name])
        case Capture(_, texts) if texts is not None:
            yield from (start + len(one) for one in texts if text.startswith(one, start))
        case AnyText():
            yield from range(start, _part_end(text, start) + 1)
        case Capture():
            yield from range(start + 1, _part_end(text, start) + 1)
        case AnyFolders():
            yield from (end for end in range(start, len(text) + 1) if end == start or _begins_part(text, end))
        case AnyRest():
            yield len(text)


def _part_end(text: str, start: int) -> int:
    end = text.find("/", start)
    return len(text) if end < 0 else end


def _begins_part(text: str, position: int) -> bool:
    return position == 0 or text[position - 1] == "/"

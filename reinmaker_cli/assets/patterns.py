"""Patterns such as `{age}-{phase}-{lang}.mp3`: every way in which a path can be read by one.

A capture takes one or more characters within one path part; one with a list of texts takes exactly one of them; a
name that occurs twice takes the same text twice. `*`, `**` and `?` are as in gitignore: a pattern without `/` is about
the file's name at any depth, one with `/` is anchored at the root.

A name is read by two regular expressions that prefer long and short pieces. Where they agree there is no other
reading: the first gives the lexicographically greatest lengths of all readings, the second the least. Where they do
not, and where backtracking could explode, `splits.py` counts the readings exactly.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from reinmaker_cli.assets.splits import (
    AnyChar,
    AnyFolders,
    AnyRest,
    AnyText,
    Capture,
    Literal,
    Token,
    enumerate_splits,
)
from reinmaker_cli.assets.templates import NAME_PATTERN, RESERVED_NAMES

MAX_PATTERN_CHARS: Final = 1024  # a path is at most 4,096 bytes; nobody writes such a pattern by hand
MAX_BACKTRACKING: Final = 20_000  # ways to place the open pieces; a regular expression tries them in a millisecond
MAX_READINGS: Final = 3  # enough to show that a name is ambiguous, and how

_NO_CAPTURE: Final[tuple[dict[str, str], ...]] = ({},)  # one reading, and nobody changes it
_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|\*+|\?|[{}]|[^{}*?]+")


class PatternInvalid(ValueError):
    """The text of a pattern cannot be meant; the message says why, `hint` what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, compiled for many paths."""

    text: str
    captures: tuple[str, ...]
    """Names in order of first use."""
    whole_path: bool
    """False: about the last part of the path alone."""
    tokens: tuple[Token, ...] = field(repr=False)
    longest: re.Pattern[str] = field(repr=False)
    shortest: re.Pattern[str] | None = field(repr=False)
    """None where at most one piece can vary, so that there is only one reading."""
    stops: tuple[str, ...] = field(repr=False)
    """For each piece that can vary, the literal text after it: it ends only before one of those."""

    def readings(self, path: str) -> tuple[dict[str, str], ...]:
        """Return the distinct ways to read a path, none where it does not match, at most three.

        `splits.TooManySplits` where a repeated capture makes counting them hopeless.
        """
        text = path if self.whole_path else path.rpartition("/")[2]
        if (len(self.stops) > 2 or len(text) > 128) and self._could_explode(text):
            return enumerate_splits(self.tokens, text, limit=MAX_READINGS)
        greatest = self.longest.fullmatch(text)
        if greatest is None:
            return ()
        if self.shortest is not None:
            least = self.shortest.fullmatch(text)
            if least is None or greatest.groups() != least.groups():
                return enumerate_splits(self.tokens, text, limit=MAX_READINGS)
        return (greatest.groupdict(),) if self.captures else _NO_CAPTURE

    def _could_explode(self, text: str) -> bool:
        ways = 1
        for stop in self.stops:
            ways *= (text.count(stop) if stop else len(text)) + 1
        return ways > MAX_BACKTRACKING


def compile_pattern(text: str, values: Mapping[str, Collection[str]]) -> Pattern:
    """Return the compiled pattern; `values` lists the texts that a capture may take.

    PatternInvalid says what is wrong with the text.
    """
    tokens, whole_path = _tokenize(text, values)
    captures = tuple(dict.fromkeys(token.name for token in tokens if isinstance(token, Capture)))
    if not captures:
        shortest = None  # what `*` stands for tells nobody anything
    else:
        shortest = _regex(tokens, lazy=True) if len(_varying(tokens)) > 1 else None
    return Pattern(text, captures, whole_path, tokens, _regex(tokens, lazy=False), shortest, _stops(tokens))


def _tokenize(text: str, values: Mapping[str, Collection[str]]) -> tuple[tuple[Token, ...], bool]:
    if not text or len(text) > MAX_PATTERN_CHARS:
        raise PatternInvalid("the pattern is empty or too long", f"1 to {MAX_PATTERN_CHARS} characters")
    if "\\" in text:
        raise PatternInvalid("`\\` in a pattern", "write `/` between the parts of a path")
    anchored = text.removeprefix("/")
    parts = anchored.split("/")
    if "" in parts or "." in parts or ".." in parts:
        raise PatternInvalid(
            "a part of the pattern is empty, `.` or `..`", "name files below the root; `folder/**` is all in a folder"
        )
    whole_path = "/" in text
    tokens: list[Token] = []
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**" and whole_path:
            tokens.append(AnyRest() if last else AnyFolders())
        else:
            tokens += _part_tokens(part, values)
            if not last:
                tokens.append(Literal("/"))
    return _joined(tokens), whole_path


def _part_tokens(part: str, values: Mapping[str, Collection[str]]) -> list[Token]:
    tokens: list[Token] = []
    for found in _TOKEN.finditer(part):
        token = found[0]
        if token in ("{{", "}}"):
            tokens.append(Literal(token[0]))
        elif found["name"] is not None:
            tokens.append(_capture(found["name"], values))
        elif token in ("{", "}"):
            raise PatternInvalid(f"single `{token}`", "a literal brace is written twice")
        elif token[0] == "*":
            tokens.append(AnyText())
        elif token == "?":
            tokens.append(AnyChar())
        else:
            tokens.append(Literal(token))
    return tokens


def _capture(name: str, values: Mapping[str, Collection[str]]) -> Capture:
    if not NAME_PATTERN.fullmatch(name):
        raise PatternInvalid(f"`{{{name}}}` is not a name", "letters, digits and `_`, as in {lang}")
    if name in RESERVED_NAMES:
        raise PatternInvalid(f"`{{{name}}}` has a meaning of its own", "give the capture another name")
    texts = values.get(name)
    return Capture(name, None if texts is None else tuple(sorted(texts, key=lambda text: (-len(text), text))))


def _joined(tokens: list[Token]) -> tuple[Token, ...]:
    joined: list[Token] = []
    for token in tokens:
        if joined and isinstance(token, Literal) and isinstance(joined[-1], Literal):
            joined[-1] = Literal(joined[-1].text + token.text)
        elif not (isinstance(token, AnyText | AnyFolders) and joined and joined[-1] == token):
            joined.append(token)
    return tuple(joined)


def _varying(tokens: tuple[Token, ...]) -> list[int]:
    """Return the indexes of the tokens whose length is not given; a repeated capture is given by its first."""
    seen: set[str] = set()
    varying = []
    for index, token in enumerate(tokens):
        if isinstance(token, Capture):
            if token.name not in seen:
                varying.append(index)
            seen.add(token.name)
        elif isinstance(token, AnyText | AnyFolders):
            varying.append(index)
    return varying


def _stops(tokens: tuple[Token, ...]) -> tuple[str, ...]:
    stops = []
    for index in _varying(tokens):
        token, following = tokens[index], tokens[index + 1] if index + 1 < len(tokens) else None
        if isinstance(token, AnyFolders):
            stops.append("/")
        elif following is None:
            continue  # runs to the end: one way
        elif isinstance(token, Capture) and token.texts is not None and len(token.texts) <= 2:
            continue  # cheaper than any stop
        else:
            stops.append(following.text if isinstance(following, Literal) else "")
    return tuple(stops)


def _regex(tokens: tuple[Token, ...], *, lazy: bool) -> re.Pattern[str]:
    seen: set[str] = set()
    return re.compile("".join(_regex_piece(token, seen, "?" if lazy else "") for token in tokens), re.DOTALL)


def _regex_piece(token: Token, seen: set[str], lazy: str) -> str:
    match token:
        case Literal(text):
            return re.escape(text)
        case AnyChar():
            return "[^/]"
        case AnyText():
            return f"([^/]*{lazy})"
        case AnyFolders():
            return f"((?:[^/]+/)*{lazy})"
        case AnyRest():
            return ".+"
        case Capture(name, texts):
            if name in seen:
                return f"(?P={name})"
            seen.add(name)
            if texts is None:
                return f"(?P<{name}>[^/]+{lazy})"
            ordered = reversed(texts) if lazy else texts
            return f"(?P<{name}>{'|'.join(map(re.escape, ordered)) or '(?!)'})"

"""How a folder's names are built: where they say the age persona and the language, and what else varies.

Each path can be seen in several ways (`2-5-en-route-en.mp3` holds `en` twice). Every way has a shape, the path with its
texts left out, and a path is taken in the way whose shape most other paths have too.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from reinmaker_cli.assets.rules import FOLDER_TYPES
from reinmaker_cli.assets.templates import file_fields
from reinmaker_cli.contract.names import LOCALES, PERSONAS

Kind = Literal["age", "lang", "text", "fixed"]
Mode = Literal["both", "lang", "age", "none"]

_LANGUAGE_NAMES: Final = {"en": "english", "es": "spanish", "fr": "french"}

_AGE_WORD: Final = re.compile(r"(?<![A-Za-z])(?i:ages?)\Z")
_AGE: Final = re.compile(
    r"(?:(?<![A-Za-z0-9])|(?<=(?<![A-Za-z])(?i:age))|(?<=(?<![A-Za-z])(?i:ages)))"
    rf"(?:{'|'.join(persona.replace('-', '[-_]') for persona in reversed(PERSONAS))})(?![A-Za-z0-9])"
)
_OTHER_REGION: Final = r"(?![-_][A-Z]{2}(?![A-Za-z0-9]))"  # en-GB is no en-US, and guessing is not ours
_LANG: Final = re.compile(
    "|".join(
        rf"(?<![A-Za-z0-9])(?:(?i:{language}[-_]{region}|{_LANGUAGE_NAMES[language]})|(?i:{language}){_OTHER_REGION})"
        r"(?![A-Za-z0-9])"
        for language, region in (locale.split("-") for locale in LOCALES)
    )
)


class Piece(NamedTuple):
    """A part of a path: persona, language, other text, or what stands fixed between them."""

    kind: Kind
    text: str


Shape = tuple[Piece, ...]
"""A path without its texts: `fixed` pieces keep theirs."""


@dataclass(frozen=True, slots=True)
class Family:
    """Paths of one shape."""

    shape: Shape
    members: tuple[tuple[str, tuple[Piece, ...]], ...]
    """Path and its pieces, sorted by path."""

    def texts_at(self, index: int) -> tuple[str, ...]:
        """Return the distinct texts of one piece, sorted."""
        return tuple(sorted({pieces[index].text for _, pieces in self.members}))


def find_families(paths: Sequence[str]) -> tuple[Mode, tuple[Family, ...]]:
    """Return what the names say, persona and language, one of them or nothing, and the families of such paths.

    What only a minority of the paths says is not taken for the folder's layout. Paths in no family are left over.
    """
    aged = {path: [found.span() for found in _AGE.finditer(_stem(path))] for path in paths}
    spoken = {path: [found.span() for found in _LANG.finditer(_stem(path))] for path in paths}
    both = [path for path in paths if aged[path] and spoken[path]]
    anything = [path for path in paths if aged[path] or spoken[path]]
    if not anything or 2 * len(anything) < len(paths):
        return "none", ()
    if 2 * len(both) >= len(anything):
        mode: Mode = "both"
    else:
        mode = "lang" if sum(map(bool, spoken.values())) >= sum(map(bool, aged.values())) else "age"
    nothing = [None]
    readings = {
        path: [
            pieces
            for age in (aged[path] if mode != "lang" else nothing)
            for lang in (spoken[path] if mode != "age" else nothing)
            if (pieces := _pieces(path, age, lang)) is not None
        ]
        for path in paths
    }
    return mode, _families(readings)


def locale_of(text: str) -> str:
    """Return the locale that a text of kind `lang` means: `en`, `EN_us` and `English` are `en-US`."""
    plain = text.lower().replace("_", "-")
    return next(one for one in LOCALES if plain in (one.lower(), one[:2], _LANGUAGE_NAMES[one[:2]]))


def _families(readings: dict[str, list[tuple[Piece, ...]]]) -> tuple[Family, ...]:
    votes = Counter(shape for ways in readings.values() for shape in {_shape(pieces) for pieces in ways})
    # Of `en-route-en` and `en-route-fr` both places could say the language: the one that varies does.
    marks: defaultdict[Shape, set[tuple[Piece, ...]]] = defaultdict(set)
    for ways in readings.values():
        for pieces in ways:
            marks[_shape(pieces)].add(tuple(piece for piece in pieces if piece.kind in ("age", "lang")))

    def rank(pieces: tuple[Piece, ...]) -> tuple[int, int, Shape]:
        shape = _shape(pieces)
        return votes[shape], len(marks[shape]), shape

    grouped: defaultdict[Shape, list[tuple[str, tuple[Piece, ...]]]] = defaultdict(list)
    for path, ways in sorted(readings.items()):
        if ways:
            chosen = max(ways, key=rank)
            grouped[_shape(chosen)].append((path, chosen))
    ordered = sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(Family(shape, tuple(members)) for shape, members in ordered)


def _shape(pieces: Iterable[Piece]) -> Shape:
    return tuple(piece if piece.kind == "fixed" else Piece(piece.kind, "") for piece in pieces)


def _stem(path: str) -> str:
    extension = file_fields(path)["ext"]
    return path[: len(path) - len(extension)]


def _pieces(path: str, age: tuple[int, int] | None, lang: tuple[int, int] | None) -> tuple[Piece, ...] | None:
    """Return the path as pieces, None where persona and language are seen in the same characters."""
    stem = _stem(path)
    kinds: tuple[tuple[Kind, tuple[int, int] | None], ...] = (("age", age), ("lang", lang))
    marks = sorted((span, kind) for kind, span in kinds if span is not None)
    if any(second[0][0] < first[0][1] for first, second in pairwise(marks)):
        return None
    pieces: list[Piece] = []
    end = 0
    for (start, stop), kind in marks:
        pieces += _gap(stem[end:start], after_mark=end > 0, before=kind)
        pieces.append(Piece(kind, stem[start:stop]))
        end = stop
    pieces += _gap(stem[end:], after_mark=end > 0, before=None)
    pieces.append(Piece("fixed", path[len(stem) :]))
    return tuple(_merged(pieces))


def _gap(text: str, *, after_mark: bool, before: Kind | None) -> Iterator[Piece]:
    """Yield the pieces between two marks: separators next to a mark are fixed, so is `/`, the rest is text.

    Fixed are also the folders that say a type, so that each has a rule of its own, and `age` before a persona.
    """
    parts = text.split("/")
    for number, part in enumerate(parts):
        if number:
            yield Piece("fixed", "/")
        is_folder = number < len(parts) - 1 and not (after_mark and number == 0)
        if is_folder and part.lower() in FOLDER_TYPES:
            yield Piece("fixed", part)
            continue
        first, last = 0, len(part)
        if after_mark and number == 0:
            while first < len(part) and not part[first].isalnum():
                first += 1
        if before is not None and number == len(parts) - 1:
            last = _end_of_words(part, first)
            if before == "age" and (word := _AGE_WORD.search(part, first, last)) is not None:
                last = _end_of_words(part[: word.start()], first)
        for kind, piece in (("fixed", part[:first]), ("text", part[first:last]), ("fixed", part[last:])):
            if piece:
                yield Piece(kind, piece)  # type: ignore[arg-type]


def _end_of_words(text: str, first: int) -> int:
    """Return where the separators at the end of a text begin."""
    last = len(text)
    while last > first and not text[last - 1].isalnum():
        last -= 1
    return last


def _merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    fixed = ""
    for piece in pieces:
        if piece.kind == "fixed":
            fixed += piece.text
            continue
        if fixed:
            yield Piece("fixed", fixed)
        fixed = ""
        yield piece
    if fixed:
        yield Piece("fixed", fixed)

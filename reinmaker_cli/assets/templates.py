"""Templates such as `{dir}{stem}.{sha256:8}{ext}`: what they name, and the text they give.

A literal brace is written twice. `{sha256:N}` is the first N digits; no other placeholder takes a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Final, NamedTuple
from urllib.parse import quote

FILE_PLACEHOLDERS: Final = ("path", "dir", "stem", "ext")
"""What every file has by its name alone."""
HASH_PLACEHOLDER: Final = "sha256"
VERSION_PLACEHOLDER: Final = "version"
RESERVED_NAMES: Final = frozenset({*FILE_PLACEHOLDERS, HASH_PLACEHOLDER, VERSION_PLACEHOLDER})
"""Names that a capture cannot have."""

NAME_PATTERN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NEEDS_NO_ENCODING = re.compile(r"[A-Za-z0-9_.~/-]*")  # a quarter of the time of quote() to find out
_PIECE = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}:]*)(?::(?P<digits>[^{}]*))?\}|[{}]")


class TemplateInvalid(ValueError):
    """The text of a template cannot be read."""


class UnknownCapture(ValueError):
    """A template names a placeholder that has no value here."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Piece(NamedTuple):
    """Literal text, then one placeholder; the last piece of a template may have none."""

    literal: str
    name: str | None
    digits: int | None


@lru_cache(maxsize=1024)
def parse_template(template: str) -> tuple[Piece, ...]:
    """Return the pieces of a template; TemplateInvalid names what is wrong."""
    pieces: list[Piece] = []
    literal, end = "", 0
    for found in _PIECE.finditer(template):
        literal += template[end : found.start()]
        end = found.end()
        token = found[0]
        if token in ("{{", "}}"):
            literal += token[0]
        elif found["name"] is None:
            raise TemplateInvalid(f"single `{token}`; a literal brace is written twice")
        else:
            pieces.append(Piece(literal, found["name"], _digits(found["name"], found["digits"])))
            literal = ""
    literal += template[end:]
    if literal:
        pieces.append(Piece(literal, None, None))
    return tuple(pieces)


def _digits(name: str, digits: str | None) -> int | None:
    if not NAME_PATTERN.fullmatch(name):
        raise TemplateInvalid(f"`{{{name}}}` is not a name; letters, digits and `_`")
    if digits is None:
        return None
    if name != HASH_PLACEHOLDER or not re.fullmatch(r"[0-9]{1,2}", digits) or not 1 <= int(digits) <= 64:
        raise TemplateInvalid(f"`{{{name}:{digits}}}`: only {{sha256:1}} to {{sha256:64}} take a number")
    return int(digits)


def placeholders(template: str) -> tuple[str, ...]:
    """Return the names that a template uses, in order of first use; TemplateInvalid where it cannot be read."""
    return tuple(dict.fromkeys(piece.name for piece in parse_template(template) if piece.name is not None))


def expand(template: str, fields: Mapping[str, str]) -> str:
    """Return the template with its placeholders replaced, as plain text. UnknownCapture names a missing one."""
    text = ""
    for literal, name, digits in parse_template(template):
        text += literal + ("" if name is None else _field(fields, name)[:digits])
    return text


def expand_urls(template: str, shared: Mapping[str, str], paths: Sequence[str], digests: Sequence[str]) -> list[str]:
    """Return the URL of each file, its placeholders percent-encoded, `/` kept. UnknownCapture names a missing one.

    `shared` is what all of the files have in common; path and SHA-256 are each file's own. Everything but RFC 3986's
    unreserved characters is encoded, as UTF-8. Literal text of the template stays as it is.
    """
    columns: list[Iterable[str]] = [repeat("", len(paths))]
    for literal, name, digits in parse_template(template):
        columns.append(repeat(literal, len(paths)))
        if name == HASH_PLACEHOLDER:
            columns.append([sha256[:digits] for sha256 in digests])
        elif name in FILE_PLACEHOLDERS:
            columns.append(_encoded(paths if name == "path" else [file_fields(path)[name] for path in paths]))
        elif name is not None:
            columns.append(_encoded([_field(shared, name)]) * len(paths))
    return list(map("".join, zip(*columns, strict=True)))


def _field(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name)
    if value is None:
        raise UnknownCapture(name)
    return value


def _encoded(texts: Sequence[str]) -> list[str]:
    return list(texts) if _NEEDS_NO_ENCODING.fullmatch("".join(texts)) else [quote(text, safe="/") for text in texts]


def file_fields(path: str) -> dict[str, str]:
    """Return `path`, `dir` (with its final `/`, or empty), `stem` and `ext` (with its dot, or empty) of a path."""
    folder, slash, name = path.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    return {"path": path, "dir": folder + slash, "stem": stem, "ext": dot + extension}

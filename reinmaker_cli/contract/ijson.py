"""Read JSON that every reader understands the same way: I-JSON, RFC 7493.

Two readers that keep different values of a duplicate name see two different manifests, and only one of them was
hashed. What such readers disagree about is refused before anything else looks at the document.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from reinmaker_cli.contract import codes

MAX_INTEGER: Final = 2**53 - 1  # RFC 7493 section 2.2: what a double holds exactly
MAX_DEPTH: Final = 64
_MAX_INTEGER_DIGITS: Final = (
    17  # with sign; longer text is out of range, and int() of a megabyte of digits takes minutes
)
_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_WHITE_SPACE: Final = b" \t\r\n"  # RFC 8259 section 2
_DIGITS_ALIKE: Final = bytes.maketrans(b"123456789", b"000000000")
_MANY_DIGITS: Final = b"0" * len(str(MAX_INTEGER))


class NotIJson(ValueError):
    """The bytes are not JSON (`code` is `not-json`), or JSON that readers disagree about (`not-i-json`)."""

    def __init__(self, code: codes.Code, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def read_ijson(raw: bytes) -> Any:
    """Return the JSON value, or raise NotIJson.

    Refused: anything but UTF-8, duplicate names, lone surrogates, NaN and infinities, numbers beyond a double,
    integers beyond ±(2^53-1), and nesting beyond 64.
    """
    document = _read_quickly(raw)
    return _read_thoroughly(raw) if document is None else document


def _read_quickly(raw: bytes) -> Any:
    """Return the JSON value, or None where something may be wrong with it; the thorough reader says what.

    It makes no call for an object or a short integer, which is half of the time: names are counted instead.
    """
    names_at_most, has_long_integer = _look_over(raw)
    try:
        text = raw.decode("utf-8")
        document = (_FOR_LONG_INTEGERS if has_long_integer else _FOR_SHORT_INTEGERS).decode(text)
        if _count_names(document) != names_at_most:
            return None
        if _ESCAPED_SURROGATE.search(text):
            _refuse_lone_surrogates(document)
    except (ValueError, RecursionError):
        return None  # it is met again
    return document


def _look_over(raw: bytes) -> tuple[int, bool]:
    """Return how many names the text has at most, and whether any integer can be beyond a double.

    Behind every name stand a quotation mark and, when all white space is out, a colon. Both may also stand in a text,
    so where an object has fewer names than there are such pairs, one of them may have been there twice.
    """
    bare = raw.translate(_DIGITS_ALIKE, _WHITE_SPACE)
    return bare.count(b'":'), _MANY_DIGITS in bare


def _read_thoroughly(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8")
        document = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise NotIJson(codes.NOT_JSON, f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise NotIJson(codes.NOT_JSON, f"{_lower_first(error.msg)} at {place}") from error
    except RecursionError as error:
        raise NotIJson(codes.NOT_IJSON, f"nested deeper than {MAX_DEPTH}") from error
    if _ESCAPED_SURROGATE.search(text):
        _refuse_lone_surrogates(document)
    _count_names(document)
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise NotIJson(codes.NOT_IJSON, f"the name {_quoted(twice)} stands twice in one object")
    return members


def _integer(text: str) -> int:
    if len(text) <= _MAX_INTEGER_DIGITS and -MAX_INTEGER <= (value := int(text)) <= MAX_INTEGER:
        return value
    raise NotIJson(codes.NOT_IJSON, f"an integer beyond ±(2^53-1): {text[:24]}{'…' if len(text) > 24 else ''}")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise NotIJson(codes.NOT_IJSON, f"a number beyond a double: {text[:24]}{'…' if len(text) > 24 else ''}")
    return value


def _refuse_constant(text: str) -> None:
    raise NotIJson(codes.NOT_IJSON, f"{text} is not a JSON number")


def _refuse_lone_surrogates(document: Any) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise NotIJson(codes.NOT_IJSON, f"a lone surrogate \\u{ord(error.object[error.start]):04x}") from error
    except RecursionError as error:
        raise NotIJson(codes.NOT_IJSON, f"nested deeper than {MAX_DEPTH}") from error


def _count_names(document: Any) -> int:
    """Return how many names all of its objects have; NotIJson where it is nested too deep."""
    # Level by level: no recursion, and a hundred thousand assets are three levels.
    level = [document] if isinstance(document, dict | list) else []
    names = 0
    for _ in range(MAX_DEPTH):
        if not level:
            return names
        names += sum([len(node) for node in level if type(node) is dict])
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
    if level:
        raise NotIJson(codes.NOT_IJSON, f"nested deeper than {MAX_DEPTH}")
    return names


def _quoted(name: str) -> str:
    return json.dumps(name if len(name) <= 60 else name[:60] + "…")


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


_FOR_SHORT_INTEGERS: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)
_FOR_LONG_INTEGERS: Final = json.JSONDecoder(parse_int=_integer, parse_float=_finite, parse_constant=_refuse_constant)

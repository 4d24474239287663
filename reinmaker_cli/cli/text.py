"""Text for people: what may reach a terminal, lines and their styles, sizes, counts. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Style = Literal["red", "yellow", "green", "cyan", "bold"]

# Control characters, and the marks that reorder text: a file name must not be able to steer a terminal or lie.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_COMMAND_AT_START = re.compile(r"\A(\s*)::")

_SIZE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def visible(text: str) -> str:
    r"""Return the text with what a terminal would obey written as escapes (`\x1b`, `\u202e`)."""
    return _UNSAFE.sub(_escape, text)


def without_commands(line: str) -> str:
    """Return a line in which a GitHub runner finds no command, whatever a file in it is called.

    It obeys `::command::` at the start of any line, blanks before it not counted, and `##[command]` anywhere.
    Source: actions/runner, ActionCommand.cs.
    """
    return _COMMAND_AT_START.sub(r"\1\\x3a:", line).replace("##[", "#\\x23[")


def _escape(match: re.Match[str]) -> str:
    number = ord(match.group())
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(number) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


def human_size(size_bytes: float) -> str:
    """Return a size as people read it: `34 KiB`, `1.2 MiB`."""
    amount, unit = float(size_bytes), "B"
    for unit in _SIZE_UNITS:
        if amount < 1024 or unit == _SIZE_UNITS[-1]:
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"


def counted(number: int, singular: str, plural: str = "") -> str:
    """Return `1 file`, `2,000 files`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def shorten(text: str, most: int = 120) -> str:
    """Return the text, its middle left out where it is longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 2 + 1 :]}"


def retyped(verb: str, words: Sequence[str], wrong: str, right: str) -> str:
    """Return the command line with a word, or the value in `--option=value`, put right; added where it is not there."""
    changed = [
        right if word == wrong else f"{word[: -len(wrong)]}{right}" if word.endswith(f"={wrong}") else word
        for word in words
    ]
    return shlex.join(["reinmaker", *verb.split(), *changed, *([right] if changed == list(words) else [])])


@dataclass(frozen=True, slots=True)
class Styled:
    """Text in a style, and its words say all that the colour says: where there are no colours nothing is lost."""

    style: Style
    text: str


Cell = str | Styled
Line = Cell | tuple[Cell, ...]
"""One line for people, as it is: whoever writes it makes it visible, and nobody else has to."""


@dataclass(frozen=True, slots=True)
class Item:
    """A label and what is said under it, indented; on a terminal long text stays behind its label."""

    label: Styled
    text: str


def cells(line: Line) -> tuple[Cell, ...]:
    """Return the parts of a line."""
    return line if isinstance(line, tuple) else (line,)


def wants_colour(choice: str, is_terminal: bool, variables: Mapping[str, str]) -> bool:
    """Return whether to colour: flag, then NO_COLOR, CLICOLOR_FORCE, then the terminal (no-color.org, bixense.com)."""
    if choice != "auto":
        return choice == "always"
    if variables.get("NO_COLOR"):
        return False
    if variables.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return is_terminal and variables.get("TERM") != "dumb" and variables.get("CLICOLOR") != "0"

"""Text for people: what may reach a terminal, sizes, counts, colours. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Control characters, and the marks that reorder text: a file name must not be able to steer a terminal or lie.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_STYLES = {"red": "1;31", "yellow": "1;33", "green": "1;32", "cyan": "36", "bold": "1", "dim": "2"}

_OUR_STYLES = re.compile("(\x1b\\[(?:0|" + "|".join(_STYLES.values()) + ")m)")

_SIZE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def visible(text: str) -> str:
    r"""Return the text with what a terminal would obey written as escapes (`\x1b`, `\u202e`)."""
    return _UNSAFE.sub(_escape, text)


def visible_line(line: str) -> str:
    """Return a finished line made visible, with our own colours left in it."""
    if "\x1b" not in line:
        return visible(line)
    return "".join(part if number % 2 else visible(part) for number, part in enumerate(_OUR_STYLES.split(line)))


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


def table(rows: list[list[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Return the rows as lines with aligned columns, two spaces between; columns in `right` are right-aligned."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


class Paint:
    """Colours, or none. Colour never carries meaning alone: the word is always there."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.enabled else text


def wants_colour(choice: str, is_terminal: bool, variables: Mapping[str, str]) -> bool:
    """Return whether to colour: flag, then NO_COLOR, CLICOLOR_FORCE, then the terminal (no-color.org, bixense.com)."""
    if choice != "auto":
        return choice == "always"
    if variables.get("NO_COLOR"):
        return False
    if variables.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return is_terminal and variables.get("TERM") != "dumb" and variables.get("CLICOLOR") != "0"

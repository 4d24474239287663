"""Pictures made of text, for a person at a terminal: a tree with sizes and bars, a matrix, a time line. Pure.

Whoever calls knows how many columns there are; elsewhere `Output.columns` is None and lines are plain.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reinmaker_cli.cli.text import Cell, Line, Style, Styled, human_size, shorten, visible

BAR_COLUMNS = 24  # longer ones say no more
LEAST_BAR_COLUMNS = 6
SIZE_COLUMNS = 9  # `1,023 B`, `12.3 MiB`

_EIGHTHS = "▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of a tree, and what hangs below it."""

    label: Cell
    size_bytes: int | None = None
    """Shown behind it, as number and bar; None: neither."""
    children: tuple[Branch, ...] = ()


def width_of(text: str) -> int:
    """Return how many columns a text takes: East Asian characters two, combining ones none."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def bar(part: float, whole: float, columns: int) -> str:
    """Return a bar for the part of a whole, to an eighth of a column; what is there at all can be seen."""
    if part <= 0 or whole <= 0:
        return ""
    full, rest = divmod(max(round(8 * columns * part / whole), 1), 8)
    return "█" * full + (_EIGHTHS[rest - 1] if rest else "")


def tree_lines(branches: Sequence[Branch], columns: int) -> Iterator[Line]:
    """Yield a tree; sizes stand below each other, and behind them bars where there is room."""
    rows = [row for branch in branches for row in _rows(branch, "", "")]
    room = max(columns - SIZE_COLUMNS - 2, 12)
    sized = [width_of(guide) + width_of(_text(one.label)) for guide, one in rows if one.size_bytes is not None]
    labels = min(max(sized, default=0), room)
    bars = min(columns - labels - SIZE_COLUMNS - 4, BAR_COLUMNS)
    largest = max((one.size_bytes or 0 for _, one in rows), default=0)
    for guide, branch in rows:
        if branch.size_bytes is None:
            yield guide, _fitted(branch.label, columns - width_of(guide))[0]
            continue
        label, space = _fitted(branch.label, labels - width_of(guide))
        yield (
            guide,
            label,
            f"{' ' * space}  {human_size(branch.size_bytes):>{SIZE_COLUMNS}}",
            f"  {bar(branch.size_bytes, largest, bars)}" if bars >= LEAST_BAR_COLUMNS else "",
        )


def _rows(branch: Branch, guide: str, below: str) -> Iterator[tuple[str, Branch]]:
    yield guide, branch
    for number, child in enumerate(branch.children, 1):
        is_last = number == len(branch.children)
        yield from _rows(child, f"{below}{'└─ ' if is_last else '├─ '}", f"{below}{'   ' if is_last else '│  '}")


def _text(cell: Cell) -> str:
    return visible(cell.text if isinstance(cell, Styled) else cell)


def _fitted(cell: Cell, columns: int) -> tuple[Cell, int]:
    """Return the cell, its middle left out where it is too long, and how many columns are left behind it."""
    text = _text(cell)
    if width_of(text) > columns:
        most = max(columns, 3)
        while width_of(shorten(text, most)) > columns and most > 3:
            most -= 1
        text = shorten(text, most)
    return Styled(cell.style, text) if isinstance(cell, Styled) else text, max(columns - width_of(text), 0)


def matrix_lines(
    corner: str, rows: Sequence[str], heads: Sequence[str], held: Mapping[tuple[str, str], int], columns: int
) -> Iterator[Line]:
    """Yield how much there is for each pair of row and head; a hole is a dot. Heads that do not fit go on below."""
    first = max(map(width_of, (corner, *rows)))
    wide = max(5, *(width_of(head) for head in heads)) if heads else 5
    at_once = max(1, (columns - first) // (wide + 2))
    for start in range(0, len(heads), at_once):
        shown = heads[start : start + at_once]
        if start:
            yield ""
        yield Styled("bold", "  ".join([_padded(corner, first), *(f"{head:>{wide}}" for head in shown)]))
        for row in rows:
            line: list[Cell] = [_padded(row, first)]
            for head in shown:
                number = held.get((row, head), 0)
                line.append(f"  {number:>{wide},}" if number else Styled("red", f"  {'·':>{wide}}"))
            yield tuple(line)


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - width_of(text))


@dataclass(frozen=True, slots=True)
class Mark:
    """Something on a time line."""

    at_s: float
    """Seconds since its beginning."""
    sign: str
    """One column."""
    style: Style


def time_line(marks: Iterable[Mark], columns: int) -> Line:
    """Return marks on a line, the logarithm of their time from its beginning: seconds and hours are both seen."""
    placed = sorted(marks, key=lambda mark: mark.at_s)
    if not placed:
        return ""
    longest = math.log1p(max(placed[-1].at_s, 1.0))
    cells: list[Cell] = []
    used = 0
    for mark in placed:
        place = max(round(math.log1p(max(mark.at_s, 0.0)) / longest * (columns - 1)), used)
        if place >= columns:  # more marks than columns
            break
        cells += ["─" * (place - used), Styled(mark.style, mark.sign)]
        used = place + 1
    return tuple(cell for cell in cells if cell)

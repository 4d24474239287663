"""What people read on pipes, in logs and on dumb terminals: plain lines, one progress line every 15 s."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from reinmaker_cli.cli.streams import Stream
from reinmaker_cli.cli.text import (
    Cell,
    Item,
    Line,
    Style,
    Styled,
    cells,
    counted,
    human_size,
    visible,
    without_commands,
)

PARAGRAPH_COLUMNS = 88
PROGRESS_EVERY_S = 15.0  # a CI log should show life without drowning what matters

_ANSI: dict[Style, str] = {"red": "1;31", "yellow": "1;33", "green": "1;32", "cyan": "36", "bold": "1"}


class PlainWriter:
    """Writes lines and tables that any program can read, with colours only where they were asked for."""

    def __init__(self, stream: Stream, *, colour: bool, flush: bool, is_on_runner: bool = False) -> None:
        self._stream = stream
        self._colour = colour
        self._is_on_runner = is_on_runner
        self._flush = flush

    def lines(self, *lines: Line | Item) -> None:
        """Write the lines."""
        self._write(map(self._line, lines))

    def texts(self, texts: Iterable[str]) -> None:
        """Write texts without styles, one a line."""
        lines = list(texts)
        self._write(lines if "".join(lines).isprintable() else map(visible, lines))

    def paragraph(self, text: str) -> None:
        """Write prose in lines of a readable length."""
        import textwrap

        self.lines(*textwrap.wrap(visible(text), PARAGRAPH_COLUMNS))

    def table(self, rows: Sequence[Sequence[Cell]], *, head: Sequence[str], right: frozenset[int]) -> None:
        """Write aligned columns, two spaces between them; those in `right` are right-aligned. No `head`: it is data."""
        del head
        shown = [[_plain(cell) for cell in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        padded = (
            [
                self._padded(cell, text, width, column in right)
                for column, (cell, text, width) in enumerate(zip(row, texts, widths, strict=True))
            ]
            for row, texts in zip(rows, shown, strict=True)
        )
        self._write("  ".join(row).rstrip() for row in padded)

    def _write(self, lines: Iterable[str]) -> None:
        if self._is_on_runner:
            lines = map(without_commands, lines)
        self._stream.write("\n".join([*lines, ""]), flush=self._flush)

    def _line(self, line: Line | Item) -> str:
        if isinstance(line, Item):
            return f"  {self._cell(line.label)}: {visible(line.text)}"
        return "".join(self._cell(cell) for cell in cells(line))

    def _padded(self, cell: Cell, text: str, width: int, is_right: bool) -> str:
        space = " " * (width - len(text))
        return space + self._cell(cell) if is_right else self._cell(cell) + space

    def _cell(self, cell: Cell) -> str:
        text = _plain(cell)
        return f"\x1b[{_ANSI[cell.style]}m{text}\x1b[0m" if self._colour and isinstance(cell, Styled) else text


def _plain(cell: Cell) -> str:
    return visible(cell.text if isinstance(cell, Styled) else cell)


class PlainProgress:
    """How far a long step is, one line every 15 s."""

    def __init__(self, stream: Stream, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._last = self._started = clock()

    def hashing(self, files: int, total_files: int, done_bytes: int, total_bytes: int) -> None:
        """Say how much is hashed, how fast, and how long it will still take."""
        self._moving("hashed", files, total_files, done_bytes, total_bytes)

    def uploading(self, files: int, total_files: int, done_bytes: int, total_bytes: int) -> None:
        """Say the same of an upload."""
        self._moving("uploaded", files, total_files, done_bytes, total_bytes)

    def _moving(self, word: str, files: int, total_files: int, done_bytes: int, total_bytes: int) -> None:
        if self._is_time():
            rate = done_bytes / max(self._clock() - self._started, 0.001)
            left_s = (total_bytes - done_bytes) / max(rate, 1.0)
            self._write(
                f"{word} {files:,} of {counted(total_files, 'file')}, {human_size(done_bytes)}"
                f" of {human_size(total_bytes)}, {human_size(rate)}/s, {left_s:.0f} s left"
            )

    def doing(self, text: str) -> None:
        """Say what is waited for."""
        if self._is_time():
            self._write(text)

    def stop(self) -> None:
        """Begin anew: the next step has its own rate."""
        self._last = self._started = self._clock()

    def _is_time(self) -> bool:
        return self._clock() - self._last >= PROGRESS_EVERY_S

    def _write(self, text: str) -> None:
        self._last = self._clock()
        self._stream.write(f"{visible(text)}\n", flush=True)


class NoProgress:
    """Says nothing: `--quiet`, and after the end."""

    def hashing(self, files: int, total_files: int, done_bytes: int, total_bytes: int) -> None:
        """Say nothing."""

    def uploading(self, files: int, total_files: int, done_bytes: int, total_bytes: int) -> None:
        """Say nothing."""

    def doing(self, text: str) -> None:
        """Say nothing."""

    def stop(self) -> None:
        """Do nothing."""

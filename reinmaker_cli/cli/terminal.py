"""What people see on a terminal, drawn by rich: styles, tables that fit its width, a live line that goes away.

Only `Text` objects are handed over, so that rich never looks for markup, links or emoji in what comes from files.
Imported by `output.py` alone, and only where a person looks: rich costs 50 ms.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import IO, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from reinmaker_cli.cli.plain import PARAGRAPH_COLUMNS, PlainWriter
from reinmaker_cli.cli.streams import Stream
from reinmaker_cli.cli.text import Cell, Item, Line, Styled, cells, counted, human_size, visible

MAX_TABLE_ROWS = 1000  # rich takes 0.3 ms a row, and nobody looks at more; beyond it the plain form is as good
BAR_FROM_COLUMNS = 80  # the figures come first
NARROW_COLUMNS = 60  # below it, text behind a label would be a thin strip
SHOW_AFTER_S = 0.3  # a step that is over at once needs no bar that flashes

_STYLES = {"red": "bold red", "yellow": "bold yellow", "green": "bold green", "cyan": "cyan", "bold": "bold"}


class _Console(Console):
    def show_cursor(self, show: bool = True) -> bool:
        """Never hide the cursor: after ^Z, `kill -9` or a second SIGTERM nobody would bring it back."""
        del show
        return False


class _File:
    """What rich writes to: our stream, which outlives its reader and never raises."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return True


def open_console(stream: Stream, *, colour: bool) -> Console:
    """Return a console of rich on a stream that is a terminal; without colours nothing but text and cursor moves."""
    return _Console(
        file=cast(IO[str], _File(stream)),
        force_terminal=True,
        force_jupyter=False,
        color_system="auto" if colour else None,
        no_color=not colour,
        markup=False,
        emoji=False,
        highlight=False,
        # The variables that rich would read by itself are ours to weigh (`--color`, NO_COLOR, CLICOLOR_FORCE).
        _environ={name: os.environ[name] for name in ("TERM", "COLORTERM", "COLUMNS", "LINES") if name in os.environ},
    )


class TerminalWriter:
    """Writes lines and tables for a person; the same calls as PlainWriter."""

    def __init__(self, plain: PlainWriter, console: Console) -> None:
        self._plain = plain
        self._console = console

    def lines(self, *lines: Line | Item) -> None:
        """Write the lines; the terminal itself breaks long ones, so that a command can be copied whole."""
        for line in lines:
            if isinstance(line, Item):
                self._item(line)
            else:
                self._console.print(Text.assemble(*map(_text, cells(line))), soft_wrap=True)

    def paragraph(self, text: str) -> None:
        """Write prose in lines of a readable length."""
        self._console.print(Text(visible(text)), width=min(PARAGRAPH_COLUMNS, self._console.width))

    def table(self, rows: Sequence[Sequence[Cell]], *, head: Sequence[str], right: frozenset[int]) -> None:
        """Write a table under `head`; cells that are too long for the terminal go on in their column."""
        if len(rows) > MAX_TABLE_ROWS:
            self._plain.table(rows, head=head, right=right)
            return
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(head), header_style="bold")
        for column in range(len(rows[0]) if rows else 0):
            title = head[column] if column < len(head) else ""
            table.add_column(Text(title), justify="right" if column in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*map(_text, row))
        if rows:
            self._console.print(table)

    def _item(self, item: Item) -> None:
        label, text = _text(item.label), Text(visible(item.text))
        if self._console.width < NARROW_COLUMNS:
            self._console.print(Text.assemble("  ", label, ": ", text), soft_wrap=True)
            return
        grid = Table.grid(Column(no_wrap=True), Column(overflow="fold"))
        grid.add_row(Text.assemble("  ", label, ": "), text)
        self._console.print(grid)


def _text(cell: Cell) -> Text:
    if isinstance(cell, Styled):
        return Text(visible(cell.text), style=_STYLES[cell.style])
    return Text(visible(cell))


class _Rate(ProgressColumn):
    """Bytes a second, in the units of everything else here; rich's own column knows only powers of ten."""

    def render(self, task: Task) -> Text:
        return Text(f"{human_size(task.speed)}/s" if task.speed else "")


class LiveProgress:
    """How far a long step is, in one line that moves and goes away."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._started = clock()
        self._live: Progress | None = None
        self._is_moving = False

    def hashing(self, files: int, total_files: int, done_bytes: int, total_bytes: int) -> None:
        """Show files, bytes, rate and time left."""
        self._moving("hashed", files, total_files, done_bytes, total_bytes)

    def uploading(self, files: int, total_files: int, done_bytes: int, total_bytes: int) -> None:
        """Show the same of an upload."""
        self._moving("uploaded", files, total_files, done_bytes, total_bytes)

    def _moving(self, word: str, files: int, total_files: int, done_bytes: int, total_bytes: int) -> None:
        if self._live is None and self._clock() - self._started < SHOW_AFTER_S:
            return
        counts = f"{word} {files:,} of {counted(total_files, 'file')}"
        live = self._shown(counts, is_moving=True)
        live.update(live.task_ids[0], description=counts, completed=done_bytes, total=total_bytes)

    def doing(self, text: str) -> None:
        """Show what is waited for, and since when."""
        live = self._shown(visible(text), is_moving=False)
        live.update(live.task_ids[0], description=visible(text))

    def stop(self) -> None:
        """Take the line away; the next step begins anew."""
        self._started = self._clock()
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def _shown(self, description: str, *, is_moving: bool) -> Progress:
        if self._live is not None and self._is_moving == is_moving:
            return self._live
        if self._live is not None:
            self._live.stop()
        self._is_moving = is_moving
        self._live = Progress(
            *(_moving_columns(self._console.width) if is_moving else _doing_columns()),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.add_task(description)
        self._live.start()
        return self._live


def _moving_columns(width: int) -> tuple[ProgressColumn, ...]:
    what = TextColumn("{task.description}", markup=False)
    bar = (BarColumn(bar_width=20),) if width >= BAR_FROM_COLUMNS else ()
    size = DownloadColumn(binary_units=True, table_column=Column(no_wrap=True))
    return what, *bar, size, _Rate(table_column=Column(no_wrap=True)), TimeRemainingColumn()


def _doing_columns() -> tuple[ProgressColumn, ...]:
    return SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()

"""One of the two standard streams as people see it: drawn by rich on a terminal, plain everywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from reinmaker_cli.cli.plain import PlainProgress, PlainWriter
from reinmaker_cli.cli.streams import Stream
from reinmaker_cli.cli.text import wants_colour

if TYPE_CHECKING:
    from rich.console import Console

    from reinmaker_cli.cli.terminal import LiveProgress, TerminalWriter


class Channel:
    """How things are shown on a stream. What draws them is made when it is first needed: rich costs 50 ms."""

    def __init__(self, stream: Stream, *, colour: str, flush: bool, variables: Mapping[str, str]) -> None:
        self.stream = stream
        self._colour = wants_colour(colour, stream.is_terminal, variables)
        self._flush = flush or stream.is_terminal  # there both streams are one text, in the order it was said
        self._is_on_runner = variables.get("GITHUB_ACTIONS") == "true"
        self._is_drawn = stream.is_terminal and variables.get("TERM") not in ("dumb", "unknown")

    @cached_property
    def writer(self) -> PlainWriter | TerminalWriter:
        """Where lines and tables go."""
        if not self._is_drawn:
            return self.plain
        from reinmaker_cli.cli.terminal import TerminalWriter

        return TerminalWriter(self.plain, self._console)

    @property
    def columns(self) -> int | None:
        """How wide the terminal is; None where pictures cannot be shown: no terminal, or not every character."""
        if not self._is_drawn or not self.stream.is_unicode:
            return None
        return self._console.width

    @cached_property
    def plain(self) -> PlainWriter:
        """Where lines go that are the same everywhere."""
        return PlainWriter(self.stream, colour=self._colour, flush=self._flush, is_on_runner=self._is_on_runner)

    @cached_property
    def progress(self) -> PlainProgress | LiveProgress:
        """Where it is said how far a long step is."""
        if not self._is_drawn:
            return PlainProgress(self.stream)
        from reinmaker_cli.cli.terminal import LiveProgress

        return LiveProgress(self._console)

    def clear(self) -> None:
        """Take the line that says how far a step is away, where there is one."""
        if "progress" in self.__dict__:
            self.progress.stop()

    @cached_property
    def _console(self) -> Console:
        from reinmaker_cli.cli.terminal import open_console

        return open_console(self.stream, colour=self._colour)

"""How far a long step is: a live line on a terminal, one plain line every 15 s elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from reinmaker_cli.cli.streams import Stream
from reinmaker_cli.cli.text import visible

LIVE_EVERY_S = 0.1
PLAIN_EVERY_S = 15.0  # a CI log should show life without drowning what matters

_CLEAR_LINE = "\r\x1b[2K"


class Progress:
    """One line that says how far the command is. Threads may call update; whole lines are written."""

    def __init__(
        self, stream: Stream, *, live: bool, enabled: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._live = live
        self._enabled = enabled
        self._clock = clock
        self._last = clock() - (LIVE_EVERY_S if live else 0.0)  # the first plain line comes after 15 s
        self._shown = False

    def update(self, text: str | Callable[[], str]) -> None:
        """Show the text if it is time to; a function is called only then."""
        if not self._enabled or self._clock() - self._last < (LIVE_EVERY_S if self._live else PLAIN_EVERY_S):
            return
        self._last = self._clock()
        line = visible(text() if callable(text) else text)
        if self._live:
            columns = shutil.get_terminal_size().columns
            self._stream.write(f"{_CLEAR_LINE}{line[: columns - 1]}", flush=True)
            self._shown = True
        else:
            self._stream.write(f"{line}\n", flush=True)

    def clear(self) -> None:
        """Take the live line away, before anything else is written."""
        if self._shown:
            self._stream.write(_CLEAR_LINE)
            self._shown = False

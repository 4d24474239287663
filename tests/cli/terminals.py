"""Command lines on a real pseudo-terminal: what a person would see, as bytes and as text."""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from tests.cli.command import command_line, environment

needs_terminals = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals of POSIX")

LIMIT_S = 120.0
_SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")


def settled(raw: str) -> str:
    """Return what stands on the terminal in the end: lines that were drawn and taken away again are gone.

    Knows what rich writes: carriage return, one line up, erase the line, colours.
    """
    lines, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", raw):
        if piece == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif piece == "\r":
            column = 0
        elif piece.startswith("\x1b["):
            if piece.endswith("A"):
                row = max(row - int(piece[2:-1] or 1), 0)
            elif piece.endswith("K"):
                lines[row] = ""
        else:
            lines[row] = lines[row][:column].ljust(column) + piece + lines[row][column + len(piece) :]
            column += len(piece)
    return "\n".join(line.rstrip() for line in lines)


@dataclass
class Seen:
    """What a command wrote to its terminal."""

    code: int
    raw: str
    text: str = field(init=False)
    """Without colours; lines end in a line feed."""

    def __post_init__(self) -> None:
        self.text = _SEQUENCE.sub("", self.raw).replace("\r\n", "\n")


class Session:
    """A command that runs on a terminal of its own."""

    def __init__(
        self, words: Sequence[str], *, columns: int = 100, command: Sequence[str] | None = None, **variables: str
    ) -> None:
        import fcntl
        import pty
        import termios

        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            command or command_line(*words),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(**{"TERM": "xterm-256color"} | variables),
        )
        os.close(theirs)
        self._read = b""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def type(self, text: str) -> None:
        """Type on the keyboard."""
        os.write(self._ours, text.encode())

    def wait_for(self, text: str) -> None:
        """Read until the text has appeared."""
        self._read_until(lambda: text.encode() in self._read)
        assert text.encode() in self._read, self._read[-2000:]

    def end(self) -> Seen:
        """Read to the end."""
        self._read_until(lambda: False)
        return Seen(self.process.wait(LIMIT_S), self._read.decode())

    def _read_until(self, is_enough: Callable[[], bool]) -> None:
        limit = time.monotonic() + LIMIT_S
        while not is_enough():
            ready, _, _ = select.select([self._ours], [], [], max(0.0, limit - time.monotonic()))
            assert ready, f"nothing more came after {self._read[-2000:]!r}"
            try:
                piece = os.read(self._ours, 1 << 16)
            except OSError:  # Linux's way to say that nobody has the other side open any more
                return
            if not piece:
                return
            self._read += piece


def seen(*words: str, columns: int = 100, **variables: str) -> Seen:
    """Run a command on a terminal and return what is seen there."""
    with Session(words, columns=columns, **variables) as session:
        return session.end()

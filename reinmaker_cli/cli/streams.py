"""stdout and stderr that outlive their readers. Standard library only: `--version` writes through it too."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, TextIO


class Stream:
    """A stream of text, written as UTF-8 bytes: one of the two standard ones, or the file of `--events`.

    A reader that has gone (`| head -c 1`) ends the writing and nothing else: what was written is lost, the run and
    its code stay. `fault` keeps the first other failure, such as a full disk.
    """

    def __init__(self, text: TextIO | None) -> None:
        self._text = text  # let go of, it would close the bytes below it
        # None where the process was started with the descriptor closed (`>&-`).
        self._bytes: BinaryIO | None = getattr(text, "buffer", None)
        self.encoding: str = getattr(text, "encoding", None) or "utf-8"
        self.is_terminal = bool(text is not None and not text.closed and text.isatty())
        self.fault: OSError | None = None

    def write(self, text: str | bytes, *, flush: bool = False) -> None:
        """Write text; lone surrogates of odd file names are written as escapes."""
        if self._bytes is None:
            return
        data = text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text
        try:
            self._bytes.write(data)
            if flush:
                self._bytes.flush()
        except OSError as error:
            self._give_up(error)
        except ValueError:  # closed by whoever runs us; the same as a reader that has gone
            self._bytes = None

    @property
    def is_unicode(self) -> bool:
        """Whether whoever reads expects UTF-8; what we write is UTF-8 in any case, and plain words are ASCII."""
        return self.encoding.lower().replace("-", "") in ("utf8", "utf8sig")

    @property
    def is_read(self) -> bool:
        """False once the reader has gone, as far as is known; a flush finds out."""
        return self._bytes is not None

    def flush(self) -> None:
        """Hand everything to the operating system now."""
        self.write(b"", flush=True)

    def close(self) -> None:
        """Close a stream that belongs to us: the file of `--events`."""
        self.flush()
        if self._bytes is not None:
            self._bytes.close()
            self._bytes = None

    def _give_up(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            self.fault = error
        if self._bytes is not None:
            # Python flushes what is left once more at exit and would print a traceback and exit 120.
            _point_at_nothing(self._bytes)
        self._bytes = None


def _point_at_nothing(stream: BinaryIO) -> None:
    try:
        descriptor = stream.fileno()
    except OSError:  # not a real file, as under a test runner: nothing is flushed at exit
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def write_stdout(text: str) -> int:
    """Write one whole answer to stdout and return the exit code: 0, or 2 where the disk is full."""
    stdout = Stream(sys.stdout)
    stdout.write(text, flush=True)
    if stdout.fault is None:
        return 0
    Stream(sys.stderr).write(
        f"error[output-failed]: cannot write stdout: {stdout.fault.strerror}\nhint: choose another place\n",
        flush=True,
    )
    return 2

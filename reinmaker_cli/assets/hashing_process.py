"""Small files -> their digests, in a process beside this one.

Threads lose on small files: nearly all of their time is spent under the interpreter's lock. A process costs some 40 ms
to start, so it pays from a few thousand files on (`batch.py`). It is a plain subprocess that reads and writes frames:
`multiprocessing` would import the caller's main module again, and run what stands there.
"""

from __future__ import annotations

import contextlib
import pickle
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from typing import IO, Any, BinaryIO, Final

from reinmaker_cli.assets.digest import Digest, Look, hash_small
from reinmaker_cli.assets.walked import WalkedFile
from reinmaker_cli.contract.findings import Finding

_LENGTH: Final = struct.Struct("<I")

Outcome = Digest | Finding


class HashingProcess:
    """One process. `hash` is called in a thread, `kill` may come from another at any time."""

    def __init__(self, look: Look | None) -> None:
        # The same modules as here, from the same places, also where this process was started in an unusual way.
        program = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from {__name__} import serve_hashes; serve_hashes(sys.stdin.buffer, sys.stdout.buffer)"
        )
        self._process = subprocess.Popen(  # nosec B603  # this Python, and a program of ours
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self._look = look

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        return self._process.pid

    def hash(self, files: Sequence[WalkedFile]) -> list[Outcome] | None:
        """Return one outcome a file; None where the process is no more, and somebody else must do it."""
        try:
            _write_frame(self._to, (self._look, [tuple(file) for file in files]))
            answers = _read_frame(self._from)
        except (OSError, ValueError):  # ValueError: closed by `kill`
            return None
        if answers is None:
            return None
        return [answer if isinstance(answer, Finding) else tuple.__new__(Digest, answer) for answer in answers]

    def kill(self) -> None:
        """End the process at once, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):  # of what nobody will read any more
            self._to.close()
        self._from.close()


def serve_hashes(source: BinaryIO, target: BinaryIO) -> None:
    """Answer frames until there are no more: what the process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C goes to all processes of a terminal; whoever started us ends us
    while (request := _read_frame(source)) is not None:
        look, files = request
        outcomes = hash_small((tuple.__new__(WalkedFile, file) for file in files), look)
        _write_frame(target, [outcome if isinstance(outcome, Finding) else tuple(outcome) for outcome in outcomes])


def _write_frame(target: IO[bytes], value: Any) -> None:
    frame = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    target.write(_LENGTH.pack(len(frame)))
    target.write(frame)
    target.flush()


def _read_frame(source: IO[bytes]) -> Any:
    head = source.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    frame = source.read(length)
    return pickle.loads(frame) if len(frame) == length else None  # nosec B301  # a pipe to our own process

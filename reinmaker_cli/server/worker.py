"""The inside of a worker process: read a call, make it, write the answer, until the pipe ends.

One frame is 8 bytes of length and a pickle; the bodies of a call follow it as frames of plain bytes.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import struct
import sys
import traceback
from typing import IO, Any

LENGTH = struct.Struct("!Q")
NICENESS = 10  # a manifest of 28 MB may take a second longer; an answer of /v1/health may not


def serve_calls() -> None:
    """Serve calls on standard input and output until the server closes them, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C reaches the whole group; the server decides what ends
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    calls = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed by mistake must not land between the frames
    while (frame := read_frame(calls)) is not None:
        function, args, bodies = pickle.loads(frame)  # nosec B301  # a pipe to our own process
        for index in bodies:
            args[index] = read_frame(calls)
        answer = pickle.dumps(_made(function, args), pickle.HIGHEST_PROTOCOL)
        answers.write(LENGTH.pack(len(answer)))
        answers.write(answer)
        answers.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """Return the next frame, or None where the stream ended before or in it."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    length = LENGTH.unpack(head)[0]
    frame = stream.read(length)
    return frame if len(frame) == length else None


def _made(function: Any, args: list[Any]) -> tuple[bool, Any]:
    # A parsed manifest is half a million objects and no cycle: looking for cycles in them takes a third of the time.
    gc.disable()
    try:
        return True, function(*args)
    except Exception:  # noqa: BLE001  (sent to the caller, who raises it)
        return False, traceback.format_exc()
    finally:
        gc.enable()


if __name__ == "__main__":
    sys.exit("this is the inside of a worker process; the server starts it")

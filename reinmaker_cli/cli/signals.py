"""SIGINT and SIGTERM as exceptions in the main thread, so that the running verb can finish its report."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGINT_NUMBER = 2


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived. A KeyboardInterrupt too, so that every room treats both alike."""


_received = SIGINT_NUMBER


def received() -> int:
    """Return the number of the signal that interrupted the command; SIGINT until another came."""
    return _received


@contextmanager
def interrupts_as_exceptions() -> Iterator[None]:
    """Raise Terminated on SIGTERM while inside; SIGINT raises KeyboardInterrupt by itself.

    A second SIGTERM ends the process at once: the report is best effort, the wish to stop is not.
    """
    global _received
    _received = SIGINT_NUMBER
    try:
        before = signal.signal(signal.SIGTERM, _raise_terminated)
    except ValueError:  # only the main thread may set handlers; elsewhere the host program has its own
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise_terminated(signal_number: int, frame: FrameType | None) -> None:
    global _received
    _received = signal_number
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated

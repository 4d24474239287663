"""Many files -> their digests: small ones here, one after the other, and large ones in threads beside.

Threads lose on small files (100,000 of 2 KiB: 1.0 s without, 4.1 s in a pool) and win on large ones, where hashlib lets
go of the interpreter lock. They are daemons with a stop flag that is looked at after each MiB, so that ^C ends a run at
once: an executor's threads would be joined at exit.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from reinmaker_cli.assets.digest import CHUNK_BYTES, SMALL_BYTES, Digest, Look, hash_walked
from reinmaker_cli.assets.walked import WalkedFile
from reinmaker_cli.contract.findings import Finding

TICK_S = 0.1  # how often `advance` is called, and the longest that a signal waits for this thread

Advance = Callable[[int, int], None]
"""Called with the files and the bytes done so far."""


def hash_files(
    files: Sequence[WalkedFile],
    *,
    jobs: int | None = None,
    look: Look | None = None,
    advance: Advance | None = None,
    outcomes: list[Digest | Finding | None] | None = None,
) -> list[Digest | Finding]:
    """Return one outcome a file, in the order of the files.

    `outcomes`, as long as the files, is filled on the way: whoever is interrupted has there what was done.

    `jobs` is the number of threads for files over 1 MiB, by default one a processor. `look` is called for every file
    that could be read, for a large one in its thread; `advance` in this thread, ten times a second and at the end.
    """
    if outcomes is None:
        outcomes = [None] * len(files)
    # The largest first, so that the last thread does not end long after the others.
    large = sorted(
        (index for index, file in enumerate(files) if file.size > SMALL_BYTES), key=lambda index: -files[index].size
    )
    crew = _Crew(files, large, look)
    pulse = _Pulse(advance)
    crew.start(min(len(large), usable_processors() if jobs is None else max(1, jobs)))
    try:
        done_bytes = 0
        for index, file in enumerate(files):
            if file.size <= SMALL_BYTES:
                outcomes[index] = hash_walked(file, look=look)
                done_bytes += file.size
                pulse.beat(1, done_bytes + crew.bytes_read)
        for _ in large:
            index, outcome = crew.next_outcome(lambda: pulse.beat(0, done_bytes + crew.bytes_read))
            outcomes[index] = outcome
            pulse.beat(1, done_bytes + crew.bytes_read)
        pulse.end(done_bytes + crew.bytes_read)
    finally:
        crew.stop()
    return [outcome for outcome in outcomes if outcome is not None]


def usable_processors() -> int:
    """Return how many processors this process may use, which in a container is fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Stopped(Exception):
    """Raised inside a thread whose work nobody waits for any more."""


class _Crew:
    """The threads for the large files."""

    def __init__(self, files: Sequence[WalkedFile], indices: Sequence[int], look: Look | None) -> None:
        self._files = files
        self._waiting = deque(indices)
        self._look = look
        self._done: SimpleQueue[tuple[int, Digest | Finding | BaseException]] = SimpleQueue()
        self._stopping = threading.Event()
        self._read_by: list[int] = []

    @property
    def bytes_read(self) -> int:
        return sum(self._read_by)

    def start(self, count: int) -> None:
        self._read_by = [0] * count  # one counter a thread: no lock
        for slot in range(count):
            threading.Thread(target=self._work, args=(slot,), name=f"hash-{slot}", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def next_outcome(self, meanwhile: Callable[[], None]) -> tuple[int, Digest | Finding]:
        """Return the next finished file; what a thread stumbled over is raised here."""
        while True:
            try:
                index, outcome = self._done.get(timeout=TICK_S)
            except Empty:
                meanwhile()
                continue
            if isinstance(outcome, BaseException):
                raise outcome
            return index, outcome

    def _work(self, slot: int) -> None:
        buffer = bytearray(CHUNK_BYTES)

        def count(read: int) -> None:
            self._read_by[slot] += read
            if self._stopping.is_set():
                raise _Stopped

        while not self._stopping.is_set():
            try:
                index = self._waiting.popleft()
            except IndexError:
                return
            try:
                outcome = hash_walked(self._files[index], look=self._look, on_read=count, buffer=buffer)
            except _Stopped:
                return
            except BaseException as error:  # noqa: BLE001 - a thread has nobody to raise to: next_outcome raises it
                self._done.put((index, error))
                return
            self._done.put((index, outcome))


class _Pulse:
    """Calls `advance`, but not more often than every TICK_S."""

    def __init__(self, advance: Advance | None) -> None:
        self._advance = advance
        self._files = 0
        self._next = time.monotonic() + TICK_S

    def beat(self, files: int, done_bytes: int) -> None:
        self._files += files
        if self._advance is not None and time.monotonic() >= self._next:
            self._advance(self._files, done_bytes)
            self._next = time.monotonic() + TICK_S

    def end(self, done_bytes: int) -> None:
        if self._advance is not None:
            self._advance(self._files, done_bytes)

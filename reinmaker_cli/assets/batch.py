"""Many files -> their digests: small ones here or in processes beside, large ones in threads beside.

Threads win on large files, where hashlib lets go of the interpreter lock, and lose on small ones (100,000 of 2 KiB:
1.0 s without, 4.1 s in a pool); there processes win, as soon as there are enough files to pay for their start. Threads
are daemons with a stop flag that is looked at after each MiB, so that ^C ends a run at once: an executor's threads
would be joined at exit.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeVar

from reinmaker_cli.assets.digest import CHUNK_BYTES, SMALL_BYTES, Digest, Look, hash_small, hash_walked
from reinmaker_cli.assets.hashing_process import HashingProcess
from reinmaker_cli.assets.walked import WalkedFile
from reinmaker_cli.contract.findings import Finding

TICK_S = 0.1  # how often `advance` is called, and the longest that a signal waits for this thread

WORTH_PROCESSES = 8_000
"""Small files from which on processes, 50 ms each to start, end sooner than this one at 14 µs a file."""

_Item = TypeVar("_Item")

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
    `jobs` is how many files are read at a time, by default one a processor. `look` is called for every file that could
    be read, for a large one in its thread, for small ones perhaps in another process; `advance` in this thread, ten
    times a second and at the end.
    """
    if outcomes is None:
        outcomes = [None] * len(files)
    most = usable_processors() if jobs is None else max(1, jobs)
    small = [index for index, file in enumerate(files) if file.size <= SMALL_BYTES]
    # The largest first, so that the last thread does not end long after the others.
    large = sorted(
        (index for index, file in enumerate(files) if file.size > SMALL_BYTES), key=lambda index: -files[index].size
    )
    chunks = _chunks(small, most) if most > 1 and len(small) >= WORTH_PROCESSES else []
    crew = _Crew(files, large, chunks, look)
    pulse = _Pulse(advance)
    crew.start(most)
    try:
        here = small if not chunks else []
        for index, outcome in zip(here, hash_small((files[index] for index in here), look), strict=True):
            outcomes[index] = outcome
            crew.add_bytes(files[index].size)
            pulse.beat(1, crew.bytes_read)
        for _ in range(len(large) + len(chunks)):
            indices, hashed = crew.next_outcomes(lambda: pulse.beat(0, crew.bytes_read))
            for index, outcome in zip(indices, hashed, strict=True):
                outcomes[index] = outcome
            pulse.beat(len(indices), crew.bytes_read)
        pulse.end(crew.bytes_read)
    finally:
        crew.stop()
    return [outcome for outcome in outcomes if outcome is not None]


def _chunks(indices: Sequence[int], most: int) -> list[Sequence[int]]:
    """Return the indices in pieces: large enough to be worth a message, small enough that all end together."""
    size = min(max(len(indices) // (most * 8), 250), 2000)
    return [indices[start : start + size] for start in range(0, len(indices), size)]


def usable_processors() -> int:
    """Return how many processors this process may use, which in a container is fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Stopped(Exception):
    """Raised inside a thread whose work nobody waits for any more."""


_Outcomes = tuple[Sequence[int], Sequence[Digest | Finding]]


class _Crew:
    """The threads: for large files, and those that wait for the processes which hash small ones."""

    def __init__(
        self,
        files: Sequence[WalkedFile],
        large: Sequence[int],
        chunks: Sequence[Sequence[int]],
        look: Look | None,
    ) -> None:
        self._files = files
        self._large = deque(large)
        self._chunks = deque(chunks)
        self._look = look
        self._done: SimpleQueue[_Outcomes | BaseException] = SimpleQueue()
        self._stopping = threading.Event()
        self._processes: list[HashingProcess] = []
        self._read_by: list[int] = []

    @property
    def bytes_read(self) -> int:
        return sum(self._read_by)

    def add_bytes(self, count: int) -> None:
        """Count what the thread of the caller read."""
        self._read_by[0] += count

    def start(self, most: int) -> None:
        threads, processes = min(len(self._large), most), min(len(self._chunks), most)
        self._processes = [HashingProcess(self._look) for _ in range(processes)]
        self._read_by = [0] * (1 + threads + processes)  # one counter a thread: no lock
        works: list[Callable[[int], None]] = [self._hash_large] * threads
        works += [partial(self._hash_small, process) for process in self._processes]
        for slot, work in enumerate(works, 1):
            threading.Thread(target=self._work, args=(work, slot), name=f"hash-{slot}", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        for process in self._processes:
            process.kill()

    def next_outcomes(self, meanwhile: Callable[[], None]) -> _Outcomes:
        """Return the next finished files; what a thread stumbled over is raised here."""
        while True:
            try:
                done = self._done.get(timeout=TICK_S)
            except Empty:
                meanwhile()
                continue
            if isinstance(done, BaseException):
                raise done
            return done

    def _work(self, work: Callable[[int], None], slot: int) -> None:
        try:
            work(slot)
        except _Stopped:
            return
        except BaseException as error:  # noqa: BLE001 - a thread has nobody to raise to: next_outcomes raises it
            self._done.put(error)

    def _hash_large(self, slot: int) -> None:
        buffer = bytearray(CHUNK_BYTES)

        def count(read: int) -> None:
            self._read_by[slot] += read
            if self._stopping.is_set():
                raise _Stopped

        while (index := self._next_of(self._large)) is not None:
            outcome = hash_walked(self._files[index], look=self._look, on_read=count, buffer=buffer)
            self._done.put(((index,), (outcome,)))

    def _hash_small(self, process: HashingProcess, slot: int) -> None:
        while (indices := self._next_of(self._chunks)) is not None:
            files = [self._files[index] for index in indices]
            outcomes: Sequence[Digest | Finding] | None = process.hash(files)
            if outcomes is None:  # it was killed, for want of memory perhaps
                outcomes = list(hash_small(self._until_stopped(files), self._look))
            self._read_by[slot] += sum(file.size for file in files)
            self._done.put((indices, outcomes))

    def _until_stopped(self, files: Sequence[WalkedFile]) -> Iterator[WalkedFile]:
        for file in files:
            if self._stopping.is_set():
                raise _Stopped
            yield file

    def _next_of(self, waiting: deque[_Item]) -> _Item | None:
        if self._stopping.is_set():
            return None
        try:
            return waiting.popleft()
        except IndexError:
            return None


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

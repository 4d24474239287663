"""Many files -> their digests: small ones here or in processes beside, large ones in threads beside.

Threads win on large files, where hashlib lets go of the interpreter lock, and lose on small ones (100,000 of 2 KiB:
1.0 s without, 4.1 s in a pool); there processes win, as soon as there are enough files to pay for their start, and they
begin while the other files are still being found. Threads are daemons with a stop flag that is looked at after each
MiB, so that ^C ends a run at once: an executor's threads would be joined at exit.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from queue import Empty, SimpleQueue

from reinmaker_cli.assets.digest import CHUNK_BYTES, SMALL_BYTES, Digest, Look, hash_small, hash_walked
from reinmaker_cli.assets.hashing_process import HashingProcess
from reinmaker_cli.assets.walked import WalkedFile
from reinmaker_cli.contract.findings import Finding

TICK_S = 0.1  # how often `advance` is called, and the longest that a signal waits for this thread

WORTH_PROCESSES = 8_000
"""Small files from which on processes, 50 ms each to start, end sooner than this one at 14 µs a file."""

CHUNK_FILES = 1_000
"""Small files in a message to a process: worth the message, and few enough that all processes end together."""

Advance = Callable[[int, int], None]
"""Called with the files and the bytes done so far."""


def hash_files(
    files: Sequence[WalkedFile], *, jobs: int | None = None, look: Look | None = None, advance: Advance | None = None
) -> list[Digest | Finding]:
    """Return one outcome a file, in the order of the files: `Hashing` of files that are all known."""
    with Hashing(jobs=jobs, look=look) as hashing:
        hashing.add(files)
        hashing.finish(advance)
    return [outcome for outcome in hashing.outcomes if outcome is not None]


class Hashing:
    """Hashes files, from the moment on when enough small ones are known to be worth processes.

    `jobs` is how many files are read at a time, by default one a processor. `look` is called for every file that could
    be read, for a large one in its thread, for small ones perhaps in another process.
    """

    def __init__(self, *, jobs: int | None = None, look: Look | None = None) -> None:
        self.files: list[WalkedFile] = []
        """All that were added, in their order."""
        self.outcomes: list[Digest | Finding | None] = []
        """One for each of the files, filled by `finish`; None where an interrupt came first."""
        self._most = usable_processors() if jobs is None else max(1, jobs)
        self._small: list[int] = []
        self._large: list[int] = []
        self._look = look
        self._crew = _Crew(self.files, look)
        self._is_beside = False
        self._may_start = self._most > 1

    def __enter__(self) -> Hashing:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End what is under way; nobody waits for it any more."""
        self._crew.stop()

    def add(self, files: Sequence[WalkedFile]) -> None:
        """Take in more files."""
        start = len(self.files)
        self.files += files
        self.outcomes += [None] * len(files)
        for index, file in enumerate(files, start):
            (self._small if file[1] <= SMALL_BYTES else self._large).append(index)
        if self._may_start and len(self._small) >= WORTH_PROCESSES:
            self._may_start = False
            self._is_beside = self._crew.start_processes(min(self._most, usable_processors()))
        if self._is_beside:
            while len(self._small) >= CHUNK_FILES:
                self._crew.hash_beside(self._small[:CHUNK_FILES])
                del self._small[:CHUNK_FILES]

    def finish(self, advance: Advance | None = None) -> None:
        """Fill `outcomes`; `advance` is called in this thread, ten times a second and at the end."""
        crew, pulse = self._crew, _Pulse(advance)
        # The largest first, so that the last thread does not end long after the others.
        crew.hash_large(sorted(self._large, key=lambda index: -self.files[index].size), self._most)
        if self._is_beside and self._small:
            crew.hash_beside(self._small)
        here = [] if self._is_beside else self._small
        for index, outcome in zip(here, hash_small((self.files[index] for index in here), self._look), strict=True):
            self.outcomes[index] = outcome
            crew.add_bytes(self.files[index].size)
            pulse.beat(1, crew.bytes_read)
        for _ in range(crew.awaited):
            indices, hashed = crew.next_outcomes(lambda: pulse.beat(0, crew.bytes_read))
            for index, outcome in zip(indices, hashed, strict=True):
                self.outcomes[index] = outcome
            pulse.beat(len(indices), crew.bytes_read)
        pulse.end(crew.bytes_read)


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

    def __init__(self, files: Sequence[WalkedFile], look: Look | None) -> None:
        self.awaited = 0
        """How many outcomes there will be to take."""
        self._files = files
        self._look = look
        self._large: deque[int] = deque()
        self._chunks: SimpleQueue[Sequence[int] | None] = SimpleQueue()
        self._done: SimpleQueue[_Outcomes | BaseException] = SimpleQueue()
        self._stopping = threading.Event()
        self._processes: list[HashingProcess] = []
        self._read_by = [0]  # one counter a thread, the first is the caller's: no lock

    @property
    def bytes_read(self) -> int:
        return sum(self._read_by)

    def add_bytes(self, count: int) -> None:
        """Count what the thread of the caller read."""
        self._read_by[0] += count

    def start_processes(self, most: int) -> bool:
        """Start processes for small files; return whether there is one."""
        for _ in range(most):
            try:
                process = HashingProcess(self._look)
            except OSError:  # the system grants no more processes or descriptors: fewer will do, or none
                break
            self._processes.append(process)
            self._start(partial(self._hash_small, process))
        return bool(self._processes)

    def hash_beside(self, indices: Sequence[int]) -> None:
        """Give small files to the processes."""
        self.awaited += 1
        self._chunks.put(indices)

    def hash_large(self, indices: Sequence[int], most: int) -> None:
        """Start threads for large files."""
        self.awaited += len(indices)
        self._large.extend(indices)
        for _ in range(min(len(indices), most)):
            self._start(self._hash_large)

    def stop(self) -> None:
        self._stopping.set()
        for process in self._processes:
            self._chunks.put(None)
            process.kill()

    def _start(self, work: Callable[[int], None]) -> None:
        slot = len(self._read_by)
        self._read_by.append(0)
        threading.Thread(target=self._work, args=(work, slot), name=f"hash-{slot}", daemon=True).start()

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

        while (index := self._next_large()) is not None:
            outcome = hash_walked(self._files[index], look=self._look, on_read=count, buffer=buffer)
            self._done.put(((index,), (outcome,)))

    def _hash_small(self, process: HashingProcess, slot: int) -> None:
        while (indices := self._chunks.get()) is not None and not self._stopping.is_set():
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

    def _next_large(self) -> int | None:
        if self._stopping.is_set():
            return None
        try:
            return self._large.popleft()
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

"""One read of a file, and everything that may happen to it meanwhile. The reads themselves drive the races."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reinmaker_cli.assets.batch import WORTH_PROCESSES, Hashing, hash_files
from reinmaker_cli.assets.digest import SMALL_BYTES, Content, Digest, hash_file, hash_small, hash_walked
from reinmaker_cli.assets.hashing_process import HashingProcess
from reinmaker_cli.assets.looking import Look
from reinmaker_cli.assets.walk import walk_folder
from reinmaker_cli.assets.walked import WalkedFile
from reinmaker_cli.contract.findings import Finding

REAL = Path(__file__).parents[3] / "shared" / "real-assets"
LARGE = 3 * SMALL_BYTES + 17


def walked(folder: Path, content: bytes = b"content") -> WalkedFile:
    (folder / "a.bin").write_bytes(content)
    return next(file for file in walk_folder(folder).files if file.path == "a.bin")


def code_of(outcome: Digest | Finding) -> str:
    assert isinstance(outcome, Finding)
    return outcome.code


class Meanwhile:
    """An `on_read` that does something to the world after the first read, or after every one."""

    def __init__(self, action: Callable[[int], None], *, times: int = 1) -> None:
        self.action = action
        self.times = times
        self.reads = 0

    def __call__(self, _count: int) -> None:
        self.reads += 1
        if self.reads <= self.times:
            self.action(self.reads)


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, SMALL_BYTES - 1, SMALL_BYTES, SMALL_BYTES + 1, LARGE])
def test_the_digest_is_that_of_the_bytes_at_every_size(tmp_path: Path, size: int) -> None:
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    outcome = hash_walked(walked(tmp_path, content))
    assert outcome == Digest(hashlib.sha256(content).hexdigest(), size, content[:1024])


def test_a_path_can_be_hashed_without_a_walk_and_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("a")
    outcome = hash_file(tmp_path / "link")
    assert isinstance(outcome, Digest)
    # FIPS 180-2, appendix B.1
    assert outcome.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert code_of(hash_file(tmp_path / "gone", name="gone")) == "unreadable"
    assert code_of(hash_file(tmp_path)) == "special-file"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real assets are not beside this checkout")
def test_digests_are_those_of_sha256sum() -> None:
    files = walk_folder(REAL).files
    answer = subprocess.run(
        ["sha256sum", "--", *(file.path for file in files)], cwd=REAL, check=True, capture_output=True, text=True
    )
    expected = [line.split()[0] for line in answer.stdout.splitlines()]
    assert [outcome.sha256 for outcome in hash_files(files) if isinstance(outcome, Digest)] == expected


@pytest.mark.parametrize("size", [7, LARGE])
def test_a_file_that_grows_once_is_read_again(tmp_path: Path, size: int) -> None:
    file = walked(tmp_path, b"a" * size)
    grow = Meanwhile(lambda _: (tmp_path / "a.bin").write_bytes(b"b" * (size + 1)) and None)
    outcome = hash_walked(file, on_read=grow)
    assert isinstance(outcome, Digest)
    assert outcome.sha256 == hashlib.sha256(b"b" * (size + 1)).hexdigest()


@pytest.mark.parametrize("size", [7, LARGE])
def test_a_file_that_keeps_growing_is_a_finding_after_two_reads(tmp_path: Path, size: int) -> None:
    file = walked(tmp_path, b"a" * size)

    def grow(_: int) -> None:
        with (tmp_path / "a.bin").open("ab") as stream:
            stream.write(b"more")

    assert code_of(hash_walked(file, on_read=Meanwhile(grow, times=1000))) == "file-changed"


def test_a_file_that_shrinks_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    file = walked(tmp_path, b"a" * LARGE)
    shrink = Meanwhile(lambda _: os.truncate(tmp_path / "a.bin", 10))
    outcome = hash_walked(file, on_read=shrink)
    assert isinstance(outcome, Digest)
    assert outcome.bytes == 10


def test_other_bytes_of_the_same_length_are_seen_by_the_time(tmp_path: Path) -> None:
    file = walked(tmp_path, b"a" * 100)

    def rewrite(read: int) -> None:
        (tmp_path / "a.bin").write_bytes(b"b" * 100)
        os.utime(tmp_path / "a.bin", ns=(read, read))

    assert code_of(hash_walked(file, on_read=Meanwhile(rewrite, times=1000))) == "file-changed"


def test_a_file_that_is_replaced_while_it_is_read_gives_the_new_bytes(tmp_path: Path) -> None:
    file = walked(tmp_path, b"a" * 100)

    def replace(_: int) -> None:
        (tmp_path / "new").write_bytes(b"b" * 100)
        os.utime(tmp_path / "new", ns=(file.mtime_ns, file.mtime_ns))
        (tmp_path / "new").replace(tmp_path / "a.bin")

    outcome = hash_walked(file, on_read=Meanwhile(replace))
    assert isinstance(outcome, Digest)
    assert outcome.sha256 == hashlib.sha256(b"b" * 100).hexdigest()


def test_a_file_that_disappears_while_it_is_read_is_unreadable(tmp_path: Path) -> None:
    file = walked(tmp_path)
    assert code_of(hash_walked(file, on_read=Meanwhile(lambda _: (tmp_path / "a.bin").unlink()))) == "unreadable"


def test_a_file_that_disappeared_since_the_walk_is_unreadable(tmp_path: Path) -> None:
    file = walked(tmp_path)
    (tmp_path / "a.bin").unlink()
    assert code_of(hash_walked(file)) == "unreadable"


def test_a_file_swapped_for_a_link_does_not_leave_the_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    file = walked(root)
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "a.bin").unlink()
    (root / "a.bin").symlink_to(tmp_path / "secret")
    assert code_of(hash_walked(file)) == "file-changed"


def test_a_folder_swapped_for_a_link_does_not_leave_the_root(tmp_path: Path) -> None:
    (tmp_path / "root/in").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "root/in/a.bin").write_bytes(b"a")
    (tmp_path / "outside/a.bin").write_bytes(b"secret")
    (file,) = walk_folder(tmp_path / "root").files
    (tmp_path / "root/in").rename(tmp_path / "away")
    (tmp_path / "root/in").symlink_to(tmp_path / "outside")
    assert code_of(hash_walked(file)) == "file-changed"


def test_a_file_swapped_for_a_fifo_is_never_waited_for(tmp_path: Path) -> None:
    file = walked(tmp_path)
    (tmp_path / "a.bin").unlink()
    os.mkfifo(tmp_path / "a.bin")
    assert code_of(hash_walked(file)) == "special-file"


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc here")
    file = walked(tmp_path, b"a" * LARGE)
    before = len(os.listdir("/proc/self/fd"))
    hash_walked(file, look=lambda _, content: content.open().read(10))
    hash_walked(file, on_read=Meanwhile(lambda _: os.truncate(tmp_path / "a.bin", 1)))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("size", [2000, LARGE])
def test_a_look_inside_sees_the_bytes_that_are_hashed(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)

    def look(file: WalkedFile, seen: Content) -> tuple[str, bytes, int, bytes]:
        return file.path, seen.head, seen.size, seen.open().read()

    outcome = hash_walked(walked(tmp_path, content), look=look)
    assert isinstance(outcome, Digest)
    assert outcome.seen == ("a.bin", content[:1024], size, content)


def test_many_files_keep_their_order_whatever_their_size(tmp_path: Path) -> None:
    sizes = [5, LARGE, 0, SMALL_BYTES + 1, 77, SMALL_BYTES]
    for number, size in enumerate(sizes):
        (tmp_path / f"{number}.bin").write_bytes(bytes([number]) * size)
    outcomes = hash_files(walk_folder(tmp_path).files, jobs=2)
    assert [outcome.bytes for outcome in outcomes if isinstance(outcome, Digest)] == sizes
    assert [outcome.sha256 for outcome in outcomes if isinstance(outcome, Digest)] == [
        hashlib.sha256(bytes([number]) * size).hexdigest() for number, size in enumerate(sizes)
    ]


def test_progress_ends_at_the_totals(tmp_path: Path) -> None:
    for number, size in enumerate([5, LARGE, LARGE, 0]):
        (tmp_path / f"{number}.bin").write_bytes(b"x" * size)
    seen: list[tuple[int, int]] = []
    hash_files(walk_folder(tmp_path).files, advance=lambda files, done: seen.append((files, done)))
    assert seen[-1] == (4, 2 * LARGE + 5)
    assert seen == sorted(seen)


def test_nothing_to_hash_is_no_error() -> None:
    assert hash_files([]) == []


def test_a_mistake_in_a_thread_is_raised_and_not_lost(tmp_path: Path) -> None:
    file = walked(tmp_path, b"a" * LARGE)

    def mistaken(_file: WalkedFile, _content: Content) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hash_files([file], look=mistaken)


def test_an_interrupt_leaves_at_once_and_the_threads_stop(tmp_path: Path) -> None:
    (tmp_path / "huge.bin").touch()
    os.truncate(tmp_path / "huge.bin", 1024**4)  # sparse: longer to hash than a test may take

    def interrupt(_files: int, _bytes: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hash_files(walk_folder(tmp_path).files, advance=interrupt)
    for thread in threading.enumerate():
        if thread.name.startswith("hash-"):
            thread.join(timeout=120)
            assert not thread.is_alive()


def many_small(folder: Path, count: int) -> list[WalkedFile]:
    for number in range(count):
        (folder / f"{number:05}.bin").write_bytes(b"%d" % number)
    return list(walk_folder(folder).files)


def test_very_many_small_files_are_hashed_in_processes_with_the_same_outcomes(tmp_path: Path) -> None:
    files = many_small(tmp_path, WORTH_PROCESSES)
    for number in (0, 17, WORTH_PROCESSES - 1):
        (tmp_path / f"{number:05}.bin").unlink()
    (tmp_path / "00001.bin").write_bytes(b"changed since")
    told: list[tuple[int, int]] = []
    beside = hash_files(files, jobs=2, look=Look(True), advance=lambda *done: told.append(done))
    assert beside == hash_files(files, jobs=1, look=Look(True))
    assert [code_of(outcome) for outcome in beside if not isinstance(outcome, Digest)] == ["unreadable"] * 3
    assert told[-1] == (len(files), sum(file.size for file in files))


def test_a_hashing_process_that_dies_loses_nothing(tmp_path: Path) -> None:
    files = many_small(tmp_path, 3)
    process = HashingProcess(None)
    hashed = process.hash(files)
    assert hashed == hash_files(files)
    os.kill(process.pid, signal.SIGKILL)
    assert process.hash(files) is None
    process.kill()


def test_an_interrupt_ends_the_hashing_processes(tmp_path: Path) -> None:
    files = many_small(tmp_path, WORTH_PROCESSES)
    before = children()

    def interrupt(_files: int, _bytes: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hash_files(files, jobs=2, look=Look(False), advance=interrupt)
    assert children() == before


FEW_DESCRIPTORS = """
import os, resource, sys
from pathlib import Path
from reinmaker_cli.assets.batch import WORTH_PROCESSES, Hashing, hash_files
from reinmaker_cli.assets.walk import walk_folder
files = walk_folder(Path(sys.argv[1])).files * WORTH_PROCESSES
expected = hash_files(files[:3], jobs=1)
most = len(os.listdir("/proc/self/fd")) - 1 + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
assert hash_files(files, jobs=4) == expected * WORTH_PROCESSES, "other digests"
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="nothing here counts descriptors")
@pytest.mark.parametrize("free", [1, 5, 9])
def test_where_the_system_grants_few_descriptors_fewer_processes_do_it_all(tmp_path: Path, free: int) -> None:
    many_small(tmp_path, 3)
    words = [sys.executable, "-c", FEW_DESCRIPTORS, str(tmp_path), str(free)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_hashing_begins_while_files_are_still_being_added(tmp_path: Path) -> None:
    files = many_small(tmp_path, 3) * WORTH_PROCESSES
    with Hashing(jobs=2) as hashing:
        hashing.add(files)
        assert len(children()) >= 1
        hashing.add(files[:5])
        hashing.finish()
        assert hashing.outcomes == hash_files(files[:3], jobs=1) * WORTH_PROCESSES + hash_files(files[:5], jobs=1)


def children() -> set[str]:
    """Return the processes that this one started and that still are."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 3000), max_size=5), target=st.integers(0, 4), act=st.sampled_from(range(5)))
def test_the_short_way_and_the_long_way_agree(
    sizes: list[int], target: int, act: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("ways")
    for number, size in enumerate(sizes):
        (folder / f"{number}.mp3").write_bytes(bytes(size))
    files = walk_folder(folder).files
    path = folder / f"{target}.mp3"
    if path.exists():
        if act == 0:
            path.unlink()
        elif act == 1:
            path.write_bytes(b"longer" * 600)
        elif act == 2:
            path.unlink()
            path.symlink_to(folder)
        elif act == 3:
            path.unlink()
            os.mkfifo(path)
    assert list(hash_small(files, Look(False))) == [hash_walked(file, look=Look(False)) for file in files]

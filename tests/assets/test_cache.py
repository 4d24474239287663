"""What a scan remembers, and that it never remembers wrongly."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reinmaker_cli.assets.cache import SETTLED_NS, DigestCache
from reinmaker_cli.assets.project import Project, Rule
from reinmaker_cli.assets.scan import Scan, ScanProgress, ScanStats, scan_folder
from tests.assets.test_scan import A2F, POINTER, codes_of, project, wav, write

MANIFEST = b'{"manifestId":"m","version":"1","product":"p","source":{},"assets":[]}'


def cache_in(folder: Path, **changes: Any) -> DigestCache:
    """Return a cache for which all that exists now has long been there."""
    return DigestCache(folder / "cache", clock_ns=lambda: time.time_ns() + 10 * SETTLED_NS, **changes)


def lesson(tmp_path: Path) -> Project:
    root = tmp_path / "lesson"
    files = {
        "audio/a.wav": wav(100),
        "audio/a.wav.meta.json": b'{"mood": "calm", "gain": 0.5}',
        "audio/b.wav": wav(250),
        "audio/c.wav": POINTER,
        "audio/d.mp3": b"<html><body>",
        "face.json": A2F,
        "m.json": MANIFEST,
        "model.fbx": b"; FBX 7.7.0 project file\n",
        "notes.json": b"{}",
        "fx/empty.bin": b"",
        "fx/x.bin": b"x",
    }
    write(root, files)
    (root / "fx" / "linked.bin").symlink_to("x.bin")
    return project(root)


def same(first: Scan, second: Scan) -> bool:
    nothing = ScanStats(0, 0, 0)
    return replace(first, stats=nothing) == replace(second, stats=nothing)


def test_what_did_not_change_is_not_read_again_and_comes_out_the_same(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    plain = scan_folder(told)
    cold = scan_folder(told, cache=cache_in(tmp_path))
    warm = scan_folder(told, cache=cache_in(tmp_path))
    assert same(plain, cold)
    assert same(cold, warm)
    assert (cold.stats.hashed, cold.stats.cached) == (10, 0)
    assert (warm.stats.hashed, warm.stats.cached) == (0, 10)
    assert replace(warm.stats, hashed=10, cached=0) == cold.stats
    assert warm.assets[0].metadata["mood"] == "calm"


OPENED = """
import sys, time
from pathlib import Path
from reinmaker_cli.assets.cache import DigestCache
from reinmaker_cli.assets.project import bare_project
from reinmaker_cli.assets.scan import scan_folder
root, cache = Path(sys.argv[1]), DigestCache(Path(sys.argv[2]), clock_ns=lambda: time.time_ns() + 10**11)
scan_folder(bare_project(root), cache=cache)
opened = []
def watch(event, arguments):
    if event == "open" and str(arguments[0]).startswith(str(root)) and not Path(arguments[0]).is_dir():
        opened.append(arguments[0])
sys.addaudithook(watch)
scan = scan_folder(bare_project(root), cache=cache)
print(scan.stats.cached, opened)
"""


def test_a_scan_of_what_did_not_change_opens_no_file(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    for finding in ("notes.json", "face.json"):
        (told.root / finding).rename(told.root / "audio" / finding)
    words = [sys.executable, "-c", OPENED, str(told.root), str(tmp_path / "cache")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "10 []\n"


def test_a_scan_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    scan_folder(told, cache=cache_in(tmp_path))
    (kept,) = (tmp_path / "cache").glob("*.digests")
    before = kept.stat()
    scan_folder(told, cache=cache_in(tmp_path))
    after = kept.stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_only_the_file_that_changed_is_read(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    scan_folder(told, cache=cache_in(tmp_path))
    (told.root / "audio" / "b.wav").write_bytes(wav(300))
    scan = scan_folder(told, cache=cache_in(tmp_path))
    assert (scan.stats.hashed, scan.stats.cached) == (1, 9)
    assert same(scan, scan_folder(told))


def test_another_file_of_the_same_size_and_an_older_mtime_is_noticed(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    target = told.root / "fx" / "x.bin"
    scan_folder(told, cache=cache_in(tmp_path))
    before = target.stat()
    (tmp_path / "other").write_bytes(b"y")
    os.utime(tmp_path / "other", ns=(0, before.st_mtime_ns))
    (tmp_path / "other").rename(target)
    assert (target.stat().st_size, target.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert same(scan_folder(told, cache=cache_in(tmp_path)), scan_folder(told))


def test_writing_in_place_and_setting_the_time_back_is_noticed(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    target = told.root / "fx" / "x.bin"
    scan_folder(told, cache=cache_in(tmp_path))
    before = target.stat()
    wait_for_a_tick(tmp_path, before.st_ctime_ns)
    target.write_bytes(b"y")
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert same(scan_folder(told, cache=cache_in(tmp_path)), scan_folder(told))


def wait_for_a_tick(folder: Path, after_ns: int) -> None:
    """Return when the file system's clock, which moves in steps, is past an instant."""
    probe = folder / "tick"
    while True:
        probe.write_bytes(b"")
        if probe.stat().st_ctime_ns > after_ns:
            return


def test_a_file_that_changed_less_than_two_seconds_ago_is_read_again(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    newest = max(path.lstat().st_ctime_ns for path in told.root.rglob("*"))
    racy = DigestCache(tmp_path / "cache", clock_ns=lambda: newest + SETTLED_NS)
    (told.root / "audio" / "b.wav").write_bytes(wav(300))
    scan_folder(told, cache=racy)
    scan = scan_folder(told, cache=racy)
    assert scan.stats.hashed >= 1
    assert scan_folder(told, cache=cache_in(tmp_path)).stats.hashed >= 1
    assert scan_folder(told, cache=cache_in(tmp_path)).stats.hashed == 0


def test_a_file_dated_in_the_future_is_always_read(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    os.utime(told.root / "model.fbx", (4e9, 4e9))
    scan_folder(told, cache=cache_in(tmp_path))
    assert scan_folder(told, cache=cache_in(tmp_path)).stats.hashed == 1


def test_dates_that_64_bits_cannot_hold_are_read_every_time(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    os.utime(told.root / "model.fbx", ns=(0, 2**63 + 10**9))
    if (told.root / "model.fbx").stat().st_mtime_ns < 2**63:
        pytest.skip("this file system holds no such date")
    cold = scan_folder(told, cache=cache_in(tmp_path))
    warm = scan_folder(told, cache=cache_in(tmp_path))
    assert warm.stats.hashed == 1
    assert same(cold, warm)


def test_other_rules_need_no_byte(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    scan_folder(told, cache=cache_in(tmp_path))
    other = replace(told, rules=(Rule("**", "fx", id="{stem}-{ext}"),))
    scan = scan_folder(other, cache=cache_in(tmp_path))
    assert (scan.stats.hashed, scan.stats.cached) == (0, 10)
    assert same(scan, scan_folder(other))
    assert {asset.type for asset in scan.assets} == {"fx"}


def test_a_file_without_metadata_is_read_when_metadata_is_wanted(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    scan_folder(told, cache=cache_in(tmp_path), probe=False)
    probed = scan_folder(told, cache=cache_in(tmp_path))
    assert same(probed, scan_folder(told))
    assert probed.stats.hashed == 7  # of ten: not the pointer, the page and the empty file, that say nothing
    assert scan_folder(told, cache=cache_in(tmp_path)).stats.hashed == 0


def test_a_cache_that_is_not_believed_is_renewed(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    scan_folder(told, cache=cache_in(tmp_path))
    again = scan_folder(told, cache=cache_in(tmp_path, is_believed=False))
    assert (again.stats.hashed, again.stats.cached) == (10, 0)
    assert scan_folder(told, cache=cache_in(tmp_path)).stats.cached == 10


def test_each_root_has_its_own(tmp_path: Path) -> None:
    one, other = lesson(tmp_path / "one"), lesson(tmp_path / "other")
    scan_folder(one, cache=cache_in(tmp_path))
    assert scan_folder(other, cache=cache_in(tmp_path)).stats.hashed == 10
    assert scan_folder(one, cache=cache_in(tmp_path)).stats.hashed == 0


def test_the_cache_is_of_its_user_alone_and_never_in_the_folder(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    before = sorted(told.root.rglob("*"))
    scan_folder(told, cache=cache_in(tmp_path))
    assert sorted(told.root.rglob("*")) == before
    for path in (tmp_path / "cache").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def test_nothing_is_kept_where_the_cache_would_lie_in_the_asset_folder(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    before = sorted(told.root.rglob("*"))
    (tmp_path / "link").symlink_to(told.root)
    for folder in (told.root, told.root / "audio" / "cache", tmp_path / "link" / "cache"):
        scan = scan_folder(told, cache=DigestCache(folder))
        assert scan.cache_fault.endswith("inside the asset folder")
        assert same(replace(scan, cache_fault=""), scan_folder(told))
    assert sorted(told.root.rglob("*")) == before


def test_a_cache_longer_than_any_memory_is_replaced(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    scan_folder(told, cache=cache_in(tmp_path))
    (kept,) = (tmp_path / "cache").glob("*.digests")
    size = kept.stat().st_size
    try:
        os.truncate(kept, 2**42)
    except OSError:
        pytest.skip("this file system holds no such file")
    assert scan_folder(told, cache=cache_in(tmp_path)).stats.hashed == 10
    assert kept.stat().st_size == size


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_what_is_no_file_in_the_place_of_the_cache_holds_up_nothing(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    scan_folder(told, cache=cache_in(tmp_path))
    (kept,) = (tmp_path / "cache").glob("*.digests")
    other = kept.with_name("0" * 32 + kept.suffix)
    for place in (kept, other):
        place.unlink(missing_ok=True)
        os.mkfifo(place)
    (tmp_path / "cache" / "swept").unlink()
    assert scan_folder(told, cache=cache_in(tmp_path)).stats.hashed == 10
    assert scan_folder(told, cache=cache_in(tmp_path)).stats.hashed == 0


def test_a_cache_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    scan_folder(told, cache=cache_in(tmp_path))
    (kept,) = (tmp_path / "cache").glob("*.digests")
    kept.chmod(0o666)
    assert scan_folder(told, cache=cache_in(tmp_path)).stats.hashed == 10
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_cache_of_another_format_is_replaced(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    scan_folder(told, cache=cache_in(tmp_path))
    (kept,) = (tmp_path / "cache").glob("*.digests")
    kept.write_bytes(kept.read_bytes().replace(b"digests 2", b"digests 1", 1))
    assert scan_folder(told, cache=cache_in(tmp_path)).stats.hashed == 10
    assert scan_folder(told, cache=cache_in(tmp_path)).stats.hashed == 0


def test_without_a_place_to_write_the_scan_works_and_says_so(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    (tmp_path / "cache").write_text("a file")
    scan = scan_folder(told, cache=cache_in(tmp_path))
    assert same(replace(scan, cache_fault=""), scan_folder(told))
    assert str(tmp_path / "cache") in scan.cache_fault


def test_what_folders_that_are_gone_left_behind_is_removed(tmp_path: Path) -> None:
    gone = lesson(tmp_path / "gone")
    scan_folder(gone, cache=cache_in(tmp_path))
    (tmp_path / "gone").rename(tmp_path / "moved")
    (tmp_path / "cache" / "swept").unlink()
    scan_folder(lesson(tmp_path / "here"), cache=cache_in(tmp_path))
    assert len(list((tmp_path / "cache").glob("*.digests"))) == 1


def test_files_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    scan_folder(told, cache=cache_in(tmp_path))
    (kept,) = (tmp_path / "cache").glob("*.digests")
    (told.root / "audio" / "b.wav").rename(tmp_path / "b.wav")
    scan_folder(told, cache=cache_in(tmp_path))
    assert b"b.wav" not in kept.read_bytes()


def test_an_interrupted_scan_keeps_what_it_hashed(tmp_path: Path) -> None:
    told = project(tmp_path / "lesson")
    write(told.root, {f"fx/{number:03}.bin": bytes(1000) for number in range(300)})

    def interrupt(progress: ScanProgress) -> None:
        if progress.files >= 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan_folder(told, cache=cache_in(tmp_path), progress=interrupt)
    scan = scan_folder(told, cache=cache_in(tmp_path))
    assert scan.stats.cached + scan.stats.hashed == 300
    assert scan.stats.cached >= 100


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_cache_that_was_damaged_anywhere_changes_no_result(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    told = lesson(folder)
    plain = scan_folder(told, cache=cache_in(folder))
    (kept,) = (folder / "cache").glob("*.digests")
    raw = bytearray(kept.read_bytes())
    position = len(raw) * data.draw(st.integers(0, 999)) // 1000
    how = data.draw(st.sampled_from(["cut", "flip", "insert", "double", "empty"]))
    if how == "cut":
        del raw[position:]
    elif how == "flip":
        raw[position] ^= 1 << data.draw(st.integers(0, 7))
    elif how == "insert":
        raw[position:position] = data.draw(st.binary(min_size=1, max_size=9))
    elif how == "double":
        raw += bytes(raw)
    else:
        raw.clear()
    kept.write_bytes(raw)
    assert same(scan_folder(told, cache=cache_in(folder)), plain)
    assert scan_folder(told, cache=cache_in(folder)).stats.hashed == 0


BESIDE = """
import sys, time
from pathlib import Path
from reinmaker_cli.assets.cache import DigestCache
from reinmaker_cli.assets.project import bare_project
from reinmaker_cli.assets.scan import scan_folder
root, folder = Path(sys.argv[1]), Path(sys.argv[2])
believed = [index % 3 > 0 for index in range(15)]
for one in believed:
    cache = DigestCache(folder, clock_ns=lambda: time.time_ns() + 10**11, is_believed=one)
    print([(asset.path, asset.sha256) for asset in scan_folder(bare_project(root), cache=cache).assets])
"""


def test_runs_beside_each_other_harm_no_result(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    words = [sys.executable, "-c", BESIDE, str(told.root), str(tmp_path / "cache")]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = {line for one in running for line in one.communicate()[0].splitlines()}
    assert [one.returncode for one in running] == [0] * 4
    assert answers == {str([(asset.path, asset.sha256) for asset in scan_folder(told).assets])}
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.name.startswith(".")] == []
    assert scan_folder(told, cache=cache_in(tmp_path)).stats.hashed == 0


def test_findings_come_out_of_the_cache_as_they_went_in(tmp_path: Path) -> None:
    told = lesson(tmp_path)
    scan_folder(told, cache=cache_in(tmp_path))
    warm = scan_folder(told, cache=cache_in(tmp_path))
    assert codes_of(warm) == [
        ("lfs-pointer", "audio/c.wav"),
        ("magic-mismatch", "audio/d.mp3"),
        ("empty-file", "fx/empty.bin"),
        ("unmatched-file", "notes.json"),
    ]
    assert json.dumps([finding.to_json() for finding in warm.findings])

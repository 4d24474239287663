"""Whatever happens to the files of a folder: with the cache a scan says the same as without."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from reinmaker_cli.assets.cache import SETTLED_NS, DigestCache
from reinmaker_cli.assets.scan import scan_folder
from reinmaker_cli.errors import ContentInvalid
from tests.assets.test_scan import A2F, MP3, POINTER, project

NAMES = st.sampled_from(["a.mp3", "b.mp3", "fx/a.mp3", "fx/b.mp3", "fx/face.json"])
CONTENTS = st.sampled_from([MP3, MP3[:-1] + b"x", MP3[:-1] + b"y", A2F, A2F.replace(b"5", b"6"), POINTER, b"", b"{}"])
TICK_NS = 25_000_000  # the clock of a file system moves in steps of up to 10 ms


class FolderUnderEdits(RuleBasedStateMachine):
    """A folder, everything that people and programs do to it, and one cache that sees it now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="reinmaker-cache-"))
        self.root = self.place / "lesson"
        (self.root / "fx").mkdir(parents=True)
        (self.root / "always.mp3").write_bytes(MP3)
        # Two seconds are the margin of the rule itself; here a few ticks are, by the real clock.
        self.cache = DigestCache(self.place / "cache", clock_ns=lambda: time.time_ns() + SETTLED_NS - TICK_NS)

    @rule(name=NAMES, content=CONTENTS)
    def write(self, name: str, content: bytes) -> None:
        (self.root / name).write_bytes(content)

    @rule(name=NAMES, content=CONTENTS)
    def write_and_set_the_time_back(self, name: str, content: bytes) -> None:
        if (self.root / name).exists():
            before = (self.root / name).stat()
            (self.root / name).write_bytes(content)
            os.utime(self.root / name, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule(name=NAMES, content=CONTENTS, age_s=st.sampled_from([0, 1, 10**6]))
    def rename_over(self, name: str, content: bytes, age_s: int) -> None:
        made = self.place / "made"
        made.write_bytes(content)
        os.utime(made, (time.time() - age_s,) * 2)
        made.rename(self.root / name)

    @rule(name=NAMES, other=NAMES)
    def link(self, name: str, other: str) -> None:
        if (self.root / other).exists() and name != other:
            (self.root / name).unlink(missing_ok=True)
            os.link(self.root / other, self.root / name)

    @rule(name=NAMES, other=NAMES)
    def swap(self, name: str, other: str) -> None:
        if (self.root / name).exists() and (self.root / other).exists() and name != other:
            (self.root / name).rename(self.place / "swapped")
            (self.root / other).rename(self.root / name)
            (self.place / "swapped").rename(self.root / other)

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)

    @rule(name=NAMES, mode=st.sampled_from([0o600, 0o644]))
    def change_mode(self, name: str, mode: int) -> None:
        if (self.root / name).exists():
            (self.root / name).chmod(mode)

    @rule()
    def let_the_files_settle(self) -> None:
        """Return when the file system's clock is some ticks on."""
        until = time.time_ns() + TICK_NS
        probe = self.place / "tick"
        while True:
            probe.write_bytes(b"")
            if probe.stat().st_ctime_ns > until:
                return

    @rule(probe=st.booleans())
    def scan_both_ways(self, probe: bool) -> None:
        told = project(self.root)
        warm = scan_folder(told, probe=probe, cache=self.cache)
        cold = scan_folder(told, probe=probe)
        assert warm.assets == cold.assets
        assert warm.findings == cold.findings
        assert warm.stats.cached + warm.stats.hashed == cold.stats.hashed

    @invariant()
    def nothing_is_written_into_the_folder(self) -> None:
        assert {path.name for path in self.root.iterdir()} <= {"always.mp3", "a.mp3", "b.mp3", "fx"}

    def teardown(self) -> None:
        try:
            self.let_the_files_settle()
            self.scan_both_ways(probe=True)
            assert scan_folder(project(self.root), cache=self.cache).stats.hashed == 0
        except ContentInvalid:
            raise AssertionError("always.mp3 is an asset") from None
        finally:
            shutil.rmtree(self.place)


FolderUnderEdits.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestFolderUnderEdits = FolderUnderEdits.TestCase

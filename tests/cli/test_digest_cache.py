"""Digests of earlier runs on the command line: where they are used, where not, and how one says so."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.command import Command

LESSON = Path(__file__).parents[2] / "examples" / "first-lesson"  # old enough for its digests to be kept


def read_and_known(reinmaker: Command, *words: str | Path) -> tuple[int, int]:
    stats = reinmaker(*words, "--json").document["stats"]
    return stats["hashed"], stats["cached"]


@pytest.mark.parametrize("verb", ["scan", "build", "check"])
def test_what_one_run_read_the_next_one_knows(reinmaker: Command, verb: str) -> None:
    assert read_and_known(reinmaker, "scan", LESSON) == (24, 0)
    assert read_and_known(reinmaker, verb, LESSON) == (0, 24)


def test_diff_knows_it_too(reinmaker: Command, work: Path) -> None:
    reinmaker("build", LESSON, "-o", work / "built")
    assert read_and_known(reinmaker, "diff", LESSON, "--against", work / "built") == (0, 24)


def test_no_cache_reads_everything_and_keeps_nothing(
    reinmaker: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_and_known(reinmaker, "scan", LESSON, "--no-cache") == (24, 0)
    assert list(home.rglob("*.digests")) == []
    reinmaker("scan", LESSON)
    assert read_and_known(reinmaker, "scan", LESSON, "--no-cache") == (24, 0)
    monkeypatch.setenv("REINMAKER_NO_CACHE", "1")
    assert read_and_known(reinmaker, "build", LESSON) == (24, 0)


def test_what_is_sent_is_read_again_unless_told_otherwise(reinmaker: Command, work: Path) -> None:
    reinmaker("scan", LESSON)
    assert read_and_known(reinmaker, "rehearse", LESSON) == (24, 0)
    assert read_and_known(reinmaker, "rehearse", LESSON, "--trust-cache") == (0, 24)


_LISTED = """
import sys
from reinmaker_cli.cli.app import run_command_line
opened = []
sys.addaudithook(lambda event, told: opened.append(str(told[0])) if event == "open" else None)
code = run_command_line(sys.argv[1:])
sys.stdout.write("\\n".join(opened))
sys.exit(code)
"""


@pytest.mark.parametrize(("verb", "code"), [("verify", 0), ("publish", 7)])  # 7: no server, but the folder comes first
def test_manifest_files_under_one_root_have_its_files_read_once_together(
    reinmaker: Command, work: Path, verb: str, code: int
) -> None:
    reinmaker("build", LESSON, "-o", "built/")
    files = sorted(Path("built").iterdir())
    words = [sys.executable, "-c", _LISTED, verb, *files, "--root", LESSON, "--quiet"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    opened = Counter(Path(path) for path in ended.stdout.splitlines())
    assert (len(files) > 1, ended.returncode) == (True, code), ended.stderr
    # A `.json` is opened once more, to see whether reinmaker wrote it.
    times = {file: opened[file] - (file.suffix == ".json") for file in LESSON.glob("*/**/*") if file.is_file()}
    assert (len(times), set(times.values())) == (24, {1})


def test_a_cache_that_cannot_be_written_is_said_with_verbose_only(
    reinmaker: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(work / "file"))
    said = reinmaker("scan", LESSON, "-v")
    assert said.code == 0
    assert said.err.count("the digests are not kept for the next run") == 1
    assert "digests" not in reinmaker("scan", LESSON).err


def test_a_long_document_is_one_line(reinmaker: Command, work: Path) -> None:
    (work / "fx").mkdir()
    for number in range(1001):
        (work / "fx" / f"{number}.bin").write_bytes(b"x")
    said = reinmaker("scan", work, "--json")
    assert said.out.count("\n") == 1
    assert len(said.document["assets"]) == 1001

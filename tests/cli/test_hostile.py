"""Hostile situations: each ends clearly, without a traceback, and its stderr is kept in snapshots/."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import as_process, command_line
from tests.cli.folders import make_project, wav
from tests.snapshots import check_snapshot

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals, /dev and FIFOs of POSIX")


@pytest.fixture(autouse=True)
def _here(work: Path) -> None:
    """Run in an empty folder with an empty home."""


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("flags-before-the-verb", ["--env", "local", "scan", "--json"], 2),
        ("misspelt-verb", ["pubish"], 2),
        ("group-without-verb", ["config"], 2),
        ("folder-without-files", ["scan", "empty"], 3),
        ("file-instead-of-folder", ["scan", "a.wav"], 2),
        ("no-such-folder", ["scan", "nowhere"], 2),
        ("inside-a-project", ["scan", "project/sub"], 2),
        ("no-project", ["build", "loose"], 2),
        ("only-selects-nothing", ["build", "project", "--only", "locale=es-ES"], 2),
        ("unknown-environment", ["build", "project", "--env", "nowhere"], 2),
        ("never-allowed", ["build", "project", "--allow", "lfs-pointer"], 2),
        ("output-into-nowhere", ["build", "project", "--only", "locale=en-US", "-o", "nowhere/m.json"], 2),
        ("several-into-one-file", ["build", "project", "-o", "a.wav"], 2),
        ("config-not-toml", ["scan", "project", "--config", "broken.toml"], 2),
        ("config-missing", ["scan", "project", "--config", "nowhere.toml"], 2),
        ("manifest-not-json", ["check", "broken.json"], 3),
        ("manifest-is-no-manifest", ["check", "empty.json"], 3),
        ("bad-number", ["scan", "project", "--jobs", "many"], 2),
        ("jobs-zero", ["scan", "project", "--jobs", "0"], 2),
        ("init-over-a-file", ["init", "project"], 2),
        ("no-local-server", ["status", "some-id"], 7),
    ],
)
def test_stderr_is_as_kept(work: Path, name: str, words: list[str], code: int) -> None:
    _prepare(work)
    ended = as_process(*words)
    check_snapshot(name, ended.stderr.decode(), work)
    assert ended.returncode == code


def _prepare(work: Path) -> None:
    make_project(work / "project")
    for folder in ("empty", "project/sub", "loose"):
        (work / folder).mkdir()
    (work / "a.wav").write_bytes(wav())
    (work / "loose" / "a.wav").write_bytes(wav())
    (work / "broken.toml").write_text("[settings\n")
    (work / "broken.json").write_text("[settings\n")
    (work / "empty.json").write_text("{}")


@posix_only
def test_reader_that_leaves_changes_neither_run_nor_code(work: Path) -> None:
    make_project(work)
    whole = as_process("build", "--json", "-o", "out/")
    cut = subprocess.Popen(
        command_line("build", "--json", "-o", "out/"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert cut.stdout is not None
    assert cut.stderr is not None
    cut.stdout.close()
    stderr = cut.stderr.read()
    cut.stderr.close()
    assert (cut.wait(), whole.returncode) == (0, 0)
    assert stderr == whole.stderr


@posix_only
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["explain"], ["scan", "--help"], ["completion", "zsh"]])
def test_reader_that_leaves_gets_no_traceback(words: list[str]) -> None:
    cut = subprocess.Popen(command_line(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert cut.stdout is not None
    assert cut.stderr is not None
    cut.stdout.close()
    assert cut.stderr.read() == b""
    cut.stderr.close()
    assert cut.wait() == 0


@posix_only
def test_closed_stdout_changes_nothing(work: Path) -> None:
    make_project(work)
    words = " ".join(f"'{word}'" for word in command_line("scan", "--json"))
    ended = subprocess.run(f"{words} >&-", shell=True, capture_output=True, check=False)
    assert ended.returncode == 0
    assert b"Traceback" not in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("full-output-file", ["build", "--only", "locale=en-US", "-o", "/dev/full"]),
        ("full-copy-plan", ["build", "--copy-plan", "/dev/full"]),
        ("full-events", ["build", "--events", "/dev/full"]),
    ],
)
def test_full_disk_is_a_clear_end(work: Path, name: str, words: list[str]) -> None:
    make_project(work)
    ended = as_process(*words)
    check_snapshot(name, ended.stderr.decode(), work)
    assert ended.returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", [["scan", "--json"], ["scan"], ["explain"], ["--help"], ["build", "-o", "-"]])
def test_full_stdout_is_a_clear_end(work: Path, words: list[str]) -> None:
    make_project(work)
    with open("/dev/full", "wb") as full:
        ended = as_process(*words, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == 2
    assert b"error[output-failed]: cannot write stdout: No space left on device" in ended.stderr
    assert b"Traceback" not in ended.stderr


@posix_only
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_while_hashing_ends_at_once_with_a_document(work: Path, number: int, code: int) -> None:
    make_project(work)
    with (work / "hello-en.wav").open("ab") as file:
        file.truncate(200 << 30)  # sparse: hours of hashing, no disk
    reading, writing = os.pipe()
    words = command_line("scan", "--no-probe", "--json", "--events", f"/dev/fd/{writing}")
    with (
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[writing]) as running,
        os.fdopen(reading) as events,
    ):
        try:
            os.close(writing)
            assert any('"scan.progress"' in line for line in events), "the scan ended by itself"
            running.send_signal(number)
            out, err = running.communicate(timeout=120)
        finally:
            running.kill()
    assert running.returncode == code
    assert b'"code": "interrupted"' in out
    check_snapshot(f"interrupted-by-{number}", err.decode(), work)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_config_is_a_clear_end(work: Path) -> None:
    make_project(work)
    (work / "config.toml").write_text("")
    (work / "config.toml").chmod(0)
    ended = as_process("scan", "--config", "config.toml")
    check_snapshot("config-unreadable", ended.stderr.decode(), work)
    assert ended.returncode == 2


def test_config_that_is_a_folder_is_a_clear_end(work: Path) -> None:
    make_project(work)
    (work / "config.toml").mkdir()
    ended = as_process("scan", "--config", "config.toml")
    check_snapshot("config-is-a-folder", ended.stderr.decode(), work)
    assert ended.returncode == 2


@posix_only
def test_names_cannot_steer_the_terminal(work: Path) -> None:
    make_project(work)
    (work / "evil\x1b[2J\x1b]0;owned\x07\u202egnp.txt").write_text("x")
    (work / os.fsdecode(b"not-utf8-\xff.wav")).write_bytes(wav())
    for words in (["scan"], ["scan", "--json"], ["check", "--color", "always"]):
        ended = as_process(*words)
        assert ended.returncode == 3
        for stream in (ended.stdout, ended.stderr):
            assert not re.search(rb"\x1b(?!\[(0|1;31|1;33|1;32|36|1|2)m)", stream)
            assert b"\x07" not in stream
            assert "\u202e".encode() not in stream
            stream.decode("utf-8")


@pytest.mark.parametrize("words", [["scan"], ["check", "--json"], ["build", "--events", "events.ndjson"]])
def test_what_the_command_itself_writes_is_no_asset(work: Path, words: list[str]) -> None:
    make_project(work)
    with (work / "out [1].json").open("wb") as out, (work / "log.txt").open("wb") as log:
        assert as_process(*words, capture_output=False, stdout=out, stderr=log).returncode == 0


@posix_only
def test_a_current_folder_that_is_gone_is_a_clear_end(work: Path) -> None:
    gone = work / "gone"
    gone.mkdir()
    line = " ".join(f"'{word}'" for word in command_line("scan"))
    package = Path(__file__).resolve().parents[2]
    ended = subprocess.run(
        f"cd '{gone}' && rmdir '{gone}' && PYTHONPATH='{package}' {line}", shell=True, capture_output=True, check=False
    )
    assert (ended.returncode, b"Traceback" in ended.stderr) == (2, False)


@posix_only
def test_a_name_that_is_too_long_is_a_clear_end(work: Path) -> None:
    ended = as_process("scan", "x" * 5000)
    assert (ended.returncode, b"Traceback" in ended.stderr) == (2, False)

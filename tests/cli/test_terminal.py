"""On a terminal: rich draws tables, findings and the live line; and data never steers it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import as_process
from tests.cli.folders import make_project, wav
from tests.cli.terminals import Session, needs_terminals, seen

pytestmark = needs_terminals


@pytest.fixture(autouse=True)
def _here(work: Path) -> None:
    """Run in an empty folder with an empty home."""


def test_a_terminal_shows_a_table_with_a_head(work: Path) -> None:
    make_project(work)
    shown = seen("scan")
    assert shown.code == 0
    assert shown.text.splitlines()[0].split() == ["type", "size", "sha256", "path"]
    assert "\x1b[1m" in shown.raw


def test_a_pipe_has_no_head_and_no_colours(work: Path) -> None:
    make_project(work)
    ended = as_process("scan")
    assert ended.stdout.split()[0] == b"audio"
    assert b"\x1b" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("variables", "words"), [({"NO_COLOR": "1"}, ()), ({"TERM": "dumb"}, ()), ({}, ("--color", "never"))]
)
def test_without_colours_nothing_but_text_is_written(
    work: Path, variables: dict[str, str], words: tuple[str, ...]
) -> None:
    make_project(work)
    (work / "hello-en.wav").write_bytes(b"")
    shown = seen("check", *words, **variables)
    assert shown.code == 3
    assert "error[empty-file]" in shown.text
    assert "\x1b" not in shown.raw


def test_a_dumb_terminal_is_written_to_as_a_pipe(work: Path) -> None:
    make_project(work)
    on_pipe = as_process("scan")
    assert seen("scan", TERM="dumb").text == (on_pipe.stdout + on_pipe.stderr).decode()


def test_a_narrow_terminal_breaks_cells_and_not_the_table(work: Path) -> None:
    make_project(work)
    (work / "a-very-long-name-of-a-phase-that-does-not-fit-en.wav").write_bytes(wav())
    table = seen("scan", "--no-probe", columns=40).text.split("5 assets")[0]
    assert all(len(line.rstrip()) <= 40 for line in table.splitlines())
    rows = [line.split()[-1] for line in table.splitlines()]
    assert "a-very-long-name-of-a-phase-that-does-not-fit-en.wav" in "".join(rows)


def test_commands_in_hints_are_never_broken_by_us(work: Path) -> None:
    assert "`reinmaker init` looks at the files and writes one; or add the flags\n" in seen("build", columns=30).text


def test_names_are_neither_markup_nor_links_nor_emoji(work: Path) -> None:
    make_project(work)
    names = ("[bold red]x[", ":smile:.txt", "[link=https:", "\x1b]8;;x\x07y\x1b[2J.txt", "\u202egnp.txt")
    for name in names:
        (work / name).write_text("x")
    for words in (("scan",), ("check",), ("scan", "--color", "always")):
        shown = seen(*words, columns=200)
        assert shown.code == 3
        assert "\x1b" not in shown.text
        assert "\u202e" not in shown.text
        for name in ("[bold red]x[", ":smile:.txt", "[link=https:", "\\x1b]8;;x\\x07y\\x1b[2J.txt", "\\u202egnp.txt"):
            assert f"\n{name}\n" in shown.text


def large(work: Path) -> None:
    """Make a project that takes minutes to hash, and no disk."""
    make_project(work)
    with (work / "hello-en.wav").open("ab") as file:
        file.truncate(200 << 30)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_under_the_live_line_takes_it_away(work: Path, number: int, code: int) -> None:
    large(work)
    with Session(("scan", "--no-probe")) as session:
        session.wait_for("hashed 3 of 4 files")
        session.process.send_signal(number)
        shown = session.end()
    assert shown.code == code
    assert re.search(r"\x1b\[1A\x1b\[2K(\x1b\[[0-9;]*m)*error\[interrupted\]", shown.raw)
    assert "Traceback" not in shown.text


def test_the_cursor_is_never_hidden(work: Path) -> None:
    """After ^Z or `kill -9` nobody could bring it back."""
    large(work)
    with Session(("scan", "--no-probe")) as session:
        session.wait_for("hashed 3 of 4 files")
        session.process.kill()
        assert "\x1b[?25l" not in session.end().raw


def test_the_live_line_has_files_bytes_rate_and_time_left(work: Path) -> None:
    large(work)
    with Session(("scan", "--no-probe"), columns=120) as session:
        session.wait_for("iB/s")
        session.process.send_signal(signal.SIGINT)
        text = session.end().text
    assert re.search(r"hashed 3 of 4 files .*/200\.0 GiB .*iB/s (\d+:)+\d\d", text)


def test_quiet_shows_no_live_line(work: Path) -> None:
    make_project(work)
    assert seen("scan", "--quiet").text.splitlines() == sorted(
        ["bye-en-wav", "bye-fr-wav", "hello-en-wav", "hello-fr-wav"]
    )


def test_a_document_on_a_terminal_is_nothing_but_the_document(work: Path) -> None:
    make_project(work)
    shown = seen("spec", "schema", "scan")
    assert (shown.text[0], shown.text.rstrip()[-1]) == ("{", "}")
    assert "\x1b" not in shown.raw


@pytest.mark.parametrize(("answer", "code"), [("n", 2), ("", 2), ("y", 4)])
def test_production_asks_first(work: Path, answer: str, code: int) -> None:
    """A yes goes on to the credentials, which are not there."""
    make_project(work)
    with Session(("publish", "--env", "production")) as session:
        session.wait_for("publish 2 manifests to https://api.reinmaker.com? [y/N] ")
        session.type(f"{answer}\n")
        shown = session.end()
    assert (shown.code, "error[declined]" in shown.text) == (code, code == 2), shown.text


def test_rich_is_loaded_on_a_terminal_only(work: Path) -> None:
    make_project(work)
    script = (
        "import os, sys\n"
        "from reinmaker_cli.cli.app import run_command_line\n"
        "run_command_line(['scan'])\n"
        "os.write(2, b'rich' if 'rich' in sys.modules else b'no rich')"
    )
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, capture_output=True, check=True).stderr.endswith(b"no rich")
    for terminal, loaded in (("dumb", "no rich"), ("xterm", "\nrich")):
        with Session((), command=command, TERM=terminal) as session:
            assert session.end().text.endswith(loaded)

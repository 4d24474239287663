"""Pictures in the terminal: drawn where a person looks, plain lines everywhere else."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from reinmaker_cli.cli.pictures import Branch, Mark, bar, matrix_lines, time_line, tree_lines, width_of
from reinmaker_cli.cli.plain import PlainWriter
from reinmaker_cli.cli.streams import Stream
from reinmaker_cli.cli.terminal import TerminalWriter
from reinmaker_cli.cli.text import Line, Styled, cells
from reinmaker_cli.cli.webhooks_deliveries import timeline
from reinmaker_cli.client.webhooks import Attempt, Delivery
from tests.cli.command import Command, as_process, command_line
from tests.cli.folders import make_project
from tests.cli.svg import COLUMNS, console, hold_picture, on_stdout
from tests.cli.terminals import needs_terminals, seen, settled
from tests.lessons import change_one_byte, lesson


def plain(line: Line) -> str:
    return "".join(cell.text if isinstance(cell, Styled) else cell for cell in cells(line))


TREE = (
    Branch(
        "lesson/",
        4096,
        (
            Branch(Styled("green", "+ hello.wav"), 3072),
            Branch("a-long-folder-name/", 1024, (Branch("~ 水の循環.png", 1024),)),
        ),
    ),
    Branch("~ /product"),
)


def test_a_tree_has_its_sizes_below_each_other_and_bars_behind_them() -> None:
    assert [plain(line).rstrip() for line in tree_lines(TREE, 60)] == [
        "lesson/                   4.0 KiB  ████████████████████████",
        "├─ + hello.wav            3.0 KiB  ██████████████████",
        "└─ a-long-folder-name/    1.0 KiB  ██████",
        "   └─ ~ 水の循環.png      1.0 KiB  ██████",
        "~ /product",
    ]


@pytest.mark.parametrize("columns", [20, 24, 30, 40, 80, 200])
def test_a_tree_is_never_wider_than_the_terminal(columns: int) -> None:
    long = Branch("水" * 50, 10**15, (Branch("name-" * 30, 1),))
    for line in tree_lines([*TREE, long], columns):
        assert width_of(plain(line)) <= max(columns, 24), plain(line)


def test_a_bar_shows_that_there_is_something() -> None:
    assert (bar(0, 10, 8), bar(1, 10**9, 8), bar(10, 10, 8), bar(5, 0, 8)) == ("", "▏", "█" * 8, "")


def test_a_matrix_shows_its_holes_and_goes_on_below_where_it_is_too_wide() -> None:
    held = {("2-5", "en-US"): 4, ("2-5", "fr-FR"): 3, ("6-12", "en-US"): 4}
    wide = [plain(line) for line in matrix_lines("persona", ["2-5", "6-12"], ["en-US", "fr-FR"], held, 80)]
    assert wide == ["persona  en-US  fr-FR", "2-5          4      3", "6-12         4      ·"]
    narrow = [plain(line) for line in matrix_lines("persona", ["2-5", "6-12"], ["en-US", "fr-FR"], held, 16)]
    assert narrow[3:] == ["", "persona  fr-FR", "2-5          3", "6-12         ·"]


def test_a_time_line_keeps_the_order_and_its_width() -> None:
    marks = [Mark(at_s, "✗", "red") for at_s in (0, 5, 300, 1800, 7200, 18000)]
    line = plain(time_line(marks, 60))
    assert (len(line), line.count("✗"), line[0], line[-1]) == (60, 6, "✗", "✗")
    assert len(plain(time_line(marks * 30, 20))) == 20
    assert plain(time_line([], 20)) == ""


def failing(times: Sequence[str]) -> Delivery:
    """Return a delivery whose attempts failed at these minutes and seconds, and the next of which is due."""
    return Delivery(
        delivery_id="del_289e2012b1d0c5c614f50f45",
        event_id="msg_da840a3dc00ad716a1ada2e6",
        type="reinmaker.content.requested",
        endpoint_id="ep_d4cc959efa0531eb83181b99",
        url="http://127.0.0.1:8080/",
        status="open",
        attempt=len(times),
        created_at="2026-11-23T07:00:00Z",
        updated_at=f"2026-11-23T07:{times[-1]}Z",
        due_at="2026-11-23T07:32:30Z",
        trace_id="fe7998f4a48f4d4394d1195d427d8073",
        attempts=tuple(
            Attempt(
                attempt=number,
                kind="scheduled",
                started_at=f"2026-11-23T07:{time}Z",
                ended_at=f"2026-11-23T07:{time}Z",
                duration_ms=4,
                webhook_timestamp=1,
                status=500,
                outcome="status",
                error="HTTP 500",
            )
            for number, time in enumerate(times, 1)
        ),
    )


def test_a_delivery_is_drawn_with_each_attempt_and_what_is_due() -> None:
    delivery = failing(("00:00", "00:30"))
    drawn, *attempts = (plain(line) for line in timeline(delivery, 40)[3:])
    assert (drawn[2], drawn.count("✗"), drawn[-1], len(drawn)) == ("✗", 2, "○", 38)
    assert [plain(line) for line in timeline(delivery)[3:]] == attempts
    assert len(attempts) == 3 and "due at" in attempts[-1]


# --- the commands ---------------------------------------------------------------------------------------------------


@pytest.fixture
def holed(reinmaker: Command, work: Path) -> Path:
    """A lesson of two personas and three locales, of which one pair is missing and one is not complete."""
    lesson(work / "water-cycle")
    assert reinmaker("init", "water-cycle").code == 0
    for file in (*(work / "water-cycle").glob("6-12-*-es.mp3"), work / "water-cycle" / "6-12-welcome-fr.mp3"):
        file.unlink()
    toml = work / "water-cycle" / "reinmaker.toml"
    toml.write_text(toml.read_text().partition("[coverage]")[0])  # it would refuse what is missing
    return work


SUMMARY = ("scan", "water-cycle", "--summary")


def test_the_summary_is_in_the_document_too(reinmaker: Command, holed: Path) -> None:
    summary = reinmaker(*SUMMARY, "--json").document["summary"]
    assert [(row["type"], row["count"]) for row in summary["types"]] == [("audio", 14)]
    assert {(row["agePersona"], row["locale"]) for row in summary["matrix"] if not row["count"]} == {("6-12", "es-ES")}


def test_a_pipe_gets_the_matrix_in_plain_words(reinmaker: Command, holed: Path) -> None:
    out = reinmaker(*SUMMARY).out
    assert out.isascii()
    assert [line.split() for line in out.splitlines() if line.startswith(("persona", "2-5", "6-12"))] == [
        ["persona", "en-US", "es-ES", "fr-FR"],
        ["2-5", "3", "3", "3"],
        ["6-12", "3", "-", "2"],
    ]
    assert "1 hole: 6-12 es-ES\n1 place with less than the others: 6-12 fr-FR has 2 of 3" in out


def test_a_folder_without_a_project_is_summed_by_type(reinmaker: Command, work: Path) -> None:
    make_project(work)
    (work / "reinmaker.toml").unlink()
    assert reinmaker("scan", "--summary").out.split()[:3] == ["audio", "4", "assets"]


@needs_terminals
@pytest.mark.parametrize("columns", [120, 80, 40])
def test_a_terminal_shows_the_matrix_with_its_holes(holed: Path, columns: int) -> None:
    text = seen(*SUMMARY, columns=columns).text
    assert "6-12         3      ·      2" in text
    assert "█" in text and "1 hole: 6-12 es-ES" in text


@needs_terminals
def test_what_would_change_is_a_tree_at_a_terminal_and_plain_lines_elsewhere(holed: Path) -> None:
    against = ("diff", "water-cycle", "--only", "locale=en-US", "--only", "agePersona=2-5", "--against", "old.json")
    as_process("build", "water-cycle", "--only", "locale=en-US", "--only", "agePersona=2-5", "-o", "old.json")
    change_one_byte(holed / "water-cycle" / "2-5-welcome-en.mp3")
    shown = settled(seen(*against).raw)
    assert "└─ ~ 2-5-welcome-en.mp3  url, hash" in shown and "█" in shown
    pipe = as_process(*against)
    assert b"~ 2-5-welcome-en-mp3: url, hash" in pipe.stdout and "└".encode() not in pipe.stdout


@needs_terminals
@pytest.mark.parametrize(
    "variables", [{"TERM": "dumb"}, {"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "ascii"}], ids=str
)
def test_where_not_every_character_can_be_shown_there_are_only_words(holed: Path, variables: dict[str, str]) -> None:
    assert settled(seen(*SUMMARY, **variables).raw).isascii()


@needs_terminals
def test_without_colours_a_picture_is_a_picture(holed: Path) -> None:
    shown = seen(*SUMMARY, NO_COLOR="1")
    assert "\x1b" not in shown.raw
    assert "█" in shown.raw and "·" in shown.raw


@needs_terminals
def test_a_publication_ends_in_a_tree(holed: Path) -> None:
    shown = settled(seen("rehearse", "water-cycle").raw)
    assert "active      " in shown and "└─ " in shown and "3 assets, +3" in shown


# --- the pictures in the documentation ------------------------------------------------------------------------------


@needs_terminals
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("terminal-summary", "reinmaker scan water-cycle --summary"),
        ("terminal-diff", "reinmaker diff water-cycle --only agePersona=2-5 --against old/"),
        ("terminal-publish", "reinmaker rehearse water-cycle --only agePersona=2-5"),
    ],
)
def test_the_picture_of_a_command_is_what_it_shows(holed: Path, name: str, line: str) -> None:
    assert as_process("build", "water-cycle", "--only", "agePersona=2-5", "-o", "old/").returncode == 0
    change_one_byte(holed / "water-cycle" / "2-5-welcome-en.mp3")
    drawn = console()
    drawn.print(on_stdout(shlex.join(command_line(*line.split()[1:]))))
    hold_picture(name, line, drawn)


def test_the_picture_of_deliveries_is_what_the_command_draws() -> None:
    drawn = console()
    plain_writer = PlainWriter(Stream(None), colour=False, flush=False)
    lines = timeline(failing(("00:00", "00:30", "02:30")), COLUMNS)
    TerminalWriter(plain_writer, drawn).lines(*lines)
    hold_picture("terminal-deliveries", "reinmaker webhooks deliveries", drawn)

"""What is printed where: streams, colours, progress, escapes, GitHub Actions."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from reinmaker_cli.cli.document import without_secrets
from reinmaker_cli.cli.findings import finding_lines
from reinmaker_cli.cli.github import annotation_lines, step_outputs, step_summary
from reinmaker_cli.cli.plain import PlainProgress, PlainWriter
from reinmaker_cli.cli.streams import Stream
from reinmaker_cli.cli.text import Item, Line, Styled, human_size, visible, wants_colour
from reinmaker_cli.contract import codes
from tests.cli.command import Command
from tests.cli.folders import make_project, wav


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (150 * 1024, "150 KiB"),
        (5 << 20, "5.0 MiB"),
        (3 << 40, "3.0 TiB"),
    ],
)
def test_sizes_are_readable(size_bytes: int, shown: str) -> None:
    assert human_size(size_bytes) == shown


def test_what_a_terminal_obeys_is_written_out() -> None:
    assert visible("a\x1b[2J\n\u202eb\x9b\udcff") == "a\\x1b[2J\\n\\u202eb\\x9b\\udcff"
    assert visible("Größe 雪") == "Größe 雪"


def plain(*lines: Line | Item, colour: bool = False) -> str:
    """Return what the plain form writes."""
    text = io.TextIOWrapper(io.BytesIO())
    PlainWriter(Stream(text), colour=colour, flush=True).lines(*lines)
    return written_to(text)


def written_to(text: io.TextIOWrapper) -> str:
    """Return what a stream over memory holds."""
    buffer = text.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def test_our_own_colours_survive_and_others_do_not() -> None:
    line = (Styled("red", "no\x1b[0m"), " \x1b[5m")
    assert plain(line, colour=True) == "\x1b[1;31mno\\x1b[0m\x1b[0m \\x1b[5m\n"
    assert plain(line) == "no\\x1b[0m \\x1b[5m\n"


@pytest.mark.parametrize(
    ("choice", "terminal", "variables", "colour"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", False, {"CLICOLOR_FORCE": "1"}, True),
        ("auto", False, {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("auto", True, {"CLICOLOR": "0"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"CLICOLOR_FORCE": "1"}, False),
    ],
)
def test_who_decides_about_colour(choice: str, terminal: bool, variables: dict[str, str], colour: bool) -> None:
    assert wants_colour(choice, terminal, variables) is colour


def test_without_a_terminal_progress_is_a_line_every_15_s() -> None:
    now = 0.0
    text = io.TextIOWrapper(io.BytesIO())
    progress = PlainProgress(Stream(text), clock=lambda: now)
    for second in range(1, 51):
        now = float(second)
        progress.hashing(second, 50, second << 20, 50 << 20)
    lines = written_to(text).splitlines()
    assert [line.split(" of ")[0] for line in lines] == ["hashed 15", "hashed 30", "hashed 45"]
    assert lines[0] == "hashed 15 of 50 files, 15.0 MiB of 50.0 MiB, 1.0 MiB/s, 35 s left"


def test_findings_say_the_same_hint_once_and_lfs_as_one_command() -> None:
    findings = [
        codes.LFS_POINTER.finding("pointer", hint=f'`git lfs pull --include="{name}"`', path=name)
        for name in ("a", "b")
    ]
    findings += [codes.EMPTY_FILE.finding("empty", path=name) for name in ("c", "d")]
    lines = plain(*finding_lines(findings)).splitlines()
    assert [line for line in lines if line.startswith("hint")] == [
        f"hint: {codes.EMPTY_FILE.cure}",
        'hint: `git lfs pull --include="a,b"`',
    ]


# --- GitHub Actions --------------------------------------------------------------------------------------------------


def test_annotations_stop_at_nine_and_count_the_rest() -> None:
    findings = [codes.EMPTY_FILE.finding("empty", path=f"{number}.wav") for number in range(12)]
    lines = annotation_lines(findings, "content")
    assert len(lines) == 10
    assert lines[0].startswith("::error file=content/0.wav,title=empty-file::empty (")
    assert lines[-1] == "::error title=reinmaker::and 3 more findings; see the log"


def test_errors_come_before_warnings_and_what_stopped_the_command_before_both() -> None:
    old = codes.SECRET_OLD.finding("old")
    lines = annotation_lines([old] * 12, "", {"code": "credentials-refused", "message": "no", "hint": "log in: now"})
    assert lines[0] == "::error title=credentials-refused::no (log in: now)"
    assert (len(lines), lines[-1]) == (10, "::warning title=reinmaker::and 4 more findings; see the log")
    first, second = annotation_lines(
        [old, codes.EMPTY_FILE.finding("empty")], "", {"code": "x", "message": "", "hint": ""}
    )
    assert (first.split("::")[1], second.split("::")[1]) == ("error title=empty-file", "warning title=secret-old")


def test_outputs_with_lines_stand_between_delimiters_that_nobody_can_guess(reinmaker: Command, runner: Path) -> None:
    for _ in range(2):
        assert reinmaker("build", "--json").document["ok"]
    lines = (runner.parent / "GITHUB_OUTPUT").read_text().splitlines()
    delimiters = [line.partition("<<")[2] for line in lines if line.startswith("results<<")]
    assert len(set(delimiters)) == 2 and all(re.fullmatch("reinmaker-[0-9a-f]{32}", one) for one in delimiters)
    text = step_outputs({"ok": True, "exitCode": 0, "results": [{"manifestId": "a\nb=c", "outcome": "active"}]}, "END")
    assert "published<<END\na\\nb=c\nEND\n" in text


def test_a_file_name_cannot_inject_a_command() -> None:
    finding = codes.EMPTY_FILE.finding("bad\n::set-env name=X::y", path="a,b:c%0A\n::stop-commands::x")
    (line,) = annotation_lines([finding], ".")
    assert "\n" not in line
    assert line.startswith("::error file=a%2Cb%3Ac%250A\\n%3A%3Astop-commands%3A%3Ax,title=empty-file::bad\\n")


def test_on_actions_no_name_is_a_command_of_the_runner(reinmaker: Command, runner: Path) -> None:
    """The runner obeys `::x::` at the start of a line, after blanks too, and else `##[x]` anywhere."""
    for name in ("::add-mask::a.txt", "\u00a0::add-mask::b.txt", "##[add-mask]c.txt"):
        (runner / name).write_text("x")
    (runner / "##[add-mask]d-en.wav").write_bytes(wav())
    for words in (["check"], ["scan", "--ignored"], ["scan", "--json"], ["init", "--force", "--dry-run"]):
        ended = reinmaker(*words)
        assert "add-mask" in ended.out + ended.err
        lines = (ended.out + ended.err).splitlines()
        not_ours = [line for line in lines if not line.startswith(("::error ", "::warning "))]
        assert not [line for line in not_ours if re.match(r"\s*::", line) or "##[" in line]


@pytest.fixture
def runner(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The variables and files of a GitHub runner."""
    make_project(work)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(work.parent))
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.setenv(name, str(work.parent / name))
    return work


def test_on_actions_findings_are_annotations_with_paths_from_the_checkout(reinmaker: Command, runner: Path) -> None:
    (runner / "hello-en.wav").write_bytes(b"")
    ended = reinmaker("check")
    assert "::error file=work/hello-en.wav,title=empty-file::" in ended.err
    assert "\x1b" not in ended.out + ended.err


def test_on_actions_there_is_a_summary_and_outputs(reinmaker: Command, runner: Path) -> None:
    assert reinmaker("build").code == 0
    summary = (runner.parent / "GITHUB_STEP_SUMMARY").read_text()
    assert summary.startswith("### reinmaker build: ok (exit 0)")
    assert "| tiny-en-US |" in summary
    lines = (runner.parent / "GITHUB_OUTPUT").read_text().splitlines()
    assert lines[0] == "ok=true"
    (results,) = (lines[number + 1] for number, line in enumerate(lines) if line.startswith("results<<"))
    rows = json.loads(results)
    assert [row["manifestId"] for row in rows] == ["tiny-en-US", "tiny-fr-FR"]
    assert all(row["digest"].startswith("sha256:") for row in rows)


def test_on_actions_a_catalogue_fits_into_what_github_takes() -> None:
    """More than a thousand: those that are not through, and the number of the others."""
    row = {"version": "2026.11.23", "digest": "sha256:" + 64 * "0", "assets": {"count": 15}}
    results = [{"manifestId": f"{number:0120}", "outcome": "active", **row} for number in range(6569)]
    document = {"schema": "reinmaker.publish/1", "ok": False, "exitCode": 10, "findings": [], "error": None}
    document["results"] = [*results, {"manifestId": "left", "outcome": "rejected", **row}]
    summary, outputs = step_summary(document), step_outputs(document, "end")
    assert "| left |" in summary and "Of 6,570 manifests 6,569 are through" in summary
    assert len(summary.encode()) < 2**20 > len(outputs.encode())
    lines = outputs.splitlines()
    (shown,) = (lines[number + 1] for number, line in enumerate(lines) if line.startswith("results<<"))
    assert [one["manifestId"] for one in json.loads(shown)] == ["left"]


def test_on_actions_a_summary_cell_is_text(reinmaker: Command, runner: Path) -> None:
    (runner / "<img src=x>|`a`.wav").write_bytes(b"x")
    reinmaker("check")
    summary = (runner.parent / "GITHUB_STEP_SUMMARY").read_text()
    assert "<img" not in summary
    assert "|`a`" not in summary


def test_a_runner_without_its_files_is_no_failure(
    reinmaker: Command, runner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(runner / "nowhere" / "out"))
    ended = reinmaker("build")
    assert ended.code == 0
    assert "cannot write $GITHUB_OUTPUT" in ended.err


def test_a_document_for_a_file_has_no_secret() -> None:
    document = {
        "accessToken": "s3cret",
        "inspectorUrl": "http://localhost:7040/#token=s3cret",
        "results": [{"clientId": "one", "clientSecret": "s3cret"}, {"signingSecret": "s3cret"}],
    }
    assert without_secrets(document) == {
        "accessToken": "left out",
        "inspectorUrl": "http://localhost:7040/",
        "results": [{"clientId": "one", "clientSecret": "left out"}, {"signingSecret": "left out"}],
    }

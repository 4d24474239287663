"""From the words of a command line to an exit code."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

import reinmaker_cli
from reinmaker_cli.cli import signals, tree, verbs
from reinmaker_cli.cli.app import run_verb
from reinmaker_cli.cli.output import Output
from tests.cli.command import Command
from tests.cli.folders import make_project


def test_no_words_say_where_to_start(reinmaker: Command) -> None:
    ended = reinmaker()
    assert ended.code == 0
    assert "reinmaker init" in ended.out
    assert ended.err == ""


def test_version_is_one_line(reinmaker: Command) -> None:
    assert reinmaker("--version").out == f"reinmaker {reinmaker_cli.__version__}\n"


def test_help_names_every_command(reinmaker: Command) -> None:
    shown = reinmaker("--help").out
    assert all(f"  {word} " in shown for word in tree.children())


@pytest.mark.parametrize("group", tree.GROUPS)
def test_help_of_a_group_names_its_commands(reinmaker: Command, group: str) -> None:
    ended = reinmaker(group, "--help")
    assert ended.code == 0
    assert all(f"  {word} " in ended.out for word in tree.children(group))


@pytest.mark.parametrize("name", tree.COMMANDS)
def test_every_command_explains_itself(reinmaker: Command, name: str) -> None:
    ended = reinmaker(*name.split(), "--help")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"Usage: reinmaker {name}")
    assert "--json" in ended.out


def test_help_as_a_word_is_help_too(reinmaker: Command) -> None:
    assert reinmaker("help", "auth", "login").out == reinmaker("auth", "login", "--help").out


@pytest.mark.parametrize(
    ("words", "corrected"),
    [
        (["--json", "scan"], "reinmaker scan --json"),
        (["--env", "local", "scan", "a b"], "reinmaker scan --env local 'a b'"),
        (["-e", "staging", "publish", "--yes"], "reinmaker publish -e staging --yes"),
        (["--json", "auth", "status"], "reinmaker auth status --json"),
        (["auth", "--json", "status"], "reinmaker auth status --json"),
    ],
)
def test_flags_before_the_command_come_with_the_corrected_line(
    reinmaker: Command, words: list[str], corrected: str
) -> None:
    ended = reinmaker(*words)
    assert ended.code == 2
    assert f"`{corrected}`" in (ended.document["error"]["hint"] if "--json" in words else ended.err)


def test_a_flag_and_no_command_asks_for_the_command(reinmaker: Command) -> None:
    ended = reinmaker("--quiet")
    assert ended.code == 2
    assert "name the command first" in ended.err


@pytest.mark.parametrize(
    ("words", "meant"), [(["pubish"], "reinmaker publish"), (["auth", "lgoin"], "reinmaker auth login")]
)
def test_a_misspelt_command_suggests_the_nearest(reinmaker: Command, words: list[str], meant: str) -> None:
    ended = reinmaker(*words)
    assert ended.code == 2
    assert f"did you mean `{meant}`?" in ended.err


def test_a_misspelt_flag_suggests_the_nearest(reinmaker: Command) -> None:
    ended = reinmaker("scan", "--ignord")
    assert ended.code == 2
    assert "did you mean `reinmaker scan --ignored`?" in ended.err


def test_a_group_alone_asks_for_the_second_word(reinmaker: Command) -> None:
    ended = reinmaker("auth")
    assert ended.code == 2
    assert "login, status, token, rotate, logout" in ended.err


@pytest.mark.parametrize("words", [["scan", "--nonsense"], ["nonsense"], ["auth"], ["explain", "nonsense"], ["verify"]])
def test_json_gives_one_document_for_usage_errors_too(reinmaker: Command, words: list[str]) -> None:
    document = reinmaker(*words, "--json").document
    assert document["ok"] is False
    assert document["exitCode"] == 2
    assert document["error"]["hint"]


def test_json_by_variable_holds_for_usage_errors_too(reinmaker: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINMAKER_JSON", "1")
    assert reinmaker("nonsense").document["error"]["code"] == "usage"


def test_a_bug_keeps_its_traceback_and_exits_1(reinmaker: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch, ZeroDivisionError("planted"))
    ended = reinmaker("explain")
    assert ended.code == 1
    assert "Traceback" in ended.err
    assert "error[bug]: ZeroDivisionError: planted" in ended.err


def test_a_bug_leaves_a_document_too(reinmaker: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch, ZeroDivisionError("planted"))
    document = reinmaker("explain", "--json").document
    assert document["error"]["code"] == "bug"
    assert document["exitCode"] == 1


def test_interrupt_gives_130_and_a_document(reinmaker: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch, KeyboardInterrupt())
    document = reinmaker("explain", "--json").document
    assert document["exitCode"] == 130
    assert document["error"] == {
        "code": "interrupted",
        "message": "interrupted by ^C",
        "hint": "run the same command again: it continues",
        "retryable": True,
    }


def test_stdout_takes_one_document_only(reinmaker: Command, work: Any) -> None:
    make_project(work)
    for words in (
        ["build", "--json", "-o", "-"],
        ["build", "-o", "-", "--copy-plan", "-"],
        ["scan", "--json", "--events", "-"],
    ):
        ended = reinmaker(*words)
        assert ended.code == 2
        assert "stdout cannot hold both" in ended.err


def test_events_end_in_the_document(reinmaker: Command, work: Any) -> None:
    make_project(work)
    lines = [json.loads(line) for line in reinmaker("scan", "--events", "-").out.splitlines()]
    assert lines[-1]["schema"] == "reinmaker.scan/1"
    assert {line["event"] for line in lines[:-1]} == {"scan.started", "scan.progress"}


def test_events_to_a_file_leave_stdout_to_people(reinmaker: Command, work: Any) -> None:
    make_project(work)
    ended = reinmaker("scan", "--events", "../events.ndjson")
    assert "hello-en.wav" in ended.out
    assert json.loads((work.parent / "events.ndjson").read_text().splitlines()[-1])["ok"] is True


def test_without_a_home_for_the_verb_nothing_is_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tree.COMMANDS, "explain", ("reinmaker_cli.cli.nowhere:explain", "planted"))
    assert run_verb("explain", []) == 1


def _plant(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make every verb raise."""

    def raise_it(*_: object) -> None:
        raise error

    monkeypatch.setattr(verbs, "call_verb", raise_it)


def test_the_signal_of_an_earlier_command_is_forgotten() -> None:
    with pytest.raises(signals.Terminated), signals.interrupts_as_exceptions():
        signal.raise_signal(signal.SIGTERM)
    assert signals.received() == signal.SIGTERM
    with signals.interrupts_as_exceptions():
        assert signals.received() == signal.SIGINT


def test_a_signal_after_the_document_adds_no_second_one(reinmaker: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    closing = iter([KeyboardInterrupt()])

    def interrupted(output: Output, code: int) -> int:
        for signal_ in closing:
            raise signal_
        return close(output, code)

    close = Output._close
    monkeypatch.setattr(Output, "_close", interrupted)
    ended = reinmaker("explain", "lfs-pointer", "--json")
    assert (ended.code, json.loads(ended.out)["codes"][0]["code"]) == (130, "lfs-pointer")

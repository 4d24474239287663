"""The first five minutes: where to start, what `init` asks and shows, what `serve` says to try."""

from __future__ import annotations

import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.cli.command import Command, command_line
from tests.cli.folders import make_project, wav
from tests.cli.terminals import Session, needs_terminals


@pytest.fixture
def unsaid(work: Path) -> Path:
    """A folder whose file names say no persona."""
    for number, name in enumerate(("hello-en", "bye-en", "hello-fr", "bye-fr")):
        (work / f"{name}.wav").write_bytes(wav(level=number))
    return work


@needs_terminals
def test_init_asks_what_no_file_name_says_and_shows_the_file_before_it_writes(unsaid: Path) -> None:
    file = unsaid / "reinmaker.toml"
    with Session(("init",)) as session:
        session.wait_for("[reinmaker]: ")
        session.type("curious_kelly\n")
        session.wait_for("agePersona")
        session.type("7-8\n")
        session.wait_for("one of 2-5")
        session.type("6-12\n")
        session.wait_for("[Y/n] ")
        assert not file.exists()
        session.type("\n")
        ended = session.end()
    assert ended.code == 0
    document = tomllib.loads(file.read_text())
    assert (document["manifest"]["product"], document["source"]["agePersona"]) == ("curious_kelly", "6-12")
    assert 'product = "curious_kelly"' in ended.text.split("write this")[0]
    assert "complete [source]" not in ended.text


@needs_terminals
@pytest.mark.parametrize("answer", ["n\n", "\x04"], ids=["no", "end of input"])
def test_without_a_yes_nothing_is_written(unsaid: Path, answer: str) -> None:
    with Session(("init",)) as session:
        for question in ("[reinmaker]: ", "[later]: "):
            session.wait_for(question)
            session.type("\n")
        session.wait_for("[Y/n] ")
        session.type(answer)
        ended = session.end()
    assert (ended.code, "error[declined]: nothing was written" in ended.text) == (2, True)
    assert not (unsaid / "reinmaker.toml").exists()


@needs_terminals
def test_what_nobody_answers_is_left_to_be_completed(unsaid: Path) -> None:
    with Session(("init",)) as session:
        for question in ("[reinmaker]: ", "[later]: ", "[Y/n] "):
            session.wait_for(question)
            session.type("\n")
        ended = session.end()
    assert (ended.code, "complete [source] agePersona" in ended.text) == (0, True)


@needs_terminals
def test_with_no_input_it_writes_at_once(unsaid: Path) -> None:
    with Session(("init", "--no-input")) as session:
        assert session.end().code == 0
    assert (unsaid / "reinmaker.toml").exists()


def test_without_words_it_is_said_where_to_start(reinmaker: Command) -> None:
    out = reinmaker().out
    for word in ("init", "check", "rehearse", "serve", "publish", "doctor"):
        assert f"  reinmaker {word} " in out


def test_each_command_that_serve_says_can_be_typed(
    work: Path, reinmaker: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(work / "my lesson")
    monkeypatch.chdir(work / "my lesson")
    words = command_line("serve", "--port", "0", "--log", "off", "--data", work / "data")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said: list[str] = []
        while not said or "let time pass" not in said[-1]:
            said.append(server.stdout.readline().strip())
        try:
            exported = next(line for line in said if line.startswith("export REINMAKER_DATA="))
            monkeypatch.setenv("REINMAKER_DATA", shlex.split(exported)[1].partition("=")[2])
            typed = [line.split("  ")[0] for line in said if line.startswith("reinmaker ")]
            assert [line.split()[1] for line in typed] == ["health", "publish", "list", "webhooks", "local"]
            for line in [*typed[:3], typed[4]]:
                assert reinmaker(*shlex.split(line)[1:]).code == 0, line
        finally:
            server.terminate()


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1\n"


@pytest.mark.parametrize(
    ("toml", "code", "told"),
    [
        (None, "config-missing", ["a.png", "raw/b.png"]),
        ('[manifest]\nid = "x"\n', "config-invalid", ["a.png", "raw/b.png"]),
        ('[manifest]\nid = "x"\n[ignore]\npatterns = ["raw/"]\n', "config-invalid", []),  # it may mean one of them
    ],
)
def test_pointers_are_told_of_beside_a_project_that_cannot_be_used(
    reinmaker: Command, work: Path, toml: str | None, code: str, told: list[str]
) -> None:
    (work / "lesson" / "raw").mkdir(parents=True)
    for name in ("a.png", "raw/b.png"):
        (work / "lesson" / name).write_text(POINTER, encoding="utf-8")
    if toml is not None:
        (work / "lesson" / "reinmaker.toml").write_text(toml, encoding="utf-8")
    ended = reinmaker("check", "lesson", "--json")
    assert (ended.code, ended.document["error"]["code"]) == (2, code)
    pointers = [one for one in ended.document["findings"] if one["code"] == "lfs-pointer"]
    assert [one["path"] for one in pointers] == told
    assert all("git -C lesson lfs pull" in one["hint"] for one in pointers)

"""What a tired person types, and the hint that leads on: each is typed here as it was given."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from reinmaker_cli.server.config import ServerConfig
from reinmaker_cli.server.running import running_server
from tests.cli.command import Command, Ended
from tests.cli.folders import make_project, wav


def hinted(ended: Ended, word: str = "next") -> list[str]:
    """Return the words of the last command line in a hint; `word` is what it starts with."""
    found = re.findall(rf"{word}: `reinmaker (.*)`", ended.err)
    assert found, ended.err
    return shlex.split(found[-1])


def test_the_next_command_names_the_same_folder_and_environment(reinmaker: Command, work: Path) -> None:
    make_project(work / "my lesson")
    words = ["scan", "my lesson", "--env", "staging"]
    for verb in ("check", "publish"):
        words = hinted(reinmaker(*words))
        assert words == [verb, "my lesson", "--env", "staging"]


def test_the_next_command_keeps_what_was_selected_and_allowed(reinmaker: Command, work: Path) -> None:
    make_project(work)
    (work / "odd.xyz").write_bytes(b"?")
    ended = reinmaker("check", "--only", "locale=fr-FR", "--allow", "unmatched-file")
    assert hinted(ended) == ["publish", "--only", "locale=fr-FR", "--allow", "unmatched-file"]


def test_build_leads_to_the_publication_of_what_it_wrote(reinmaker: Command, work: Path) -> None:
    make_project(work / "lesson")
    assert hinted(reinmaker("build", "lesson")) == ["rehearse", "lesson"]
    (work / "out").mkdir()
    assert hinted(reinmaker("build", "lesson", "-o", "out")) == ["publish", "out/*.json", "--root", "lesson"]
    file = hinted(reinmaker("build", "lesson", "--only", "locale=fr-FR", "-o", "fr.json"))
    assert file == ["publish", "fr.json", "--root", "lesson"]
    assert reinmaker("rehearse", *file[1:]).code == 0


def test_a_hint_names_the_data_folder_that_was_typed(reinmaker: Command, work: Path) -> None:
    make_project(work)
    hint = "start one with `reinmaker serve --data elsewhere`"
    assert hint in reinmaker("publish", "--data", "elsewhere").err


def test_assets_that_would_go_are_named_and_what_comes_next_says_that_it_asks(reinmaker: Command, work: Path) -> None:
    make_project(work / "lesson")
    data = work.parent / "data"
    with running_server(ServerConfig(port=0, data=data, log="off", network=False)):
        words = ("lesson", "--data", data)
        assert reinmaker("publish", *words).code == 0
        told_again = reinmaker("publish", *words)
        assert [line.split()[0] for line in told_again.out.splitlines()] == ["unchanged"] * 2
        assert "verdict" not in told_again.err
        (work / "lesson" / "bye-en.wav").unlink()
        (work / "lesson" / "bye-fr.wav").unlink()
        asks = "it asks first, because 2 assets would go (`--yes` answers)"
        assert f"`reinmaker publish lesson --data {data}`; {asks}" in reinmaker("publish", *words, "--dry-run").err
        assert asks in reinmaker("diff", *words).err
        refused = reinmaker("publish", *words)
        assert "2 assets that players have would go from 2 manifests" in refused.err
        assert "bye-en-wav (tiny-en-US), bye-fr-wav (tiny-fr-FR)" in refused.err
        seen = reinmaker("status", *words)
        assert "`reinmaker diff lesson" in seen.err and "this version" not in seen.out


@pytest.mark.parametrize("words", [["build", "-o", "m.json"], ["rehearse", "--receipt", "m.json"]])
def test_several_results_do_not_become_a_folder_called_like_a_file(
    reinmaker: Command, work: Path, words: list[str]
) -> None:
    make_project(work)
    ended = reinmaker(*words)
    assert ended.code == 2
    assert f"hint: name a folder: `reinmaker {words[0]} {words[1]} m/`" in ended.err
    assert reinmaker(*words[:2], "../m/").code == 0


def test_a_folder_of_manifests_is_known_as_one(reinmaker: Command, work: Path) -> None:
    make_project(work / "lesson")
    reinmaker("build", "lesson", "-o", "out/")
    for verb in ("check", "publish", "rehearse", "diff"):
        ended = reinmaker(verb, "out")
        assert (ended.code, hinted(ended, "its files")) == (2, [verb, "out/*.json"])


def test_a_rehearsal_of_a_manifest_file_asks_for_its_folder(reinmaker: Command, work: Path) -> None:
    make_project(work / "lesson")
    reinmaker("build", "lesson", "--only", "locale=fr-FR", "-o", "fr.json")
    ended = reinmaker("rehearse", "fr.json")
    assert (ended.code, hinted(ended, "folder")) == (2, ["rehearse", "fr.json", "--root", "DIR"])


def test_a_folder_that_is_named_twice_is_one(reinmaker: Command, work: Path) -> None:
    make_project(work)
    assert len(reinmaker("scan", ".", str(work), "--quiet").out.split()) == 4


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["build", "--env", "prod"], "did you mean `reinmaker build --env production`?"),
        (["build", "--env", "stagign"], "did you mean `reinmaker build --env staging`?"),
        (["explain", "lfs"], "did you mean `reinmaker explain lfs-pointer`?"),
        (["completion"], "one of: bash, zsh, fish, powershell; `reinmaker completion --help` says what each does"),
        (["build", "--only", "local=fr-FR"], "did you mean `reinmaker build --only locale=fr-FR`?"),
        (
            ["build", "--only", "locale=fr"],
            "locale is one of: en-US, fr-FR; did you mean `reinmaker build --only locale=fr-FR`?",
        ),
        (["check", "--jsno"], "did you mean `reinmaker check --json`?"),
    ],
)
def test_what_was_nearly_right_is_put_right(reinmaker: Command, work: Path, words: list[str], hint: str) -> None:
    make_project(work)
    ended = reinmaker(*words)
    assert (ended.code, ended.err.splitlines()[-1]) == (2, f"hint: {hint}")


def test_words_may_come_in_any_order(reinmaker: Command, work: Path) -> None:
    make_project(work / "lesson")
    (work / "lesson" / "more-fr.wav").write_bytes(wav(level=9))
    first = reinmaker("check", "--only", "locale=fr-FR", "lesson", "-q")
    assert (first.code, first.out) == (0, reinmaker("check", "lesson", "-q", "--only=locale=fr-FR").out)

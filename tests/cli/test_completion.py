"""Completion: what each shell is offered."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from reinmaker_cli.cli import tree
from reinmaker_cli.cli.completion_tree import leaves
from tests.cli.command import Command

COMPLETIONS = Path(__file__).resolve().parents[2] / "completions"

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")


def offered_by_bash(*words: str) -> list[str]:
    """Return what one TAB after these words offers. PATH is empty: the script must start nothing."""
    script = f"""
        source '{COMPLETIONS / "reinmaker.bash"}'
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _reinmaker
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    bash = shutil.which("bash")
    assert bash is not None
    ended = subprocess.run(
        [bash, "--norc", "-c", script, "bash", "reinmaker", *words], capture_output=True, env={"PATH": ""}, check=True
    )
    assert ended.stderr == b""
    return ended.stdout.decode().split()


@needs_bash
def test_bash_offers_commands() -> None:
    assert offered_by_bash("") == [*tree.children(), "--version", "--help"]
    assert offered_by_bash("re") == ["rehearse"]


@needs_bash
def test_bash_offers_the_commands_of_a_group() -> None:
    assert offered_by_bash("auth", "") == [*tree.children("auth"), "--help"]


@needs_bash
def test_bash_offers_the_flags_of_a_verb_and_no_others() -> None:
    for leaf in leaves():
        words = {word for option in leaf.options for word in option.words if word.startswith("--")}
        assert set(offered_by_bash(*leaf.name.split(), "--")) == words | {"--help"}


@needs_bash
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("scan", "--env", ""), ["local", "staging", "production"]),
        (("scan", "--color", "a"), ["auto", "always"]),
        (("explain", "lfs"), ["lfs-pointer"]),
        (("completion", "z"), ["zsh"]),
        (("spec", "schema", "mani"), ["manifest"]),
    ],
)
def test_bash_offers_values(words: tuple[str, ...], offered: list[str]) -> None:
    assert offered_by_bash(*words) == offered


@needs_bash
def test_bash_offers_files_where_a_file_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lesson").mkdir()
    monkeypatch.chdir(tmp_path)
    assert offered_by_bash("scan", "less") == ["lesson"]
    assert offered_by_bash("build", "-o", "less") == ["lesson"]


def test_zsh_is_given_commands_and_starts_nothing() -> None:
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("no zsh here")
    # What zsh itself would bring: words, and the function that shows what is offered.
    script = f"""
        compdef() {{ : }}
        _describe() {{ print -l "${{(P@)2}}" }}
        words=(reinmaker pub) CURRENT=2
        source '{COMPLETIONS / "_reinmaker"}'
        _reinmaker
    """
    ended = subprocess.run([zsh, "-f", "-c", script], capture_output=True, text=True, env={"PATH": ""}, check=False)
    assert ended.stderr == ""
    assert [line.split(":")[0] for line in ended.stdout.splitlines()] == list(tree.children())


def test_fish_offers_commands_and_starts_nothing(tmp_path: Path) -> None:
    fish = shutil.which("fish")
    if fish is None:
        pytest.skip("no fish here")
    script = (
        f"source '{COMPLETIONS / 'reinmaker.fish'}'; complete -C 'reinmaker pub'; complete -C 'reinmaker scan --no'"
    )
    ended = subprocess.run(
        [fish, "--no-config", "-c", script],
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path)},
        check=True,
    )
    assert ended.stderr == ""
    assert [line.split("\t")[0] for line in ended.stdout.splitlines()] == ["publish", "--no-cache", "--no-probe"]


@pytest.mark.parametrize(("shell", "flag"), [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
def test_the_script_parses(reinmaker: Command, shell: str, flag: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    script = reinmaker("completion", shell).out.encode()
    assert subprocess.run([shell, flag], input=script, check=False).returncode == 0


def test_an_unknown_shell_is_refused(reinmaker: Command) -> None:
    ended = reinmaker("completion", "tcsh")
    assert ended.code == 2
    assert "'bash', 'zsh', 'fish', 'powershell'" in ended.err

"""Completion: what each shell is offered."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from reinmaker_cli.cli import tree
from reinmaker_cli.cli.completion_tree import leaves
from reinmaker_cli.cli.completion_values import MAX_KEPT, remember_manifests
from tests.cli.command import Command
from tests.cli.folders import make_project
from tests.cli.terminals import Session, needs_terminals

COMPLETIONS = Path(__file__).resolve().parents[2] / "completions"

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")


def offered_by_bash(*words: str, **variables: str) -> list[str]:
    """Return what one TAB after these words offers. PATH is empty: the script must start nothing."""
    script = f"""
        source '{COMPLETIONS / "reinmaker.bash"}'
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _reinmaker
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    bash = shutil.which("bash")
    assert bash is not None
    ended = subprocess.run(
        [bash, "--norc", "-c", script, "bash", "reinmaker", *words],
        capture_output=True,
        env={"PATH": "", "HOME": "/nonexistent"} | variables,
        check=True,
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
        (("check", "--allow", "unmat"), ["unmatched-file"]),
        (("check", "--allow", "lfs"), []),
        (("webhooks", "trigger", "te"), ["telemetry.flushed"]),
        (("webhooks", "trigger", "f"), []),
        (("publish", "--only", ""), []),
        (("entitlements", ""), []),
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


# --- what is looked up ----------------------------------------------------------------------------------------------


@pytest.fixture
def known(reinmaker: Command, work: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A user with two environments, who has built two manifests; returns the variables that say where both are kept."""
    make_project(work)
    (work.parent / "config.toml").write_text(
        '[env.mirror]\napi_url = "https://example.org"\n[env.mine]\napi_url = "https://example.com"'
    )
    variables = {"REINMAKER_CONFIG": str(work.parent / "config.toml"), "XDG_CACHE_HOME": str(home / "cache")}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert reinmaker("build").code == 0
    return {"HOME": str(home), **variables}


@needs_bash
def test_bash_offers_the_environments_of_the_configuration(known: dict[str, str]) -> None:
    assert offered_by_bash("publish", "--env", "mi", **known) == ["mirror", "mine"]
    assert offered_by_bash("publish", "-e", "", **known)[:3] == ["local", "staging", "production"]


@needs_bash
def test_bash_offers_the_manifests_that_were_seen(known: dict[str, str]) -> None:
    assert offered_by_bash("status", "tiny", **known) == ["tiny-en-US", "tiny-fr-FR"]
    assert offered_by_bash("local", "decide", "tiny-f", **known) == ["tiny-fr-FR"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_fish_offers_what_is_fixed_and_what_is_looked_up(known: dict[str, str]) -> None:
    asked = ("reinmaker publish --env mi", "reinmaker status tiny", "reinmaker publish --env st")
    script = f"source '{COMPLETIONS / 'reinmaker.fish'}'\n" + "\n".join(
        f'complete -C"{line}"; echo END' for line in asked
    )
    variables = {"PATH": "/usr/bin:/bin", **known}  # fish itself starts what it needs at its own start
    ended = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, env=variables, check=True)
    environments, manifests, built_in, _ = ended.stdout.decode().split("END\n")
    # A word, a tab, what it is.
    assert [line.split("\t")[0] for line in environments.splitlines()] == ["mine", "mirror"]
    assert [line.split("\t")[0] for line in manifests.splitlines()] == ["tiny-en-US", "tiny-fr-FR"]
    assert [line.split("\t")[0] for line in built_in.splitlines()] == ["staging"]


@needs_terminals
@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here")
@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("reinmaker publish --env mir", "reinmaker publish --env mirror"),
        ("reinmaker status tiny-f", "reinmaker status tiny-fr-FR"),
        ("reinmaker explain lfs", "reinmaker explain lfs-pointer"),
        ("reinmaker reh", "reinmaker rehearse"),
    ],
)
def test_a_tab_in_zsh_completes_the_line(known: dict[str, str], typed: str, shown: str) -> None:
    with Session((), command=["zsh", "-f", "-i"], ZDOTDIR="/nonexistent", PS1="> ") as session:
        session.type(
            f"autoload -U compinit && compinit -D -u && source '{COMPLETIONS / '_reinmaker'}' && echo lo''aded\n"
        )
        session.wait_for("loaded")
        session.type(f"{typed}\t")
        session.wait_for(shown.removeprefix(typed))


@pytest.mark.skipif(shutil.which("pwsh") is None, reason="no `pwsh` here; Debian has no package of it")
def test_powershell_offers_what_is_fixed_and_what_is_looked_up(known: dict[str, str]) -> None:
    lines = ("reinmaker publish --env mi", "reinmaker status tiny", "reinmaker reh")
    asked = ";".join(
        f"(TabExpansion2 '{line}' {len(line)}).CompletionMatches.CompletionText -join ' '" for line in lines
    )
    script = f". '{COMPLETIONS / 'reinmaker.ps1'}'; {asked}"
    ended = subprocess.run(["pwsh", "-NoProfile", "-Command", script], capture_output=True, env=None, check=True)
    assert ended.stdout.decode().splitlines() == ["mine mirror", "tiny-en-US tiny-fr-FR", "rehearse"]


def test_what_was_seen_is_kept_once_and_never_something_a_shell_could_obey(work: Path) -> None:
    remember_manifests(["b", "a", "$(touch x)", "-rf", "c d"], work)
    remember_manifests(["c", "a"], work)
    assert (work / "manifests").read_text().split() == ["c", "a", "b"]
    remember_manifests([f"m{number}" for number in range(MAX_KEPT + 9)], work)
    assert len((work / "manifests").read_text().split()) == MAX_KEPT


def test_a_cache_that_cannot_be_written_is_no_failure(
    reinmaker: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(work)
    (work.parent / "cache").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(work.parent / "cache"))
    ended = reinmaker("build", "--verbose")
    assert (ended.code, "are not kept for completion" in ended.err) == (0, True)
    assert "are not kept for completion" not in reinmaker("build", "--no-cache", "--verbose").err

"""How soon it starts: `--version`, `--help`, and one TAB in three shells."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tests.benchmarks.bench import REINMAKER, Bench
from tests.benchmarks.measure import Comparison

TITLE = "Starting"
_SCRIPTS = Path(__file__).parents[2] / "completions"
_RUNS = 20

# Each fails unless the shell offers `publish` for `reinmaker pub`, with the script as it is installed.
_TABS = {
    "bash": (
        ["bash", "--norc", "-c"],
        "source {bash}; COMP_WORDS=(reinmaker pub) COMP_CWORD=1; _reinmaker; test ${{COMPREPLY[0]}} = publish",
    ),
    "zsh": (
        ["zsh", "-f", "-c"],
        "compdef() {{ :; }}; _describe() {{ print -l ${{(P)2}} | grep -q ^publish: }};"
        " words=(reinmaker pub) CURRENT=2; source {zsh}; _reinmaker",
    ),
    "fish": (
        ["fish", "--no-config", "-c"],
        "source {fish}; string match -q 'publish*' (complete -C 'reinmaker pub')",
    ),
}


def measure(bench: Bench) -> None:
    """Measure CPU time, which other programs on the machine disturb least."""
    nothing = [sys.executable, "-I", "-c", "pass"]

    def against_python(name: str, words: list[str], aim: float) -> Comparison:
        return Comparison(f"{name}, CPU", words, "python -I -c pass", nothing, aim, unit="cpu", runs=_RUNS)

    rows = [
        against_python("--version", [REINMAKER, "--version"], 2),
        against_python("--help", [REINMAKER, "--help"], 8),
    ]
    for shell, (start, script) in _TABS.items():
        if bench.has(shell, instead_of=f"one TAB in {shell}"):
            rows.append(against_python(f"{shell}, its completion script and one TAB", [*start, _script(script)], 8))
    bench.table(rows)


def _script(text: str) -> str:
    files = {"bash": "reinmaker.bash", "zsh": "_reinmaker", "fish": "reinmaker.fish"}
    return text.format(**{shell: shlex.quote(str(_SCRIPTS / file)) for shell, file in files.items()})

"""Writes what is generated: completions/ and the reference lists in docs/. `make generated` runs it.

`tests/test_docs.py` fails while a file on disk is not what this would write.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from reinmaker_cli.cli.completion_scripts import completion_script
from reinmaker_cli.cli.completion_tree import Leaf, leaves
from reinmaker_cli.contract import codes
from reinmaker_cli.settings import KNOBS, Knob
from tests.man_pages import man_pages
from tests.reference import NOTE, api_page, schemas_page

ROOT = Path(__file__).resolve().parent.parent

SCRIPTS = {"bash": "reinmaker.bash", "zsh": "_reinmaker", "fish": "reinmaker.fish", "powershell": "reinmaker.ps1"}

EXIT_CODES = {
    0: "done, or nothing to do",
    1: "a bug in reinmaker",
    2: "usage or configuration; a no to the question",
    3: "the content is invalid: findings",
    4: "credentials, token or scope",
    5: "conflict: that version exists with other content",
    6: "the server rejected it",
    7: "no verdict reachable: network, 5xx, limits; safe to run again",
    8: "accepted, still pending when time ran out",
    9: "differs: `diff`, `verify`, drift",
    10: "several manifests: at least one active or unchanged, and one not",
    130: "interrupted by SIGINT",
    143: "interrupted by SIGTERM",
}


@functools.cache
def generated() -> dict[str, str]:
    """Return every generated file: path below the checkout → text."""
    files = {f"completions/{name}": completion_script(shell) for shell, name in SCRIPTS.items()}
    files["docs/commands.md"] = _text(_commands())
    files["docs/settings.md"] = _text(_settings())
    files["docs/codes.md"] = _text(_codes())
    files["docs/api.md"] = _text(api_page())
    files["docs/schemas.md"] = _text(schemas_page())
    return files | man_pages(EXIT_CODES)


def _text(lines: Iterator[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


def _commands() -> Iterator[str]:
    yield from ("# Commands", "", NOTE, "")
    yield "Options follow the command. Every option can also be a variable, named beside it; the shared ones are in"
    yield "[settings.md](settings.md). `reinmaker COMMAND --help` says the same."
    yield ""
    found = leaves()
    yield from ("| command | what it does |", "| --- | --- |")
    yield from (f"| [`{leaf.name}`](#{_anchor(leaf)}) | {_cell(leaf.summary)} |" for leaf in found)
    for leaf in found:
        yield from _command(leaf)
    yield from ("", "## Exit codes", "", "| exit | meaning |", "| ---: | --- |")
    yield from (f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())
    yield ""
    yield "Several manifests and none of them through: the first that occurs of 4, 3, 5, 6, 7, 8."


def _anchor(leaf: Leaf) -> str:
    return f"reinmaker-{leaf.name.replace(' ', '-')}"


def _command(leaf: Leaf) -> Iterator[str]:
    shared = {knob.flag for knob in KNOBS}
    own = [option for option in leaf.options if not shared.intersection(option.words)]
    taken = [word for option in leaf.options for word in option.words if word in shared]
    yield from ("", f"## reinmaker {leaf.name}", "", f"`reinmaker {leaf.name} {leaf.usage}`".replace(" `", "`"), "")
    yield leaf.help
    if leaf.arguments or own:
        yield from ("", "| argument or option | variable | what |", "| --- | --- | --- |")
        yield from (f"| `{_cell(metavar)}` | | {_cell(text)} |" for metavar, text in leaf.arguments)
        yield from (
            f"| `{_cell(', '.join(option.words))}{f' {_cell(option.metavar)}' if option.metavar else ''}`"
            f" | `{option.variable}` | {_cell(option.help)} |"
            for option in own
        )
    yield from ("", "Shared: " + ", ".join(f"`{word}`" for word in taken) + ".")


def _settings() -> Iterator[str]:
    yield from ("# Settings", "", NOTE, "")
    yield "The first that says something wins: flag, variable, project `reinmaker.toml`, user `config.toml`, default."
    yield "`reinmaker config show --origin` names each winner and what it beat, `reinmaker config path` the files."
    yield "In both files settings stand in a table `[settings]` and environments in `[env.NAME]` with `api_url`,"
    yield "`issuer` or `token_url`. A project file may add environments, and may not change one that is built in or the"
    yield "user's own. The environment itself is chosen by flag or variable only. There is no flag for a secret."
    yield ""
    yield from ("| setting | flag | variable | files | default | what |", "| --- | --- | --- | --- | --- | --- |")
    yield from (_setting(knob) for knob in KNOBS)
    yield ""
    yield "A flag of one command has a variable too: `--copy-plan` is `REINMAKER_COPY_PLAN`."


def _setting(knob: Knob) -> str:
    flag = ", ".join(f"`{word}`" for word in (knob.short, knob.flag) if word) or "none"
    files = {"both": "project, user", "user": "user", "none": "none"}[knob.files]
    default = "" if knob.default is None else f"`{str(knob.default).lower()}`"
    return f"| `{knob.name}` | {flag} | `{knob.variable}` | {files} | {default} | {_cell(knob.help)} |"


def _codes() -> Iterator[str]:
    yield from ("# Findings, answers and errors", "", NOTE, "")
    yield "A code is the same word in text, `--json`, annotations, problem documents and `reinmaker explain CODE`."
    titles = {
        "finding": "Findings: a place in a folder or manifest",
        "problem": "Problems: an answer of the API",
        "error": "Errors: the command could not do it",
    }
    for family, title in titles.items():
        yield from ("", f"## {title}", "", "| code | what | meaning | what to do |", "| --- | --- | --- | --- |")
        for code in codes.ALL.values():
            if code.family == family:
                yield f"| `{code}` | {_about(code)} | {_cell(code.meaning)} | {_cell(code.cure)} |"


def _about(code: codes.Code) -> str:
    if code.family == "problem":
        return _cell(f"{code.summary} ({code.status})")
    if code.family == "error":
        return _cell(code.summary)
    if code.severity == "warning":
        return _cell(f"{code.summary} (warning)")
    return _cell(code.summary if code.allowable else f"{code.summary} (never allowed)")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Write all generated files."""
    for path, text in generated().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

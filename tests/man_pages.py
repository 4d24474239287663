"""The manual pages, written from the command tree: docs/man/man1/, which the wheel installs under share/man."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from reinmaker_cli import __version__
from reinmaker_cli.cli import tree
from reinmaker_cli.cli.completion_tree import Leaf, leaves
from reinmaker_cli.settings import KNOBS

FOLDER = "docs/man/man1"
_NOTE = r".\" Written by `make generated` from the code."


def man_pages(exit_codes: Mapping[int, str]) -> dict[str, str]:
    """Return path below the checkout → page, in the language of man(7)."""
    found = leaves()
    pages = {f"{FOLDER}/reinmaker.1": _root_page(found, exit_codes)}
    pages |= {f"{FOLDER}/{_page_name(leaf.name)}.1": _leaf_page(leaf) for leaf in found}
    return {path: "\n".join(lines) + "\n" for path, lines in pages.items()}


def _root_page(found: tuple[Leaf, ...], exit_codes: Mapping[int, str]) -> Iterator[str]:
    yield from _head("reinmaker", "publish lesson assets, and rehearse it on one machine")
    yield from (".SH SYNOPSIS", r".B reinmaker", r".I command", "[options]")
    yield ".SH DESCRIPTION"
    yield _text(
        "A folder of lesson assets goes in, a verdict from the Reinmaker API comes out; `reinmaker serve` is the"
    )
    yield _text("other side of the same contract, so that all of it can be rehearsed on one machine with no network.")
    yield ".SH COMMANDS"
    for leaf in found:
        yield from _item(f"reinmaker {leaf.name}", leaf.summary)
    yield ".SH ENVIRONMENT"
    yield _text("Every option has a variable. These hold for many commands; the first that says something wins: flag, ")
    yield _text("variable, project reinmaker.toml, user config.toml, default.")
    for knob in KNOBS:
        yield from _item(knob.variable, knob.help)
    yield ".SH EXIT STATUS"
    for code, meaning in exit_codes.items():
        yield from _item(str(code), meaning)
    yield ".SH FILES"
    yield from _item("reinmaker.toml", "what a folder of assets is; made by `reinmaker init`")
    yield from _item("config.toml", "the user's settings and environments; `reinmaker config path` says where")
    yield from (".SH EXAMPLES", ".EX")
    yield from (_verbatim(line) for line in ("reinmaker init", "reinmaker rehearse", "reinmaker publish --env staging"))
    yield ".EE"
    yield from _see_also(leaf.name for leaf in found)


def _leaf_page(leaf: Leaf) -> Iterator[str]:
    yield from _head(_page_name(leaf.name), leaf.summary)
    yield from (
        ".SH SYNOPSIS",
        f".B {_verbatim(f'reinmaker {leaf.name}')}",
        _verbatim(f"[options] {leaf.usage}".strip()),
    )
    yield ".SH DESCRIPTION"
    for number, paragraph in enumerate(leaf.help.split("\n\n")):
        yield from (".PP", _text(paragraph)) if number else (_text(paragraph),)
    if leaf.arguments:
        yield ".SH ARGUMENTS"
        for metavar, text in leaf.arguments:
            yield from _item(metavar, text)
    if leaf.options:
        yield ".SH OPTIONS"
        for option in leaf.options:
            words = ", ".join(option.words) + (f" {option.metavar}" if option.metavar else "")
            is_name = "." in option.help.split(" ", 1)[0].rstrip(".,")  # such as source.locale
            what = (option.help if is_name else option.help[:1].upper() + option.help[1:]).rstrip(".")
            yield from _item(words, f"{what}. Variable: {option.variable}.")
    near = [name for name in tree.COMMANDS if name != leaf.name and name.split()[0] == leaf.name.split()[0]]
    yield from _see_also(["", *near])


def _head(name: str, summary: str) -> Iterator[str]:
    yield _NOTE
    yield f'.TH "{_verbatim(name.upper())}" 1 "" "reinmaker {__version__}" "reinmaker manual"'
    yield from (".SH NAME", f"{_verbatim(name)} \\- {_text(summary)}")


def _see_also(names: Iterator[str] | list[str]) -> Iterator[str]:
    pages = [f".BR {_verbatim(_page_name(name))} (1)" for name in names]
    yield from (".SH SEE ALSO", *(page + " ," for page in pages[:-1]), pages[-1])


def _page_name(command: str) -> str:
    return "-".join(["reinmaker", *command.split()])


def _item(term: str, text: str) -> Iterator[str]:
    yield from (".TP", f".B {_verbatim(term)}", _text(text))


def _text(text: str) -> str:
    """Return one line of running text: what stands in back quotes is bold."""
    parts = re.split(r"`([^`]+)`", " ".join(text.split()))
    return "".join(rf"\fB{_verbatim(part)}\fR" if number % 2 else _escaped(part) for number, part in enumerate(parts))


def _verbatim(text: str) -> str:
    """Return text as it is typed: its hyphens stay hyphens, and it can be copied from the page."""
    return _escaped(text).replace("-", r"\-")


def _escaped(text: str) -> str:
    escaped = text.replace("\\", r"\e").replace('"', r"\(dq").replace("→", r"\(->").replace("×", r"\(mu")
    return r"\&" + escaped if escaped.startswith((".", "'")) else escaped

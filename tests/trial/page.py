"""docs/errors.md: a section for each mistake, written from what happened, and a table of them all."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"

FILES = ("test_typing", "test_folders", "test_settings", "test_credentials", "test_servers", "test_publishing")

HEAD = """\
# What goes wrong, and what to type next

<!-- Written by the tests: REINMAKER_UPDATE_SNAPSHOTS=1 pytest tests/trial -->

The most likely mistakes. Each was made for real by a test, which keeps here what `reinmaker` said: on stderr, with
machine paths, ports and dates replaced. Where it says *cured*, the test then typed the command of the hint as it stands
there, and the line that had failed again, and both succeeded. Of the others it is said why no command can do it.
`reinmaker explain CODE` says more of each code; [codes.md](codes.md) has them all.
"""


@dataclass
class Entry:
    """One section."""

    key: str
    title: str
    story: str
    code: str = ""
    _shown: list[str] = field(default_factory=list)
    _end: str = ""
    normal: Callable[[str], str] = str

    def made(self, line: str, exit_code: int, said: str, code: str) -> None:
        """Keep the mistake: the line, how it ended, what was said."""
        self.code = code
        self._shown = [f"```console\n$ {line}\n{said.rstrip()}\n```", "", f"Exit {exit_code}."]

    def typed(self, line: str, *, again: bool) -> None:
        """Keep the cure."""
        then = ", then the same line again" if again else ""
        self._end = f"Next: `{self.normal(line)}`{then}. *Cured.*"

    def left(self, line: str, why: str) -> None:
        """Keep why there is no cure to type."""
        self._end = f"Next: `{self.normal(line)}`. Not cured by that: {why}."

    def text(self) -> str:
        """Return the section as it stands on the page."""
        assert self._shown and self._end, f"nothing was made of {self.key}"
        *block, end = self._shown
        return "\n".join([f"## {self.title}", "", f"{self.story}", "", *block, f"{end} {self._end}", ""])


def titles() -> list[str]:
    """Return the titles of all mistakes, in the order of the files below and of the tests in them."""
    found = []
    for name in FILES:
        for node in ast.parse((PAGE.parents[1] / "tests" / "trial" / f"{name}.py").read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.append((ast.get_docstring(node) or "").splitlines()[0].rstrip("."))
    return found


def sections(page: str) -> dict[str, str]:
    """Return the sections that a page has, by title."""
    parts = re.split(r"^(?=## )", page, flags=re.M)[1:]
    return {part.splitlines()[0].removeprefix("## "): part for part in parts}


def whole_page(found: dict[str, str], titles: list[str]) -> str:
    """Return the page of these titles, in their order, with its table."""
    rows = [_row(number, title, found[title]) for number, title in enumerate(titles, 1)]
    cured = sum("*Cured.*" in found[title] for title in titles)
    table = ["", f"{len(titles)} mistakes, {cured} of them cured by the command that the hint gives.", ""]
    table += ["| | mistake | code | exit | next | cured |", "| ---: | --- | --- | ---: | --- | --- |", *rows, ""]
    return HEAD + "\n".join(table) + "\n" + "\n".join(found[title].rstrip("\n") + "\n" for title in titles)


def _row(number: int, title: str, section: str) -> str:
    code = re.findall(r"\[([a-z-]+)\](?!\()", section)
    exit_code = re.search(r"^Exit (\d+)\.", section, re.M)
    following = re.search(r"Next: `([^`]+)`", section)
    assert code and exit_code and following, section
    is_cured = "yes" if "*Cured.*" in section else "no"
    anchor = re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
    shown = following[1].replace("|", "\\|")
    return f"| {number} | [{title}](#{anchor}) | `{code[0]}` | {exit_code[1]} | `{shown}` | {is_cured} |"

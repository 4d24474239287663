"""Pictures of a terminal for the documentation, drawn by rich, with no font from elsewhere: they work offline."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from tests.cli.terminals import Session
from tests.snapshots import WRITES

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
COLUMNS = 92


def on_stdout(line: str) -> Text:
    """Type a line at a terminal and return what it wrote to stdout, in its colours; dates are those of an example."""
    with Session((), columns=COLUMNS, command=["bash", "--norc", "-c", f"exec {line} 2>/dev/null"]) as session:
        raw = session.end().raw.replace("\r\n", "\n").rstrip("\n")
    return Text.from_ansi(re.sub(r"\d{4}([.-])\d{2}\1\d{2}", r"2026\g<1>11\g<1>23", raw))


def console() -> Console:
    """Return a console that remembers what is written to it."""
    settings: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
    return Console(record=True, file=StringIO(), force_terminal=True, width=COLUMNS, _environ={}, **settings)


def hold_picture(name: str, line: str, drawn: Console) -> None:
    """Compare with docs/pictures/NAME.svg; REINMAKER_UPDATE_SNAPSHOTS=1 (`make recorded`) draws it anew."""
    svg = drawn.export_svg(title=f"$ {line}", unique_id=name)
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.S).replace("Fira Code, monospace", "monospace")
    svg = re.sub(r"\s*<!--.*?-->", "", svg)
    assert re.search(r"@font-face|@import|href=|src=|url\([^#]", svg) is None
    file = PICTURES / f"{name}.svg"
    if WRITES:
        file.write_text(svg, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == svg, "`make recorded` draws it anew"

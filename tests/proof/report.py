"""The table of breaks in docs/proof.md: written by a full run, with the commit and the date that it is true of."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from tests.proof.breaks import BREAKS
from tests.proof.target import ROOT

BEGIN = "<!-- Written by `make proof-breaks`; not by hand. -->"
END = "<!-- End of what `make proof-breaks` writes. -->"


def write_table(file: Path, seen: Mapping[str, Mapping[str, str]]) -> None:
    """Write the rows of these breaks between the two marks, and keep the others, each with the commit it is true of.

    `seen` is break → peer → the first thing it saw, or "".
    """
    before, mark, rest = file.read_text("utf-8").partition(BEGIN)
    written, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"no marks in {file}")
    peers = list(next(iter(seen.values())))
    head = "| what is broken | " + " | ".join(peers) + " | at commit |"
    kept = _rows(written) if head in written else {}
    rows = kept | {name: _row(name, by_peer) for name, by_peer in seen.items()}
    kept_causes = _causes(written) if head in written else {}
    causes = kept_causes | {name: _cause(name, by_peer) for name, by_peer in seen.items()}
    lines = [
        *("● seen, – not seen.", "", head, "| --- |" + " :-: |" * len(peers) + " --- |"),
        *(rows[name] for name in BREAKS if name in rows),
        *("", "| what is broken | first seen as |", "| --- | --- |"),
        *(causes[name] for name in BREAKS if name in causes),
    ]
    file.write_text(before + "\n".join((BEGIN, "", *lines, "", END)) + after, encoding="utf-8")


def _rows(written: str) -> dict[str, str]:
    return {line[2:].partition(":")[0]: line for line in written.splitlines() if line[2:].partition(":")[0] in BREAKS}


def _causes(written: str) -> dict[str, str]:
    return {line[2:].partition(" ")[0]: line for line in written.splitlines() if line[2:].partition(" ")[0] in BREAKS}


def _row(name: str, by_peer: Mapping[str, str]) -> str:
    marks = " | ".join("●" if what else "–" for what in by_peer.values())
    return f"| {name}: {BREAKS[name].what} | {marks} | `{_commit()}`, {datetime.now(UTC):%Y-%m-%d} |"


def _cause(name: str, by_peer: Mapping[str, str]) -> str:
    peer, what = next(((peer, what) for peer, what in by_peer.items() if what), ("nobody", "nothing"))
    return f"| {name} | {peer}: {_cell(what)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _commit() -> str:
    words = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

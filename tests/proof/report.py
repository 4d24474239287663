"""The table of breaks in docs/proof.md: written by a full run, with the commit and the date that it is true of."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from tests.proof.breaks import BREAKS
from tests.proof.target import ROOT

BEGIN = "<!-- Written by `make proof-breaks`; not by hand. -->"
END = "<!-- End of what `make proof-breaks` writes. -->"


def write_table(file: Path, seen: Mapping[str, Mapping[str, str]]) -> None:
    """Put the table between its two marks; `seen` is break → peer → the first thing it saw, or ""."""
    before, mark, rest = file.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"no marks in {file}")
    file.write_text(before + "\n".join((BEGIN, "", *_lines(seen), "", END)) + after, encoding="utf-8")


def _lines(seen: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    peers = list(next(iter(seen.values())))
    when = f"at commit `{_commit()}` on {datetime.now(UTC):%Y-%m-%d}"
    yield f"{len(seen)} breaks, {len(peers)} tools, {when}. ● seen, – not seen."
    yield ""
    yield "| what is broken | " + " | ".join(peers) + " |"
    yield "| --- |" + " :-: |" * len(peers)
    for name, by_peer in seen.items():
        marks = " | ".join("●" if by_peer[peer] else "–" for peer in peers)
        yield f"| {name}: {BREAKS[name].what} | {marks} |"
    yield ""
    yield "| what is broken | first seen as |"
    yield "| --- | --- |"
    for name, by_peer in seen.items():
        peer, what = next(((peer, what) for peer, what in by_peer.items() if what), ("nobody", "nothing"))
        yield f"| {name} | {peer}: {_cell(what)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _commit() -> str:
    words = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

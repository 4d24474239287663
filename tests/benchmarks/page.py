"""docs/benchmarks.md: each part with the commit and date that its figures are of; a part that was not run stays."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from reinmaker_cli import __version__

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"

_HEAD = """\
# Benchmarks

Written by `make bench`: our command and another in turn, in one run, after a warm-up of each; medians, and ratios pair
by pair (ours / other, less is better). Trust the ratios, not the milliseconds. `make bench PART="start scan"` renews
only these parts; each says which commit its figures are of, and how busy the machine was when it began (its load over
1, 5 and 15 minutes: 0 is quiet, and more than its cores is crowded).
"""
_PART = re.compile(r"^<!-- part: ([a-z-]+) -->\n", re.MULTILINE)


def parts_of(text: str) -> dict[str, str]:
    """Return the parts of a document by name, each without its mark."""
    _, *marked = _PART.split(text)
    return dict(zip(marked[::2], (part.strip() for part in marked[1::2]), strict=True))


def part_text(title: str, lines: Sequence[str], took_s: float, load: tuple[float, float, float]) -> str:
    """Return one part as it is written down; `load` is how busy the machine was before it began."""
    commit = _git("rev-parse", "--short", "HEAD") + (" and changes" if _git("status", "--porcelain") else "")
    made = (
        f"reinmaker {__version__}, commit {commit}, {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()},"
        f" {os.cpu_count()} cores; load when it began {load[0]:.1f}, {load[1]:.1f}, {load[2]:.1f}; took {took_s:.0f} s."
    )
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return f"## {title}\n\n{made}\n\n{text}"


def write(renewed: Mapping[str, str], order: Sequence[str]) -> None:
    """Write the document: what was measured now, and of the other parts what it said before."""
    known = (parts_of(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}) | dict(renewed)
    body = "".join(f"\n<!-- part: {name} -->\n{known[name]}\n" for name in order if name in known)
    PAGE.write_text(_HEAD + body, encoding="utf-8")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=False, cwd=PAGE.parent).stdout.strip()

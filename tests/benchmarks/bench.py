"""What every part of the benchmark is given: a place, trees, and a table that is printed as it grows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.measure import HEAD, Comparison, Cost, Figures, compare, run

REINMAKER = str(Path(sys.executable).with_name("reinmaker"))
TOOLS = Path(sys.prefix) / "bench" / "bin"
"""Where `make bench` puts the tools that come from the Python package index."""


@dataclass
class Bench:
    """One run of the benchmark."""

    folder: Path
    """Thrown away at the end; HOME of all that is measured, so that its cache is there too."""
    text: list[str] = field(default_factory=list)
    """Lines of the part that is measured now."""

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of all that is measured."""
        return {"PATH": f"{os.environ['PATH']}:{TOOLS}", "HOME": str(self.folder), "LANG": "C.UTF-8"}

    def say(self, *lines: str) -> None:
        """Print lines, and keep them for the document."""
        print(*lines, sep="\n", flush=True)
        self.text += lines

    def table(self, comparisons: Sequence[Comparison]) -> list[Figures]:
        """Measure one after the other, and print each row when it is known."""
        self.say("", *HEAD)
        measured = []
        for comparison in comparisons:
            measured.append(compare(comparison, environment=self.environment))
            self.say(measured[-1].line())
        self.say("")
        return measured

    def run(self, command: Sequence[str]) -> Cost:
        """Run a command once."""
        return run(command, environment=self.environment)

    def tree(self, name: str) -> Path:
        """Return one of the trees of `trees.py`, made when it is first asked for, with its digests kept."""
        made = self.folder / name
        if not made.exists():
            # In a process of its own: a child's peak memory counts from what its parent held.
            words = [sys.executable, "-m", "tests.benchmarks.trees", str(made)]
            subprocess.run(words, check=True, env=self.environment)
        return made

    def remove(self, made: Path) -> None:
        """Remove a tree that no other part asks for."""
        shutil.rmtree(made)

    def has(self, tool: str, *, instead_of: str = "") -> bool:
        """Return whether a tool is here; one that is not is named as skipped."""
        if shutil.which(tool, path=self.environment["PATH"]) is not None:
            return True
        self.skip(instead_of or tool, f"`{tool}` is not installed")
        return False

    def skip(self, what: str, reason: str) -> None:
        """Say what is not measured, and why."""
        self.say(f"Not compared with {what}: {reason}.")

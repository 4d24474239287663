"""Texts that commands said, kept beside the test that compares with them."""

from __future__ import annotations

import inspect
import itertools
import os
import re
from pathlib import Path

from reinmaker_cli import __version__

WRITES = bool(os.environ.get("REINMAKER_UPDATE_SNAPSHOTS"))  # read before a fixture clears the variables


def in_order(text: str) -> str:
    """Return the text with verdicts that follow each other sorted: manifests are published at the same time."""
    runs = itertools.groupby(text.split("\n"), key=lambda line: line.startswith("verdict "))
    return "\n".join(line for is_verdict, run in runs for line in (sorted(run) if is_verdict else run))


def check_snapshot(name: str, text: str, folder: Path) -> None:
    """Compare with the file in snapshots/ beside the caller; REINMAKER_UPDATE_SNAPSHOTS=1 writes it anew.

    What differs from run to run is replaced: the folder, today's date, ids of clients, the version.
    """
    shown = re.sub(r"\d{4}([.-])\d{2}\1\d{2}", "<today>", text.replace(str(folder), "<folder>"))
    shown = re.sub(r"\bclient[A-Za-z0-9]{14}\b", "<client>", shown).replace(__version__, "<version>")
    assert "Traceback" not in shown
    file = Path(inspect.stack()[1].filename).parent / "snapshots" / f"{name}.txt"
    if WRITES:
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown)
    assert shown == file.read_text()

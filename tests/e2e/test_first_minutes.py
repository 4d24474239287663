"""A new user's first ten minutes: only the lines of the README, typed at a terminal in a clean home."""

import re

from tests.cli.terminals import needs_terminals
from tests.e2e.newcomer import ROOT, Newcomer, held_to, sessions

HEAD = """\
# The first ten minutes

<!-- Written by a test: REINMAKER_UPDATE_SNAPSHOTS=1 pytest tests/e2e/test_first_minutes.py -->

The lines of the [README](../README.md#first-ten-minutes), typed by a test at a terminal of 100 columns, in a new home
folder and without a network. Questions are answered with Enter. Dates, ids, ports and folders are replaced.

```console
"""


def typed_lines():
    """The lines of the README's session."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## First ten minutes\n(.*?)^## ", text, re.M | re.S)
    (session,) = sessions(section[1])
    return [line for line, _ in session]


@needs_terminals
def test_the_first_ten_minutes_are_as_they_were_recorded(reinmaker, tmp_path):
    newcomer = Newcomer(reinmaker, tmp_path)
    try:
        shown = [newcomer.shown(line) for line in typed_lines()]
    finally:
        newcomer.leave()
    held_to(ROOT / "docs" / "first-ten-minutes.md", HEAD + "\n\n".join(shown) + "\n```\n")

"""`reinmaker serve` with one thing broken: python -m tests.proof.broken_server BREAK serve --port 0 ..."""

from __future__ import annotations

import sys

from reinmaker_cli.cli.app import run_command_line
from tests.proof.breaks import BREAKS


def main() -> int:
    """Break it, then serve as the product does."""
    name, *words = sys.argv[1:]
    BREAKS[name].do()
    return run_command_line(words)


if __name__ == "__main__":
    sys.exit(main())

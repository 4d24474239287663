"""`make bench`: print each figure beside its aim, and write docs/benchmarks.md; `make bench PART="start scan"`."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks import page
from tests.benchmarks.bench import Bench

PARTS = {
    "start": "starting",
    "scan": "scanning",
    "build": "building",
    "million": "million",
    "publish": "publishing",
    "catalogue": "cataloguing",
    "health": "loaded",
    "serve": "serving",
    "deliver": "delivering",
    "size": "sizing",
}
"""Name -> module, which has a TITLE and `measure(bench)`; imported in its turn, so that this process stays small."""


def main(names: list[str]) -> None:
    """Run the parts, all of them where none is named; the document is written after each."""
    if unknown := [name for name in names if name not in PARTS]:
        sys.exit(f"no such part: {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="reinmaker-bench-") as folder:
        bench = Bench(Path(folder))
        for name in names or PARTS:
            part = importlib.import_module(f"tests.benchmarks.{PARTS[name]}")
            print(f"\n## {part.TITLE} ({name})", flush=True)
            bench.text, part_began, load = [], time.monotonic(), os.getloadavg()
            part.measure(bench)
            took_s = time.monotonic() - part_began
            page.write({name: page.part_text(part.TITLE, bench.text, took_s, load)}, list(PARTS))
            print(f"took {took_s:.0f} s", flush=True)
    print(f"\n{page.PAGE.name} is written; all of it took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])

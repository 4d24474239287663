"""The local server beside Prism and bare SQLite: requests a second, start, memory."""

from __future__ import annotations

from tests.benchmarks import throughput, trees
from tests.benchmarks.bench import Bench
from tests.benchmarks.load import CONNECTIONS

TITLE = "Serving"


def measure(bench: Bench) -> None:
    """Measure all of it, where Prism and wrk are."""
    why_not = throughput.why_not()
    if why_not is not None:
        bench.say(f"Throughput was not measured: {why_not}.")
        return
    manifest = bench.tree(trees.MANIFEST)
    bench.say(
        "One worker with `--limits off` beside Prism's mock of the same document. The load is made by `wrk`, in C:",
        f"{CONNECTIONS} connections that are kept, {throughput.SECONDS} s at a time and in turn; `taskset` gives it a",
        "processor and either server another. Ratios are ours / other, an aim says which way.",
        "",
        *throughput.HEAD,
        *(row.cells() for row in throughput.measure(bench.folder, bench.environment, manifest)),
    )

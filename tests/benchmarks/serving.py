"""The local server beside Prism and bare SQLite: requests a second, start, memory."""

from __future__ import annotations

from tests.benchmarks import throughput, trees
from tests.benchmarks.bench import Bench
from tests.benchmarks.load import CONNECTIONS

TITLE = "Serving"

_UNKNOWN = "no profile was made of it."
_BUSY = (
    "of processor time alone, in one earlier run beside other work, Prism took 6 to 7 times as much for a request"
    " (GET health 1.12 ms against 0.17, GET manifest 1.01 ms against 0.14). No run on an idle machine has shown it yet."
)
_WHY = {
    "GET health": _BUSY,
    "GET manifest": _BUSY,
    "POST manifest of 20 assets, durable": (
        "each manifest gets its verdict too while the next ones come in, and Prism checks a schema and stores nothing."
        " Of the processor's time for one, a third goes into its answer and two thirds into its verdict (profile of"
        " 1,000 manifests); most of either is SQLAlchemy, which executes some 18 statements in three transactions."
        " Larger batches of verdicts, not faster requests, are what is left to gain."
    ),
}
"""Row -> what a profile says of it, for rows that miss their aim."""


def measure(bench: Bench) -> None:
    """Measure all of it, where Prism and wrk are."""
    why_not = throughput.why_not()
    if why_not is not None:
        bench.say(f"Throughput was not measured: {why_not}.")
        return
    rows = throughput.measure(bench.folder, bench.environment, bench.tree(trees.MANIFEST))
    bench.say(
        "One worker with `--limits off` beside Prism's mock of the same document. The load is made by `wrk`, in C:",
        f"{CONNECTIONS} connections that are kept, {throughput.SECONDS} s at a time and in turn; `taskset` gives it a",
        "processor and either server another. Ratios are ours / other, an aim says which way.",
        "",
        *throughput.HEAD,
        *(row.cells() for row in rows),
        "",
        *(f"- {row.name} misses its aim: {_WHY.get(row.name, _UNKNOWN)}" for row in rows if not row.meets_aim),
    )

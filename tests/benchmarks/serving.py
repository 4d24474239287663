"""The local server beside Prism and bare SQLite: requests a second, start, memory."""

from __future__ import annotations

from tests.benchmarks import throughput, trees
from tests.benchmarks.bench import Bench
from tests.benchmarks.load import CONNECTIONS

TITLE = "Serving"

_UNKNOWN = "no profile was made of it."
_GET = (
    "without a connection, the application (routes, trace id, Host check, token, journal, header fields) takes 40 µs of"
    " processor time for GET health and 48 for a manifest, nowhere more than a tenth of it. The rest, 70 µs and more"
    " at the quietest rate so far (8,878/s and 7,313/s), is uvicorn, asyncio and the kernel: with an application that"
    " takes no time at all some 14,000/s would be reached, and 5 × Prism were 17,700. uvloop saved 7 of 49 µs under a"
    " bare uvicorn with one constant answer: a step, not the difference, for 3 MiB of the 80."
)
_EVENTS = (
    "a batch takes 5.5 ms of processor time: 1.5 its JSON with the rules of I-JSON, 0.5 the rules of events, 0.7 rows,"
    " and 2.5 the store, of which SQLite itself has 1.4; and besides it is received and answered."
)
_WHY = {
    "GET health": _GET,
    "GET manifest": _GET,
    "POST manifest of 20 assets, durable": (
        "each manifest gets its verdict too while the next ones come in, and Prism checks a schema and stores nothing."
        " Of the processor's time for one, a tenth goes into its rules, a fifth into taking it in and claiming it, and"
        " the rest into its verdict, which looks at each asset (400 manifests, one after the other). Verdicts that"
        " come together share a commit."
    ),
    "POST 500 events, durable, 1,000,000 stored": _EVENTS,
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

"""The local server beside Prism and bare SQLite: requests a second, start, memory."""

from __future__ import annotations

from tests.benchmarks import throughput, trees
from tests.benchmarks.bench import Bench
from tests.benchmarks.load import CONNECTIONS

TITLE = "Serving"

_UNKNOWN = "no profile was made of it."
_GET = (
    "of 52 µs of processor time for GET health and 67 for a manifest, 10 are spent in the kernel, 10 on reading a head,"
    " 20 and 30 in the application (routes, trace id, Host check, token, journal, header fields), nowhere more than a"
    " tenth of it. uvloop saves 2 of them. The same on a Python that was built with optimization by profile (Debian's;"
    " `make PYTHON=…`) takes four fifths."
)
_EVENTS = (
    "a batch takes 4.3 ms of processor time where nothing else is on the machine, and 4.9 beside the load on the next"
    " processor. Of the 4.3, 1.8 are to read and check it (1.0 its JSON with the rules of I-JSON, 0.35 the rules of"
    " events, 0.4 the text of what is stored), 1.9 to store it, of which SQLite itself has 1.2, and 0.6 to receive and"
    " answer it."
)
_WHY = {
    "GET health": _GET,
    "GET manifest": _GET,
    "POST manifest of 20 assets, durable": (
        "Prism checks a schema and stores nothing. A POST takes 0.65 ms of processor time: 0.24 to examine it, 0.05 to"
        " store it and as much for its part of a commit, which ten share, 0.06 for the one verdict that there is for"
        " twenty POSTs meanwhile; the rest is HTTP and the event loop. The other verdicts come when the load has ended,"
        " 1.1 ms each."
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

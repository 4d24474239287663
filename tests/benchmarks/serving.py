"""The local server: its health under load, and its throughput beside Prism and bare SQLite."""

from __future__ import annotations

from tests.benchmarks import health, throughput, trees
from tests.benchmarks.bench import Bench
from tests.benchmarks.load import CONNECTIONS

TITLE = "Serving"


def measure(bench: Bench) -> None:
    """Measure both; without Prism or wrk only the first."""
    manifest = bench.tree(trees.MANIFEST)
    bench.say(_health_sentence(health.measure(bench.folder, manifest, submissions=20, environment=bench.environment)))
    why_not = throughput.why_not()
    if why_not is not None:
        bench.say("", f"Throughput was not measured: {why_not}.")
        return
    bench.say(
        "",
        f"One worker with `--limits off` beside Prism's mock of the same document, both under `wrk` with {CONNECTIONS}",
        f"connections, {throughput.SECONDS} s at a time and in turn; ratios are ours / other, an aim says which way.",
        "",
        "| what | ours | other | its figure | ratio min / median / max | aim |",
        "| --- | --- | --- | --- | --- | --- |",
        *(row.cells() for row in throughput.measure(bench.folder, bench.environment, manifest)),
    )


def _health_sentence(watched: health.HealthFigures) -> str:
    answers = ", ".join(f"{number} × {status}" for status, number in sorted(watched.statuses.items()))
    return (
        f"`/v1/health`, asked every 20 ms while the server took 20 manifests of 100,000 assets ({answers}):"
        f" {watched.asked} answers, median {watched.median_ms:.0f} ms, worst {watched.worst_ms:.0f} ms (aim: 250 ms);"
        f" the server's process stayed under {watched.peak_mib:.0f} MiB."
    )

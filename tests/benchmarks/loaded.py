"""How the local server answers `/v1/health` while it has much to do."""

from __future__ import annotations

from tests.benchmarks import health, trees
from tests.benchmarks.bench import Bench

TITLE = "Health under load"


def measure(bench: Bench) -> None:
    """Watch the health while large manifests come in."""
    manifest = bench.tree(trees.MANIFEST)
    watched = health.measure(bench.folder, manifest, submissions=20, environment=bench.environment)
    answers = ", ".join(f"{number} × {status}" for status, number in sorted(watched.statuses.items()))
    bench.say(
        f"`/v1/health`, asked every 20 ms while the server took 20 manifests of 100,000 assets ({answers}):"
        f" {watched.asked} answers, median {watched.median_ms:.0f} ms, worst {watched.worst_ms:.0f} ms (aim: 250 ms);"
        f" the server's process stayed under {watched.peak_mib:.0f} MiB."
    )

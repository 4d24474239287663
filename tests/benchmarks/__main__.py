"""`make bench`: print each figure beside its aim, and write docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from reinmaker_cli import __version__
from tests.benchmarks import health, scanning, throughput, trees
from tests.benchmarks.load import CONNECTIONS
from tests.benchmarks.measure import Comparison, Figures, compare

REINMAKER = str(Path(sys.executable).with_name("reinmaker"))
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main() -> None:
    """Run every comparison and print the table."""
    with tempfile.TemporaryDirectory(prefix="reinmaker-bench-") as folder:
        environment = _environment(folder)
        wanted = [*_all(Path(folder)), *scanning.comparisons(Path(folder), environment)]
        figures = [compare(comparison, runs=runs, environment=environment) for comparison, runs in wanted]
        grown = scanning.growth(Path(folder), environment) if os.environ.get("REINMAKER_SOAK") == "1" else []
        watched = health.measure(Path(folder), Path(folder) / trees.MANIFEST, submissions=20, environment=environment)
        why_not = throughput.why_not()
        rows = [] if why_not else throughput.measure(Path(folder), environment, Path(folder) / trees.MANIFEST)
    table = "\n\n".join(
        [
            _table(figures),
            *(one.sentence() for one in grown),
            _health_sentence(watched),
            _throughput_table(rows, why_not),
        ]
    )
    print(table)
    PAGE.write_text(_page(table), encoding="utf-8")


def _all(folder: Path) -> list[tuple[Comparison, int]]:
    # In a process of its own: a child's peak memory counts from what its parent held.
    subprocess.run([sys.executable, "-m", "tests.benchmarks.trees", str(folder)], check=True)
    large, manifest = folder / trees.LARGE, folder / trees.MANIFEST
    cores = os.cpu_count() or 1
    openssl = f"find {shlex.quote(str(large))} -name '*.bin' -print0 | xargs -0 -P{cores} -n8 openssl dgst -sha256"
    nothing = [sys.executable, "-I", "-c", "pass"]
    load = ["-I", "-c", f"import json; json.load(open({str(manifest)!r}))"]
    return [
        (
            Comparison(
                "scan, 64 files of 32 MiB, wall",
                [REINMAKER, "scan", str(large), "--json", "--no-cache"],
                f"openssl dgst -sha256, xargs -P{cores}",
                ["sh", "-c", openssl],
                "wall",
                1 / 0.9,
            ),
            5,
        ),
        (Comparison("--version, CPU", [REINMAKER, "--version"], "python -I -c pass", nothing, "cpu", 2), 20),
        (Comparison("--help, CPU", [REINMAKER, "--help"], "python -I -c pass", nothing, "cpu", 8), 20),
        (Comparison("one TAB, CPU", _one_tab(), "python -I -c pass", nothing, "cpu", 8), 20),
        (
            Comparison(
                "check, manifest of 100,000 assets, CPU",
                [REINMAKER, "check", str(manifest), "--json"],
                "python json.load of it",
                [sys.executable, *load],
                "cpu",
                6,
            ),
            5,
        ),
    ]


def _one_tab() -> list[str]:
    """Return a shell that loads the completion script and completes `reinmaker pub`."""
    script = Path(__file__).parents[2] / "completions" / "reinmaker.bash"
    words = "COMP_WORDS=(reinmaker pub) COMP_CWORD=1; _reinmaker; test ${COMPREPLY[0]} = publish"
    return ["bash", "--norc", "-c", f"source {shlex.quote(str(script))}; {words}"]


def _environment(folder: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": folder, "LANG": "C.UTF-8"}


def _table(figures: list[Figures]) -> str:
    lines = [
        "| what | ours | other | its figure | ratio min / median / max | aim | peak MiB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in figures:
        unit = 1000
        aim = "" if row.comparison.aim is None else f"≤ {row.comparison.aim:.2f}"
        ratios = " / ".join(f"{ratio:.2f}" for ratio in row.ratio)
        lines.append(
            f"| {row.comparison.name} | {row.ours[1] * unit:.0f} ms | {row.comparison.other_name} |"
            f" {row.other[1] * unit:.0f} ms | {ratios} | {aim} | {row.peak_mib:.0f} |"
        )
    return "\n".join(lines)


def _health_sentence(watched: health.HealthFigures) -> str:
    answers = ", ".join(f"{number} × {status}" for status, number in sorted(watched.statuses.items()))
    return (
        f"`/v1/health`, asked every 20 ms while the server took 20 manifests of 100,000 assets ({answers}):"
        f" {watched.asked} answers, median {watched.median_ms:.0f} ms, worst {watched.worst_ms:.0f} ms (aim: 250 ms);"
        f" the server's process stayed under {watched.peak_mib:.0f} MiB."
    )


def _throughput_table(rows: list[throughput.Throughput], why_not: str | None) -> str:
    if why_not is not None:
        return f"Throughput was not measured: {why_not}."
    lines = [
        f"One worker with `--limits off` beside Prism's mock of the same document, both under `wrk` with {CONNECTIONS}",
        f"connections, {throughput.SECONDS} s at a time and in turn; ratios are ours / other, an aim says which way.",
        "",
        "| what | ours | other | its figure | ratio min / median / max | aim |",
        "| --- | --- | --- | --- | --- | --- |",
        *(row.cells() for row in rows),
    ]
    return "\n".join(lines)


def _page(table: str) -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return (
        "# Benchmarks\n\n"
        "Written by `make bench`: our command and another in turn, in one run, after a warm-up of each; medians, and\n"
        "ratios pair by pair (ours / other, less is better). Trust the ratios, not the milliseconds.\n\n"
        f"reinmaker {__version__}, commit {commit}, {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()},"
        f" {os.cpu_count()} cores.\n\n{table}\n"
    )


if __name__ == "__main__":
    main()

"""Run two commands in turn and compare what the operating system says they cost."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Cost:
    """What one run of a command cost, children included."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    """Resident memory of the largest single process."""


@dataclass(frozen=True)
class Comparison:
    """Our command beside another, measured in turn."""

    name: str
    ours: Sequence[str]
    other_name: str
    other: Sequence[str]
    unit: Literal["wall", "cpu"]
    aim: float | None
    """The ratio ours / other that we want to stay at or below; None where the figure is for information."""


@dataclass(frozen=True)
class Figures:
    """The outcome of a comparison: (min, median, max) each."""

    comparison: Comparison
    ours: tuple[float, float, float]
    other: tuple[float, float, float]
    ratio: tuple[float, float, float]
    peak_mib: float


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end, output thrown away, and return its cost; RuntimeError where it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"exit {process.returncode}: {' '.join(command)}")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def compare(comparison: Comparison, *, runs: int, environment: Mapping[str, str] | None = None) -> Figures:
    """Run both commands `runs` times, A B A B …, after one warm-up each; ratios are taken pair by pair."""
    pairs: list[tuple[Cost, Cost]] = []
    for number in range(runs + 1):
        pair = run(comparison.ours, environment=environment), run(comparison.other, environment=environment)
        if number:
            pairs.append(pair)
    ours = [_figure(cost, comparison.unit) for cost, _ in pairs]
    other = [_figure(cost, comparison.unit) for _, cost in pairs]
    return Figures(
        comparison,
        _spread(ours),
        _spread(other),
        _spread([a / b for a, b in zip(ours, other, strict=True)]),
        max(cost.peak_mib for cost, _ in pairs),
    )


def _figure(cost: Cost, unit: str) -> float:
    return cost.wall_s if unit == "wall" else cost.cpu_s


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return min(values), statistics.median(values), max(values)

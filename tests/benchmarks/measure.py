"""Run two commands in turn and compare what the operating system says they cost."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

HEAD = (
    "| what | ours | other | its figure | ratio min / median / max | aim | peak MiB |",
    "| --- | --- | --- | --- | --- | --- | --- |",
)
Spread = tuple[float, float, float]
"""Minimum, median, maximum."""


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
    aim: float | None = None
    """The ratio ours / other that we want to stay at or below; None where the figure is for information."""
    unit: Literal["wall", "cpu"] = "wall"
    runs: int = 5
    """Pairs that count."""
    warm_up: bool = True
    """Whether a pair goes before that does not count; False where one run takes a minute."""
    before: Sequence[str] = ()
    """Run before each run of either, and not counted."""


@dataclass(frozen=True)
class Figures:
    """The outcome of a comparison."""

    comparison: Comparison
    ours: Spread
    other: Spread
    ratio: Spread
    peak_mib: float

    def line(self) -> str:
        """Return the row of the table."""
        told = self.comparison
        ratios = " / ".join(f"{ratio:.2f}" for ratio in self.ratio)
        return (
            f"| {told.name} | {shown(self.ours[1])} | {told.other_name} | {shown(self.other[1])} | {ratios} |"
            f" {judged(self.ratio[1], told.aim)} | {self.peak_mib:.0f} |"
        )


def shown(seconds: float) -> str:
    """Return a time as people read it."""
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"


def judged(ratio: float, at_most: float | None) -> str:
    """Return the cell of the aim, which says where it was missed."""
    if at_most is None:
        return ""
    return f"≤ {at_most:.2f}" if ratio <= at_most else f"≤ {at_most:.2f}, **missed**"


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end, output thrown away, and return its cost; RuntimeError where it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - started
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        last = said.decode(errors="replace").strip()[-500:]
        raise RuntimeError(f"exit {process.returncode}: {' '.join(command)}\n{last}")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def compare(comparison: Comparison, *, environment: Mapping[str, str] | None = None) -> Figures:
    """Run both commands, A B A B …; ratios are taken pair by pair."""
    pairs: list[tuple[Cost, Cost]] = []
    for number in range(-1 if comparison.warm_up else 0, comparison.runs):
        costs = []
        for command in (comparison.ours, comparison.other):
            if comparison.before:
                run(comparison.before, environment=environment)
            costs.append(run(command, environment=environment))
        pair = costs[0], costs[1]
        if number >= 0:
            pairs.append(pair)
    ours = [_figure(cost, comparison.unit) for cost, _ in pairs]
    other = [_figure(cost, comparison.unit) for _, cost in pairs]
    return Figures(
        comparison,
        spread(ours),
        spread(other),
        spread(a / b for a, b in zip(ours, other, strict=True)),
        max(cost.peak_mib for cost, _ in pairs),
    )


def _figure(cost: Cost, unit: str) -> float:
    return cost.wall_s if unit == "wall" else cost.cpu_s


def spread(values: Iterable[float]) -> Spread:
    """Return minimum, median and maximum."""
    seen = sorted(values)
    return seen[0], statistics.median(seen), seen[-1]

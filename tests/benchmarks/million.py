"""How scan and build grow from 100,000 files in one manifest to 1,000,000 in 20."""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks import trees
from tests.benchmarks.bench import REINMAKER, Bench

TITLE = "A million files"
FEW, MANY = 100_000, 1_000_000
WITHIN = (8.0, 12.0)
MOST_MIB = 1200.0

_COMMANDS = {
    "scan, cold": ["scan", "--no-cache"],
    "scan, warm": ["scan"],
    "build, warm": ["build"],
}


@dataclass(frozen=True)
class Growth:
    """One command on ten times as many files."""

    name: str
    few_s: float
    many_s: float
    peak_mib: float

    def line(self) -> str:
        """Return the row of the table."""
        ratio = self.many_s / self.few_s
        is_met = WITHIN[0] <= ratio <= WITHIN[1] and self.peak_mib <= MOST_MIB
        return (
            f"| {self.name} | {self.few_s:.2f} s | {self.many_s:.2f} s | {ratio:.1f} | {self.peak_mib:.0f} |"
            f" 8 to 12, ≤ {MOST_MIB:.0f} MiB{'' if is_met else ', **missed**'} |"
        )


def measure(bench: Bench) -> None:
    """Measure once, in CPU seconds of all processes: it takes 4 GB of disk, and most of the time is making them."""
    few, many = bench.tree(trees.small_name(FEW)), bench.tree(trees.MILLION)
    bench.say(
        "",
        f"| CPU | {FEW:,} files | {MANY:,} in 20 manifests | ratio | peak MiB | aim |",
        "| --- | --- | --- | --- | --- | --- |",
    )
    for name, verb in _COMMANDS.items():
        words = [*verb, *(["-o", str(bench.folder / "built")] if verb == ["build"] else [])]
        small = bench.run([REINMAKER, *words, "--quiet", str(few)])
        large = bench.run([REINMAKER, *words, "--quiet", str(many)])
        bench.say(Growth(name, small.cpu_s, large.cpu_s, large.peak_mib).line())
    bench.remove(many)

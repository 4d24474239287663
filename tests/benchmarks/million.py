"""How scan and build grow from 100,000 files in one manifest to 1,000,000 in 20."""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks import trees
from tests.benchmarks.bench import REINMAKER, Bench

TITLE = "A million files"
FEW, MANY = 100_000, 1_000_000
MOST_TIMES = 12.0
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
        is_met = ratio <= MOST_TIMES and self.peak_mib <= MOST_MIB
        return (
            f"| {self.name} | {self.few_s:.2f} s | {self.many_s:.2f} s | {ratio:.1f} | {self.peak_mib:.0f} |"
            f" ≤ {MOST_TIMES:.0f}, ≤ {MOST_MIB:.0f} MiB{'' if is_met else ', **missed**'} |"
        )


def measure(bench: Bench) -> None:
    """Measure once, in CPU seconds of all processes; most of the time goes into making a million files."""
    few, many = bench.tree(trees.small_name(FEW)), bench.tree(trees.MILLION)
    bench.say(
        "The million are ten hard links to each of the 100,000.",
        "",
        f"| CPU | {FEW:,} files | {MANY:,} in 20 manifests | ratio | peak MiB | aim |",
        "| --- | --- | --- | --- | --- | --- |",
    )
    for name, verb in _COMMANDS.items():
        words = [*verb, *(["-o", f"{bench.folder / 'built'}/"] if verb == ["build"] else [])]
        small = bench.run([REINMAKER, *words, "--quiet", str(few)])
        large = bench.run([REINMAKER, *words, "--quiet", str(many)])
        bench.say(Growth(name, small.cpu_s, large.cpu_s, large.peak_mib).line())
    bench.remove(many)

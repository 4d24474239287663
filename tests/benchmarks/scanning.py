"""Scans of very many small files, cold and warm, beside what others do with the same files."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import trees
from tests.benchmarks.measure import Comparison

REINMAKER = str(Path(sys.executable).with_name("reinmaker"))
SIZES = (1_000, 10_000, 100_000)
LARGEST = SIZES[-1]

# What any program must do to find out that nothing changed.
_BARE_LOOP = """
import os, sys
waiting = [sys.argv[1]]
while waiting:
    with os.scandir(waiting.pop()) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            else:
                entry.stat(follow_symlinks=False)
"""


@dataclass(frozen=True)
class Growth:
    """One command on ten times as many files."""

    name: str
    few_s: float
    many_s: float
    peak_mib: float

    def sentence(self) -> str:
        """Return the outcome in words."""
        return (
            f"{self.name}: {self.few_s:.1f} s of CPU for 100,000 files, {self.many_s:.1f} s for 1,000,000 in 20"
            f" manifests ({self.many_s / self.few_s:.1f} ×; aim: 8 to 12), peak {self.peak_mib:.0f} MiB (aim: 1,200)."
        )


def comparisons(folder: Path, environment: Mapping[str, str]) -> list[tuple[Comparison, int]]:
    """Make the trees, fill the cache, and return what is to be compared, with the number of runs."""
    # In a process of its own: a child's peak memory counts from what its parent held.
    subprocess.run([sys.executable, "-m", "tests.benchmarks.trees", str(folder), "small"], check=True)
    found: list[tuple[Comparison, int]] = []
    for files in SIZES:
        tree = folder / trees.small_name(files)
        fill_cache(tree, environment)
        found += _both(tree, files, runs=5 if files == LARGEST else 9)
    return found + _others(folder, folder / trees.small_name(LARGEST), environment)


def fill_cache(tree: Path, environment: Mapping[str, str]) -> None:
    """Scan until every digest is kept: a file is, from two seconds after its last change on."""
    while True:
        said = subprocess.run(
            [REINMAKER, "scan", str(tree), "--json"], env=environment, capture_output=True, check=True
        )
        if json.loads(said.stdout)["stats"]["hashed"] == 0:
            return


def _both(tree: Path, files: int, *, runs: int) -> list[tuple[Comparison, int]]:
    cold = [REINMAKER, "scan", str(tree), "--quiet", "--no-cache"]
    warm = [REINMAKER, "scan", str(tree), "--quiet"]
    bare = [sys.executable, "-I", "-c", _BARE_LOOP, str(tree)]
    made = f"{files:,} files of 2 KiB"
    openssl = ["sh", "-c", _piped(tree, "openssl dgst -sha256")]
    is_due = files == LARGEST
    rows = [
        Comparison(
            f"scan, {made}, no probes, wall",
            [*cold, "--no-probe"],
            "openssl dgst -sha256",
            openssl,
            "wall",
            1.5 if is_due else None,
        ),
        Comparison(
            f"the same, CPU of all processes, {files:,}",
            [*cold, "--no-probe"],
            "openssl dgst -sha256",
            openssl,
            "cpu",
            None,
        ),
        Comparison(f"scan with probes, {files:,}, wall", cold, "openssl dgst -sha256", openssl, "wall", None),
        Comparison(f"warm scan, {made}, wall", warm, "bare scandir + stat", bare, "wall", 2 if is_due else None),
    ]
    if is_due:
        manifest = shlex.quote(str(tree.with_suffix(".json")))
        build = f"{REINMAKER} build {shlex.quote(str(tree))} -o {manifest} --quiet"
        check = f"{REINMAKER} check {shlex.quote(str(tree))} --quiet"
        rows += [
            Comparison("build of 100,000 assets, warm, wall", ["sh", "-c", build], "warm scan", warm, "wall", 3),
            Comparison("check of 100,000 assets, warm, wall", ["sh", "-c", check], "warm scan", warm, "wall", 3),
        ]
    return [(row, runs) for row in rows]


def _others(folder: Path, tree: Path, environment: Mapping[str, str]) -> list[tuple[Comparison, int]]:
    """Return the comparisons with tools that hash or watch a tree; one that is not here is said, and left out."""
    cold = [REINMAKER, "scan", str(tree), "--quiet", "--no-cache", "--no-probe"]
    warm = [REINMAKER, "scan", str(tree), "--quiet"]
    git = f"git --git-dir={shlex.quote(str(folder / 'bench.git'))} --work-tree={shlex.quote(str(tree))}"
    index = shlex.quote(str(folder / "bench.git"))
    commands: Sequence[tuple[str, Sequence[str], str, str]] = (
        ("scan", cold, "sha256sum", _piped(tree, "sha256sum")),
        ("scan", cold, "git add", f"rm -rf {index}; {git} init -q; {git} add -A"),
        ("warm scan", warm, "git status", f"{git} status --short"),
        ("scan", cold, "rclone hashsum", f"rclone hashsum sha256 {shlex.quote(str(tree))}"),
        ("scan", cold, "hashdeep", f"hashdeep -c sha256 -r {shlex.quote(str(tree))}"),
    )
    rows = []
    for name, ours, other, command in commands:
        tool = other.split()[0]
        if shutil.which(tool, path=environment["PATH"]) is None:
            print(f"not compared with {other}: `{tool}` is not installed", file=sys.stderr)
            continue
        rows.append(
            (Comparison(f"{name}, {LARGEST:,} files, wall", ours, other, ["sh", "-c", command], "wall", None), 3)
        )
    return rows


def _piped(tree: Path, command: str) -> str:
    return f"find {shlex.quote(str(tree / 'fx'))} -type f -print0 | xargs -0 {command}"


def growth(folder: Path, environment: Mapping[str, str]) -> list[Growth]:
    """Measure once how scan and build grow to 1,000,000 files in 20 manifests, which takes 4 GB of disk."""
    subprocess.run([sys.executable, "-m", "tests.benchmarks.trees", str(folder), "million"], check=True)
    few, many = folder / trees.small_name(LARGEST), folder / trees.MILLION
    fill_cache(many, environment)
    measured = []
    for name, words in (("scan, cold", ["scan", "--no-cache"]), ("scan, warm", ["scan"]), ("build, warm", ["build"])):
        few_s, _ = _cost([REINMAKER, *words, "--quiet", str(few)], environment)
        many_s, peak_mib = _cost([REINMAKER, *words, "--quiet", str(many)], environment)
        measured.append(Growth(name, few_s, many_s, peak_mib))
    return measured


def _cost(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Return CPU seconds of a command with all its children, and its own peak memory."""
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-c", script, *command], env=environment, capture_output=True, text=True, check=True
    )
    cpu_s, peak_mib = said.stdout.split()
    return float(cpu_s), float(peak_mib)

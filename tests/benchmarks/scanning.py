"""Scans, cold and warm, of large files and of very many small ones, beside what others do with the same files."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks import trees
from tests.benchmarks.bench import REINMAKER, Bench
from tests.benchmarks.measure import Comparison

TITLE = "Scanning"
SIZES = (1_000, 10_000, 100_000)
LARGEST = SIZES[-1]
DVC_FILES = 10_000  # dvc takes minutes for ten times as many

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

_WHERE_IT_GOES = """\
The warm scan of the smallest tree is nearly all start: the interpreter, the command line, the rules. What the largest
takes beyond that and the bare loop are Python's steps for each file: sort the names and look for ones that collide,
pack and compare the status, make the asset. Cold, opening, asking twice and closing a file costs more than its hash."""


def measure(bench: Bench) -> None:
    """Measure what `scan` costs, page cache warm, start-up included; cold is without the cache of digests."""
    bench.table([_large(bench.tree(trees.LARGE)), *_small(bench)])
    bench.say(_WHERE_IT_GOES, "", "The same files and other tools:")
    bench.table(list(_others(bench)))


def _large(tree: Path) -> Comparison:
    cores = os.cpu_count() or 1
    return Comparison(
        "cold scan, 64 files of 32 MiB",
        [REINMAKER, "scan", str(tree), "--quiet", "--no-cache"],
        f"openssl dgst -sha256, xargs -P{cores}",
        ["sh", "-c", piped(tree, f"-P{cores} -n8 openssl dgst -sha256")],
        aim=1 / 0.9,
    )


def _small(bench: Bench) -> Iterator[Comparison]:
    for files in SIZES:
        tree = bench.tree(trees.small_name(files))
        is_due = files == LARGEST
        openssl = ["sh", "-c", piped(tree, "openssl dgst -sha256")]
        cold = [REINMAKER, "scan", str(tree), "--quiet", "--no-cache"]
        made = f"{files:,} files of 2 KiB"
        yield Comparison(
            f"cold scan, {made}, no probes",
            [*cold, "--no-probe"],
            "openssl dgst -sha256",
            openssl,
            1.5 if is_due else None,
        )
        yield Comparison(f"cold scan, {made}, probes", cold, "openssl dgst -sha256", openssl)
        yield Comparison(
            f"warm scan, {made}",
            warm_scan(tree),
            "bare scandir + stat",
            [sys.executable, "-I", "-c", _BARE_LOOP, str(tree)],
            2 if is_due else None,
        )


def warm_scan(tree: Path) -> list[str]:
    """Return the command of a scan that finds all digests kept."""
    return [REINMAKER, "scan", str(tree), "--quiet"]


def _others(bench: Bench) -> Iterator[Comparison]:
    """Yield the comparisons with tools that hash or watch a tree; one that is not here is said, and left out."""
    tree = bench.tree(trees.small_name(LARGEST))
    cold = [*warm_scan(tree), "--no-cache", "--no-probe"]
    git = f"git --git-dir={shlex.quote(str(bench.folder / 'bench.git'))} --work-tree={shlex.quote(str(tree))}"
    index = shlex.quote(str(bench.folder / "bench.git"))
    kinds: Sequence[tuple[str, Sequence[str], str, str]] = (
        ("cold scan", cold, "sha256sum", piped(tree, "sha256sum")),
        ("cold scan", cold, "rclone hashsum", f"rclone hashsum sha256 {shlex.quote(str(tree))}"),
        ("cold scan", cold, "hashdeep", f"hashdeep -c sha256 -r {shlex.quote(str(tree))}"),
        ("cold scan", cold, "git add", f"rm -rf {index}; {git} init -q; {git} add -A"),
        ("warm scan", warm_scan(tree), "git status", f"{git} status --short"),
    )
    for name, ours, other, command in kinds:
        if bench.has(other.split()[0], instead_of=other):
            is_slow = other == "git add"  # a minute where the disk is slow
            yield Comparison(
                f"{name}, {LARGEST:,} files of 2 KiB",
                ours,
                other,
                ["sh", "-c", command],
                runs=2 if is_slow else 3,
                warm_up=not is_slow,
            )
    yield from _dvc(bench)


def _dvc(bench: Bench) -> Iterator[Comparison]:
    if not bench.has("dvc", instead_of="dvc add and dvc status"):
        return
    tree = bench.tree(trees.small_name(DVC_FILES))
    place = bench.folder / "dvc"
    # Links instead of copies: what is measured is the hashing, not the disk.
    again = (
        f"rm -rf {shlex.quote(str(place))}; mkdir {shlex.quote(str(place))}; cd {shlex.quote(str(place))};"
        f" dvc init -q --no-scm; dvc config core.analytics false; cp -rl {shlex.quote(str(tree))}/fx fx; dvc add -q fx"
    )
    files = f"{DVC_FILES:,} files of 2 KiB"
    cold = [*warm_scan(tree), "--no-cache", "--no-probe"]
    yield Comparison(f"cold scan, {files}", cold, "dvc add", ["sh", "-c", again], runs=2, warm_up=False)
    status = f"cd {shlex.quote(str(place))}; dvc status -q"
    yield Comparison(f"warm scan, {files}", warm_scan(tree), "dvc status", ["sh", "-c", status], runs=3)


def piped(tree: Path, words: str) -> str:
    """Return a shell command that gives all assets of a tree to a command, by xargs."""
    return f"find {shlex.quote(str(tree / 'fx'))} -type f -print0 | xargs -0 {words}"

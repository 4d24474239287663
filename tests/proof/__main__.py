"""Ask every peer about `reinmaker serve`: python -m tests.proof [--only NAME] [--breaks all|sample] [--report FILE]."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.proof.breaks import BREAKS
from tests.proof.peers.table import PEERS
from tests.proof.target import ServerFailed, Target, serving
from tests.proof.verdict import NotAsked, Peer, Verdict

AT_ONCE = 2
"""Peers at a time, each with a server of its own."""
SHOWN = 20
"""Failures of one peer that are printed."""
SAMPLE = ("wrong-type", "scope-ignored")
"""The breaks of every CI run: one that many see, and one that only the matrix can. The first that sees one is enough:
who else does is in the table, and asking all of them takes as long as the whole healthy server."""


@dataclass(frozen=True)
class Asked:
    """One peer, asked once."""

    peer: Peer
    verdict: Verdict
    seconds: float

    @property
    def is_green(self) -> bool:
        """True where it found nothing, and looked at enough."""
        return not self.verdict.failures and self.verdict.checks >= self.peer.at_least


def ask(peer: Peer, broken: str | None = None) -> Asked:
    """Ask one peer about a server of its own."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="reinmaker-proof-") as folder:
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        try:
            with serving(Path(folder) / "home", broken, tls=peer.tls) as target:
                verdict = _judged(peer, target, scratch)
        except (ServerFailed, NotAsked) as error:
            if broken is not None:
                raise  # the break is broken, or the tool: nothing was seen
            verdict = Verdict(0, (f"{type(error).__name__}: {error}",))
    return Asked(peer, verdict, time.monotonic() - started)


def _judged(peer: Peer, target: Target, scratch: Path) -> Verdict:
    try:
        return peer.judge(target, scratch)
    except NotAsked:
        raise
    except Exception as error:  # noqa: BLE001  (of a broken server anything may come; it is a failure, and is shown)
        return Verdict(0, (f"{type(error).__name__}: {str(error)[:2000]}",))


def ask_all(peers: Sequence[Peer]) -> bool:
    """Ask about a healthy server, print what each says, and return whether all are green."""
    asked = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for one in pool.map(ask, peers):
            asked.append(one)
            state = "ok" if one.is_green else "FAILED"
            print(f"{state:8}{one.peer.name}: {one.verdict.checks} checks, {one.seconds:.0f} s", flush=True)
            for line in (*one.verdict.notes, *one.verdict.failures[:SHOWN]):
                print("        " + line.replace("\n", "\n        "), flush=True)
    print(f"\n{'peer':<28}{'checks':>8}{'seconds':>9}")
    for one in asked:
        state = "" if one.is_green else "  FAILED"
        print(f"{one.peer.name:<28}{one.verdict.checks:>8}{one.seconds:>9.0f}{state}")
    checks = sum(one.verdict.checks for one in asked)
    print(f"{'all':<28}{checks:>8}", flush=True)
    return all(one.is_green for one in asked)


def break_all(names: Sequence[str], peers: Sequence[Peer]) -> dict[str, dict[str, str]]:
    """Ask the peers about each broken server; return break → peer → the first thing it saw, "" where it saw nothing."""
    seen: dict[str, dict[str, str]] = {name: {} for name in names}
    cases = [(name, peer) for name in names for peer in peers]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for (name, peer), one in zip(cases, pool.map(lambda case: _ask_broken(*case), cases), strict=True):
            seen[name][peer.name] = "" if one.is_green else _first(one)
            print(f"{name}: {peer.name}: {seen[name][peer.name] or 'not seen'}", flush=True)
    return seen


def _ask_broken(name: str, peer: Peer) -> Asked:
    try:
        return ask(peer, name)
    except NotAsked:
        return ask(peer, name)  # hours of work are not to end because the machine was busy for a moment


def break_until_seen(names: Sequence[str], peers: Sequence[Peer]) -> dict[str, dict[str, str]]:
    """Ask about each broken server until one has seen it; return as `break_all`."""
    seen: dict[str, dict[str, str]] = {name: {} for name in names}
    for name in names:
        for peer in peers:
            seen[name] |= break_all((name,), (peer,))[name]
            if seen[name][peer.name]:
                break
    return seen


def _first(one: Asked) -> str:
    failures = one.verdict.failures or (f"only {one.verdict.checks} checks",)
    return failures[0].splitlines()[0].strip()[:160]


def _possible(peers: Sequence[Peer]) -> list[Peer]:
    """Return the peers that this machine has programs for, and say which it has not; in CI all are possible."""
    lacking = {peer.name: [name for name in peer.needs if shutil.which(name) is None] for peer in peers}
    if os.environ.get("REINMAKER_PROOF") == "complete":
        return list(peers)
    for name, programs in lacking.items():
        if programs:
            print(f"skipped {name}: no {' and no '.join(programs)} on this machine", flush=True)
    return [peer for peer in peers if not lacking[peer.name]]


def main() -> int:
    """Ask, print, and say by the exit code whether all was as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof")
    parser.add_argument("--only", action="append", default=[], help="a peer; may be given several times")
    parser.add_argument("--breaks", default="none", help="all, sample, none, or names with commas between them")
    parser.add_argument("--report", type=Path, help="where the table of breaks goes")
    options = parser.parse_args()
    peers = _possible([peer for peer in PEERS if not options.only or peer.name in options.only])
    if options.breaks not in ("none", "sample"):
        peers = [peer for peer in peers if peer.looks_at_server]
    # A tool that is red about a healthy server says nothing by being red about a broken one.
    if not ask_all(peers):
        return 1
    if options.breaks == "none":
        return 0
    names = {"all": tuple(BREAKS), "sample": SAMPLE}.get(options.breaks, tuple(options.breaks.split(",")))
    watching = [peer for peer in peers if peer.looks_at_server]
    seen = (break_until_seen if options.breaks == "sample" and not options.report else break_all)(names, watching)
    unseen = [name for name in names if not any(seen[name].values())]
    if options.report:
        from tests.proof.report import write_table

        write_table(options.report, seen)
    print(
        f"{len(names) - len(unseen)} of {len(names)} breaks were seen"
        + "".join(f"\nNOT SEEN: {name}" for name in unseen)
    )
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())

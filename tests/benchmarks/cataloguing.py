"""A year of lessons: how fast it goes under the limits, and how the cost grows with the number of manifests."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks import trees
from tests.benchmarks.bench import REINMAKER, Bench
from tests.benchmarks.catalogue import GETS_A_MINUTE, POSTS_A_MINUTE, Ended, Stage, killed_instants, stage

TITLE = "A year of lessons"
SIZES = (1, 100, trees.A_YEAR)
MOST_REQUESTS = 20
SHARE = 0.95
KILLS = 3


def measure(bench: Bench) -> None:
    """Measure once: the limits are the contract's, on a clock that is moved, so the rates are exact."""
    bench.say(
        "",
        "| manifests | files | build, warm | check, warm | publish | again | peak MiB of each |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    )
    for manifests in SIZES:
        tree = bench.tree(trees.catalogue_name(manifests))
        build = bench.run([REINMAKER, "build", "--quiet", str(tree)])
        check = bench.run([REINMAKER, "check", "--quiet", str(tree)])
        with stage(bench.folder / f"server-{manifests}", bench.environment) as held:
            first, again = held.publish(tree), held.publish(tree)
            bench.say(
                f"| {manifests:,} | {15 * manifests:,} | {build.cpu_s:.2f} s | {check.cpu_s:.2f} s |"
                f" {first.cpu_s:.1f} s | {again.cpu_s:.2f} s |"
                f" {build.peak_mib:.0f}, {check.peak_mib:.0f}, {first.peak_mib:.0f}, {again.peak_mib:.0f} |"
            )
            if manifests == SIZES[-1]:
                bench.say("", "CPU seconds of the client.", "")
                _say_rates(bench, held, tree, first, again)
    bench.say("", _killed(bench, bench.tree(trees.catalogue_name(SIZES[-1]))), "")


def _say_rates(bench: Bench, held: Stage, tree: Path, first: Ended, again: Ended) -> None:
    held.refuse_listing()
    asked = held.publish(tree)
    refused = first.refused + again.refused + asked.refused
    posts, gets = first.manifests_a_minute / POSTS_A_MINUTE, asked.manifests_a_minute / GETS_A_MINUTE
    bench.say(
        f"{SIZES[-1]:,} manifests against `serve --clock virtual`, whose clock each pause of the client moves:",
        "",
        "| what | figure | aim |",
        "| --- | --- | --- |",
        f"| answers that were 429 | {refused} | 0{_missed(refused == 0)} |",
        f"| first publication, of {POSTS_A_MINUTE} POSTs/min | {posts:.0%}, {first.minutes:.1f} min |"
        f" ≥ {SHARE:.0%}{_missed(posts >= SHARE)} |",
        f"| again, nothing changed | {again.requests} requests |"
        f" ≤ {MOST_REQUESTS}{_missed(again.requests <= MOST_REQUESTS)} |",
        f"| again, the listing refused, of {GETS_A_MINUTE} GETs/min | {gets:.0%}, {asked.minutes:.1f} min |"
        f" ≥ {SHARE:.0%}{_missed(gets >= SHARE)} |",
        "",
        "More than 100 %: the first window is used at once, and counts for nothing afterwards.",
    )


def _killed(bench: Bench, tree: Path) -> str:
    """Return what came of a publication that was killed at three instants and started again each time."""
    with stage(bench.folder / "server-killed", bench.environment) as held:
        for submitted in killed_instants(SIZES[-1], KILLS):
            held.kill_after(tree, submitted)
        ended, found = held.publish(tree), held.submissions()
    once = len({manifest_id for manifest_id, status in found if status == "active"})
    is_met = once == len(found) == SIZES[-1] and ended.refused == 0
    return (
        f"Killed with SIGKILL {KILLS} times under way and started again: {len(found):,} submissions of {once:,} active"
        f" manifests, {ended.refused} answers 429 (aim: each manifest once{_missed(is_met)})."
    )


def _missed(is_met: bool) -> str:
    return "" if is_met else ", **missed**"

"""`reinmaker scan`: the assets of a folder and everything that is wrong with them."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from reinmaker_cli.cli.findings import require_clean, summary_of
from reinmaker_cli.cli.options import Allow, Folders, Watch
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import counted, human_size
from reinmaker_cli.cli.verbs import FOLDER, verb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reinmaker_cli.assets.project import Project
    from reinmaker_cli.assets.scan import Asset, Scan
    from reinmaker_cli.cli.output import Output


@verb(flags=FOLDER)
def scan(
    run: Run,
    paths: Folders = None,
    ignored: Annotated[bool, typer.Option("--ignored", help="List what was passed over, and why.")] = False,
    no_probe: Annotated[bool, typer.Option("--no-probe", help="Read no metadata from images and audio.")] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Counts by type and locale, and which persona lacks which locale.")
    ] = False,
    allow: Allow = None,
    watch: Watch = False,
) -> None:
    """List the assets of a folder: type, size, hash; and everything that is wrong with them. Offline."""
    from reinmaker_cli.cli.folders import scan_folders

    def look() -> tuple[tuple[Project, Scan], ...]:
        return scan_folders(run, paths or [], probe=not no_probe, allow=allow or [], needs_project=False)

    if watch:
        _watch(run, paths or [], lambda: [one for _, one in look()], with_ignored=ignored)
    scanned = look()
    scans = [one for _, one in scanned]
    run.output.add(stats=stats_of(scans))
    if run.output.wants_document:
        run.output.add(**_as_json(scans, with_ignored=ignored))
    for one in scans:
        run.output.ids(map(attrgetter("id"), one.assets))
        if run.output.shows_data and not summary:
            _show(run, one, with_ignored=ignored)
    if summary:
        _summarise(run, scanned)
    findings = [finding for one in scans for finding in one.findings]
    run.output.findings(findings, scans[0].root if len(scans) == 1 else None)
    run.output.note(_conclusion(scans), f"{summary_of(findings)}; next: `{run.again('check')}`")
    require_clean(findings)


def _summarise(run: Run, scanned: Sequence[tuple[Project, Scan]]) -> None:
    from reinmaker_cli.cli.summary import show_summary, summarise

    found = summarise(scanned, run.environment.name)
    run.output.add(summary=found.to_json())
    show_summary(run.output, found)


def _watch(run: Run, paths: Sequence[Path], look: Callable[[], list[Scan]], *, with_ignored: bool) -> NoReturn:
    from reinmaker_cli.cli.watch import Look, require_no_document, watch_folders

    require_no_document(run)
    is_first = True

    def look_once() -> Look:
        scans = look()
        return Look(scans, [finding for one in scans for finding in one.findings], lambda: show(scans))

    def show(scans: Sequence[Scan]) -> None:
        nonlocal is_first
        if is_first:
            is_first = False
            for one in scans:
                run.output.ids(asset.id for asset in one.assets)
                _show(run, one, with_ignored=with_ignored)
        run.output.note(_conclusion(scans))

    watch_folders(run, paths, look_once)


def stats_of(scans: Sequence[Scan]) -> dict[str, int]:
    """Return the `stats` of the document: how much was looked at."""
    names = ("files", "bytes", "hashed", "cached")
    return {name: sum(getattr(scan.stats, name) for scan in scans) for name in names}


def show_manifests(output: Output, results: Sequence[Mapping[str, Any]]) -> None:
    """Show a row for each manifest of the document's `results`."""
    rows = [
        [
            row["manifestId"],
            row["version"],
            counted(row["assets"]["count"], "asset"),
            human_size(row["assets"]["bytes"]),
        ]
        for row in results
    ]
    output.table(rows, head=("manifest", "version", "assets", "size"), right=frozenset({2, 3}))


def _show(run: Run, scan: Scan, *, with_ignored: bool) -> None:
    rows = [
        [asset.type, human_size(asset.bytes), asset.sha256[:8], asset.path]
        for asset in sorted(scan.assets, key=lambda asset: asset.path)
    ]
    run.output.table(rows, head=("type", "size", "sha256", "path"), right=frozenset({1}))
    if with_ignored and scan.ignored:
        run.output.data("", "passed over:")
        run.output.table([[f"  {path}", reason] for path, reason in scan.ignored])


def _conclusion(scans: Sequence[Scan]) -> str:
    count = sum(len(scan.assets) for scan in scans)
    size = sum(sum(map(attrgetter("bytes"), scan.assets)) for scan in scans)
    text = f"{counted(count, 'asset')}, {human_size(size)}"
    passed_over = sum(len(scan.ignored) for scan in scans)
    return f"{text}; {counted(passed_over, 'file')} passed over (`--ignored` lists them)" if passed_over else text


def _as_json(scans: Sequence[Scan], *, with_ignored: bool) -> dict[str, Any]:
    """Return one flat list of assets; where there are several folders, each asset names its own."""
    several = len(scans) > 1
    labels = [{"folder": scan.root.as_posix()} if several else {} for scan in scans]
    document: dict[str, Any] = {
        "folders": [scan.root.as_posix() for scan in scans],
        "assets": [
            label | _asset_json(asset) for label, scan in zip(labels, scans, strict=True) for asset in scan.assets
        ],
        "ignoredCount": sum(len(scan.ignored) for scan in scans),
    }
    if with_ignored:
        document["ignored"] = [
            label | {"path": path, "reason": reason}
            for label, scan in zip(labels, scans, strict=True)
            for path, reason in scan.ignored
        ]
    return document


def _asset_json(asset: Asset) -> dict[str, Any]:
    return {
        "path": asset.path,
        "id": asset.id,
        "type": asset.type,
        "sha256": asset.sha256,
        "bytes": asset.bytes,
        "metadata": dict(asset.metadata),
        "captures": dict(asset.captures),
    }

"""`reinmaker diff`: what publishing would change, against a file or against what is active."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reinmaker_cli.cli.files import files_and_folders
from reinmaker_cli.cli.findings import require_clean
from reinmaker_cli.cli.options import FoldersOrManifests, Only
from reinmaker_cli.cli.pictures import Branch, tree_lines
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Cell, Line, Styled, counted, human_size
from reinmaker_cli.cli.verbs import PUBLISH, verb
from reinmaker_cli.cli.verdicts import wants_yes
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ContentDiffers, UsageError

if TYPE_CHECKING:
    from reinmaker_cli.manifest.assemble import Manifest
    from reinmaker_cli.manifest.diff import AssetChange, AssetSide, Difference

FEW = 50
"""Manifests, up to which each is shown in detail; of more a table, and the details with --verbose."""

Olds = Mapping[str, Mapping[str, Any] | None]
"""manifestId → the document to compare with; None where there is none."""


@verb(flags=tuple(flag for flag in PUBLISH if flag != "deadline"))
def diff(
    run: Run,
    paths: FoldersOrManifests = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="FILE|DIR", help="Compare with this manifest; without it, with the server."),
    ] = None,
    only: Only = None,
) -> None:
    """Show what publishing would change. Exit 9 where something would, 0 where nothing would."""
    manifests = _new_manifests(run, paths or [], only or [])
    olds = _from_files(against, manifests) if against is not None else _from_server(run, manifests)
    from reinmaker_cli.manifest.diff import diff_manifests

    is_many = len(manifests) > FEW
    results: list[dict[str, Any]] = []
    rows: list[list[Cell]] = []
    new_bytes = removed = 0
    for manifest in manifests:
        old = olds[manifest.manifest_id]
        difference = diff_manifests(old, manifest.document)
        results.append(_as_json(manifest, old, difference))
        if not difference.is_empty:
            rows.append(_row(manifest, old, difference))
            new_bytes += difference.new_bytes
        if not is_many or run.settings.verbose:
            _show(run, manifest, old, difference)
        removed += len(difference.removed) if old is not None else 0
    differing = len(rows)
    if is_many:
        run.output.table(rows, head=("manifest", "against", "changes", "to upload"), right=frozenset({3}))
        run.output.data(f"{differing:,} of {counted(len(manifests), 'manifest')}; {human_size(new_bytes)} to upload")
    run.output.add(results=results)
    run.output.ids(row["manifestId"] for row in results if not row["same"])
    if differing:
        raise ContentDiffers(
            f"{differing} of {counted(len(manifests), 'manifest')} would change",
            code=codes.CONTENT_DIFFERS,
            hint=f"`{run.again('publish')}` does it{wants_yes(run, removed)}",
        )
    run.output.note(f"{counted(len(manifests), 'manifest')}: nothing would change")


def _new_manifests(run: Run, paths: Sequence[Path], only: Sequence[str]) -> list[Manifest]:
    from reinmaker_cli.cli.assets import stats_of
    from reinmaker_cli.cli.folders import load_drafts, today_version
    from reinmaker_cli.manifest.document import load_manifest

    files, folders = files_and_folders(run, paths)
    manifests = [load_manifest(file) for file in files]
    if folders or not files:
        loaded = load_drafts(run, folders, only=only)
        run.output.add(stats=stats_of(loaded.scans))
        run.output.findings(loaded.findings, loaded.only_root)
        require_clean(loaded.findings)
        manifests += [draft.at(draft.version or today_version()) for draft in loaded.drafts]
    return manifests


def _from_files(against: Path, manifests: Sequence[Manifest]) -> Olds:
    """Return the documents of a file, or of all manifests in a folder, by id."""
    from reinmaker_cli.manifest.document import load_manifest

    if not against.is_dir():
        old = load_manifest(against)
        if len(manifests) == 1:
            return {manifests[0].manifest_id: old.document}
        found: dict[str, Mapping[str, Any] | None] = {old.manifest_id: old.document}
    else:
        loaded = [load_manifest(file) for file in sorted(against.glob("*.json"))]
        found = {manifest.manifest_id: manifest.document for manifest in loaded}
    if not any(manifest.manifest_id in found for manifest in manifests):
        raise UsageError(
            f"`{against}` holds none of these manifests", code=codes.USAGE, hint="name the file, or the folder of files"
        )
    return {manifest.manifest_id: found.get(manifest.manifest_id) for manifest in manifests}


def _from_server(run: Run, manifests: Sequence[Manifest]) -> Olds:
    """Return the active document of each manifest."""
    from reinmaker_cli.cli.access import open_run_api
    from reinmaker_cli.client.compare import active_documents
    from reinmaker_cli.client.patience import Patience

    def new_patience() -> Patience:
        return Patience(run.settings.timeout, world=run.world)

    olds: dict[str, Mapping[str, Any] | None] = {}
    with open_run_api(run) as api:
        for name, document in active_documents(manifests, api, new_patience):
            olds[name] = document
            run.output.progress.doing(f"compared {len(olds):,} of {counted(len(manifests), 'manifest')}")
    run.output.stop_progress()
    return olds


def _row(manifest: Manifest, old: Mapping[str, Any] | None, difference: Difference) -> list[Cell]:
    """Return a line of the table that stands for the details where there are many manifests."""
    changed = len(difference.changed) + len(difference.fields)
    counts = (("+", len(difference.added)), ("~", changed), ("-", len(difference.removed)))
    changes = " ".join(f"{sign}{number}" for sign, number in counts if number)
    state: Cell = Styled("green", "new") if old is None else str(old.get("version"))
    return [manifest.manifest_id, state, changes, human_size(difference.new_bytes) if difference.new_bytes else ""]


def _show(run: Run, manifest: Manifest, old: Mapping[str, Any] | None, difference: Difference) -> None:
    output = run.output
    if difference.is_empty:
        output.verbose(f"{manifest.manifest_id}: the same content")
        return
    state = "new" if old is None else f"against version {old.get('version')}"
    if output.columns is None:
        output.data((Styled("bold", manifest.manifest_id), f": {state}"), *difference_lines(difference))
    else:
        head = Styled("bold", f"{manifest.manifest_id}: {state}")
        output.data(*tree_lines([Branch(head, None, difference_branches(difference, manifest.files))], output.columns))
    for change in difference.moved_bytes:
        output.warn(f"`{change.id}` changed and keeps its URL", codes.ASSET_IMMUTABLE.cure)


def difference_lines(difference: Difference) -> Iterator[Line]:
    """Yield a line for each asset and field that changes; assets whose bytes change show both."""
    for side in difference.removed:
        yield Styled("red", f"  - {_side(side)}")
    for side in difference.added:
        yield Styled("green", f"  + {_side(side)}")
    for change in difference.changed:
        yield Styled("yellow", f"  ~ {change.id}: {', '.join(change.members)}")
        if "hash" in change.members:
            yield (
                f"      {change.old.sha256[:12]}, {human_size(change.old.bytes)}"
                f" → {change.new.sha256[:12]}, {human_size(change.new.bytes)}"
            )
    for field in difference.fields:
        yield f"  ~ {field.pointer}: {_value(field.old)} → {_value(field.new)}"


def difference_branches(
    difference: Difference, files: Mapping[str, str], most: int | None = None
) -> tuple[Branch, ...]:
    """Return what changes as branches of a tree, by folder; `files` leads from URLs to paths, `most` bounds them."""
    leaves = [(_place(side, files), "red", "-", side.bytes, "") for side in difference.removed]
    leaves += [(_place(side, files), "green", "+", side.bytes, "") for side in difference.added]
    leaves += [
        (_place(change.new, files), "yellow", "~", change.new.bytes, f"  {_what_changes(change)}")
        for change in difference.changed
    ]
    folders: dict[str, list[Branch]] = {}
    for path, style, sign, size, more in sorted(leaves)[:most]:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, []).append(Branch(Styled(style, f"{sign} {name}{more}"), size))  # type: ignore[arg-type]
    branches = [*folders.pop("", [])]
    branches += [
        Branch(f"{folder}/", sum(one.size_bytes or 0 for one in inside), tuple(inside))
        for folder, inside in folders.items()
    ]
    if most is not None and len(leaves) > most:
        branches.append(Branch(f"and {len(leaves) - most:,} more"))
    fields = [f"~ {one.pointer}: {_value(one.old)} → {_value(one.new)}" for one in difference.fields]
    return (*branches, *(Branch(Styled("yellow", text)) for text in fields))


def _place(side: AssetSide, files: Mapping[str, str]) -> str:
    return files.get(side.url, side.id)


def _what_changes(change: AssetChange) -> str:
    grown = change.new.bytes - change.old.bytes
    size = f", {'+' if grown > 0 else '-'}{human_size(abs(grown))}" if grown else ""
    return ", ".join(change.members) + size


def _side(side: AssetSide) -> str:
    return f"{side.id}  {human_size(side.bytes)}  {side.url}"


def _value(value: Any) -> str:
    import json

    text = "absent" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "…"


def _as_json(manifest: Manifest, old: Mapping[str, Any] | None, difference: Difference) -> dict[str, Any]:
    return {
        "manifestId": manifest.manifest_id,
        "version": manifest.version,
        "against": None if old is None else str(old.get("version")),
        "same": difference.is_empty,
        "added": [_side_json(side) for side in difference.added],
        "removed": [_side_json(side) for side in difference.removed],
        "changed": [
            {"id": one.id, "members": list(one.members), "old": _side_json(one.old), "new": _side_json(one.new)}
            for one in difference.changed
        ],
        "fields": [{"pointer": one.pointer, "old": one.old, "new": one.new} for one in difference.fields],
        "movedBytes": [one.id for one in difference.moved_bytes],
    }


def _side_json(side: AssetSide) -> dict[str, Any]:
    return {"id": side.id, "url": side.url, "sha256": side.sha256, "bytes": side.bytes}

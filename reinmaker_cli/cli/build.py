"""`reinmaker build`: a folder into manifest files, offline."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reinmaker_cli.cli.findings import require_clean
from reinmaker_cli.cli.options import Allow, Folders, Only, Watch
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import counted
from reinmaker_cli.cli.verbs import FOLDER, verb

if TYPE_CHECKING:
    from reinmaker_cli.cli.folders import Loaded
    from reinmaker_cli.manifest.assemble import Manifest

STDOUT = "-"


@verb(flags=FOLDER)
def build(
    run: Run,
    paths: Folders = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE|DIR|-", help="Where the manifests go; several need a folder."),
    ] = None,
    copy_plan: Annotated[
        str | None,
        typer.Option("--copy-plan", metavar="FILE|-", help="Write a line per asset: local path TAB URL."),
    ] = None,
    only: Only = None,
    allow: Allow = None,
    watch: Watch = False,
) -> None:
    """Scan a folder and assemble its manifests. Offline; the same folder gives the same bytes."""
    from reinmaker_cli.cli.folders import load_drafts

    for flag, target in (("-o -", output), ("--copy-plan -", copy_plan)):
        if target == STDOUT:
            run.output.claim_stdout(flag)

    def look() -> Loaded:
        return load_drafts(run, paths or [], only=only or [], allow=allow or [])

    if watch:
        from reinmaker_cli.cli.watch import Look, require_no_document, watch_folders

        def look_once() -> Look:
            loaded = look()
            return Look(loaded.scans, loaded.findings, lambda: _make(run, loaded, output, copy_plan))

        require_no_document(run)
        watch_folders(run, paths or [], look_once)
    loaded = look()
    run.output.findings(loaded.findings, loaded.only_root)
    _make(run, loaded, output, copy_plan)


def _make(run: Run, loaded: Loaded, output: str | None, copy_plan: str | None) -> None:
    """Make and write the manifests, unless something is wrong with them."""
    from reinmaker_cli.cli.assets import stats_of
    from reinmaker_cli.cli.folders import today_version

    run.output.add(stats=stats_of(loaded.scans))
    today = today_version()
    manifests = [draft.at(draft.version or today) for draft in loaded.drafts]
    results = [_as_json(manifest, with_digests=run.output.wants_results) for manifest in manifests]
    run.output.add(results=results)
    require_clean(loaded.findings)
    if any(draft.version is None for draft in loaded.drafts):
        run.output.note(f"version auto: {today}, today's date; publishing asks the server which one is free")
    files = _write_manifests(run, manifests, output)
    for row in results:
        if row["manifestId"] in files:
            row["file"] = files[row["manifestId"]].as_posix()
    if copy_plan is not None:
        _write_copy_plan(run, loaded, copy_plan)
    run.output.ids(manifest.manifest_id for manifest in manifests)
    _show(run, loaded, results, output)


def _write_manifests(run: Run, manifests: Sequence[Manifest], target: str | None) -> dict[str, Path]:
    """Write the manifests and return where each went; nothing where no target was named."""
    from reinmaker_cli.cli.files import is_one_file, make_folder, write_pieces

    if target is None:
        return {}
    if target == STDOUT:
        for manifest in manifests:
            run.output.raw(manifest.to_bytes())
        return {}
    path = Path(target)
    if is_one_file(target, len(manifests), run.instead):
        files = {manifests[0].manifest_id: path}
    else:
        make_folder(path)
        files = {manifest.manifest_id: path / f"{manifest.manifest_id}.json" for manifest in manifests}
    for manifest in manifests:
        write_pieces(files[manifest.manifest_id], manifest.to_pieces())
    return files


def _write_copy_plan(run: Run, loaded: Loaded, target: str) -> None:
    from reinmaker_cli.cli.files import write_result
    from reinmaker_cli.manifest.assemble import copy_plan

    lines = (line for draft, root in loaded.roots for line in copy_plan([draft], root))
    text = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    if target == STDOUT:
        run.output.raw(text)
    else:
        write_result(Path(target), text)


def _show(run: Run, loaded: Loaded, results: Sequence[Mapping[str, Any]], target: str | None) -> None:
    from reinmaker_cli.cli.assets import show_manifests

    show_manifests(run.output, results)
    if target is None:
        run.output.note("nothing was written: `-o FILE|DIR|-` writes the manifests", f"next: `{run.again('rehearse')}`")
    elif target != STDOUT:
        run.output.note(f"wrote {counted(len(results), 'manifest')} to {target}")
        if loaded.only_root is not None:
            run.output.note(f"next: `{_publication(target, loaded.only_root, run.settings.env)}`")


def _publication(target: str, root: Path, environment: str) -> str:
    """Return the command that publishes what was written, and refuses a folder that has changed since."""
    files = shlex.quote(target.rstrip("/")) + ("/*.json" if Path(target).is_dir() else "")
    chosen = f" --env {shlex.quote(environment)}" if environment != "local" else ""
    return f"reinmaker publish {files} --root {shlex.quote(str(root))}{chosen}"


def _as_json(manifest: Manifest, *, with_digests: bool) -> dict[str, Any]:
    document: dict[str, Any] = {"manifestId": manifest.manifest_id, "version": manifest.version}
    if with_digests:
        document |= {"digest": manifest.digest, "contentDigest": manifest.content_digest}
    assets = manifest.document["assets"]
    document["assets"] = {"count": len(assets), "bytes": sum([asset["bytes"] for asset in assets])}
    return document

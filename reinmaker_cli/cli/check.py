"""`reinmaker check`: everything that is wrong, in folders and in manifest files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reinmaker_cli.cli.files import files_and_folders
from reinmaker_cli.cli.findings import require_clean, summary_of
from reinmaker_cli.cli.options import Allow, FoldersOrManifests, Only
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import counted
from reinmaker_cli.cli.verbs import PUBLISH, verb
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding, count_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reinmaker_cli.server.judgement import AssetRef


@verb(flags=tuple(flag for flag in PUBLISH if flag not in ("timeout", "deadline")))
def check(
    run: Run,
    paths: FoldersOrManifests = None,
    online: Annotated[
        bool, typer.Option("--online", help="Fetch a token too, and ask each URL whether it serves those bytes.")
    ] = False,
    only: Only = None,
    allow: Allow = None,
) -> None:
    """Find everything that is wrong with folders and manifest files, all at once. Offline without --online."""
    from reinmaker_cli.cli.assets import show_manifests

    files, folders = files_and_folders(run, paths or [])
    documents: list[Mapping[str, Any]] = []
    findings: list[Finding] = []
    root: Path | None = None
    if folders or not files:
        documents, findings, root = _check_folders(run, folders, only or [], allow or [])
    for file in files:
        document, found = _check_file(run, file, allow or [])
        documents.append(document)
        findings += found
    if online and count_errors(findings):
        run.output.note("nothing was asked online: the problems here come first")
    elif online:
        findings += _check_online(run, documents)
    run.output.findings(findings, root)
    results = [_as_json(document) for document in documents]
    run.output.add(results=results)
    run.output.ids(row["manifestId"] for row in results)
    show_manifests(run.output, results)
    require_clean(findings)
    run.output.note(f"{counted(len(results), 'manifest')}: {summary_of(findings)}", f"next: `{run.again('publish')}`")


def _check_folders(
    run: Run, folders: Sequence[Path], only: Sequence[str], allow: Sequence[str]
) -> tuple[list[Mapping[str, Any]], list[Finding], Path | None]:
    from reinmaker_cli.cli.assets import stats_of
    from reinmaker_cli.cli.folders import load_drafts, today_version

    loaded = load_drafts(run, folders, only=only, allow=allow)
    run.output.add(stats=stats_of(loaded.scans))
    today = today_version()
    documents = [draft.at(draft.version or today).document for draft in loaded.drafts]
    return documents, list(loaded.findings), loaded.only_root


def _check_file(run: Run, file: Path, allow: Sequence[str]) -> tuple[Mapping[str, Any], tuple[Finding, ...]]:
    """Return the document in a file and what is wrong with it; each finding says which file."""
    from reinmaker_cli.cli.folders import allowed_codes
    from reinmaker_cli.contract.validation import check_manifest
    from reinmaker_cli.manifest.document import load_document

    allowed = allowed_codes(allow)
    document = load_document(file)
    examination = check_manifest(document, local=run.environment.is_local)
    found = [finding.as_warning() if finding.code in allowed else finding for finding in examination.findings]
    hidden = examination.error_count - count_errors(examination.findings)
    if hidden > 0:
        run.output.note(f"{file}: and {counted(hidden, 'more problem')} of the same kinds")
    named = document if isinstance(document, dict) else {}
    return named, tuple(replace(finding, path=file.as_posix()) for finding in found)


def _check_online(run: Run, documents: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Fetch a token, then read every asset from its URL as the server would."""
    from reinmaker_cli.cli.access import open_run_token_source
    from reinmaker_cli.client.answers import finding_of
    from reinmaker_cli.server.verifier import AssetRef, Sources, verify

    source = open_run_token_source(run)
    try:
        source.fetch()
    finally:
        source.close()
    findings = []
    for document in documents:
        assets = [
            AssetRef(index, asset["id"], asset["url"], asset["hash"].lower(), asset["bytes"])
            for index, asset in enumerate(document.get("assets", ()))
        ]
        verdict = verify(assets, Sources(network=True), strict=False, immutable=dict)
        name = str(document.get("manifestId"))
        findings += [finding_of(error, manifest_id=name) for error in verdict.errors]
        unread = len(assets) - next(check.checked for check in verdict.checks if check.name == "asset-reachable")
        if unread:
            findings.append(_unread(run, assets, unread, name))
    return findings


def _unread(run: Run, assets: Sequence[AssetRef], unread: int, manifest_id: str) -> Finding:
    """Return the warning for assets that cannot be read from here, with what is in the way."""
    from reinmaker_cli.buckets.access import obstacle
    from reinmaker_cli.contract.object_urls import OBJECT_SCHEMES

    schemes = sorted({asset.url.partition("://")[0].lower() for asset in assets} & set(OBJECT_SCHEMES))
    reasons = dict.fromkeys(filter(None, (obstacle(scheme, run.variables) for scheme in schemes)))
    why = "; ".join(reasons) or "these credentials may not read them"
    fact = f"{counted(unread, 'asset')} not asked: {why}"
    hint = "give this machine the means (docs/uploading.md); the server reads them when it validates, if it has them"
    return codes.ASSET_UNVERIFIED.finding(fact, hint=hint, manifest_id=manifest_id).as_warning()


def _as_json(document: Mapping[str, Any]) -> dict[str, Any]:
    listed = document.get("assets")
    assets = [asset for asset in listed if isinstance(asset, dict)] if isinstance(listed, list) else []
    sizes = [asset["bytes"] for asset in assets if "bytes" in asset]
    return {
        "manifestId": str(document.get("manifestId", "")),
        "version": str(document.get("version", "")),
        "assets": {"count": len(assets), "bytes": sum([size for size in sizes if isinstance(size, int)])},
    }

"""What `publish` and `rehearse` are to send: drafts from folders, and reviewed manifest files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reinmaker_cli.assets.project import PROJECT_FILE, Project, load_project
from reinmaker_cli.cli.files import files_and_folders
from reinmaker_cli.cli.folders import allowed_codes, judged, load_drafts
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import counted, human_size
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding, count_errors
from reinmaker_cli.errors import ContentDiffers, UsageError
from reinmaker_cli.manifest.assemble import Draft, draft_of
from reinmaker_cli.manifest.document import Manifest, load_manifest
from reinmaker_cli.manifest.verify import FolderContent, check_folder, hash_folder

if TYPE_CHECKING:
    from reinmaker_cli.assets.scan import Asset, Scan

FEW_FOLDERS = 5  # a line for each, up to here


@dataclass(frozen=True)
class Wanted:
    """The manifests that the command line means, checked offline."""

    items: tuple[Draft | Manifest, ...]
    findings: tuple[Finding, ...]
    roots: Mapping[str, Path]
    """Manifest id → the folder that its files lie in; a manifest file without --root has none."""
    scans: tuple[Scan, ...]
    only_root: Path | None = None
    """The one folder; None where there are several, or none."""
    stopped: frozenset[str] = frozenset()
    """Ids of those in a folder with an error that names no manifest: it counts for all of them, none is cut short."""

    @property
    def is_clean(self) -> bool:
        """True where nothing stops the publication."""
        return count_errors(self.findings) == 0

    def broken(self) -> frozenset[str]:
        """Return the ids that cannot be sent."""
        own = {finding.manifest_id for finding in self.findings if finding.is_error and finding.manifest_id is not None}
        return self.stopped | own


def load_wanted(
    run: Run,
    paths: Sequence[Path],
    *,
    root: Path | None = None,
    only: Sequence[str] = (),
    allow: Sequence[str] = (),
    as_new_version: bool = False,
) -> Wanted:
    """Return what is to be published. `root` is the folder of the assets of manifest files; it is hashed again.

    ContentDiffers where that folder is no longer what the manifest was made from. `as_new_version` gives manifest
    files the next free version instead of the one that they name.
    """
    files, folders = files_and_folders(run, paths)
    if root is not None and not files:
        raise UsageError("--root goes with a manifest file", code=codes.USAGE, hint="a folder is its own root")
    if as_new_version and not files:
        raise UsageError(
            "--as-new-version goes with a manifest file",
            code=codes.USAGE,
            hint='for a folder, write `version = "auto"` under [manifest] in reinmaker.toml',
        )
    items: list[Draft | Manifest] = []
    findings: list[Finding] = []
    roots: dict[str, Path] = {}
    scans: tuple[Scan, ...] = ()
    stopped: frozenset[str] = frozenset()
    only_root: Path | None = None
    content: FolderContent | None = None  # one folder for all of the files: it is hashed once
    for path in files:
        manifest = load_manifest(path)
        findings += _examined(run, manifest, path, allow)
        if root is not None:
            project = load_project(root) if (root / PROJECT_FILE).is_file() else None
            content = content or hash_folder(root, project)
            manifest = _without_drift(run, manifest, path, root, project, content)
            roots[manifest.manifest_id] = root
        items.append(draft_of(manifest) if as_new_version else manifest)
    if folders or not files:
        loaded = load_drafts(run, folders, only=only, allow=allow, believes_cache=run.settings.trust_cache)
        items += loaded.drafts
        findings += loaded.findings
        roots |= {draft.manifest_id: folder for draft, folder in loaded.roots}
        scans, only_root, stopped = loaded.scans, loaded.only_root, loaded.stopped
    wanted = Wanted(tuple(items), tuple(findings), roots, scans, only_root, stopped)
    broken = wanted.broken()  # what two lessons make is a finding
    _refuse_repeated([item for item in items if item.manifest_id not in broken])
    return wanted


def _examined(run: Run, manifest: Manifest, path: Path, allow: Sequence[str]) -> list[Finding]:
    from reinmaker_cli.contract.validation import check_manifest

    examination = check_manifest(manifest.document, local=run.environment.is_local)
    named = (
        replace(finding, path=path.as_posix(), manifest_id=manifest.manifest_id) for finding in examination.findings
    )
    return list(judged(list(named), "", allowed_codes(allow)))


def _without_drift(
    run: Run, manifest: Manifest, path: Path, root: Path, project: Project | None, content: FolderContent
) -> Manifest:
    """Return the manifest with the local path of each asset, or raise ContentDiffers."""
    check = check_folder(manifest.document, root, project, environment=run.environment.name, folder=content)
    if check.findings:
        raise ContentDiffers(
            f"the folder is no longer what `{manifest.manifest_id}` was built from",
            code=codes.DRIFT,
            hint=f"restore the files, or build it again and review it: `{_build_again(manifest, path, root)}`",
            findings=check.findings,
        )
    return replace(manifest, files=check.files)


def _build_again(manifest: Manifest, path: Path, root: Path) -> str:
    only = f"manifestId={manifest.manifest_id}"
    return shlex.join(["reinmaker", "build", str(root), "--only", only, "-o", str(path)])


def _refuse_repeated(items: Sequence[Draft | Manifest]) -> None:
    seen: set[str] = set()
    for item in items:
        if item.manifest_id in seen:
            raise UsageError(
                f"named twice: `{item.manifest_id}`",
                code=codes.USAGE,
                hint="name each manifest once, as file or folder",
            )
        seen.add(item.manifest_id)


def require_root(run: Run, paths: Sequence[Path], root: Path | None, verb: str, what: str) -> None:
    """Raise UsageError where a manifest file was named and no folder of its assets, which `what` reads."""
    files, _ = files_and_folders(run, paths)
    if files and root is None:
        raise UsageError(
            f"{what} reads the assets, and nothing says where those of `{files[0]}` lie",
            code=codes.USAGE,
            hint=f"name their folder: `{run.again(verb, '--root', 'DIR')}`",
        )


def tell_of(run: Run, wanted: Wanted) -> dict[str, int]:
    """Say what was scanned and what is wrong with it; return the `stats` of the document."""
    from reinmaker_cli.cli.assets import stats_of

    stats = stats_of(wanted.scans)
    if len(wanted.scans) <= FEW_FOLDERS:
        for scan in wanted.scans:
            _note_scan(run, scan.assets, str(scan.root))
    else:
        assets = [asset for scan in wanted.scans for asset in scan.assets]
        _note_scan(run, assets, counted(len(wanted.scans), "folder"))
    run.output.findings(wanted.findings, wanted.only_root)
    return stats


def _note_scan(run: Run, assets: Sequence[Asset], where: str) -> None:
    size = human_size(sum(asset.bytes for asset in assets))
    run.output.note(f"scan      {counted(len(assets), 'asset')}, {size}, in {where}")

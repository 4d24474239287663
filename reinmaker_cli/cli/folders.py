"""From folders to drafts of manifests: scanned, assembled, and judged by --only and --allow.

Every problem is a finding; nothing here decides whether they stop the command (`Loaded.require_clean`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reinmaker_cli.assets.collector import collector_paused
from reinmaker_cli.assets.project import PROJECT_FILE, bare_project, read_toml
from reinmaker_cli.cli.next_step import with_commands
from reinmaker_cli.cli.own_output import written_paths
from reinmaker_cli.cli.roots import Folder, find_folders, project_of
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import counted
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.errors import ConfigError, ContentInvalid, ReinmakerError, UsageError

if TYPE_CHECKING:
    from reinmaker_cli.assets.project import Project
    from reinmaker_cli.assets.scan import Scan, ScanProgress
    from reinmaker_cli.manifest.assemble import Draft


@dataclass(frozen=True)
class Loaded:
    """What the folders hold."""

    drafts: tuple[Draft, ...]
    """Those that --only selects, sorted by id within a folder."""
    findings: tuple[Finding, ...]
    """Of all folders; --allow has made warnings of some."""
    scans: tuple[Scan, ...]
    roots: tuple[tuple[Draft, Path], ...]
    """Each draft with the folder that its files lie in."""
    stopped: frozenset[str]
    """Ids of the manifests in a folder with an error that names no manifest."""

    @property
    def only_root(self) -> Path | None:
        """The one folder; None where there are several, whose findings carry the folder themselves."""
        return self.scans[0].root if len(self.scans) == 1 else None


@collector_paused(are_kept=True)
def scan_folders(
    run: Run,
    paths: Sequence[Path],
    *,
    probe: bool = True,
    allow: Sequence[str] = (),
    needs_project: bool = True,
    believes_cache: bool = True,
) -> tuple[tuple[Project, Scan], ...]:
    """Return each folder that is meant as project and scan, with the progress shown.

    Findings of several folders carry their folder in the path. `needs_project` False: a folder that nothing describes
    is scanned all the same. `believes_cache` False: every file is read, whatever earlier runs found.
    """
    from reinmaker_cli.assets.cache import DigestCache
    from reinmaker_cli.assets.scan import scan_folder
    from reinmaker_cli.assets.walk import nested_projects

    allowed = allowed_codes(allow)
    cache = None if run.settings.no_cache else DigestCache(run.cache_folder, is_believed=believes_cache)
    scanned = []
    folders = find_folders(run, paths)
    for folder in folders:
        run.output.event("scan.started", root=folder.root.as_posix())
        project: Project | None = None
        try:
            project = project_of(run, folder, needs_project=needs_project)
            scan = scan_folder(
                project,
                jobs=run.settings.jobs,
                probe=probe,
                written=written_paths(folder.root, [run.settings.events]),
                cache=cache,
                progress=_shower(run),
            )
        except (ConfigError, ContentInvalid) as error:
            looks = project is None and not _says_what_to_ignore(folder.root)
            pointers = tuple(pointers_below(folder.root)) if looks else ()
            if len(folders) == 1:
                # Told with it: both are to be mended.
                error.findings += tuple(with_pull_from_here(pointers, folder.root))
                raise
            project, scan = bare_project(folder.root), _unusable(folder, error, pointers)
        for nested in nested_projects(scan.ignored):
            run.output.note(f"not scanned: `{folder.label and folder.label + '/'}{nested}` is a project of its own")
        cured = with_commands(with_pull_from_here(scan.findings, folder.root), folder.root)
        findings = judged(cured, folder.label, allowed)
        scanned.append((project, replace(scan, findings=findings)))
    run.output.stop_progress()
    _tell_of_cache(run, [scan for _, scan in scanned])
    return tuple(scanned)


def pointers_below(root: Path) -> Iterator[Finding]:
    """Yield the finding of each Git LFS pointer in a folder that is not scanned, which would say all else."""
    from reinmaker_cli.assets.guards import lfs_pointers
    from reinmaker_cli.assets.walk import walk_folder

    try:
        files = walk_folder(root).files
    except ReinmakerError:  # `scan` says what is wrong with the folder
        return
    yield from lfs_pointers(files)


def _says_what_to_ignore(root: Path) -> bool:
    """Return whether a project that cannot be used has [ignore]: a pointer there is nobody's business."""
    try:
        return (root / PROJECT_FILE).exists() and "ignore" in read_toml(root / PROJECT_FILE)
    except ConfigError:
        return True


def _unusable(folder: Folder, error: ReinmakerError, pointers: Sequence[Finding]) -> Scan:
    """Return the scan of a lesson that cannot be looked at: one of many must not hide what is wrong with the others."""
    from reinmaker_cli.assets.scan import Scan, ScanStats

    finding = Finding(code=error.code, message=error.message, hint=error.hint, path=PROJECT_FILE)
    return Scan(folder.root, (), (finding, *pointers), (), ScanStats(0, 0, 0, 0))


def _tell_of_cache(run: Run, scans: Sequence[Scan]) -> None:
    hashed, cached = sum(scan.stats.hashed for scan in scans), sum(scan.stats.cached for scan in scans)
    run.output.verbose(f"{counted(hashed, 'file')} read, {cached:,} as they were when they were last read")
    fault = next((scan.cache_fault for scan in scans if scan.cache_fault), "")
    if fault:
        run.output.verbose(f"the digests are not kept for the next run: {fault}")


def with_pull_from_here(findings: Sequence[Finding], root: Path) -> list[Finding]:
    """Return the findings with a `git lfs pull` that works as it is typed.

    Git LFS reads --include from the top of the repository, whichever of its folders it runs in.
    """
    from reinmaker_cli.assets.guards import pull_command

    inside = root.resolve()
    top = next((folder for folder in (inside, *inside.parents) if (folder / ".git").exists()), inside)
    prefix = "" if top == inside else f"{inside.relative_to(top).as_posix()}/"
    place = "" if inside == Path().resolve() else str(root)
    return [
        replace(
            finding, hint=finding.hint.replace(pull_command(finding.path), pull_command(prefix + finding.path, place))
        )
        if finding.code == codes.LFS_POINTER and finding.path
        else finding
        for finding in findings
    ]


@collector_paused(are_kept=True)
def load_drafts(
    run: Run,
    paths: Sequence[Path],
    *,
    only: Sequence[str] = (),
    allow: Sequence[str] = (),
    probe: bool = True,
    believes_cache: bool = True,
) -> Loaded:
    """Return the drafts of all folders that are meant, and everything that is wrong with them.

    Each draft is also held against the schema and the rules beyond it, as the server will.
    """
    from reinmaker_cli.manifest.assemble import assemble
    from reinmaker_cli.manifest.examine import examine
    from reinmaker_cli.manifest.select import select
    from reinmaker_cli.manifest.together import shared_ids, shared_urls

    environment = run.environment
    allowed = allowed_codes(allow)
    wanted = selection(only)
    found: list[tuple[Draft, Path]] = []
    findings: list[Finding] = []
    stopped: set[str] = set()
    scanned = scan_folders(run, paths, allow=allow, probe=probe, believes_cache=believes_cache)
    for project, scan in scanned:
        assembly = assemble(scan, project, environment=environment.name)
        label = project.root.as_posix() if len(scanned) > 1 else ""
        own = [*scan.findings, *judged(assembly.findings, label, allowed)]
        findings += own
        if any(finding.is_error and finding.manifest_id is None for finding in own):
            stopped |= {draft.manifest_id for draft in assembly.drafts}
        found += [(draft, scan.root) for draft in assembly.drafts]
    findings += judged([*shared_ids(found), *shared_urls(found)], "", allowed)
    chosen = {id(draft) for draft in select([draft for draft, _ in found], wanted, instead=run.instead)}
    selected = [(draft, root) for draft, root in found if id(draft) in chosen]
    for draft, root in selected:
        manifest = draft.at(draft.version or today_version())
        label = root.as_posix() if len(scanned) > 1 else ""
        findings += judged(examine(manifest, local=environment.is_local), label, allowed)
    drafts = tuple(draft for draft, _ in selected)
    return Loaded(drafts, tuple(findings), tuple(scan for _, scan in scanned), tuple(selected), frozenset(stopped))


def today_version() -> str:
    """Return today's date (UTC) as a version: what `auto` means where no server is asked."""
    return datetime.now(UTC).strftime("%Y.%m.%d")


def allowed_codes(allow: Sequence[str]) -> frozenset[str]:
    """Return the codes that --allow names. UsageError for unknown ones and those that are never allowed."""
    for name in allow:
        code = codes.ALL.get(name)
        if code is None or code.family != "finding":
            raise UsageError(
                f"--allow: no such finding: `{name}`", code=codes.USAGE, hint="`reinmaker explain` lists them"
            )
        if not code.allowable:
            raise UsageError(f"--allow: `{name}` is never allowed", code=codes.USAGE, hint=code.cure)
    return frozenset(allow)


def selection(only: Sequence[str]) -> dict[str, str]:
    """Return what --only asks for, field → value. UsageError where it is not FIELD=VALUE, or says a field twice."""
    wanted: dict[str, str] = {}
    for text in only:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise UsageError(
                f"--only: `{text}` is not FIELD=VALUE", code=codes.USAGE, hint="such as `--only locale=fr-FR`"
            )
        if name in wanted:
            raise UsageError(f"--only: `{name}` twice", code=codes.USAGE, hint="run the command once for each value")
        wanted[name] = value
    return wanted


def judged(findings: Sequence[Finding], label: str, allowed: frozenset[str]) -> tuple[Finding, ...]:
    """Return the findings with the folder in their path, and as warnings where --allow says so."""

    def changed(finding: Finding) -> Finding:
        weighed = finding.as_warning() if finding.code in allowed else finding
        return replace(weighed, path=f"{label}/{finding.path}") if label and finding.path else weighed

    return tuple(changed(finding) for finding in findings)


def _shower(run: Run) -> Callable[[ScanProgress], None]:
    def show(progress: ScanProgress) -> None:
        run.output.progress.hashing(*progress)
        run.output.event("scan.progress", **progress._asdict())

    return show

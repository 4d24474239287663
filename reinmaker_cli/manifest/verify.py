"""Are these still those bytes? A receipt or a manifest against a folder.

1. what was published: path -> SHA-256 from a receipt; from a manifest, asset id -> SHA-256
2. what lies there now: every file that a scan would take, hashed
3. which of them are meant: the files that the folder's `reinmaker.toml` puts into this manifest, and those that none
   of its rules knows; without one, all
4. changed, missing and added files, and files that hold each other's bytes
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from reinmaker_cli.assets.batch import hash_files
from reinmaker_cli.assets.digest import Digest
from reinmaker_cli.assets.project import Project
from reinmaker_cli.assets.rules import Match, Matcher
from reinmaker_cli.assets.scan import Asset, Scan, ScanStats
from reinmaker_cli.assets.walk import walk_folder
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.errors import ContentInvalid, UsageError
from reinmaker_cli.manifest.assemble import assemble
from reinmaker_cli.manifest.receipt import is_receipt, published_id, subjects

_COMPARED_MEMBERS: Final = {"id": str, "url": str, "hash": str, "bytes": int}


@dataclass(frozen=True, slots=True)
class _Present:
    """A file that lies in the folder now."""

    path: str
    asset_id: str | None
    """None where no rule knows the file."""
    sha256: str
    bytes: int
    belongs: bool
    """False where the folder's `reinmaker.toml` puts the file into another manifest."""

    @property
    def name(self) -> str:
        """What an asset of a manifest is compared by: its id; no id begins with `/`."""
        return f"/{self.path}" if self.asset_id is None else self.asset_id


@dataclass(frozen=True, slots=True)
class FolderContent:
    """A folder's content, whatever it is held against."""

    digests: Mapping[str, Digest]
    """By path."""
    findings: tuple[Finding, ...]
    """What could not be read."""


@dataclass(frozen=True, slots=True)
class FolderCheck:
    """What a folder still has of a receipt or a manifest."""

    findings: tuple[Finding, ...]
    """A `drift` for each file that is changed, missing, added or swapped, and what could not be read."""
    files: Mapping[str, str]
    """Asset URL -> path below the root, for a manifest's assets that were found; empty for a receipt."""


def verify_folder(
    document: Mapping[str, Any], root: Path, project: Project | None, *, environment: str = "local"
) -> tuple[Finding, ...]:
    """Return a `drift` finding for each file that is changed, missing, added or swapped; none where all is as it was.

    `document` is a receipt or a manifest. `project` is the folder's, None where it has none: then every file counts,
    and those of a manifest are found by their bytes. ContentInvalid where the document is neither.
    """
    return check_folder(document, root, project, environment=environment).findings


def verify_documents(
    documents: Sequence[Mapping[str, Any]], root: Path, project: Project | None, *, environment: str = "local"
) -> list[tuple[Finding, ...]]:
    """Return what `verify_folder` finds for each document; the folder is hashed once, and nothing is said twice.

    A file that one of the receipts lists is added for none of them, and may be swapped with a file of another.
    """
    known: dict[str, str] = {}
    for document in documents:
        if is_receipt(document):
            known.update(subjects(document))
    folder = hash_folder(root, project)
    said: set[tuple[str, str | None]] = set()
    results = []
    for document in documents:
        findings = check_folder(document, root, project, environment=environment, folder=folder, known=known).findings
        fresh = [one for one in findings if one.expected is not None or (one.message, one.path) not in said]
        said.update((one.message, one.path) for one in fresh if one.expected is None)
        results.append(tuple(fresh))
    return results


def check_folder(
    document: Mapping[str, Any],
    root: Path,
    project: Project | None,
    *,
    environment: str = "local",
    folder: FolderContent | None = None,
    known: Mapping[str, str] = MappingProxyType({}),
) -> FolderCheck:
    """Return what `verify_folder` finds, and where the assets of a manifest lie.

    `folder` is the folder's content where it is hashed already; `known` what other receipts say of it, path -> SHA-256.
    """
    if is_receipt(document):
        folder = folder or hash_folder(root, project)
        return FolderCheck(_check_receipt(document, root, project, environment, folder, known), {})
    listed = document.get("assets")
    if not isinstance(listed, list):
        raise ContentInvalid(
            "neither a receipt of reinmaker nor a manifest",
            code=codes.RECEIPT_INVALID,
            hint=codes.RECEIPT_INVALID.cure,
        )
    published = _published(listed)
    folder = folder or hash_folder(root, project)
    files, findings = _present(folder, root, project, document.get("manifestId"), environment)
    if project is not None:
        by_id = {file.name: file for file in files}
        paths = {asset["url"]: by_id[asset["id"]].path for asset in listed if asset["id"] in by_id}
        return FolderCheck((*findings, *_compare(published, by_id)), paths)
    by_bytes = {(file.sha256, file.bytes): file.path for file in files}
    keys = {asset["url"]: (asset["hash"].lower(), asset["bytes"]) for asset in listed}
    paths = {url: by_bytes[key] for url, key in keys.items() if key in by_bytes}
    return FolderCheck((*findings, *_by_bytes(Counter(published.values()), _named(published), files)), paths)


def _check_receipt(
    receipt: Mapping[str, Any],
    root: Path,
    project: Project | None,
    environment: str,
    folder: FolderContent,
    known: Mapping[str, str],
) -> tuple[Finding, ...]:
    published = subjects(receipt)
    files, findings = _present(folder, root, project, published_id(receipt), environment)
    if not names_files(published):
        return (*findings, *_by_bytes(Counter(published.values()), _named(published), files))
    return (*findings, *_compare(published, {file.path: file for file in files}, known))


def names_files(published: Mapping[str, str]) -> bool:
    """Return whether a receipt's subjects are named by path: those of a manifest from a file are named by URL."""
    return not all("://" in name for name in published)


def _published(assets: Sequence[Any]) -> dict[str, str]:
    """Return asset id -> SHA-256; ContentInvalid where the manifest says less of an asset than the schema asks."""
    for number, asset in enumerate(assets):
        if not isinstance(asset, Mapping) or any(
            not isinstance(asset.get(name), kind) for name, kind in _COMPARED_MEMBERS.items()
        ):
            raise _unusable(f"asset {number} lacks {' or '.join(_COMPARED_MEMBERS)}")
    if not assets:
        raise _unusable("it has no assets")
    return {asset["id"]: asset["hash"].lower() for asset in assets}


def _unusable(fact: str) -> ContentInvalid:
    return ContentInvalid(
        f"the manifest cannot be verified: {fact}",
        code=codes.RECEIPT_INVALID,
        hint="`reinmaker check` says what is wrong with it",
    )


def hash_folder(root: Path, project: Project | None) -> FolderContent:
    """Return every file of the folder with its hash, and what stopped some of them from being read."""
    if not root.is_dir():
        raise UsageError(f"no such folder: `{root}`", code=codes.FOLDER_NOT_FOUND, hint="check --root")
    walk = walk_folder(root, ignore=() if project is None else project.ignore)
    findings = [finding for finding in walk.findings if finding.code in (codes.UNREADABLE, codes.SPECIAL_FILE)]
    digests: dict[str, Digest] = {}
    for file, outcome in zip(walk.files, hash_files(walk.files), strict=True):
        if isinstance(outcome, Finding):
            findings.append(outcome)
        else:
            digests[file.path] = outcome
    return FolderContent(digests, tuple(findings))


def _present(
    folder: FolderContent, root: Path, project: Project | None, manifest_id: Any, environment: str
) -> tuple[list[_Present], list[Finding]]:
    """Return the files of the folder as this manifest sees them, and what stopped some of them from being read."""
    findings = list(folder.findings)
    matcher = None if project is None else Matcher(project)
    assets: list[Asset] = []
    unmatched: list[_Present] = []
    for path, digest in folder.digests.items():
        match = matcher.match(path) if matcher is not None else None
        if isinstance(match, Match):
            assets.append(_asset(path, match, digest))
        else:
            unmatched.append(_Present(path, None, digest.sha256, digest.bytes, belongs=True))
    if project is None:
        return unmatched, findings
    members = _members(assets, project, root, manifest_id, environment)
    files = [_Present(one.path, one.id, one.sha256, one.bytes, one.path in members) for one in assets]
    return files + unmatched, findings


def _asset(path: str, match: Match, digest: Digest) -> Asset:
    return Asset(path, match.asset_id, match.type, digest.sha256, digest.bytes, {}, match.captures)


def _members(assets: list[Asset], project: Project, root: Path, manifest_id: Any, environment: str) -> frozenset[str]:
    """Return the paths that the project puts into this manifest."""
    scan = Scan(root, tuple(assets), (), (), ScanStats(len(assets), 0, len(assets)))
    drafts = assemble(scan, project, environment=environment).drafts
    return frozenset(asset.path for draft in drafts if draft.manifest_id == manifest_id for asset in draft.assets)


def _compare(
    published: Mapping[str, str], present: Mapping[str, _Present], known: Mapping[str, str] = MappingProxyType({})
) -> list[Finding]:
    """Compare by name, which is a path or an asset id; `known` are published elsewhere: not added, maybe swapped."""
    changed = {
        name: present[name].sha256
        for name, sha256 in published.items()
        if name in present and present[name].sha256 != sha256
    }
    missing = [name for name in published if name not in present]
    added = [name for name, file in present.items() if file.belongs and name not in published and name not in known]
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for name, sha256 in {**known, **published}.items():
        if name in present and present[name].sha256 != sha256:
            holders[sha256].append(name)
    # Two files of one project may belong to two manifests: without the other's receipt, its bytes say it.
    strangers = {file.sha256: file.path for name, file in present.items() if name not in published}
    findings = []
    for name, found in changed.items():
        path = present[name].path
        others = [present[other].path for other in holders.get(found, ()) if other != name]
        if others:
            fact = f"swapped: `{path}` holds the bytes of `{others[0]}`"
        else:
            elsewhere = strangers.get(published[name])
            fact = f"changed: `{path}`" + (f"; its bytes are in `{elsewhere}`" if elsewhere else "")
        findings.append(codes.DRIFT.finding(fact, path=path, expected=published[name], found=found))
    unclaimed = {present[name].sha256: present[name].path for name in added}
    for name in missing:
        elsewhere = unclaimed.get(published[name])
        fact = f"missing: `{name}`" + (f"; its bytes are in `{elsewhere}`" if elsewhere else "")
        findings.append(codes.DRIFT.finding(fact, path=name, expected=published[name]))
    for name in added:
        path = present[name].path
        findings.append(codes.DRIFT.finding(f"added: `{path}`", path=path, found=present[name].sha256))
    return sorted(findings, key=lambda finding: finding.path or "")


def _named(published: Mapping[str, str]) -> dict[str, list[str]]:
    names: defaultdict[str, list[str]] = defaultdict(list)
    for name, sha256 in published.items():
        names[sha256].append(name)
    return names


def _by_bytes(wanted: Counter[str], names: Mapping[str, list[str]], files: Iterable[_Present]) -> list[Finding]:
    """Compare where nothing but the bytes says which file is which: a changed file is one missing and one added."""
    findings = []
    left = Counter(wanted)
    for file in sorted(files, key=lambda one: one.path):
        if left[file.sha256] > 0:
            left[file.sha256] -= 1
        elif file.belongs and file.sha256 not in wanted:
            fact = f"changed or added: no asset has the bytes of `{file.path}`"
            findings.append(codes.DRIFT.finding(fact, path=file.path, found=file.sha256))
        elif file.belongs:
            fact = f"added: `{file.path}` has the bytes of another file once more"
            findings.append(codes.DRIFT.finding(fact, path=file.path, found=file.sha256))
    for sha256, count in left.items():
        for name in names[sha256][:count]:
            fact = f"changed or missing: no file has the bytes of `{name}`"
            findings.append(codes.DRIFT.finding(fact, expected=sha256, asset_id=name))
    return findings

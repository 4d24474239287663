"""Assets -> manifests: which file belongs to which, under which URL, in which order.

The fields that a file's rule captured decide: with them `id` and [source] of the project say which manifest the file is
in. The same assets give the same bytes, in whatever order they come.
"""

from __future__ import annotations

import functools
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, islice
from operator import attrgetter, lt
from pathlib import Path
from typing import Any

from reinmaker_cli.assets.collector import collector_paused
from reinmaker_cli.assets.portable import printable
from reinmaker_cli.assets.project import AUTO_VERSION, PROJECT_FILE, Project
from reinmaker_cli.assets.scan import Asset, Scan
from reinmaker_cli.assets.templates import (
    HASH_PLACEHOLDER,
    RESERVED_NAMES,
    UnknownCapture,
    expand,
    expand_urls,
    placeholders,
)
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.canonical import ContentDigest
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.contract.object_urls import literal_url
from reinmaker_cli.errors import ContentInvalid
from reinmaker_cli.manifest.document import Manifest, load_manifest, manifest_from_document

__all__ = ["Assembly", "Draft", "Manifest", "assemble", "copy_plan", "draft_of", "load_manifest"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A manifest that has no version yet."""

    manifest_id: str
    content: Mapping[str, Any] = field(repr=False)
    """The document without `version`, its members in the order in which they are written."""
    digest: ContentDigest = field(repr=False, compare=False)
    files: Mapping[str, str] = field(repr=False)
    """Asset URL -> path below the asset root."""
    assets: tuple[Asset, ...] = field(repr=False)
    """In the order of the document."""
    version: str | None
    """None: `auto`, whoever publishes chooses."""

    @property
    def content_digest(self) -> str:
        """Return the digest of the content; two drafts with the same one differ in nothing."""
        return str(self.digest)

    @property
    def source(self) -> Mapping[str, Any]:
        """Return the member `source`."""
        source: Mapping[str, Any] = self.content["source"]
        return source

    def at(self, version: str) -> Manifest:
        """Return the manifest under a version."""
        rest = dict(self.content)
        document = {"manifestId": rest.pop("manifestId"), "version": version, **rest}
        return manifest_from_document(document, files=self.files, content=self.digest)


def draft_of(manifest: Manifest) -> Draft:
    """Return a manifest without its version, so that whoever publishes chooses one."""
    content = {name: value for name, value in manifest.document.items() if name != "version"}
    return Draft(manifest.manifest_id, content, manifest.content, manifest.files, (), None)


@dataclass(frozen=True, slots=True)
class Assembly:
    """The manifests of a folder, and what is wrong with how they came together."""

    drafts: tuple[Draft, ...]
    """Sorted by manifest id."""
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Home:
    """The manifest that a file belongs to."""

    manifest_id: str
    source: tuple[tuple[str, str], ...]


_Placed = tuple[Sequence[Asset], Sequence[str]]
"""Assets, and the URL of each."""


@collector_paused()
def assemble(scan: Scan, project: Project, *, environment: str) -> Assembly:
    """Return the manifests that the scanned assets make for an environment; offline and pure.

    Findings: `unknown-capture` for each file whose rule lacks what a template uses, `manifest-id` where two sources
    share one id, `coverage-gap`. What the contract asks of a manifest, duplicates included, is checked on its document.
    """
    template = project.url_for.get(environment, project.url)
    findings: list[Finding] = []
    grouped: defaultdict[_Home, list[_Placed]] = defaultdict(list)
    for alike in _alike(scan.assets, _deciding_captures(project, template)):
        try:
            home, urls = _home(alike[0].captures, project), _urls(template, alike, project)
        except _CannotPlace as error:
            findings += map(error.finding, alike)
        else:
            grouped[home].append((alike, urls))
    findings.sort(key=attrgetter("path"))
    findings += _shared_ids(grouped)
    findings += _coverage_gaps(grouped, project)
    ordered = sorted(grouped, key=lambda home: (home.manifest_id, home.source))
    return Assembly(tuple(_draft(home, grouped[home], project) for home in ordered), tuple(findings))


def copy_plan(drafts: Iterable[Draft], root: Path) -> Iterator[str]:
    """Yield one line per asset, local path TAB URL, for whoever uploads by other means.

    Such tools take the key of an object as it is: `s3://bucket/a b.mp3`, where the manifest has `a%20b.mp3`.
    ContentInvalid where a path would make two lines or columns of one: a loop over them would upload what it names.
    """
    for draft in drafts:
        for url, path in draft.files.items():
            line = f"{os.path.join(root, path)}\t{literal_url(url)}"  # noqa: PTH118 (100,000 of them)
            if line.count("\t") > 1 or len(line.splitlines()) > 1:
                raise ContentInvalid(
                    f"a copy plan cannot hold the path of `{printable(path)}`",
                    code=codes.UNPORTABLE_NAME,
                    hint=codes.UNPORTABLE_NAME.cure,
                )
            yield line


class _CannotPlace(ValueError):
    """A template lacks a capture of the file."""

    def __init__(self, place: str, name: str) -> None:
        super().__init__(place)
        self.place = place
        self.name = name

    def finding(self, asset: Asset) -> Finding:
        return codes.UNKNOWN_CAPTURE.finding(
            f"`{self.place}` uses {{{self.name}}}, and the file's name gives none",
            hint=f"capture {{{self.name}}} in the `match` of its [[rule]], or ignore the file",
            path=asset.path,
            asset_id=asset.id,
        )


def _deciding_captures(project: Project, template: str) -> tuple[str, ...]:
    """Return the names that say which manifest a file is in, and those that its URL takes from its captures."""
    templates = (project.id, *project.source.values(), template)
    return tuple(dict.fromkeys(name for one in templates for name in placeholders(one) if name not in RESERVED_NAMES))


def _alike(assets: Sequence[Asset], names: Sequence[str]) -> Iterable[list[Asset]]:
    """Return the assets in groups, each of those whose captures agree in all of the names."""
    groups: defaultdict[tuple[str | None, ...], list[Asset]] = defaultdict(list)
    # The files of a folder mostly share the object.
    for captures, neighbours in groupby(assets, attrgetter("captures")):
        groups[tuple([captures.get(name) for name in names])] += neighbours
    return groups.values()


def _home(captures: Mapping[str, str], project: Project) -> _Home:
    source = {}
    for name, template in project.source.items():
        source[name] = _expanded(f"[source] {name}", template, captures)
    manifest_id = _expanded("[manifest] id", project.id, {**captures, **source})
    return _Home(manifest_id, tuple(source.items()))


def _expanded(place: str, template: str, fields: Mapping[str, str]) -> str:
    try:
        return expand(template, fields)
    except UnknownCapture as error:
        raise _CannotPlace(place, error.name) from error


def _urls(template: str, alike: Sequence[Asset], project: Project) -> list[str]:
    shared = alike[0].captures if project.version == AUTO_VERSION else {**alike[0].captures, "version": project.version}
    paths = [asset.path for asset in alike]
    digests = [asset.sha256 for asset in alike] if HASH_PLACEHOLDER in placeholders(template) else ()
    try:
        return expand_urls(template, shared, paths, digests)
    except UnknownCapture as error:
        raise _CannotPlace("[manifest] url", error.name) from error


def _draft(home: _Home, parts: Sequence[_Placed], project: Project) -> Draft:
    assets, urls = _sorted(parts)
    content = {
        "manifestId": home.manifest_id,
        "product": project.product,
        "source": dict(home.source),
        "assets": _entries(assets, urls),
        **project.extra,
    }
    return Draft(
        manifest_id=home.manifest_id,
        content=content,
        digest=ContentDigest(content),
        files=_Files(urls, assets),
        assets=tuple(assets),
        version=None if project.version == AUTO_VERSION else project.version,
    )


class _Files(Mapping[str, str]):
    """Asset URL -> path below the asset root, put together for the first who asks: a `build` and a `check` do not."""

    def __init__(self, urls: Sequence[str], assets: Sequence[Asset]) -> None:
        self._placed = urls, assets

    @functools.cached_property
    def _paths(self) -> dict[str, str]:
        urls, assets = self._placed
        return dict(zip(urls, [asset.path for asset in assets], strict=True))

    def __getitem__(self, url: str) -> str:
        return self._paths[url]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def _sorted(parts: Sequence[_Placed]) -> _Placed:
    """Return all parts as one, by id and path."""
    assets = list(chain.from_iterable([assets for assets, _ in parts]))
    urls = list(chain.from_iterable([urls for _, urls in parts]))
    ids = [asset.id for asset in assets]
    if all(map(lt, ids, islice(ids, 1, None))):  # as a scan gives them, where nothing but the file tells them apart
        return assets, urls
    order = sorted(range(len(assets)), key=lambda index: (assets[index].id, assets[index].path))
    return [assets[index] for index in order], [urls[index] for index in order]


def _entries(assets: Sequence[Asset], urls: Sequence[str]) -> list[dict[str, Any]]:
    # No member is added to a dict: a display with all of them takes half the time and memory.
    return [
        {"id": asset_id, "type": kind, "url": url, "hash": sha256, "bytes": size, "metadata": metadata}
        if metadata
        else {"id": asset_id, "type": kind, "url": url, "hash": sha256, "bytes": size}
        for (_, asset_id, kind, sha256, size, metadata, _), url in zip(assets, urls, strict=True)
    ]


def _shared_ids(homes: Iterable[_Home]) -> Iterator[Finding]:
    by_id: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for home in homes:
        by_id[home.manifest_id].append(dict(home.source))
    for manifest_id, sources in sorted(by_id.items()):
        if len(sources) > 1:
            differing = [name for name in sources[0] if len({source[name] for source in sources}) > 1]
            yield codes.MANIFEST_ID.finding(
                f"{len(sources)} manifests would have the id `{manifest_id}`; they differ in {', '.join(differing)}",
                hint=f"put {{{differing[0]}}} into `id` under [manifest]",
                manifest_id=manifest_id,
            )


def _coverage_gaps(homes: Iterable[_Home], project: Project) -> Iterator[Finding]:
    """Yield a finding for each manifest that [coverage] asks for and that is not there; each once."""
    sources = [dict(home.source) for home in homes]
    told: set[frozenset[tuple[str, str]]] = set()
    for covered, wanted in project.coverage.items():
        present: defaultdict[tuple[tuple[str, str], ...], set[str]] = defaultdict(set)
        for source in sources:
            rest = tuple((name, value) for name, value in source.items() if name != covered)
            present[rest].add(source[covered])
        for rest, values in sorted(present.items()):
            for missing in wanted:
                hole = frozenset((*rest, (covered, missing)))
                if missing not in values and hole not in told:  # a persona without a locale is a locale without it too
                    told.add(hole)
                    lesson = ", ".join(f"{name} `{value}`" for name, value in rest)
                    yield codes.COVERAGE_GAP.finding(
                        f"no files for {covered} `{missing}` of {lesson}",
                        path=PROJECT_FILE,
                        pointer=f"/coverage/{covered}",
                    )

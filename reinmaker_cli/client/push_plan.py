"""Manifests -> what has to lie where, and everything that is in the way of putting it there. Asks nobody."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from reinmaker_cli.assets.guards import check_head
from reinmaker_cli.assets.reading import read_head, unreadable
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.contract.object_urls import NotAnObject, ObjectUrl, object_url
from reinmaker_cli.manifest.assemble import Draft, Manifest

MAX_OBJECT_BYTES: Final = 5 << 30
"""What S3 takes in one request, the least of the three: Azure and Google take as much, or more."""
_HEAD_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """One object that has to be there."""

    target: ObjectUrl
    url: str
    """As the manifest says it."""
    path: str
    """Below the root, for people."""
    os_path: str
    sha256: str
    bytes: int
    manifest_ids: tuple[str, ...]
    """Whose asset it is; several lessons may share one."""


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What a push is going to look at, each object once."""

    uploads: tuple[Upload, ...]
    findings: tuple[Finding, ...]


def plan_push(
    items: Iterable[Draft | Manifest], roots: Mapping[str, Path], maps: Sequence[tuple[str, Path]] = ()
) -> PushPlan:
    """Return the objects that the manifests' assets are, and what is wrong with them.

    `roots`: manifest id -> folder of its files; `maps`: URL prefix -> folder that stands for a bucket.
    """
    uploads: dict[ObjectUrl, Upload] = {}
    findings: list[Finding] = []
    for item in items:
        no_object: Counter[str] = Counter()
        for asset in _assets(item):
            try:
                target = object_url(asset["url"], maps)
            except NotAnObject as error:
                no_object[str(error)] += 1
                continue
            upload = _upload(item, roots[item.manifest_id], asset, target)
            if isinstance(item, Manifest):  # a scan has looked at the files of a draft
                findings += _head_findings(upload)
            findings += _size_findings(upload)
            findings += _added(uploads, upload)
        findings += (
            codes.URL_NO_OBJECT.finding(f"{count} of its assets: {reason}", manifest_id=item.manifest_id)
            for reason, count in no_object.items()
        )
    return PushPlan(tuple(uploads.values()), tuple(findings))


def _assets(item: Draft | Manifest) -> list[dict[str, Any]]:
    document = item.content if isinstance(item, Draft) else item.document
    assets: list[dict[str, Any]] = document["assets"]
    return assets


def _upload(item: Draft | Manifest, root: Path, asset: Mapping[str, Any], target: ObjectUrl) -> Upload:
    path = item.files[asset["url"]]
    # A link inside the root is followed, as a scan does; whatever lies there then must have the bytes of the manifest.
    os_path = os.path.realpath(root / path)
    return Upload(target, asset["url"], path, os_path, asset["hash"].lower(), asset["bytes"], (item.manifest_id,))


def _added(uploads: dict[ObjectUrl, Upload], upload: Upload) -> Iterator[Finding]:
    known = uploads.setdefault(upload.target, upload)
    if known is upload:
        return
    if known.sha256 != upload.sha256:
        fact = f"`{known.path}` and `{upload.path}` would be one object: `{upload.target.text}`"
        yield _finding(codes.DUPLICATE_ASSET_URL, fact, upload)
    elif upload.manifest_ids[0] not in known.manifest_ids:
        both = (*known.manifest_ids, *upload.manifest_ids)
        uploads[upload.target] = replace(known, manifest_ids=both)


def _size_findings(upload: Upload) -> Iterator[Finding]:
    if upload.bytes > MAX_OBJECT_BYTES:
        fact = f"{upload.bytes} bytes, more than the {MAX_OBJECT_BYTES} of one upload: `{upload.path}`"
        yield _finding(codes.ASSET_TOO_LARGE, fact, upload)


def _head_findings(upload: Upload) -> Iterator[Finding]:
    try:
        found = check_head(upload.path, read_head(upload.os_path, _HEAD_BYTES), upload.bytes)
    except OSError as error:
        found = unreadable(upload.path, error)
    if found is not None:
        yield replace(found, manifest_id=upload.manifest_ids[0])


def _finding(code: codes.Code, fact: str, upload: Upload) -> Finding:
    return code.finding(fact, path=upload.path, manifest_id=upload.manifest_ids[0])

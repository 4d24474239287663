"""A received body -> what is to be stored of it, or why it is refused. Pure: it also runs in a worker process."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding, places_wrong

_SMALL_BYTES = 1 << 15
"""What fits into one window of DEFLATE."""
_TABLE = 5
"""`memLevel`: 4096 entries, in which matches are looked for."""
FASTEST = 1  # gzip level: 28 MB take 0.3 s, and the best level 10 times as long for a tenth less


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that keeps schema and rules."""

    manifest_id: str
    version: str
    digest: str
    content_digest: str
    asset_count: int
    body_bytes: int
    gzipped: bytes = field(repr=False)
    validation: str
    """The warnings, as JSON text of a `Validation` that has checked nothing yet."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A body that is no manifest."""

    code: str
    """A name from `codes.py`, of a problem or of a finding."""
    detail: str
    errors: tuple[dict[str, Any], ...] = ()
    """The first 100, as on the wire."""
    error_count: int = 0


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """A registration of a folder through the control API."""

    manifest_id: str
    version: str | None
    root: str
    files_gzipped: bytes = field(repr=False)


def examine_manifest(body: bytes) -> Manifest | Refused:
    """Return the manifest in `body`, or the reason why it is none."""
    from reinmaker_cli.contract.canonical import digests
    from reinmaker_cli.contract.ijson import NotIJson, read_ijson
    from reinmaker_cli.contract.validation import check_manifest

    try:
        document = read_ijson(body)
    except NotIJson as error:
        return Refused(str(error.code), error.detail)
    examination = check_manifest(document, local=True)
    if not examination.is_valid:
        errors = tuple(_as_error(finding) for finding in examination.findings if finding.is_error)
        return Refused(
            str(codes.MANIFEST_INVALID), places_wrong(examination.error_count), errors, examination.error_count
        )
    warnings = [_as_error(finding) for finding in examination.findings if not finding.is_error]
    named = digests(document)
    return Manifest(
        manifest_id=document["manifestId"],
        version=document["version"],
        digest=named.digest,
        content_digest=named.content_digest,
        asset_count=len(document["assets"]),
        body_bytes=len(body),
        gzipped=_packed(body),
        validation=_nothing_checked(warnings) if warnings else _NOTHING_CHECKED,
    )


def examine_folder(body: bytes) -> FolderFiles | Refused:
    """Return the folder registration in `body`, or the reason why it is none."""
    from reinmaker_cli.contract.ijson import NotIJson, read_ijson

    try:
        document = read_ijson(body)
    except NotIJson as error:
        return Refused(str(error.code), error.detail)
    if not isinstance(document, dict):
        return Refused(str(codes.REQUEST_INVALID), "not a JSON object")
    manifest_id, version = document.get("manifestId"), document.get("version")
    root, files = document.get("root"), document.get("files")
    is_well_formed = (
        isinstance(manifest_id, str)
        and isinstance(version, str | None)
        and isinstance(root, str)
        and Path(root).is_absolute()
        and "\0" not in root  # no path of any system: opening it is a ValueError
        and isinstance(files, dict)
        and all(isinstance(path, str) for path in files.values())
    )
    if not is_well_formed:
        return Refused(
            str(codes.REQUEST_INVALID),
            "needs manifestId, version or null, an absolute root, and files: an object of URL to path",
        )
    packed = gzip.compress(json.dumps(files).encode(), FASTEST, mtime=0)
    return FolderFiles(str(manifest_id), version, str(root), packed)


def _nothing_checked(warnings: list[dict[str, Any]]) -> str:
    return json.dumps({"checks": [], "errors": [], "errorCount": 0, "warnings": warnings})


_NOTHING_CHECKED = _nothing_checked([])


def _packed(body: bytes) -> bytes:
    """Return the gzip of a body."""
    if len(body) > _SMALL_BYTES:
        return gzip.compress(body, FASTEST, mtime=0)
    # Memory for a window of this size and a small table: to have 256 KiB cleared takes five times as long as the rest.
    window = 16 + max(9, min(15, len(body).bit_length()))
    packer = zlib.compressobj(FASTEST, zlib.DEFLATED, window, _TABLE)
    return packer.compress(body) + packer.flush()


def _as_error(finding: Finding) -> dict[str, Any]:
    error = {"code": finding.code, "pointer": finding.pointer or "", "detail": finding.message}
    more = {"assetId": finding.asset_id, "expected": finding.expected, "found": finding.found}
    return error | {name: value for name, value in more.items() if value is not None}

"""`<file>.meta.json` -> metadata that people give a file."""

from __future__ import annotations

from typing import Any

from reinmaker_cli.assets.digest import Content, hash_walked
from reinmaker_cli.assets.guards import check_head
from reinmaker_cli.assets.walked import WalkedFile
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.contract.ijson import NotIJson, read_ijson

MAX_SIDECAR_BYTES = 1024 * 1024  # it is copied into the manifest, of which 64 MiB may be sent


def read_sidecar(sidecar: WalkedFile) -> dict[str, Any] | Finding:
    """Return the members of a sidecar, or the finding that says why they cannot be had."""
    outcome = hash_walked(sidecar, look=_parsed)
    if isinstance(outcome, Finding):
        return outcome
    if isinstance(outcome.seen, dict):
        return outcome.seen
    return codes.BROKEN_SIDECAR.finding(f"{outcome.seen}: `{sidecar.path}`", path=sidecar.path)


def _parsed(sidecar: WalkedFile, content: Content) -> dict[str, Any] | str:
    """Return the members, or what is wrong in words."""
    if content.size > MAX_SIDECAR_BYTES:
        return f"sidecar of {content.size} bytes, more than {MAX_SIDECAR_BYTES}"
    guarded = check_head(sidecar.path, content.head, content.size)
    if guarded is not None and guarded.code == codes.LFS_POINTER:
        return "sidecar is a Git LFS pointer"
    try:
        document = read_ijson(content.open().read())
    except NotIJson as error:
        return f"sidecar is not usable JSON ({error.detail})"
    return document if isinstance(document, dict) else "sidecar is not a JSON object"

"""A manifest -> what the schema and the rules beyond it find, told of the files that it was made from."""

from __future__ import annotations

from dataclasses import replace

from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.contract.validation import check_manifest
from reinmaker_cli.manifest.document import Manifest


def examine(manifest: Manifest, *, local: bool) -> tuple[Finding, ...]:
    """Return the findings with manifest id and, where the manifest came from a folder, the asset's file.

    `local` allows http and file URLs. The first 100 errors, as `contract.validation` has them.
    """
    found = check_manifest(manifest.document, local=local).findings
    return tuple(
        replace(one, manifest_id=manifest.manifest_id, path=one.path or manifest.path_at(one.pointer or ""))
        for one in found
    )

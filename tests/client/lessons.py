"""Manifests as a folder would give them, and their bytes where the server looks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from reinmaker_cli.contract.canonical import ContentDigest
from reinmaker_cli.manifest.assemble import Draft

PLAIN = "s3://bucket/{id}/{name}"
HASHED = "s3://bucket/{id}/{sha8}-{name}"


def lesson(
    bucket: Path | None,
    manifest_id: str,
    files: Mapping[str, bytes],
    *,
    version: str | None = None,
    url: str = HASHED,
) -> Draft:
    """Return a manifest of audio files; with a bucket, their bytes lie there under their URLs."""
    assets, places = [], {}
    for name, content in sorted(files.items()):
        sha256 = hashlib.sha256(content).hexdigest()
        address = url.format(id=manifest_id, name=name, sha8=sha256[:8])
        assets.append({"id": name, "type": "audio", "url": address, "hash": sha256, "bytes": len(content)})
        places[address] = name
        if bucket is not None:
            upload(bucket, address, content)
    source = {"phaseDNAId": "water-cycle", "locale": "en-US", "agePersona": "2-5"}
    content = {"manifestId": manifest_id, "product": "curious_kelly", "source": source, "assets": assets}
    return Draft(manifest_id, content, ContentDigest(content), places, (), version)


def upload(bucket: Path, address: str, content: bytes) -> None:
    """Put bytes where the server finds them under a URL."""
    file = bucket / address.removeprefix("s3://bucket/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)

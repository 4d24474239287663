"""What only shows where several lessons are looked at together: ids and URLs that two of them share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reinmaker_cli.assets.asset import Asset
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.manifest.assemble import Draft


def shared_ids(found: Sequence[tuple[Draft, Path]]) -> Iterator[Finding]:
    """Yield a finding for each manifest that two folders make: the later would replace the earlier."""
    first: dict[str, Path] = {}
    for draft, root in found:
        other = first.setdefault(draft.manifest_id, root)
        if other is not root:
            message = f"`{draft.manifest_id}` is made by `{other}` and by `{root}`"
            yield codes.MANIFEST_ID.finding(message, manifest_id=draft.manifest_id)


def shared_urls(found: Sequence[tuple[Draft, Path]]) -> Iterator[Finding]:
    """Yield a finding for each asset that lies under the URL of another folder's, with other bytes.

    A server would find it too, but only after one of the two is active.
    """
    if len({root for _, root in found}) < 2:
        return
    first: dict[str, Asset] = {}
    owners: dict[int, tuple[Draft, Path]] = {}  # of each asset; made where something is wrong
    for draft, root in found:
        urls = [entry["url"] for entry in draft.content["assets"]]
        if len(set(urls)) < len(urls):
            continue  # two of its own share one already, which is a finding
        for asset, url in zip(draft.assets, urls, strict=True):
            other = first.setdefault(url, asset)
            if other.sha256 != asset.sha256:
                owners = owners or {id(one): (of, at) for of, at in found for one in of.assets}
                theirs, their_root = owners[id(other)]
                yield codes.ASSET_IMMUTABLE.finding(
                    f"other bytes under the same URL in `{theirs.manifest_id}` of `{their_root}`: `{url}`",
                    hint="put what tells the two apart into `url` under [manifest], such as {sha256:8}",
                    path=f"{root.as_posix()}/{asset.path}",
                    asset_id=asset.id,
                    manifest_id=draft.manifest_id,
                    expected=other.sha256,
                    found=asset.sha256,
                )

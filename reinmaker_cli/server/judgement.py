"""What was read of each asset -> checks, errors, warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.models import Check, Validation, ValidationError
from reinmaker_cli.contract.names import MAX_ERRORS_LISTED
from reinmaker_cli.server.folders import Content
from reinmaker_cli.server.sources import InBucket, OnTheWeb, Place, origin_of


class AssetRef(NamedTuple):
    """What the verifier needs of one asset of a manifest."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on a record
    """Position in `assets`, for the pointer."""
    id: str
    url: str
    sha256: str
    """64 hex digits, either case."""
    bytes: int


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A source claims the URL and gave no bytes."""

    reason: str


Seen = Content | Unreachable | None
"""What was read, why not, or None where no source reads such a URL."""


CheckName = Literal["asset-reachable", "asset-bytes", "asset-hash", "asset-immutable"]


@dataclass(slots=True)
class _Tally:
    """The counts of one check."""

    checked: int = 0
    failed: int = 0
    sources: set[str] = field(default_factory=set)

    def to_check(self, name: CheckName) -> Check:
        status: Literal["passed", "failed", "skipped"] = "passed" if self.checked else "skipped"
        if self.failed:
            status = "failed"
        source = "+".join(sorted(self.sources)) or "none"
        return Check(name=name, status=status, checked=self.checked, failed=self.failed, source=source)


class _Judgement:
    """Collects what is wrong, in the order in which it is told."""

    def __init__(self) -> None:
        self.reachable, self.size, self.hash, self.immutable = _Tally(), _Tally(), _Tally(), _Tally()
        self.errors: list[ValidationError] = []
        self.error_count = 0
        self.unverified: list[AssetRef] = []

    def fail(
        self,
        tally: _Tally,
        code: str,
        asset: AssetRef,
        member: str,
        detail: str,
        *,
        expected: str | None = None,
        found: str | None = None,
    ) -> None:
        tally.failed += 1
        self.error_count += 1
        if len(self.errors) < MAX_ERRORS_LISTED:
            pointer = f"/assets/{asset.index}/{member}"
            evidence = {key: text for key, text in (("expected", expected), ("found", found)) if text is not None}
            self.errors.append(
                ValidationError(code=str(code), pointer=pointer, detail=detail, asset_id=asset.id, **evidence)
            )

    def to_validation(self, *, strict: bool) -> Validation:
        checks = (
            self.reachable.to_check("asset-reachable"),
            self.size.to_check("asset-bytes"),
            self.hash.to_check("asset-hash"),
            self.immutable.to_check("asset-immutable"),
        )
        warnings = (
            () if strict or not self.unverified else (_unverified_warning(self.unverified, self.immutable.checked),)
        )
        return Validation(checks=checks, errors=tuple(self.errors), error_count=self.error_count, warnings=warnings)


def judge(
    assets: Sequence[AssetRef],
    places: Sequence[Place],
    seen: Sequence[Seen],
    published: Mapping[int, str],
    *,
    strict: bool,
) -> Validation:
    """Return the verdict on what was read: the first 100 errors in the order of the assets, and the count of all."""
    judgement = _Judgement()
    for asset, place, result in zip(assets, places, seen, strict=True):
        if result is None:
            judgement.unverified.append(asset)
            if strict:
                _judge_unverified(judgement, asset)
        else:
            _judge_reading(judgement, asset, result, _source_of(place))
        hash_before = published.get(asset.index)
        judgement.immutable.checked += 1
        if hash_before is not None and hash_before.lower() != asset.sha256.lower():
            judgement.fail(
                judgement.immutable,
                codes.ASSET_IMMUTABLE,
                asset,
                "url",
                "the URL is published already, with other bytes",
                expected=hash_before.lower(),
                found=asset.sha256.lower(),
            )
    return judgement.to_validation(strict=strict)


def _source_of(place: Place) -> str:
    if isinstance(place, InBucket):
        return "bucket"
    return "http" if isinstance(place, OnTheWeb) else "folder"


def _judge_unverified(judgement: _Judgement, asset: AssetRef) -> None:
    judgement.reachable.checked += 1
    judgement.reachable.sources.add("none")
    detail = (
        f"the server cannot read such a URL, and was told to accept only what it has read: `{origin_of(asset.url)}`"
    )
    judgement.fail(judgement.reachable, codes.ASSET_UNVERIFIED, asset, "url", detail)


def _judge_reading(judgement: _Judgement, asset: AssetRef, result: Content | Unreachable, source: str) -> None:
    judgement.reachable.checked += 1
    judgement.reachable.sources.add(source)
    if isinstance(result, Unreachable):
        judgement.fail(judgement.reachable, codes.ASSET_UNREACHABLE, asset, "url", result.reason)
        return
    judgement.size.checked += 1
    judgement.size.sources.add(source)
    if result.bytes != asset.bytes:
        found = str(result.bytes) if result.is_whole else f"more than {asset.bytes}"
        detail = f"the manifest says {asset.bytes} bytes, the source has {found}"
        judgement.fail(
            judgement.size, codes.ASSET_BYTES, asset, "bytes", detail, expected=str(asset.bytes), found=found
        )
    if result.sha256 is None:
        return
    judgement.hash.checked += 1
    judgement.hash.sources.add(source)
    if result.sha256 != asset.sha256.lower():
        judgement.fail(
            judgement.hash,
            codes.ASSET_HASH,
            asset,
            "hash",
            "the source has bytes with another SHA-256 than the manifest says",
            expected=asset.sha256.lower(),
            found=result.sha256,
        )


def _unverified_warning(unverified: Sequence[AssetRef], total: int) -> ValidationError:
    # The first thousand are enough to name where they point.
    origins = sorted({origin_of(asset.url) for asset in unverified[:1000]})
    shown = ", ".join(f"`{origin}`" for origin in origins[:3]) + (", …" if len(origins) > 3 else "")
    return ValidationError(
        code=str(codes.ASSET_UNVERIFIED),
        pointer="/assets",
        detail=f"{len(unverified)} of {total} assets were not verified: the server has no way to read {shown}",
        found=str(len(unverified)),
    )

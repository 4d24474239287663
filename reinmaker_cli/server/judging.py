"""The asynchronous validation of one submission, from claim to verdict. Runs in a thread, or in a worker process."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import Status
from reinmaker_cli.server.addresses import AddressPolicy
from reinmaker_cli.server.clock import Clock
from reinmaker_cli.server.config import ValidationMode
from reinmaker_cli.server.store import Store, StorePlace, join_store
from reinmaker_cli.server.store.folders import StoredFolder
from reinmaker_cli.server.store.published import keyed_assets
from reinmaker_cli.server.store.records import Claim, Verdict
from reinmaker_cli.server.threads import despite_conflicts

if TYPE_CHECKING:
    from reinmaker_cli.contract.models import Validation, ValidationError
    from reinmaker_cli.server.judgement import CheckName
    from reinmaker_cli.server.sources import RegisteredFolder
    from reinmaker_cli.server.verifier import AssetRef


@dataclass(frozen=True, slots=True)
class Rules:
    """How this server validates; picklable."""

    mode: ValidationMode
    strict: bool
    maps: tuple[tuple[str, Path], ...]
    network: bool
    policy: AddressPolicy
    buckets: tuple[str, ...] | None


def judge(store: Store, claim: Claim, rules: Rules, clock: Clock, stop: Callable[[], bool]) -> Status | None:
    """Validate the claimed submission and record the verdict; None where the claim was overtaken.

    Raises VerificationStopped when `stop` said so: the submission stays open, and the next start continues.
    """
    with store.one_state():
        assets = _assets_of(store, claim)
        keyed = keyed_assets(assets)
        is_real = rules.mode == "real"
        folders = store.folders.find(claim.manifest_id, claim.version) if is_real else ()
        moved = store.published.find_moved(keyed) if is_real else {}
    found = _look(assets, folders, moved, rules, stop) if is_real else _accept_unseen()
    return _conclude(store, claim, keyed, found, clock)


def never_stop() -> bool:
    """Return False: a worker process is ended from outside."""
    return False


def with_own_store(place: StorePlace, conclude: Callable[..., Status | None], *args: Any) -> Status | None:
    """Call `judge` or `decide` in a worker process, with a connection of its own."""
    store = join_store(place)
    store.together = despite_conflicts
    try:
        return conclude(store, *args)
    finally:
        store.close()


def decide(store: Store, claim: Claim, reason: str | None, clock: Clock, _stop: Callable[[], bool]) -> Status | None:
    """Record what a person decided: rejected for a reason, or (None) active."""
    from reinmaker_cli.contract.models import ValidationError

    if reason is None:
        return _conclude(store, claim, keyed_assets(_assets_of(store, claim)), _accept_unseen(), clock)
    error = ValidationError(code=str(codes.REJECTED), pointer="", detail=reason)
    return _conclude(store, claim, {}, _accept_unseen((error,)), clock)


def _look(
    assets: Sequence[AssetRef],
    folders: Sequence[StoredFolder],
    moved: Mapping[int, str],
    rules: Rules,
    stop: Callable[[], bool],
) -> Validation:
    from reinmaker_cli.server.sources import Sources
    from reinmaker_cli.server.verifier import verify

    sources = Sources(
        folders=tuple(map(_registered, folders)),
        maps=rules.maps,
        network=rules.network,
        policy=rules.policy,
        buckets=rules.buckets,
    )
    return verify(assets, sources, strict=rules.strict, immutable=lambda: moved, stop=stop)


def _conclude(
    store: Store, claim: Claim, keyed: Mapping[str, AssetRef], found: Validation, clock: Clock
) -> Status | None:
    def moved_meanwhile(moved: Mapping[int, str]) -> Verdict:
        return _verdict(_with_moved(found, keyed.values(), moved), claim)

    verdict, now = _verdict(found, claim), clock.now()
    status: Status | None = store.together(
        lambda: store.submissions.conclude(claim, verdict, keyed, now=now, moved=moved_meanwhile)
    )
    return status


def _verdict(found: Validation, claim: Claim) -> Verdict:
    """Return the verdict, with the warnings that the rules had when the manifest came in."""
    document = found.model_dump(mode="json", by_alias=True, exclude_none=True)
    document["warnings"] = json.loads(claim.validation)["warnings"] + document["warnings"]
    return Verdict(json.dumps(document), passes=found.error_count == 0)


def _with_moved(found: Validation, assets: Collection[AssetRef], moved: Mapping[int, str]) -> Validation:
    from reinmaker_cli.contract.models import Check, ValidationError
    from reinmaker_cli.contract.names import MAX_ERRORS_LISTED

    by_index = {asset.index: asset for asset in assets}
    errors = tuple(
        ValidationError(
            code=str(codes.ASSET_IMMUTABLE),
            pointer=f"/assets/{index}/url",
            asset_id=by_index[index].id,
            detail="the URL is published already, with other bytes",
            expected=published,
            found=by_index[index].sha256.lower(),
        )
        for index, published in list(moved.items())[:MAX_ERRORS_LISTED]
    )
    check = Check(name="asset-immutable", status="failed", checked=len(assets), failed=len(moved), source="none")
    others = tuple(other for other in found.checks if other.name != check.name)
    return found.model_copy(update={"checks": (*others, check), "errors": errors, "error_count": len(moved)})


def _accept_unseen(errors: tuple[ValidationError, ...] = ()) -> Validation:
    """Return what is found where nobody looks at the bytes."""
    from reinmaker_cli.contract.models import Check, Validation

    names: tuple[CheckName, ...] = ("asset-reachable", "asset-bytes", "asset-hash", "asset-immutable")
    checks = tuple(Check(name=name, status="skipped", checked=0, failed=0, source="none") for name in names)
    return Validation(checks=checks, errors=errors, error_count=len(errors))


def _assets_of(store: Store, claim: Claim) -> tuple[AssetRef, ...]:
    from reinmaker_cli.server.verifier import AssetRef

    document = json.loads(gzip.decompress(store.submissions.body(claim.no)))
    return tuple(
        # JSON Schema calls 3.0 an integer, and 1e300 too.
        AssetRef(index, asset["id"], asset["url"], asset["hash"], int(asset["bytes"]))
        for index, asset in enumerate(document["assets"])
    )


def _registered(folder: StoredFolder) -> RegisteredFolder:
    from reinmaker_cli.server.sources import RegisteredFolder

    return RegisteredFolder(Path(folder.root), json.loads(gzip.decompress(folder.files_gzipped)))

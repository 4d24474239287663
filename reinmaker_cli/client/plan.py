"""Step one of a publication: what is to be done with each manifest, and whether it may be done. Sends nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from reinmaker_cli.client.events import Action, Estimated, Planned, PreflightStarted
from reinmaker_cli.client.journey import Journey
from reinmaker_cli.client.patience import LOOKING_ATTEMPTS, Patience
from reinmaker_cli.client.preflight import (
    LIST_ABOVE,
    Await,
    Conflict,
    Decision,
    Known,
    Send,
    Unchanged,
    decide,
    known_from_listing,
    list_manifests,
    look_up_version,
    read_known,
)
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ContentInvalid, ReinmakerError, UsageError
from reinmaker_cli.manifest.assemble import Manifest
from reinmaker_cli.manifest.diff import Difference, diff_manifests

MAX_NAMES_SHOWN: Final = 5

Plan = Unchanged | Await | Send
"""A decision that can be carried out."""


def plan_all(journey: Journey) -> dict[int, Plan]:
    """Return what to do with each manifest that can go, by its place; what cannot go is in the journey's ledger.

    Each is looked at on its own, many at a time; then a person is asked once about all that would go.
    """
    journey.around.on_event(PreflightStarted(len(journey.wanted)))
    plans: dict[int, Plan] = {}
    removals: dict[int, str] = {}
    if len(journey.wanted) > LIST_ABOVE and not _list(journey):
        return {}
    wanted = len(journey.wanted)
    journey.begin_step("compared", wanted, "default", wanted if journey.listing is None else 0)
    for place in range(wanted):
        if journey.is_stopped:
            break
        _start_planning(journey, place, plans, removals)
        if place == 0 and journey.listing is None:  # the first answer says how fast it goes
            journey.turns.until(lambda: journey.api.pacing.knows("default"))
            _estimate_questions(journey)
    journey.turns.finish()
    if journey.is_stopped:
        return {}
    confirm_removed(journey, dict(sorted(removals.items())))
    return dict(sorted(plans.items()))


def _list(journey: Journey) -> bool:
    """Read what the server has of all manifests; False where that cannot be had: none of them can go then."""
    patience = journey.new_patience(max_attempts=LOOKING_ATTEMPTS)
    try:
        journey.listing = list_manifests(journey.api, patience=patience, trace_id=journey.run_trace_id)
    except ReinmakerError as error:
        journey.conclude_with(0, error)
        return False
    return True


def _start_planning(journey: Journey, place: int, plans: dict[int, Plan], removals: dict[int, str]) -> None:
    def plan() -> None:
        patience = journey.patience(place, max_attempts=LOOKING_ATTEMPTS)
        try:
            known = _known(journey, place, patience)
            plans[place] = plan_one(journey, place, known, patience, removals=removals)
        finally:
            patience.hold()

    if journey.listing is None:
        try:
            journey.await_limit("default")
        except ReinmakerError as error:
            journey.conclude_with(place, error)
            return
    journey.start(place, plan)


def _estimate_questions(journey: Journey) -> None:
    questions = len(journey.wanted) - 1
    seconds = journey.api.pacing.estimate_s("default", questions)
    if seconds:
        journey.around.on_event(Estimated("questions", questions, seconds))


def plan_one(
    journey: Journey,
    place: int,
    known: Known,
    patience: Patience,
    *,
    removals: dict[int, str],
    taken: Collection[str] = (),
) -> Plan:
    """Return what to do with a manifest after comparing it with what is active; raise where it cannot go.

    `removals` gets its place and the active version where that has assets which this one lacks.
    """
    wanted, row = journey.wanted[place], journey.ledger[place]
    decision = decide(
        wanted,
        known,
        today=journey.options.today,
        look_up=lambda version: look_up_version(
            journey.api, wanted.manifest_id, version, patience=patience, trace_id=row.trace_id
        ),
        taken=taken,
    )
    _note(journey, place, decision)
    if isinstance(decision, Conflict):
        _compare(journey, place, decision.manifest, decision.with_version, patience)
        raise decision.error
    if isinstance(decision, Unchanged):
        return decision
    if known.active is None:
        journey.ledger.note(place, assets=replace(row.assets, added=row.assets.count, new_bytes=row.assets.bytes))
        return decision
    difference = _compare(journey, place, decision.manifest, known.active.version, patience)
    if difference is not None and isinstance(decision, Send):
        _require_immutable(decision.manifest, difference, known.active.version)
        if difference.removed:
            removals[place] = known.active.version
    return decision


def _known(journey: Journey, place: int, patience: Patience) -> Known:
    row = journey.ledger[place]
    if journey.listing is not None:
        return known_from_listing(journey.listing, row.manifest_id)
    return read_known(journey.api, row.manifest_id, patience=patience, trace_id=row.trace_id)


def _note(journey: Journey, place: int, decision: Decision) -> None:
    if isinstance(decision, Unchanged):
        version, digest, status = decision.active.version, decision.active.digest, "active"
    else:
        version, digest, status = decision.manifest.version, decision.manifest.digest, None
    journey.ledger.note(place, version=version, digest=digest, status=status)
    journey.around.on_event(Planned(journey.ledger[place].manifest_id, _action(decision), version))


def _action(decision: Decision) -> Action:
    match decision:
        case Unchanged():
            return "unchanged"
        case Await():
            return "wait"
        case Conflict():
            return "conflict"
        case Send(earlier=None):
            return "send"
        case Send():
            return "send-again"


def _compare(journey: Journey, place: int, manifest: Manifest, version: str, patience: Patience) -> Difference | None:
    """Note and return how the manifest differs from a version at the server."""
    row = journey.ledger[place]
    theirs = patience.ask(
        lambda: journey.api.manifest_document(
            row.manifest_id, version, trace_id=row.trace_id, limit_s=patience.left_s()
        )
    )
    if theirs is None:
        return None  # it went away between two questions; the server will judge
    difference = diff_manifests(theirs, manifest.document)
    journey.ledger.note_difference(place, difference)
    return difference


def _require_immutable(manifest: Manifest, difference: Difference, active_version: str) -> None:
    findings = [
        codes.ASSET_IMMUTABLE.finding(
            f"other bytes under a URL of the active `{active_version}`: `{change.new.url}`",
            path=manifest.files.get(change.new.url),
            asset_id=change.id,
            manifest_id=manifest.manifest_id,
            expected=change.old.sha256,
            found=change.new.sha256,
        )
        for change in difference.moved_bytes
    ]
    if findings:
        raise ContentInvalid(
            f"{len(findings)} assets of `{manifest.manifest_id}` changed and kept their URL",
            code=codes.ASSET_IMMUTABLE,
            hint=codes.ASSET_IMMUTABLE.cure,
            findings=findings,
        )


def confirm_removed(journey: Journey, removals: Mapping[int, str]) -> None:
    """Warn of the assets of the active versions that would go; UsageError where somebody says that they must not.

    `removals`: place of a manifest → the version that players have.
    """
    differences: dict[str, Difference] = {}
    for place, active_version in removals.items():
        manifest_id, difference = journey.ledger[place].manifest_id, journey.ledger[place].difference
        assert difference is not None
        differences[manifest_id] = difference
        names = ", ".join(f"`{asset.id}`" for asset in difference.removed[:MAX_NAMES_SHOWN])
        more = ", …" if len(difference.removed) > MAX_NAMES_SHOWN else ""
        count = f"{len(difference.removed)} {'asset' if len(difference.removed) == 1 else 'assets'}"
        message = f"{count} of the active `{active_version}` missing: {names}{more}"
        journey.ledger.note_findings(place, [codes.ASSETS_REMOVED.finding(message, manifest_id=manifest_id)])
    confirm = journey.around.confirm_removed
    if differences and confirm is not None and not confirm(differences):
        names = ", ".join(f"`{name}`" for name in list(differences)[:MAX_NAMES_SHOWN])
        raise UsageError(f"not published: {names}", code=codes.DECLINED, hint=codes.DECLINED.cure)

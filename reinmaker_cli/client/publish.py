"""Manifests go in, a report comes out: the whole journey of a publication."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from reinmaker_cli.client.api import Api
from reinmaker_cli.client.events import Estimated, VersionTaken
from reinmaker_cli.client.journey import Journey, Options, Surroundings
from reinmaker_cli.client.pacing import PolicyName
from reinmaker_cli.client.patience import Patience
from reinmaker_cli.client.plan import Plan, confirm_removed, plan_all, plan_one
from reinmaker_cli.client.preflight import Await, Send, Unchanged, Wanted, read_known
from reinmaker_cli.client.report import Report
from reinmaker_cli.client.submit import Accepted, look_again, submit_manifest
from reinmaker_cli.client.verdicts import Awaited, Verdicts
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import Interrupted, ReinmakerError, ServerUnreachable, UsageError, VersionConflict
from reinmaker_cli.manifest.assemble import Manifest

__all__ = ["Options", "Surroundings", "publish"]

MAX_NEW_VERSIONS: Final = 5  # how often somebody may be quicker before this is no accident any more


def publish(wanted: Sequence[Wanted], api: Api, options: Options, around: Surroundings | None = None) -> Report:
    """Publish manifests, many at a time, and return what came of each. A signal ends it early, with a report.

    1. Ask the server what it has, decide for each manifest, compare with what is active: all of them, first.
    2. Stop where one cannot go (unless `keep_going`). Until here nothing was sent.
    3. Put the assets where their URLs say, where that was asked for; what fails there goes no further.
    4. Submit what is to be submitted, each once, as fast as the limits allow; collect the verdicts
       meanwhile. Not in a dry run.

    Running it again continues: the server is the journal. UsageError where `confirm_removed` says no.
    """
    journey = Journey(wanted, api, options, around or Surroundings())
    with api.turn_by_turn(journey.turns.apart):
        try:
            plans = _with_assets_there(journey, plan_all(journey))
            if options.dry_run:
                _leave_unsent(journey, plans)
            elif journey.is_clean or options.keep_going:
                _carry_out_all(journey, plans)
            else:
                _note_unchanged(journey, plans)
        except KeyboardInterrupt:
            journey.turns.cut_off()
            return journey.report(signal_number=2)
        except Interrupted as signal:
            journey.turns.cut_off()
            return journey.report(signal_number=signal.exit_status - 128)
        except BaseException:
            journey.turns.cut_off()
            raise
    return journey.report()


def _with_assets_there(journey: Journey, plans: Mapping[int, Plan]) -> Mapping[int, Plan]:
    """Return the plans of the manifests whose assets lie where their URLs say, or were not to be put there."""
    put_assets = journey.around.put_assets
    if put_assets is None or not (journey.is_clean or journey.options.keep_going):
        return plans
    errors = put_assets([journey.wanted[place].manifest_id for place in plans], journey.deadline_left_s())
    for place in plans:
        error = errors.get(journey.wanted[place].manifest_id)
        if error is not None:
            journey.conclude_with(place, error)
    return {place: plan for place, plan in plans.items() if journey.wanted[place].manifest_id not in errors}


def _leave_unsent(journey: Journey, plans: Mapping[int, Plan]) -> None:
    """Close a dry run: what would be sent is `skipped`, and that is all that was asked for."""
    for place, plan in plans.items():
        journey.ledger.conclude(place, "unchanged" if isinstance(plan, Unchanged) else "skipped", finished=True)


def _note_unchanged(journey: Journey, plans: Mapping[int, Plan]) -> None:
    """Close what needs nothing although something else cannot go; the rest stays `skipped`."""
    for place, plan in plans.items():
        if isinstance(plan, Unchanged):
            journey.ledger.conclude(place, "unchanged", finished=True)


def _carry_out_all(journey: Journey, plans: Mapping[int, Plan]) -> None:
    """Do what was planned, many at a time, until one shows that no other can succeed either."""
    to_send = sum(isinstance(plan, Send) for plan in plans.values())
    if seconds := journey.api.pacing.estimate_s("manifests", to_send):
        journey.around.on_event(Estimated("manifests", to_send, seconds))
    journey.begin_step("sent", len(plans), "manifests", to_send)
    verdicts = Verdicts(journey)
    for place, plan in plans.items():
        if isinstance(plan, Unchanged):
            journey.ledger.conclude(place, "unchanged", finished=True)
            journey.count_one()
        elif not journey.is_stopped:
            verdicts.look_meanwhile()
            _start(journey, place, plan, verdicts, to_send)
    verdicts.collect()


def _start(journey: Journey, place: int, plan: Plan, verdicts: Verdicts, to_send: int) -> None:
    """Begin to carry out a plan, as soon as the limits allow it."""
    policy: PolicyName = "manifests" if isinstance(plan, Send) else "default"
    was_known = journey.api.pacing.knows(policy)
    try:
        journey.await_limit(policy)
    except ReinmakerError as error:
        journey.conclude_with(place, error)
        return
    journey.start(place, lambda: _carry_out(journey, place, plan, verdicts, to_send))
    if not was_known:  # the first answer says how fast it goes
        journey.turns.until(lambda: journey.api.pacing.knows(policy))


def _carry_out(journey: Journey, place: int, plan: Plan, verdicts: Verdicts, to_send: int) -> None:
    patience = journey.patience(place)
    taken: list[str] = []
    while isinstance(plan, Send):
        if patience.left_s() <= 0:
            raise _never_sent(plan.manifest)
        try:
            accepted = _submit(journey, place, plan, patience, to_send)
        except VersionConflict:
            if journey.wanted[place].version is not None or len(taken) >= MAX_NEW_VERSIONS:
                raise
            taken.append(plan.manifest.version)
            plan = _plan_anew(journey, place, patience, taken)
        else:
            _settle(journey, place, plan.manifest, accepted, patience, verdicts)
            return
    if isinstance(plan, Await):
        _join(journey, place, plan, patience, verdicts)
    else:
        journey.ledger.conclude(place, "unchanged", finished=True)


def _submit(journey: Journey, place: int, plan: Send, patience: Patience, to_send: int) -> Accepted:
    if journey.around.register is not None:
        journey.around.register(plan.manifest)
    return submit_manifest(
        journey.api,
        plan.manifest,
        earlier=plan.earlier,
        patience=patience,
        trace_id=journey.ledger[place].trace_id,
        wait_s=journey.prefer_wait_s(to_send),
        on_event=journey.around.on_event,
    )


def _plan_anew(journey: Journey, place: int, patience: Patience, taken: Sequence[str]) -> Plan:
    """Return the next plan under `auto`, after somebody took the version; say whose content it replaces.

    VersionConflict where theirs has assets that ours lacks, and somebody says that they must stay.
    """
    row = journey.ledger[place]
    known = read_known(journey.api, row.manifest_id, patience=patience, trace_id=row.trace_id)
    removals: dict[int, str] = {}
    plan = plan_one(journey, place, known, patience, removals=removals, taken=taken)
    if place in removals:
        patience.hold()  # a person takes the time that it takes
        try:
            confirm_removed(journey, removals)
        except UsageError as error:  # others are sent by now, and have their results
            raise VersionConflict(error.message, code=error.code, hint=error.hint) from error
        patience.resume()
    if isinstance(plan, Send):
        theirs = known.newest or known.active
        replaces = theirs.version if theirs is not None else None
        journey.around.on_event(VersionTaken(row.manifest_id, taken[-1], plan.manifest.version, replaces))
    return plan


def _join(journey: Journey, place: int, plan: Await, patience: Patience, verdicts: Verdicts) -> None:
    """Wait for the verdict on content that an earlier run, or somebody else, submitted."""
    manifest = plan.manifest
    if journey.around.register is not None:
        journey.around.register(manifest)
    if journey.listing is not None and journey.options.wait:
        journey.ledger.note(place, status=plan.status)
        verdicts.await_one(place, Awaited(manifest, plan.submission_id, plan.status, patience))
        return
    seen = look_again(journey.api, manifest, patience=patience, trace_id=journey.ledger[place].trace_id)
    _settle(journey, place, manifest, Accepted(seen, reconciled=False), patience, verdicts)


def _settle(
    journey: Journey, place: int, manifest: Manifest, accepted: Accepted, patience: Patience, verdicts: Verdicts
) -> None:
    """Close the row with the verdict, once there is one, unless nobody wants to wait for it."""
    said = accepted.seen.submission
    journey.ledger.note(place, submission=said, status=str(said.status), reconciled=accepted.reconciled)
    if said.status.is_final or journey.listing is None or not journey.options.wait:
        verdicts.follow(place, manifest, accepted.seen, patience)
    else:
        verdicts.await_one(place, Awaited(manifest, said.submission_id, str(said.status), patience))


def _never_sent(manifest: Manifest) -> ServerUnreachable:
    return ServerUnreachable(
        f"time ran out before it was sent: `{manifest.manifest_id}`",
        code=codes.OUT_OF_TIME,
        hint="run the same command again, or give a longer --deadline",
    )

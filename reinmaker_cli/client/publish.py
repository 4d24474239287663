"""Manifests go in, a report comes out: the whole journey of a publication."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from reinmaker_cli.client.api import Api, Seen
from reinmaker_cli.client.events import Estimated, VersionTaken
from reinmaker_cli.client.journey import Journey, Options, Surroundings
from reinmaker_cli.client.patience import Patience
from reinmaker_cli.client.plan import Plan, plan_all, plan_one
from reinmaker_cli.client.preflight import Await, Send, Unchanged, Wanted, read_known
from reinmaker_cli.client.report import Report
from reinmaker_cli.client.submit import Accepted, submit_manifest, wait_for_verdict
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import Interrupted, ReinmakerError, ServerUnreachable, VersionConflict
from reinmaker_cli.manifest.assemble import Manifest

__all__ = ["Options", "Surroundings", "publish"]

MAX_NEW_VERSIONS: Final = 5  # how often somebody may be quicker before this is no accident any more


def publish(wanted: Sequence[Wanted], api: Api, options: Options, around: Surroundings | None = None) -> Report:
    """Publish manifests one after another and return what came of each. A signal ends it early, with a report.

    1. Ask the server what it has, decide for each manifest, compare with what is active: all of them, first.
    2. Stop where one cannot go (unless `keep_going`), or in a dry run. Until here nothing was sent.
    3. Submit what is to be submitted, each once, and wait for the verdicts.

    Running it again continues: the server is the journal. UsageError where `confirm_removed` says no.
    """
    journey = Journey(wanted, api, options, around or Surroundings())
    try:
        plans = plan_all(journey)
        if options.dry_run:
            _leave_unsent(journey, plans)
        elif journey.is_clean or options.keep_going:
            _carry_out_all(journey, plans)
        else:
            _note_unchanged(journey, plans)
    except KeyboardInterrupt:
        return journey.report(signal_number=2)
    except Interrupted as signal:
        return journey.report(signal_number=signal.exit_status - 128)
    return journey.report()


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
    """Do what was planned, one manifest after another, until one shows that no other can succeed either."""
    to_send = sum(isinstance(plan, Send) for plan in plans.values())
    if seconds := journey.api.pacing.estimate_s("manifests", to_send):
        journey.around.on_event(Estimated("manifests", to_send, seconds))
    for place, plan in plans.items():
        try:
            _carry_out(journey, place, plan)
        except ReinmakerError as error:
            if not journey.goes_on_after(place, error):
                return


def _carry_out(journey: Journey, place: int, plan: Plan) -> None:
    patience = journey.patience(place)
    taken: list[str] = []
    while isinstance(plan, Send):
        if patience.left_s() <= 0:
            raise _never_sent(plan.manifest)
        try:
            accepted = _submit(journey, place, plan, patience)
        except VersionConflict:
            if journey.wanted[place].version is not None or len(taken) >= MAX_NEW_VERSIONS:
                raise
            taken.append(plan.manifest.version)
            plan = _plan_anew(journey, place, patience, taken)
        else:
            _settle(journey, place, plan.manifest, accepted, patience)
            return
    if isinstance(plan, Await):
        _join(journey, place, plan.manifest, patience)
    else:
        journey.ledger.conclude(place, "unchanged", finished=True)


def _submit(journey: Journey, place: int, plan: Send, patience: Patience) -> Accepted:
    if journey.around.register is not None:
        journey.around.register(plan.manifest)
    return submit_manifest(
        journey.api,
        plan.manifest,
        earlier=plan.earlier,
        patience=patience,
        trace_id=journey.ledger[place].trace_id,
        wait=journey.options.wait,
        on_event=journey.around.on_event,
    )


def _plan_anew(journey: Journey, place: int, patience: Patience, taken: Sequence[str]) -> Plan:
    """Return the next plan under `auto`, after somebody took the version; say whose content it replaces."""
    row = journey.ledger[place]
    known = read_known(journey.api, row.manifest_id, patience=patience, trace_id=row.trace_id)
    plan = plan_one(journey, place, known, patience, taken=taken)
    if isinstance(plan, Send):
        theirs = known.newest or known.active
        replaces = theirs.version if theirs is not None else None
        journey.around.on_event(VersionTaken(row.manifest_id, taken[-1], plan.manifest.version, replaces))
    return plan


def _join(journey: Journey, place: int, manifest: Manifest, patience: Patience) -> None:
    """Wait for the verdict on content that an earlier run, or somebody else, submitted."""
    if journey.around.register is not None:
        journey.around.register(manifest)
    trace_id = journey.ledger[place].trace_id
    seen = patience.ask(
        lambda: journey.api.manifest(
            manifest.manifest_id, version=manifest.version, trace_id=trace_id, limit_s=patience.left_s()
        )
    )
    if not isinstance(seen, Seen) or seen.submission.digest != manifest.digest:
        raise VersionConflict(
            f"somebody submitted other content meanwhile: `{manifest.manifest_id}` `{manifest.version}`",
            code=codes.VERSION_CONFLICT,
            hint="run the same command again",
        )
    _settle(journey, place, manifest, Accepted(seen, reconciled=False), patience)


def _settle(journey: Journey, place: int, manifest: Manifest, accepted: Accepted, patience: Patience) -> None:
    """Wait for the verdict, unless nobody wants to, and close the row with it."""
    submission = accepted.seen.submission
    journey.ledger.note(place, submission=submission, status=str(submission.status), reconciled=accepted.reconciled)
    if not submission.status.is_final and not journey.options.wait:
        journey.ledger.conclude(place, "pending", finished=True)
        return
    verdict = wait_for_verdict(
        journey.api,
        accepted.seen,
        patience=patience,
        trace_id=journey.ledger[place].trace_id,
        on_event=journey.around.on_event,
    )
    journey.ledger.conclude_with_verdict(place, verdict, manifest)


def _never_sent(manifest: Manifest) -> ServerUnreachable:
    return ServerUnreachable(
        f"time ran out before it was sent: `{manifest.manifest_id}`",
        code=codes.OUT_OF_TIME,
        hint="run the same command again, or give a longer --deadline",
    )

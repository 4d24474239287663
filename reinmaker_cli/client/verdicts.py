"""The verdicts on what was submitted: one by one where they are few, from the listing where they are many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from reinmaker_cli.client.api import PAGE_SIZE, Seen
from reinmaker_cli.client.journey import Journey
from reinmaker_cli.client.patience import Patience
from reinmaker_cli.client.preflight import LIST_ABOVE, list_manifests
from reinmaker_cli.client.submit import look_again, out_of_time, wait_for_verdict
from reinmaker_cli.contract.models import ListedManifest
from reinmaker_cli.contract.names import Status
from reinmaker_cli.errors import ReinmakerError
from reinmaker_cli.manifest.assemble import Manifest

LOOK_EVERY_S: Final = 2.0  # at the earliest
SHARE_OF_LIMIT: Final = 0.5  # of what may be asked; the rest is for what was rejected, and for lost answers


@dataclass(frozen=True, slots=True)
class Awaited:
    """A submission whose verdict is to come."""

    manifest: Manifest
    submission_id: str
    status: str
    patience: Patience


class Verdicts:
    """Collects the verdicts of one journey."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey
        self._open: dict[int, Awaited] = {}
        self._is_looking = False
        self._is_all_sent = False
        self._pages = _pages(journey.listing)

    def await_one(self, place: int, awaited: Awaited) -> None:
        """Leave the verdict on a manifest to be found in the listing; whoever submitted it is free for others."""
        self._open[place] = awaited

    def look_meanwhile(self) -> None:
        """Begin to look into the listing, where something is to be found there and nobody does."""
        if self._open and not self._is_looking and self._journey.listing is not None:
            self._is_looking = True
            self._journey.turns.start(self._look_repeatedly)

    def collect(self) -> None:
        """Wait until all that is under way has its verdict, or its time is out. Nothing more is going to be sent."""
        self._is_all_sent = True
        turns = self._journey.turns
        while True:
            turns.until(lambda: bool(self._open) and not self._is_looking)
            if not self._open:
                break
            if len(self._open) > LIST_ABOVE and self._journey.listing is not None:
                self.look_meanwhile()
            else:
                for place in list(self._open):
                    self._start_asking(place, self._open.pop(place))
        turns.finish()

    def follow(self, place: int, manifest: Manifest, seen: Seen, patience: Patience) -> None:
        """Wait for the verdict on one manifest, unless nobody wants to, and close the row with it."""
        journey = self._journey
        if not seen.submission.status.is_final and not journey.options.wait:
            journey.ledger.conclude(place, "pending", finished=True)
            return
        verdict = wait_for_verdict(
            journey.api,
            seen,
            patience=patience,
            trace_id=journey.ledger[place].trace_id,
            on_event=journey.around.on_event,
        )
        journey.ledger.conclude_with_verdict(place, verdict, manifest)

    def _start_asking(self, place: int, awaited: Awaited) -> None:
        def ask() -> None:
            self.follow(place, awaited.manifest, self._look_at(place, awaited), awaited.patience)

        self._journey.start(place, ask)

    def _look_repeatedly(self) -> None:
        try:
            while self._open and not (self._is_all_sent and len(self._open) <= LIST_ABOVE):
                pause_s = self._pages * self._journey.api.pacing.seconds_each("default") / SHARE_OF_LIMIT
                self._journey.turns.world.sleep(max(LOOK_EVERY_S, pause_s))
                self._look()
        finally:
            self._is_looking = False

    def _look(self) -> None:
        """Read the listing once, and close what has its verdict there."""
        journey = self._journey
        patience = journey.new_patience()
        asked = dict(self._open)  # what comes later may be missing in the pages that were read already
        try:
            listed = list_manifests(journey.api, patience=patience, trace_id=journey.run_trace_id)
        except ReinmakerError as error:
            for place in asked:
                self._conclude(place, error)
            return
        for awaited in asked.values():
            awaited.patience.extend(patience.limited_s)
        journey.listing = listed
        self._pages = _pages(listed)
        for place, awaited in asked.items():
            try:
                self._judge(place, awaited, listed or {})
            except ReinmakerError as error:
                self._conclude(place, error)

    def _judge(self, place: int, awaited: Awaited, listed: Mapping[str, ListedManifest]) -> None:
        ledger, item = self._journey.ledger, listed.get(awaited.manifest.manifest_id)
        newest = item.newest if item is not None else None
        if newest is None or newest.submission_id != awaited.submission_id or newest.status.is_final:
            if newest is not None and newest.digest == awaited.manifest.digest and newest.status is Status.ACTIVE:
                del self._open[place]
                ledger.conclude(place, "active", finished=True, status=str(newest.status))
                return
            seen = self._look_at(place, awaited)
            if seen.submission.status.is_final:
                del self._open[place]
                ledger.conclude_with_verdict(place, seen.submission, awaited.manifest)
                return
            awaited = replace(awaited, submission_id=seen.submission.submission_id, status=str(seen.submission.status))
        else:
            awaited = replace(awaited, status=str(newest.status))
        self._open[place] = awaited
        ledger.note(place, status=awaited.status)
        if awaited.patience.left_s() <= 0:
            raise out_of_time(awaited.manifest.manifest_id, awaited.status, ledger[place].trace_id)

    def _look_at(self, place: int, awaited: Awaited) -> Seen:
        """Return the submission itself: why it was rejected, or what became of it, no listing says."""
        trace_id = self._journey.ledger[place].trace_id
        seen = look_again(self._journey.api, awaited.manifest, patience=awaited.patience, trace_id=trace_id)
        self._journey.ledger.note(place, submission=seen.submission, status=str(seen.submission.status))
        return seen

    def _conclude(self, place: int, error: ReinmakerError) -> None:
        del self._open[place]
        self._journey.conclude_with(place, error)


def _pages(listing: Mapping[str, ListedManifest] | None) -> int:
    """Return how many requests reading the listing takes."""
    return max(1, -(-len(listing or ()) // PAGE_SIZE))

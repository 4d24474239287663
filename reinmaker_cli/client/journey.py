"""What all steps of a publication share: what is wanted, how, and the results so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from reinmaker_cli.client.api import Api, new_trace_id
from reinmaker_cli.client.events import Limited, OnEvent, Progress, ignore
from reinmaker_cli.client.ledger import Ledger
from reinmaker_cli.client.pacing import Paced, Pacing, PolicyName
from reinmaker_cli.client.patience import MAX_ATTEMPTS, Clockwork, Patience
from reinmaker_cli.client.preflight import LIST_ABOVE, Wanted
from reinmaker_cli.client.report import Report
from reinmaker_cli.client.submit import PREFER_WAIT_S
from reinmaker_cli.client.turns import Turns
from reinmaker_cli.contract.models import ListedManifest
from reinmaker_cli.errors import AccessDenied, Interrupted, ReinmakerError, ServerUnreachable
from reinmaker_cli.manifest.assemble import Manifest
from reinmaker_cli.manifest.diff import Difference

DEFAULT_TIMEOUT_S: Final = 300.0
MAX_IN_FLIGHT: Final = 32
SAY_EVERY_S: Final = 1.0
SAID_FROM_S: Final = 1.0  # shorter waits for limits are the usual pace, and not worth a line each

Register = Callable[[Manifest], None]
"""Tells the local server where the bytes of a manifest lie."""
PutAssets = Callable[[Sequence[str], float | None], Mapping[str, ReinmakerError]]
"""Puts the assets of manifests where their URLs say, within so many seconds (None: no end); returns the ids of those
whose assets are not there, and why."""
ConfirmRemoved = Callable[[Mapping[str, Difference]], bool]
"""Asks whether the assets of the active version that are missing are meant to be missing."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to publish."""

    today: date
    """UTC."""
    timeout_s: float = DEFAULT_TIMEOUT_S
    """For each manifest, waiting for limits not counted."""
    deadline_s: float | None = None
    """For the whole run, everything counted."""
    wait: bool = True
    dry_run: bool = False
    """Everything but the POST."""
    keep_going: bool = False
    """Send what is clean although something else is not."""
    in_flight: int = MAX_IN_FLIGHT
    """How many requests may be under way at a time; the server's limits hold beside it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Whom a publication talks to beside the API; each part has a quiet default."""

    on_event: OnEvent = ignore
    register: Register | None = None
    put_assets: PutAssets | None = None
    """None: they lie there already, or somebody else puts them there."""
    confirm_removed: ConfirmRemoved | None = None
    """None: missing assets are a warning."""
    world: Clockwork = field(default_factory=Clockwork)
    turns: Callable[..., Turns] = Turns
    """How many go on at the same time."""
    make_trace_id: Callable[[], str] = new_trace_id


class Step:
    """How far a step is, and how long it will still take."""

    def __init__(
        self, what: Literal["compared", "sent"], of: int, policy: PolicyName, requests: int, now: float
    ) -> None:
        self._what, self._of, self._policy = what, of, policy
        self._share = requests / of
        self._began_at = self._said_at = now
        self._done = 0

    def count(self, now: float, pacing: Pacing) -> Progress | None:
        """Count one more; return what is to be said of it, where it is time to say something."""
        self._done += 1
        if now - self._said_at < SAY_EVERY_S and self._done < self._of:
            return None
        self._said_at = now
        left = self._of - self._done
        as_before_s = left * (now - self._began_at) / self._done
        by_limit_s = pacing.estimate_s(self._policy, round(left * self._share))
        return Progress(self._what, self._done, self._of, round(max(as_before_s, by_limit_s), 1))


class Journey:
    """One run of `publish`. All of it belongs to whoever has the turn."""

    def __init__(self, wanted: Sequence[Wanted], api: Api, options: Options, around: Surroundings) -> None:
        self.wanted, self.api, self.options, self.around = tuple(wanted), api, options, around
        self.turns = around.turns(around.world, most=options.in_flight)
        self.ledger = Ledger(self.wanted, new_trace_id=around.make_trace_id, on_event=around.on_event)
        self.step: Step | None = None
        """How far the comparing or the publishing is, where there are many manifests."""
        self.run_trace_id = around.make_trace_id()
        self.is_clean = True
        """False once a manifest cannot go."""
        self.is_stopped = False
        """True once a manifest has shown that no other can succeed either."""
        self.listing: Mapping[str, ListedManifest] | None = None
        """What the server had at the beginning; None where it was asked manifest by manifest."""
        self._deadline_at = None if options.deadline_s is None else around.world.clock() + options.deadline_s
        self._patiences: dict[int, Patience] = {}
        self._limited_s, self._limited_until = 0.0, float("-inf")

    def patience(self, place: int, *, max_attempts: int = MAX_ATTEMPTS) -> Patience:
        """Return the time for one manifest: it starts with the first request, and goes on now where it was held."""
        if place in self._patiences:
            self._patiences[place].resume(max_attempts=max_attempts)
            return self._patiences[place]
        self._patiences[place] = self.new_patience(self.wanted[place].manifest_id, max_attempts=max_attempts)
        return self._patiences[place]

    def new_patience(self, manifest_id: str | None = None, *, max_attempts: int = MAX_ATTEMPTS) -> Patience:
        """Return the time for a piece of work of its own."""
        return Patience(
            self.options.timeout_s,
            deadline_at=self._deadline_at,
            world=self.turns.world,
            max_attempts=max_attempts,
            on_limit=lambda seconds: self._note_limit(manifest_id, seconds),
        )

    def deadline_left_s(self) -> float | None:
        """Return the seconds that are left for the whole run; None: no end."""
        return None if self._deadline_at is None else self._deadline_at - self.around.world.clock()

    def await_limit(self, policy: PolicyName) -> None:
        """Let time pass until a request of a policy may be sent; ServerUnreachable where that takes too long."""
        while wait_s := self.api.pacing.wait_s(policy):
            self.new_patience().wait_as_asked(Paced(wait_s))

    def begin_step(self, what: Literal["compared", "sent"], of: int, policy: PolicyName, requests: int) -> None:
        """Say from now on how far a step is that needs so many requests."""
        if of > LIST_ABOVE:
            self.step = Step(what, of, policy, requests, self.around.world.clock())

    def start(self, place: int, work: Callable[[], None]) -> None:
        """Begin a piece of work on a manifest; its error becomes the manifest's."""

        def carry_on() -> None:
            try:
                work()
            except ReinmakerError as error:
                self.conclude_with(place, error)
            self.count_one()

        self.turns.start(carry_on)

    def count_one(self) -> None:
        """Count a manifest with which the step is through, or has been sent."""
        if self.step is not None and (said := self.step.count(self.around.world.clock(), self.api.pacing)):
            self.around.on_event(said)

    def conclude_with(self, place: int, error: ReinmakerError) -> None:
        """Note a manifest's error, and whether the others may still succeed. A signal is no manifest's error."""
        if isinstance(error, Interrupted):
            raise error
        self.is_clean = False
        self.ledger.conclude_with(place, error)
        if isinstance(error, AccessDenied):
            self.is_stopped = True
        elif isinstance(error, ServerUnreachable):
            self.is_stopped = self.is_stopped or not self.options.keep_going

    def prefer_wait_s(self, to_send: int) -> int:
        """Return how long the server may hold the answer to a POST open until there is a verdict.

        Not so long that all that may be in flight is held open while the limit would allow more; and the first answer,
        which says what the limit is, is waited for by all others.
        """
        if not self.options.wait:
            return 0
        if to_send > 1 and not self.api.pacing.knows("manifests"):
            return 1
        if to_send <= self.options.in_flight:
            return PREFER_WAIT_S
        return max(1, min(PREFER_WAIT_S, int(self.options.in_flight * self.api.pacing.seconds_each("manifests"))))

    def report(self, signal_number: int | None = None) -> Report:
        """Return what came of it so far."""
        return self.ledger.report(requests=self.api.requests, limited_s=self._limited_s, signal_number=signal_number)

    def _note_limit(self, manifest_id: str | None, seconds: float) -> None:
        """Count the time in which at least one had to wait."""
        now = self.around.world.clock()
        more_s = now + seconds - max(now, self._limited_until)
        if more_s <= 0:
            return
        self._limited_s += more_s
        self._limited_until = now + seconds
        if more_s >= SAID_FROM_S:
            self.around.on_event(Limited(manifest_id, seconds))

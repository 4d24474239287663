"""What all steps of a publication share: what is wanted, how, and the results so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from reinmaker_cli.client.api import Api, new_trace_id
from reinmaker_cli.client.events import Limited, OnEvent, ignore
from reinmaker_cli.client.ledger import Ledger
from reinmaker_cli.client.patience import MAX_ATTEMPTS, Clockwork, Patience
from reinmaker_cli.client.preflight import Wanted
from reinmaker_cli.client.report import Report
from reinmaker_cli.errors import AccessDenied, Interrupted, ReinmakerError, ServerUnreachable
from reinmaker_cli.manifest.assemble import Manifest
from reinmaker_cli.manifest.diff import Difference

DEFAULT_TIMEOUT_S: Final = 300.0

Register = Callable[[Manifest], None]
"""Tells the local server where the bytes of a manifest lie."""
ConfirmRemoved = Callable[[str, Difference], bool]
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


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Whom a publication talks to beside the API; each part has a quiet default."""

    on_event: OnEvent = ignore
    register: Register | None = None
    confirm_removed: ConfirmRemoved | None = None
    """None: missing assets are a warning."""
    world: Clockwork = field(default_factory=Clockwork)
    make_trace_id: Callable[[], str] = new_trace_id


class Journey:
    """One run of `publish`."""

    def __init__(self, wanted: Sequence[Wanted], api: Api, options: Options, around: Surroundings) -> None:
        self.wanted, self.api, self.options, self.around = tuple(wanted), api, options, around
        self.ledger = Ledger(self.wanted, new_trace_id=around.make_trace_id, on_event=around.on_event)
        self.run_trace_id = around.make_trace_id()
        self.is_clean = True
        """False once a manifest cannot go."""
        self._deadline_at = None if options.deadline_s is None else around.world.clock() + options.deadline_s
        self._patiences: dict[int, Patience] = {}

    def patience(self, place: int, *, max_attempts: int = MAX_ATTEMPTS) -> Patience:
        """Return the time for one manifest: it starts with the first request, and goes on now where it was held."""
        if place in self._patiences:
            self._patiences[place].resume(max_attempts=max_attempts)
            return self._patiences[place]
        manifest_id = self.wanted[place].manifest_id
        self._patiences[place] = Patience(
            self.options.timeout_s,
            deadline_at=self._deadline_at,
            world=self.around.world,
            max_attempts=max_attempts,
            on_limit=lambda seconds: self.around.on_event(Limited(manifest_id, seconds)),
        )
        return self._patiences[place]

    def goes_on_after(self, place: int, error: ReinmakerError) -> bool:
        """Note a manifest's error; return whether the others may still succeed. A signal is no manifest's error."""
        if isinstance(error, Interrupted):
            raise error
        self.is_clean = False
        self.ledger.conclude_with(place, error)
        if isinstance(error, AccessDenied):
            return False
        return self.options.keep_going or not isinstance(error, ServerUnreachable)

    def report(self, signal_number: int | None = None) -> Report:
        """Return what came of it so far."""
        limited_s = sum(patience.limited_s for patience in self._patiences.values())
        return self.ledger.report(requests=self.api.requests, limited_s=limited_s, signal_number=signal_number)

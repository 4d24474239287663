"""Faults of the local server: made, listed and ended through its control API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reinmaker_cli.client.local import LocalControl, path_of
from reinmaker_cli.contract.models import Wire
from reinmaker_cli.errors import UsageError


class ListedFault(Wire):
    """A fault that has not ended."""

    fault_id: str
    kind: str
    match: Mapping[str, str]
    status: int | None = None
    delay_seconds: float | None = None
    retry_after_seconds: int | None = None
    skew_seconds: int | None = None
    times: int | None
    """How often it strikes; None: whenever it matches."""
    probability: float
    seed: int
    hits: int
    left: int | None
    """How often it will strike yet; None: whenever it matches."""
    created_at: str
    ends_at: str


class FaultList(Wire):
    """The faults of a server."""

    items: tuple[ListedFault, ...]


class Cleared(Wire):
    """How many faults were ended."""

    cleared: int


def faults(control: LocalControl) -> tuple[ListedFault, ...]:
    """Return the faults that have not ended, oldest first."""
    return control.ask("GET", "/faults").read(FaultList).items


def add_fault(control: LocalControl, fault: Mapping[str, Any]) -> ListedFault:
    """Make a fault; the members are those of `NewFault` in the document of the control API."""
    return control.post("/faults", fault).read(ListedFault)


def end_fault(control: LocalControl, fault_id: str) -> int:
    """End one fault; UsageError where there is none of that id."""
    try:
        return control.ask("DELETE", path_of("/faults", fault_id)).read(Cleared).cleared
    except UsageError as error:
        hint = "`reinmaker local fault list` shows what there is"
        raise UsageError(error.message, code=error.code, hint=hint) from error


def end_faults(control: LocalControl) -> int:
    """End all faults, and return how many there were."""
    return control.ask("DELETE", "/faults").read(Cleared).cleared

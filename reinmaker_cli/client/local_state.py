"""The whole state of the local server: kept under a name, put back, thrown away."""

from __future__ import annotations

from reinmaker_cli.client.local import Clock, LocalControl, path_of
from reinmaker_cli.contract.models import Wire


class Snapshot(Wire):
    """A state that was kept."""

    name: str
    taken_at: str
    """By the clock of the server."""
    bytes: int
    schema_version: int


class SnapshotList(Wire):
    """The snapshots of a data folder."""

    items: tuple[Snapshot, ...]


def take_snapshot(control: LocalControl, name: str, *, replace: bool) -> Snapshot:
    """Keep the state of this moment under a name."""
    return control.post("/snapshots", {"name": name, "replace": replace}).read(Snapshot)


def snapshots(control: LocalControl) -> tuple[Snapshot, ...]:
    """Return what was kept, by name."""
    return control.ask("GET", "/snapshots").read(SnapshotList).items


def remove_snapshot(control: LocalControl, name: str) -> None:
    """Remove a snapshot."""
    control.ask("DELETE", path_of("/snapshots", name))


def restore_snapshot(control: LocalControl, name: str) -> Clock:
    """Put a state in the place of all there is, and return what the clock shows then."""
    return control.ask("POST", path_of("/snapshots", name, "restore")).read(Clock)


def reset_server(control: LocalControl) -> Clock:
    """Make the server as it was freshly started, and return what the clock shows then."""
    return control.ask("POST", "/reset").read(Clock)

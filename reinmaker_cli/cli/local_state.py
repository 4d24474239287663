"""`reinmaker local snapshot`, `local restore`, `local reset`: the whole state of the local server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from reinmaker_cli.cli.access import open_local_control
from reinmaker_cli.cli.next_step import nearest
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import human_size
from reinmaker_cli.cli.verbs import SERVER, verb
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ReinmakerError, UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.local import Clock
    from reinmaker_cli.client.local_state import Snapshot

NAME_HELP = "1 to 64 letters, digits and ._-"


@verb(flags=SERVER)
def snapshot(
    run: Run,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help=NAME_HELP)] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Also where there is one of that name.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the snapshot of that name.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the snapshots there are.")] = False,
) -> None:
    """Keep the whole state of the local server under a name, in milliseconds; requests go on beside it.

    It is a file below the data folder, `snapshots/NAME.sqlite3`, with all that the database holds, secrets included,
    and what the clock is set to. Faults and the journal are no part of it.
    """
    from reinmaker_cli.client.local_state import remove_snapshot, snapshots, take_snapshot

    if list_ == (name is not None) or (remove and replace) or (list_ and (remove or replace)):
        raise UsageError(
            "give a name, or --list", code=codes.USAGE, hint="`reinmaker local snapshot NAME`; --replace, --remove"
        )
    with open_local_control(run) as control:
        if name is None:
            _show_snapshots(run, snapshots(control))
        elif remove:
            remove_snapshot(control, name)
            run.output.add(results=[])
            run.output.data(f"removed  {name}")
        else:
            _show_snapshots(run, [take_snapshot(control, name, replace=replace)])


@verb(flags=SERVER)
def restore(run: Run, name: Annotated[str, typer.Argument(help="Of the snapshot.")]) -> None:
    """Put a snapshot in the place of all that the local server has, in one step while it runs.

    Its clock is set to what it was set to then, which may be back. Faults end, what was counted for limits is
    forgotten, and whatever was under way before counts no more.
    """
    from reinmaker_cli.client.local_state import restore_snapshot, snapshots

    with open_local_control(run) as control:
        try:
            clock = restore_snapshot(control, name)
        except ReinmakerError as error:
            if error.code == codes.SNAPSHOT_NOT_FOUND:
                meant = nearest(name, [one.name for one in snapshots(control)])
                error.hint = f"did you mean `{run.instead(name, meant)}`?" if meant else error.hint
            raise
    _show_changed(run, f"restored  {name}", clock)


@verb(flags=SERVER)
def reset(run: Run) -> None:
    """Make the local server as it was freshly started: empty, its clock at real time, without faults.

    The development client, the control token, the keys that sign tokens and the receivers of `serve --webhook` stay.
    Snapshots stay too.
    """
    from reinmaker_cli.client.local_state import reset_server

    with open_local_control(run) as control:
        _show_changed(run, "reset", reset_server(control))


def _show_snapshots(run: Run, found: Sequence[Snapshot]) -> None:
    run.output.add(results=[one.to_json() for one in found])
    run.output.ids(one.name for one in found)
    rows = [[one.name, one.taken_at, human_size(one.bytes)] for one in found]
    run.output.table(rows, head=("snapshot", "taken at", "size"), right=frozenset({2}))


def _show_changed(run: Run, what: str, clock: Clock) -> None:
    run.output.add(clock=clock.to_json())
    run.output.ids([clock.time])
    run.output.data(f"{what}  {clock.time}")

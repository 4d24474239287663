"""`reinmaker local clock`: the clock of the local server, shown, moved and watched."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from reinmaker_cli.cli.access import open_local_control
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.times import duration_text, parse_duration_s, parse_instant
from reinmaker_cli.cli.verbs import SERVER, verb
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.local import Clock

STEP_S = 1  # real time passes between two looks at it; less than this is no move


class ClockAction(StrEnum):
    """What to do with the clock."""

    show = "show"
    set = "set"
    advance = "advance"
    follow = "follow"


@verb(flags=SERVER)
def clock(
    run: Run,
    action: Annotated[ClockAction, typer.Argument(help="What to do.")] = ClockAction.show,
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="[INSTANT|DURATION]", help="For set: RFC 3339 with Z, or a date. For advance: 15m, 8h, 2d."
        ),
    ] = None,
) -> None:
    """Show the clock of the local server, move it forward, or follow how others move it.

    Every time of the server comes from it: tokens, secrets, limits and entitlements end by it. A move is kept, and none
    goes back. `follow` says the time now and whenever somebody moves the clock, until ^C or until nobody reads it.
    """
    takes_value = action in (ClockAction.set, ClockAction.advance)
    if takes_value != (value is not None):
        wants = f"`{action}` needs an instant or a duration" if takes_value else f"`{action}` takes no value"
        raise UsageError(wants, code=codes.USAGE, hint="`reinmaker local clock advance 15m`, or `--help`")
    with open_local_control(run) as control:
        if action is ClockAction.follow:
            for reading in control.follow_clock():
                _show(run, reading)
                if not run.output.flush():
                    return
        elif action is ClockAction.set:
            _show(run, control.set_clock(parse_instant(value or "", "local clock set")))
        elif action is ClockAction.advance:
            _show(run, control.advance_clock(parse_duration_s(value or "", "local clock advance")))
        else:
            _show(run, control.clock())


def _show(run: Run, reading: Clock) -> None:
    run.output.add(clock=reading.to_json())
    run.output.event("clock", **reading.to_json())
    run.output.ids([reading.time])
    run.output.data(f"{reading.time}  {_mode(reading)}")


def _mode(reading: Clock) -> str:
    ahead_s = reading.ahead_seconds
    behind = "behind" if ahead_s < 0 else "ahead of"
    distance = f"{duration_text(abs(ahead_s))} {behind} real time" if abs(ahead_s) >= STEP_S else "real time"
    return f"stands still, {distance}" if reading.mode == "virtual" else distance

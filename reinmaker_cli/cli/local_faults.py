"""`reinmaker local fault`: let the local server fail on purpose."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reinmaker_cli.cli.access import open_local_control
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import counted
from reinmaker_cli.cli.times import duration_text, parse_duration_s
from reinmaker_cli.cli.verbs import SERVER, verb
from reinmaker_cli.contract import codes, names
from reinmaker_cli.contract.faults import KINDS, MOST_TIMES, FaultKind
from reinmaker_cli.errors import UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.local_faults import ListedFault

ALWAYS: Final = "always"
_OPTIONS: Final = {
    "status": "--status",
    "delaySeconds": "--delay",
    "retryAfterSeconds": "--retry-after",
    "skewSeconds": "--skew",
}
"""Setting of a kind on the wire → the option that gives it."""


class FaultAction(StrEnum):
    """What to do with faults."""

    list = "list"
    add = "add"
    clear = "clear"


@verb(flags=SERVER)
def fault(
    run: Run,
    action: Annotated[FaultAction, typer.Argument(help="What to do.")] = FaultAction.list,
    which: Annotated[
        str | None, typer.Argument(metavar="[KIND|ID]", help="For add: a kind. For clear: one fault; without it, all.")
    ] = None,
    method: Annotated[str | None, typer.Option("--method", help="Only requests with this method.")] = None,
    path: Annotated[
        str | None, typer.Option("--path", help="Only requests of this path; `*` is any text, `{name}` one segment.")
    ] = None,
    operation: Annotated[
        str | None, typer.Option("--operation", help="Only requests of this operationId, as in `submitManifest`.")
    ] = None,
    client: Annotated[str | None, typer.Option("--client", metavar="ID", help="Only requests of this client.")] = None,
    url: Annotated[str | None, typer.Option("--url", help="Only deliveries to this URL; `*` is any text.")] = None,
    type_: Annotated[
        names.EventType | None, typer.Option("--type", metavar="TYPE", help="Only deliveries of this type.")
    ] = None,
    status: Annotated[
        int | None, typer.Option("--status", help="For failure: 500 to 599. For no-listing: 404 or 405.")
    ] = None,
    delay: Annotated[
        str | None, typer.Option("--delay", metavar="DURATION", help="For latency and drip: 250ms, 2s, 1m.")
    ] = None,
    retry_after: Annotated[
        int | None, typer.Option("--retry-after", metavar="SECONDS", help="For limited and failure.")
    ] = None,
    skew: Annotated[
        str | None, typer.Option("--skew", metavar="[-]DURATION", help="For clock-skew: 5m, or -5m for a late clock.")
    ] = None,
    times: Annotated[
        str | None, typer.Option("--times", metavar="N|always", help="How often it strikes; without it, once.")
    ] = None,
    probability: Annotated[
        float | None, typer.Option("--probability", help="Of striking what fits, above 0, at most 1.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="With the same one, the same requests of a sequence are struck.")
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="When it ends by itself; without it, after 5m.")
    ] = None,
) -> None:
    """Let the local server fail on purpose, list what is to fail, or end it.

    Kinds for requests: latency, limited, failure, reset, empty, cut, drip, lost-answer, no-listing, expired-token,
    missing-key, clock-skew. For webhook deliveries: dns, tls, timeout. A fault strikes once unless --times says more,
    ends by itself, and does not survive a restart.
    """
    match = {
        "method": method,
        "path": path,
        "operation": operation,
        "clientId": client,
        "url": url,
        "type": type_ and type_.value,
    }
    settings = {
        "status": status,
        "delaySeconds": None if delay is None else _delay_s(delay),
        "retryAfterSeconds": retry_after,
        "skewSeconds": None if skew is None else _skew_s(skew),
    }
    more = {"probability": probability, "seed": seed, "forSeconds": for_ and parse_duration_s(for_, "--for")}
    given = _without_none(match) | _without_none(settings) | _without_none(more)
    if action is not FaultAction.add and (given or times is not None):
        raise _misused(f"`{action}` takes no options of a fault")
    if action is FaultAction.add:
        kind = _kind(which)
        _require_settings_of(kind, _without_none(settings))
        asked = {"kind": kind.value, "match": _without_none(match), **_without_none(settings), **_without_none(more)}
        _add(run, asked | ({} if times is None else {"times": _times(times)}))
    elif action is FaultAction.clear:
        _clear(run, which)
    else:
        if which is not None:
            raise _misused("`list` takes no id")
        _list(run)


def _add(run: Run, asked: Mapping[str, Any]) -> None:
    from reinmaker_cli.client.local_faults import add_fault

    with open_local_control(run) as control:
        _show(run, [add_fault(control, asked)])


def _list(run: Run) -> None:
    from reinmaker_cli.client.local_faults import faults

    with open_local_control(run) as control:
        found = faults(control)
    _show(run, found)
    if not found:
        run.output.note("no faults")


def _clear(run: Run, fault_id: str | None) -> None:
    from reinmaker_cli.client.local_faults import end_fault, end_faults

    with open_local_control(run) as control:
        count = end_faults(control) if fault_id is None else end_fault(control, fault_id)
    run.output.add(results=[], cleared=count)
    run.output.data(f"ended {counted(count, 'fault')}")


def _kind(text: str | None) -> FaultKind:
    if text is None:
        raise _misused("`add` needs a kind")
    if text not in set(FaultKind):
        raise UsageError(f"no such kind of fault: `{text}`", code=codes.USAGE, hint=f"one of {', '.join(FaultKind)}")
    return FaultKind(text)


def _require_settings_of(kind: FaultKind, settings: Mapping[str, Any]) -> None:
    for name in settings:
        if name not in KINDS[kind].settings:
            having = ", ".join(other for other in FaultKind if name in KINDS[other].settings)
            raise UsageError(
                f"`{kind}` takes no {_OPTIONS[name]}", code=codes.USAGE, hint=f"it is for {having}; leave it out"
            )


def _times(text: str) -> int | None:
    if text == ALWAYS:
        return None
    if not re.fullmatch("[0-9]{1,7}", text) or not 1 <= int(text) <= MOST_TIMES:
        raise UsageError(
            f"--times is no number from 1 to {MOST_TIMES}: `{text}`",
            code=codes.USAGE,
            hint="`--times 3` or `--times always`",
        )
    return int(text)


def _delay_s(text: str) -> float:
    if milliseconds := re.fullmatch("([0-9]{1,9})ms", text):
        return int(milliseconds[1]) / 1000
    return parse_duration_s(text, "--delay")


def _skew_s(text: str) -> int:
    return -parse_duration_s(text[1:], "--skew") if text.startswith("-") else parse_duration_s(text, "--skew")


def _show(run: Run, found: Sequence[ListedFault]) -> None:
    run.output.add(results=[one.to_json() for one in found])
    run.output.ids(one.fault_id for one in found)
    rows = [
        [one.fault_id, _what(one), _struck(one.match), _hits(one), _chance(one), f"until {one.ends_at}"]
        for one in found
    ]
    run.output.table(rows, head=("fault", "kind", "strikes", "hits", "chance", "ends"))


def _what(fault: ListedFault) -> str:
    """Return the kind with what is set of it."""
    parts = [fault.kind]
    if fault.status is not None:
        parts.append(str(fault.status))
    if fault.delay_seconds is not None:
        parts.append(f"{fault.delay_seconds:g}s")
    if fault.retry_after_seconds is not None:
        parts.append(f"retry-after={fault.retry_after_seconds}")
    if fault.skew_seconds is not None:
        parts.append(f"{'-' if fault.skew_seconds < 0 else '+'}{duration_text(abs(fault.skew_seconds))}")
    return " ".join(parts)


def _struck(match: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in match.items()) or "everything"


def _hits(fault: ListedFault) -> str:
    return f"{fault.hits} of {fault.times}" if fault.times is not None else f"{fault.hits}, no end"


def _chance(fault: ListedFault) -> str:
    return "each" if fault.probability == 1 else f"{fault.probability:g} with seed {fault.seed}"


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _misused(fact: str) -> UsageError:
    return UsageError(fact, code=codes.USAGE, hint="`reinmaker local fault add reset --path '/v1/*'`, or `--help`")

"""`reinmaker webhooks dead-letters` and `redrive`: deliveries that were given up, and once more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Cell, counted
from reinmaker_cli.cli.verbs import SERVER, verb
from reinmaker_cli.cli.webhook_options import EndpointOption, chosen_letters, local_webhooks
from reinmaker_cli.cli.webhooks_deliveries import FOLLOWED, follow_to_the_end
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.webhooks import DeadLetter, Webhooks


class LetterAction(StrEnum):
    """What to do with dead letters."""

    list = "list"
    show = "show"
    export = "export"
    purge = "purge"


_ADD_AGAIN = "`reinmaker webhooks listen --port N` or `reinmaker webhooks endpoints add URL` puts one at that URL"
_GONE_HINT = f"`reinmaker webhooks dead-letters` says which; `reinmaker webhooks endpoints enable ID`, or {_ADD_AGAIN}"

Delivery = Annotated[str | None, typer.Argument(metavar="[DELIVERY]", help="Which one.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


@verb(flags=SERVER)
def dead_letters(
    run: Run,
    action: Annotated[LetterAction, typer.Argument(help="What to do.")] = LetterAction.list,
    delivery: Delivery = None,
    endpoint: EndpointOption = None,
    all_: All = False,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE|-", help="For export: where to; stdout without it.")
    ] = "-",
) -> None:
    """List deliveries that were given up, show one with its body, export them as JSON Lines, delete them.

    They are kept 14 days on the server's clock. `webhooks redrive` delivers them again.
    """
    if action is not LetterAction.export and output != "-":
        raise _misused(f"`{action}` takes no --output")
    if (action is LetterAction.show) and (delivery is None or endpoint is not None or all_):
        raise _misused("`show` needs a delivery, and nothing else")
    if action in (LetterAction.list, LetterAction.export) and (delivery is not None or all_):
        raise _misused(f"`{action}` takes no delivery and no --all")
    query = {"endpointId": endpoint} if endpoint is not None else {}
    with local_webhooks(run) as webhooks:
        if action is LetterAction.list:
            _list(run, list(webhooks.dead_letters(query)), {one.endpoint_id for one in webhooks.endpoints()})
        elif action is LetterAction.show:
            _show(run, webhooks.dead_letter(delivery or ""))
        elif action is LetterAction.export:
            _export(run, webhooks, query, output)
        else:
            purged = webhooks.purge(chosen_letters("purge", delivery, endpoint, all_))
            run.output.add(results=[purged.to_json()])
            run.output.data(f"deleted {counted(purged.purged, 'dead letter')}")


@verb(flags=SERVER)
def redrive(
    run: Run,
    delivery: Delivery = None,
    endpoint: EndpointOption = None,
    all_: All = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Tell of each attempt, until all are delivered or given up again.")
    ] = False,
) -> None:
    """Deliver dead letters again, with a fresh schedule and the same `webhook-id`.

    Those of an endpoint that was removed go to the one that has its URL now. Retries come by the server's clock.
    `--follow` looks at the newest 200 deliveries.
    """
    chosen = chosen_letters("redrive", delivery, endpoint, all_)
    with local_webhooks(run) as webhooks:
        query = _of(webhooks, delivery, endpoint) if follow else {}
        before = webhooks.deliveries(query, most=FOLLOWED) if follow else ()
        redriven = webhooks.redrive(chosen)
        run.output.add(results=[redriven.to_json()])
        run.output.ids(redriven.deliveries)
        run.output.data(f"{counted(redriven.redriven, 'delivery', 'deliveries')} on the way again")
        if follow:
            follow_to_the_end(run, webhooks, query, before, redriven.deliveries)
    if redriven.left:
        stay = f"{counted(redriven.left, 'dead letter')} left: disabled or removed is the endpoint of each"
        run.output.note(stay, _GONE_HINT)
    if redriven.redriven and not follow:
        run.output.note("next: `reinmaker webhooks deliveries`")


def _of(webhooks: Webhooks, delivery: str | None, endpoint: str | None) -> dict[str, str]:
    """Return the query that finds the deliveries which are meant, among few others."""
    if delivery is not None:
        return {"eventId": webhooks.dead_letter(delivery).event_id}
    return {"endpointId": endpoint} if endpoint is not None else {}


def _list(run: Run, letters: Sequence[DeadLetter], there: Collection[str]) -> None:
    run.output.add(results=[letter.to_json() for letter in letters])
    run.output.ids([letter.delivery_id for letter in letters])
    for letter in letters:  # no table: two ids and a reason are wider than a terminal
        forwarded = f"forwarded to {letter.forwarded['to']}" if letter.forwarded else "not forwarded"
        run.output.data(
            f"{letter.died_at}  {letter.type}  given up after {counted(letter.attempts, 'attempt')}: {letter.reason}",
            f"  delivery {letter.delivery_id}  endpoint {letter.endpoint_id}{_removed(letter, there)}  {forwarded}",
        )
    if any(letter.endpoint_id not in there for letter in letters):
        run.output.note(f"where the endpoint was removed: {_ADD_AGAIN}, then redrive")
    if letters:
        run.output.note("next: correct the receiver, then `reinmaker webhooks redrive --all`")
    else:
        run.output.note("no dead letters")


def _removed(letter: DeadLetter, there: Collection[str]) -> str:
    return "" if letter.endpoint_id in there else f" (removed; it was {letter.url})"


def _show(run: Run, letter: DeadLetter) -> None:
    run.output.add(results=[letter.to_json()])
    run.output.ids([letter.delivery_id])
    forwarded = f"{letter.forwarded['to']} at {letter.forwarded['at']}" if letter.forwarded else "no"
    rows: list[list[Cell]] = [
        ["delivery", letter.delivery_id],
        ["event", f"{letter.event_id}, {letter.type}"],
        ["endpoint", f"{letter.endpoint_id}, {letter.url}"],
        ["reason", letter.reason],
        ["died", f"{letter.died_at}; deleted at {letter.expires_at}"],
        ["trace id", letter.trace_id],
        ["forwarded", forwarded],
    ]
    for attempt in letter.history:
        rows.append([f"attempt {attempt.attempt}", f"{attempt.started_at}  {attempt.status or attempt.outcome}"])
    rows.append(["body", letter.body or ""])
    run.output.table(rows)


def _export(run: Run, webhooks: Webhooks, query: dict[str, str], target: str) -> None:
    """Write one JSON object a line, oldest last, bodies included."""
    from reinmaker_cli.cli.document import json_text

    if target == "-":
        run.output.claim_stdout("-o -")
    lines = [json_text(letter.to_json()) + "\n" for letter in webhooks.dead_letters(query, with_body=True)]
    if target == "-":
        run.output.raw("".join(lines))
        return
    from reinmaker_cli.cli.files import write_result

    write_result(Path(target), "".join(lines).encode())
    run.output.add(file=Path(target).as_posix(), exported=len(lines))
    run.output.note(f"wrote {counted(len(lines), 'dead letter')} to {target}")


def _misused(fact: str) -> UsageError:
    return UsageError(fact, code=codes.USAGE, hint="`reinmaker webhooks dead-letters --help`")

"""`reinmaker local requests` and `local wait`: what was asked of the local server, and waiting instead of sleeping."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from reinmaker_cli.cli.access import open_local_control
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import counted
from reinmaker_cli.cli.verbs import SERVER, verb
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import StillPending, UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.local_journal import Caused, JournalEntry, JournalPage, WaitCondition

MAX_SHOWN = 1000
"""Requests at once; and how many of those shown before `--follow` knows again."""


@verb(flags=SERVER)
def requests(
    run: Run,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes, until ^C.")] = False,
    trace_id: Annotated[str | None, typer.Option("--trace-id", metavar="ID", help="Only this trace id.")] = None,
    client: Annotated[str | None, typer.Option("--client", metavar="ID", help="Only this client's.")] = None,
    route: Annotated[
        str | None, typer.Option("--route", metavar="TEMPLATE", help="Only this route, as it is shown.")
    ] = None,
    status: Annotated[
        str | None, typer.Option("--status", metavar="STATUS", help="Only this status, 404, or class, 4xx.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=MAX_SHOWN, metavar="N", help="At most so many, the last ones.")
    ] = 100,
) -> None:
    """Show what was asked of the local server lately, oldest first, and below each request what it caused.

    That is submissions and their verdicts, batches of events, webhooks with each attempt, and dead letters. `--follow`
    shows new requests as they are answered, and what becomes of earlier ones when it happens. The server keeps the
    last 10,000 requests in memory; what only reads its control API is not among them.
    """
    from reinmaker_cli.client.local_journal import JournalFilter, follow_journal, read_journal

    wanted = JournalFilter(trace_id, client, route, status)
    known: OrderedDict[int, tuple[str, ...]] = OrderedDict()
    with open_local_control(run) as control:
        if not follow:
            _show(run, read_journal(control, wanted, limit), known)
            return
        for page in follow_journal(control, wanted, limit):
            _show(run, page, known)
            if not run.output.flush():
                return


@verb(flags=(*SERVER, "timeout"))
def wait(
    run: Run,
    delivered: Annotated[
        int | None, typer.Option("--delivered", min=1, metavar="N", help="So many webhooks have arrived.")
    ] = None,
    dead_letters: Annotated[
        int | None, typer.Option("--dead-letters", min=1, metavar="N", help="So many webhooks were given up.")
    ] = None,
    requests: Annotated[
        int | None, typer.Option("--requests", min=1, metavar="N", help="So many requests to the API were answered.")
    ] = None,
    idle: Annotated[
        bool, typer.Option("--idle", help="Every submission has its verdict, and no webhook is due.")
    ] = False,
    active: Annotated[
        str | None, typer.Option("--active", metavar="MANIFEST_ID", help="This manifest has an active version.")
    ] = None,
    version: Annotated[str | None, typer.Option("--version", help="With --active: this version is it.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="CURSOR", help="Count from there: what an earlier wait printed.")
    ] = None,
) -> None:
    """Wait until all that is named is so at the local server, instead of sleeping. Without any, print a cursor.

    Counts begin with the start of the server, `local restore` or `local reset`; with --since where an earlier
    `local wait` ended: `since=$(reinmaker local wait -q)`, then do something, then
    `reinmaker local wait --since $since --delivered 1`. Exit 8 when time has run out.
    """
    from reinmaker_cli.client.local_journal import wait_for

    if version is not None and active is None:
        raise UsageError("--version goes with --active", code=codes.USAGE, hint="`reinmaker local wait --help`")
    numbers = {"delivered": delivered, "deadLetters": dead_letters, "requests": requests}
    texts = {"active": active, "version": version, "since": since, "idle": "true" if idle else None}
    query = {name: str(number) for name, number in numbers.items() if number is not None}
    query |= {name: text for name, text in texts.items() if text is not None}
    with open_local_control(run) as control:
        standing = wait_for(control, query, timeout_s=run.settings.timeout if query.keys() - {"since"} else 0.0)
    run.output.add(**standing.to_json())
    run.output.ids([standing.cursor])
    missing = [_condition_text(one) for one in standing.conditions if not one.met]
    if missing:
        raise StillPending(
            f"not so before time ran out: {'; '.join(missing)}",
            code=codes.OUT_OF_TIME,
            hint="`reinmaker local requests` shows what there was; wait longer with --timeout",
        )
    run.output.data(*(f"so: {_condition_text(one)}" for one in standing.conditions), f"cursor  {standing.cursor}")


def _condition_text(condition: WaitCondition) -> str:
    name, found = condition.name, condition.found
    if name == "idle":
        return name if found is None else f"idle, but {found}"
    if name.startswith("active "):
        return f"{name.removeprefix('active ')} is {found or 'unknown'}"
    words = {"deadLetters": "dead letters"}.get(name, name)
    return f"{words}: {found} of {condition.wanted}"


def _show(run: Run, page: JournalPage, known: OrderedDict[int, tuple[str, ...]]) -> None:
    """Show entries; of those that were shown before, what is new below them."""
    run.output.add(results=[entry.to_json() for entry in page.items], firstNo=page.first_no)
    for entry in page.items:
        run.output.event("request", **entry.to_json())
        lines, before = tuple(_caused_lines(entry.caused)), known.get(entry.no)
        if before is None:
            run.output.ids([entry.trace_id] if entry.trace_id else [])
            run.output.data(_entry_text(entry), *(f"    {line}" for line in lines))
        elif news := [line for line in lines if line not in before]:
            run.output.data(f"{_clock_text(entry)}  since then  trace={entry.trace_id}", *(f"    {x}" for x in news))
        known[entry.no] = lines
        while len(known) > MAX_SHOWN:
            known.popitem(last=False)


def _entry_text(entry: JournalEntry) -> str:
    if entry.mark is not None:
        return f"{_clock_text(entry)}  --- {entry.mark}"
    who = f"  client={entry.client_id}" if entry.client_id else ""
    code = f"  {entry.code}" if entry.code else ""
    answer = f"{entry.status or 'none':>4}  {entry.ms:>8.1f} ms"
    return f"{_clock_text(entry)}  {answer}  {entry.method:<6} {entry.route}{code}  trace={entry.trace_id}{who}"


def _clock_text(entry: JournalEntry) -> str:
    return entry.time.removesuffix("Z").replace("T", " ")


def _caused_lines(caused: Caused) -> Iterator[str]:
    for submission in caused.submissions:
        yield f"submission  {submission.status}  {submission.manifest_id} {submission.version}"
    for batch in caused.batches:
        yield f"batch  {batch.accepted} of {counted(batch.events, 'event')} new  {batch.batch_id}"
    for event in caused.events:
        where = f", undelivered: {event.undelivered}" if event.undelivered else ""
        yield f"webhook  {event.type}  {event.event_id}{where}"
        for delivery in event.deliveries:
            to = f"to {delivery.endpoint_id}"
            for attempt in delivery.attempts:
                answer = f"HTTP {attempt.status}" if attempt.status is not None else attempt.outcome
                kind = "resend" if attempt.kind == "resend" else f"attempt {attempt.attempt}"
                yield f"  {kind}  {answer}  {attempt.duration_ms:.0f} ms  {to}"
            if delivery.dead_letter is not None:
                yield f"  dead letter  {delivery.dead_letter}  {to}"
            elif delivery.status == "open":
                yield f"  open, due {delivery.due_at}  {to}"

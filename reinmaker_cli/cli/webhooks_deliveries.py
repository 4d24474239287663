"""`reinmaker webhooks deliveries` and `resend`: what became of events, attempt by attempt."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reinmaker_cli.cli.pictures import Mark, time_line
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Cell, Line, Styled, cells
from reinmaker_cli.cli.times import duration_text, seconds_between
from reinmaker_cli.cli.verbs import SERVER, verb
from reinmaker_cli.cli.webhook_options import EndpointOption, local_webhooks

if TYPE_CHECKING:
    from reinmaker_cli.client.webhooks import Attempt, Delivery, Webhooks

SHOWN = 20
FOLLOWED = 200
"""Deliveries that are compared at each change; an older one that changes is not told of."""
TIME_LINE_COLUMNS = 72
KEPT = 1000
"""Attempts in the document of a command that follows."""

Told = dict[str, tuple[int, str]]
"""Delivery → how many of its attempts were told of, and its status then."""

_COLOURS = {"delivered": "green", "open": "yellow", "dead": "red"}


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    open = "open"
    delivered = "delivered"
    dead = "dead"


@verb(flags=SERVER)
def deliveries(
    run: Run,
    follow: Annotated[bool, typer.Option("--follow", help="Go on, and tell of each attempt; until ^C.")] = False,
    endpoint: EndpointOption = None,
    event: Annotated[str | None, typer.Option("--event", metavar="EVENT", help="Only of this event.")] = None,
    status: Annotated[DeliveryStatus | None, typer.Option("--status", help="Only those that stand there.")] = None,
    trace_id: Annotated[
        str | None, typer.Option("--trace-id", metavar="TRACE_ID", help="Only what this trace id caused.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="At most so many, the newest.", min=1)] = SHOWN,
) -> None:
    """Show deliveries of the local server on a time line: each attempt, what was answered, when the next one is due.

    Times are those of the server's clock; `reinmaker local clock advance 8h` lets hours of retries pass.
    """
    asked = {"endpointId": endpoint, "eventId": event, "status": status and str(status), "traceId": trace_id}
    query = {name: value for name, value in asked.items() if value is not None}
    with local_webhooks(run) as webhooks:
        if follow:
            _follow(run, webhooks, query)
            return
        found = webhooks.deliveries(query, most=limit)
    run.output.add(results=[delivery.to_json() for delivery in found])
    run.output.ids([delivery.delivery_id for delivery in found])
    for delivery in reversed(found):  # the newest last, where a terminal ends
        run.output.data(*timeline(delivery, run.output.columns))
    if not found:
        run.output.note("no deliveries" if query else "no deliveries; `reinmaker webhooks trigger` makes an event")


@verb(flags=SERVER)
def resend(
    run: Run, delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Which delivery, open or not.")]
) -> None:
    """Send a delivery once more, now. Its schedule stays as it is; the receiver sees the same `webhook-id`."""
    with local_webhooks(run) as webhooks:
        attempt = webhooks.resend(delivery)
    run.output.add(results=[attempt.to_json()])
    run.output.ids([delivery])
    run.output.data((f"{delivery}  ", *_answered(attempt)))


def timeline(delivery: Delivery, columns: int | None = None) -> list[Line]:
    """Return one delivery as lines: what it is, then each attempt with the time since the event.

    With `columns`, its attempts are drawn on a time line too, and what is due; its scale is logarithmic.
    """
    status = Styled(_COLOURS.get(delivery.status, "bold"), delivery.status)  # type: ignore[arg-type]
    lines: list[Line] = [
        (f"{delivery.created_at}  {delivery.type}  ", status),
        f"  delivery {delivery.delivery_id}  event {delivery.event_id}  trace id {delivery.trace_id}",
        f"  to {delivery.endpoint_id}  {delivery.url}",
    ]
    if columns is not None and delivery.attempts:
        lines.append(("  ", *_drawn(delivery, min(columns - 4, TIME_LINE_COLUMNS))))
    for attempt in delivery.attempts:
        lines.append((_since(delivery, attempt.started_at), *_answered(attempt)))
    if delivery.due_at is not None and delivery.status == "open":
        lines.append(f"{_since(delivery, delivery.due_at)}due at {delivery.due_at}")
    return lines


def _since(delivery: Delivery, time: str) -> str:
    """Return the beginning of a line on the time line: how long after the event, to the second."""
    since = duration_text(seconds_between(delivery.created_at, time), most_parts=4)
    return f"  {'+' + since:>12}  "


def _drawn(delivery: Delivery, columns: int) -> tuple[Cell, ...]:
    began = delivery.created_at
    marks = [
        Mark(seconds_between(began, one.started_at), *(("✓", "green") if one.outcome == "delivered" else ("✗", "red")))
        for one in delivery.attempts
    ]
    if delivery.due_at is not None and delivery.status == "open":
        marks.append(Mark(seconds_between(began, delivery.due_at), "○", "yellow"))
    return cells(time_line(marks, columns))


def _answered(attempt: Attempt) -> tuple[Cell, ...]:
    is_good = attempt.outcome == "delivered"
    said = str(attempt.status) if attempt.status is not None else attempt.outcome
    kind = "resend" if attempt.kind == "resend" else f"attempt {attempt.attempt}"
    error = "" if is_good or not attempt.error else f"  {attempt.error}"
    return Styled("green" if is_good else "red", said), f"  {kind}  {attempt.duration_ms:.0f} ms{error}"


def _follow(run: Run, webhooks: Webhooks, query: dict[str, str]) -> None:
    """Tell of each attempt as it is recorded, until nobody reads."""
    told: Told = {}
    kept: deque[dict[str, Any]] = deque(maxlen=KEPT)
    for page in webhooks.follow_deliveries(query, most=FOLLOWED):
        kept.extend(_tell_news(run, page, told))
        run.output.add(results=list(kept))
        if not run.output.flush():
            return


def follow_to_the_end(
    run: Run, webhooks: Webhooks, query: dict[str, str], before: Sequence[Delivery], wanted: Collection[str]
) -> None:
    """Tell of each attempt of these deliveries, until all are delivered or given up, or nobody reads.

    `before`: what they were when they were dead letters.
    """
    told: Told = {delivery.delivery_id: (len(delivery.attempts), "open") for delivery in before}
    for page in webhooks.follow_deliveries(query, most=FOLLOWED):
        meant = [delivery for delivery in page if delivery.delivery_id in wanted]
        _tell_news(run, meant, told)
        if not run.output.flush() or all(delivery.status != "open" for delivery in meant):
            return


def _tell_news(run: Run, page: Sequence[Delivery], told: Told) -> list[dict[str, Any]]:
    """Tell what `told` does not know, and add it there; return the attempts."""
    found = []
    for delivery in reversed(page):
        attempts, status = told.get(delivery.delivery_id, (0, ""))
        news = delivery.attempts[attempts:]
        for attempt in news:
            _tell(run, delivery, attempt)
        if delivery.status != status and (status or delivery.status == "dead"):
            _tell_status(run, delivery)
        found += [_attempt_json(delivery, attempt) for attempt in news]
        told[delivery.delivery_id] = (len(delivery.attempts), delivery.status)
    for gone in told.keys() - {delivery.delivery_id for delivery in page}:
        del told[gone]
    return found


def _tell(run: Run, delivery: Delivery, attempt: Attempt) -> None:
    run.output.event("attempt", **_attempt_json(delivery, attempt))
    run.output.ids([delivery.delivery_id])
    run.output.data((f"{attempt.ended_at}  {delivery.delivery_id}  {delivery.type}  ", *_answered(attempt)))


def _tell_status(run: Run, delivery: Delivery) -> None:
    run.output.event("delivery", deliveryId=delivery.delivery_id, status=delivery.status)
    status = Styled(_COLOURS.get(delivery.status, "bold"), delivery.status)  # type: ignore[arg-type]
    run.output.data((f"{delivery.updated_at}  {delivery.delivery_id}  {delivery.type}  ", status))


def _attempt_json(delivery: Delivery, attempt: Attempt) -> dict[str, Any]:
    return {
        "deliveryId": delivery.delivery_id,
        "eventId": delivery.event_id,
        "type": delivery.type,
        "endpointId": delivery.endpoint_id,
        "traceId": delivery.trace_id,
        **attempt.to_json(),
    }

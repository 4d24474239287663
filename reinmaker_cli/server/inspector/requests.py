"""Requests as they come, each with what it caused; or all of one trace id, attempt by attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reinmaker_cli.server.inspector.frame import View
from reinmaker_cli.server.inspector.markup import Child, Html, group, tag
from reinmaker_cli.server.inspector.parts import command, empty, link, mark, moment, row, stack, table, until
from reinmaker_cli.server.journal import Entry
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.effects import Effects

SHOWN: Final = 50
_FILTERS: Final = (("All", None), ("Refused", "4xx"), ("Failed", "5xx"))
_HEAD: Final = ("Time", "Answer", "Request", "Took", "Caused", "Trace id")


async def show_requests(services: Services, query: Mapping[str, str]) -> View:
    """Return the last requests, newest first; of one trace id where `trace` names it."""
    trace, status = query.get("trace"), query.get("status")

    def matches(entry: Entry) -> bool:
        if trace is not None:
            return entry.trace_id == trace
        return status is None or entry.is_mark or f"{entry.status // 100}xx" == status

    entries = (await services.journal.look(matches, after=None, limit=SHOWN)).entries
    shown = await request_table(services, entries, in_full=trace is not None)
    if trace is not None:
        return View("Trace", tag("div", tag("p", tag("code", trace), class_="lead"), shown), is_detail=True)
    filters = [tag("li", _filter(words, value, value == status)) for words, value in _FILTERS]
    choice = tag("nav", tag("ul", filters), class_="choice", aria_label="Answers")
    follow = tag("p", "The same in a terminal: ", command("reinmaker local requests --follow"), class_="soft")
    return View("Requests", tag("div", choice, shown, follow))


def _filter(words: str, status: str | None, is_chosen: bool) -> Html:
    chosen = "true" if is_chosen else None
    return tag("a", words, href="#/requests" + (f"?status={status}" if status else ""), aria_current=chosen)


async def request_table(services: Services, entries: Sequence[Entry], *, in_full: bool = False) -> Html:
    """Return requests, newest first."""
    if not entries:
        return empty(
            "Nobody has asked for this yet.",
            ["Ask for something: ", command("reinmaker health")],
            ["or publish: ", command("reinmaker publish examples/first-lesson")],
        )
    traces = sorted({entry.trace_id for entry in entries if entry.may_have_caused})
    caused = await services.threads.read(services.store.effects.traces, traces)
    now = services.clock.now()
    rows = [_row(entry, caused.get(entry.trace_id, Effects()), in_full, now) for entry in reversed(entries)]
    return table("Requests", _HEAD, rows)


def _row(entry: Entry, effects: Effects, in_full: bool, now: float) -> Html:
    if entry.is_mark:
        whole = tag("td", f"another state was put in place: {entry.route}", colspan=len(_HEAD), class_="soft")
        return tag("tr", whole, id=f"r-{entry.no}", class_="break")
    status = str(entry.status) if entry.status else "no answer"
    answer = mark("delivered" if 200 <= entry.status < 400 else "failed", status)
    code = tag("span", entry.code, class_="reason") if entry.code else None
    asked = stack(tag("code", f"{entry.method} {entry.route}"), code, _client(entry))
    trace = (
        link("requests", tag("code", entry.trace_id[:8], class_="short"), trace=entry.trace_id)
        if entry.trace_id
        else None
    )
    cells = (
        *(moment(entry.at, now), answer, asked, tag("span", f"{entry.ms:.1f} ms", class_="number")),
        _caused(effects, in_full) if entry.may_have_caused else None,
        trace,
    )
    return row(f"r-{entry.no}", _HEAD, cells)


def _client(entry: Entry) -> Html | None:
    return tag("span", entry.client_id, class_="soft") if entry.client_id else None


def _caused(effects: Effects, in_full: bool) -> Html | None:
    """Return what there is under the trace id, and what became of it."""
    lines: list[Child] = [_submission(one) for one in effects.submissions]
    lines += [f"{one['events']} events, {one['accepted']} of them new" for one in effects.batches]
    for event in effects.events:
        lines.append([event["type"], f" ({event['undelivered']})" if event["undelivered"] else None])
        mine = [one for one in effects.deliveries if one["event_no"] == event["no"]]
        lines += [_delivery(one, effects, in_full) for one in mine]
    return tag("ul", [tag("li", line) for line in lines], class_="caused") if lines else None


def _submission(one: Mapping[str, Any]) -> Child:
    shown = link("manifests", one["manifest_id"], id=one["manifest_id"], submission=one["submission_id"])
    return [mark(one["status"]), " ", shown, " ", tag("code", one["version"])]


def _delivery(one: Mapping[str, Any], effects: Effects, in_full: bool) -> Child:
    attempts = [attempt for attempt in effects.attempts if attempt["delivery_no"] == one["no"]]
    words = f"{len(attempts)} {'attempt' if len(attempts) == 1 else 'attempts'}"
    due = group(", next ", until(one["due_at"])) if one["status"] == "open" and one["due_at"] is not None else None
    reason = f", {one['reason']}" if one["reason"] else None
    line: list[Child] = [mark(one["status"]), " ", link("deliveries", words, id=one["delivery_id"]), due, reason]
    if in_full:
        line.append(tag("ol", [tag("li", _attempt(attempt)) for attempt in attempts], class_="caused"))
    return line


def _attempt(one: Mapping[str, Any]) -> Child:
    is_good = one["outcome"] == "delivered"
    said = str(one["status"]) if one["status"] is not None else one["outcome"]
    return [
        mark("delivered" if is_good else "failed", said),
        " ",
        moment(one["ended_at"]),
        f" {one['duration_ms']:.0f} ms",
    ]

"""`/_local/requests` and `/_local/wait`: what was asked of a local server and what came of it, and waiting for that."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reinmaker_cli.contract import codes, names
from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.deliveries import NEWS as WEBHOOK_NEWS
from reinmaker_cli.server.journal import NEWS, Entry, Page
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.control import guard_control
from reinmaker_cli.server.routes.preferences import is_known, preferred_wait, waited
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.effects import Effects
from reinmaker_cli.server.waiting import ForeignCursor, Standing, Wanted

WAIT_PATH: Final = names.CONTROL_PATH + "/wait"
PAGE_LIMIT: Final = 100
MAX_PAGE_LIMIT: Final = 1000

_STATUS = re.compile(r"[1-5](?:xx|[0-9]{2})")


def journal_resources() -> list[Resource]:
    """Return the paths of the journal."""
    return [
        Resource(NEWS, {"GET": _requests}, guard_control),
        Resource(WAIT_PATH, {"GET": _wait}, guard_control),
    ]


async def _requests(request: Request, services: Services) -> Response:
    """Answer with requests; with If-None-Match and `Prefer: wait`, once there is one that the caller has not seen."""
    matches, after = _filter(request), _number(request, "after", low=0)
    limit = _number(request, "limit", low=1)
    limit = PAGE_LIMIT if limit is None else min(limit, MAX_PAGE_LIMIT)
    wait_s, journal = preferred_wait(request), services.journal

    async def look() -> Page:
        return await journal.look(matches, after=after, limit=limit)

    page = await look()
    if wait_s is not None and is_known(request, _etag(page)):

        def is_news(latest: Page) -> bool:
            return not is_known(request, _etag(latest))

        page = await services.changes.wait_until(NEWS, look, is_news, timeout_s=wait_s)
    headers = {"ETag": _etag(page), "Cache-Control": "no-cache", **waited(wait_s)}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    traces = sorted({entry.trace_id for entry in page.entries if entry.may_have_caused})
    caused = await services.threads.read(services.store.effects.traces, traces)
    document = {
        "items": [_entry_document(entry, caused.get(entry.trace_id)) for entry in page.entries],
        "next": page.revision,
        "firstNo": page.first_no,
        "capacity": journal.capacity,
    }
    return JSONResponse(document, headers=headers)


def _etag(page: Page) -> str:
    """Return a tag that changes with what is shown, and not with requests that the filter leaves out."""
    shown = ",".join(f"{entry.no}.{entry.revision}" for entry in page.entries)
    return f'"{hashlib.sha256(f"{page.epoch} {shown}".encode()).hexdigest()[:32]}"'


def _filter(request: Request) -> Callable[[Entry], bool]:
    query = request.query_params
    trace, client, route, status = (query.get(name) for name in ("traceId", "clientId", "route", "status"))
    if status is not None and not _STATUS.fullmatch(status):
        raise ApiProblem(codes.BAD_REQUEST, f"status is one like 404, or a class like 4xx: `{status[:40]}`")

    def matches(entry: Entry) -> bool:
        if entry.is_mark:  # what came before it is of another state, whatever is looked for
            return True
        return (
            (trace is None or entry.trace_id == trace)
            and (client is None or entry.client_id == client)
            and (route is None or entry.route == route)
            and (status is None or _has_status(entry, status))
        )

    return matches


def _has_status(entry: Entry, status: str) -> bool:
    return f"{entry.status // 100}xx" == status or str(entry.status) == status


def _number(request: Request, name: str, *, low: int) -> int | None:
    given = request.query_params.get(name)
    if given is None:
        return None
    if not re.fullmatch("[0-9]{1,15}", given) or int(given) < low:
        raise ApiProblem(codes.BAD_REQUEST, f"{name} is a whole number, {low} or more: `{given[:40]}`")
    return int(given)


def _entry_document(entry: Entry, effects: Effects | None) -> dict[str, Any]:
    if entry.is_mark:
        return {"no": entry.no, "revision": entry.revision, "time": rfc3339(entry.at), "mark": entry.route}
    return {
        "no": entry.no,
        "revision": entry.revision,
        "time": rfc3339(entry.at),
        "method": entry.method,
        "route": entry.route,
        "status": entry.status or None,
        "ms": entry.ms,
        "traceId": entry.trace_id,
        "clientId": entry.client_id,
        "code": entry.code,
        "caused": _caused_document(effects if entry.may_have_caused and effects is not None else Effects()),
    }


def _caused_document(effects: Effects) -> dict[str, Any]:
    return {
        "submissions": [
            _camel(row, "submission_id", "manifest_id", "version", "status") for row in effects.submissions
        ],
        "batches": [_camel(row, "batch_id", "events", "accepted") for row in effects.batches],
        "events": [
            _camel(event, "event_id", "type", "undelivered")
            | {"deliveries": [_delivery(one, effects) for one in effects.deliveries if one["event_no"] == event["no"]]}
            for event in effects.events
        ],
    }


def _delivery(row: dict[str, Any], effects: Effects) -> dict[str, Any]:
    attempts = [
        _camel(one, "attempt", "kind", "status", "outcome", "duration_ms") | {"endedAt": rfc3339(one["ended_at"])}
        for one in effects.attempts
        if one["delivery_no"] == row["no"]
    ]
    return {
        "deliveryId": row["delivery_id"],
        "endpointId": row["endpoint_id"],
        "status": row["status"],
        "dueAt": None if row["due_at"] is None else rfc3339(row["due_at"]),
        "deadLetter": row["reason"],
        "attempts": attempts,
    }


def _camel(row: dict[str, Any], *columns: str) -> dict[str, Any]:
    return {re.sub("_(.)", lambda match: match[1].upper(), column): row[column] for column in columns}


async def _wait(request: Request, services: Services) -> Response:
    """Answer with how it stands; with `Prefer: wait`, once all of it is so."""
    wanted, since, wait_s = _wanted(request), request.query_params.get("since"), preferred_wait(request)
    topics = [NEWS, WEBHOOK_NEWS] + ([wanted.active] if wanted.active is not None else [])

    async def look() -> Standing:
        return await services.counts.standing(wanted, since)

    try:
        if wait_s is None:
            standing = await look()
        else:
            standing = await services.changes.wait_for_any(topics, look, lambda one: one.is_met, timeout_s=wait_s)
    except ForeignCursor as error:
        raise ApiProblem(codes.BAD_REQUEST, str(error)) from error
    document = {
        "met": standing.is_met,
        "conditions": [
            {"name": one.name, "met": one.is_met, "wanted": one.wanted, "found": one.found}
            for one in standing.conditions
        ],
        "requests": standing.counted.requests,
        "delivered": standing.counted.delivered,
        "deadLetters": standing.counted.dead_letters,
        "cursor": standing.cursor,
    }
    return JSONResponse(document, headers={"Cache-Control": "no-store", **waited(wait_s)})


def _wanted(request: Request) -> Wanted:
    query = request.query_params
    idle = query.get("idle", "false")
    if idle not in ("true", "false"):
        raise ApiProblem(codes.BAD_REQUEST, f"idle is true or false: `{idle[:40]}`")
    if "version" in query and "active" not in query:
        raise ApiProblem(codes.BAD_REQUEST, "version goes with active")
    return Wanted(
        requests=_number(request, "requests", low=1),
        delivered=_number(request, "delivered", low=1),
        dead_letters=_number(request, "deadLetters", low=1),
        idle=idle == "true",
        active=query.get("active"),
        version=query.get("version"),
    )

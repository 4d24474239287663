"""`/_local/webhooks/deliveries` and `…/dead-letters`: what became of events, and once more."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reinmaker_cli.contract import codes
from reinmaker_cli.server.deliveries import NEWS
from reinmaker_cli.server.delivery_turns import DeliveriesStopped
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.control import guard_control, small_object
from reinmaker_cli.server.routes.exchange import stopping
from reinmaker_cli.server.routes.preferences import answer_when_changed
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.routes.webhook_json import attempt_document, dead_letter_document, delivery_document
from reinmaker_cli.server.routes.webhooks import not_found
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.dead_letters import Chosen
from reinmaker_cli.server.store.delivery_log import Wanted
from reinmaker_cli.server.store.webhook_records import StoredDelivery

DELIVERIES = NEWS + "/deliveries"
DEAD_LETTERS = NEWS + "/dead-letters"
LISTED, LISTED_AT_MOST = 100, 1000


def delivery_resources() -> list[Resource]:
    """Return the paths of deliveries and dead letters."""
    one = DELIVERIES + "/{deliveryId}"
    return [
        Resource(DELIVERIES, {"GET": _list}, guard_control),
        Resource(one, {"GET": _show}, guard_control),
        Resource(one + "/resend", {"POST": _resend}, guard_control),
        Resource(DEAD_LETTERS, {"GET": _list_dead}, guard_control),
        Resource(DEAD_LETTERS + "/redrive", {"POST": _redrive}, guard_control),
        Resource(DEAD_LETTERS + "/purge", {"POST": _purge}, guard_control),
        Resource(DEAD_LETTERS + "/{deliveryId}", {"GET": _show_dead}, guard_control),
    ]


async def _list(request: Request, services: Services) -> Response:
    """Answer with deliveries, newest first; with If-None-Match and `Prefer: wait`, once they have changed."""
    wanted, limit = _wanted(request), _limit(request)

    async def look() -> dict[str, Any]:
        found = await services.threads.read(services.store.delivery_log.deliveries, wanted, limit=limit)
        return {"items": [delivery_document(one) for one in found], "next": _cursor([one.no for one in found], limit)}

    return await answer_when_changed(request, services.changes, NEWS, look)


async def _show(request: Request, services: Services) -> Response:
    delivery = await services.threads.read(services.store.delivery_log.delivery, _delivery_id(request))
    if delivery is None:
        raise not_found("delivery")
    return JSONResponse({**delivery_document(delivery), "body": delivery.body})


async def _resend(request: Request, services: Services) -> Response:
    """Make one POST, and answer with it when it has ended; the schedule stays as it is."""
    try:
        sent = await services.deliveries.resend(_delivery_id(request))
    except DeliveriesStopped as stopped:
        raise stopping() from stopped
    delivery = await services.threads.read(services.store.delivery_log.delivery, _delivery_id(request))
    if delivery is None:
        raise not_found("delivery")
    if sent is None:
        raise await _receiver_gone(delivery, services)
    mine = [attempt for attempt in delivery.attempts if attempt.kind == "resend"]
    return JSONResponse(attempt_document(mine[-1]))


async def _list_dead(request: Request, services: Services) -> Response:
    """Answer with dead letters, newest first; `?include=body` adds what each says."""
    limit = _limit(request)
    found = await services.threads.read(services.store.delivery_log.dead, _wanted(request), limit=limit)
    with_body = request.query_params.get("include") == "body"
    items = [dead_letter_document(letter) | ({"body": letter.delivery.body} if with_body else {}) for letter in found]
    return JSONResponse({"items": items, "next": _cursor([letter.delivery.no for letter in found], limit)})


async def _show_dead(request: Request, services: Services) -> Response:
    letter = await services.threads.read(services.store.delivery_log.dead_letter, _delivery_id(request))
    if letter is None:
        raise not_found("dead letter")
    history = [attempt_document(attempt) for attempt in letter.delivery.attempts]
    return JSONResponse({**dead_letter_document(letter), "body": letter.delivery.body, "history": history})


async def _redrive(request: Request, services: Services) -> Response:
    chosen = _chosen(await small_object(request, services))
    redriven = await services.threads.write(services.store.dead_letters.redrive, chosen, now=services.clock.now())
    if not redriven.deliveries and chosen.delivery_id is not None:
        letter = await services.threads.read(services.store.delivery_log.dead_letter, chosen.delivery_id)
        raise not_found("dead letter") if letter is None else await _receiver_gone(letter.delivery, services)
    services.deliveries.wake()
    services.changes.announce(NEWS)
    said = {"redriven": len(redriven.deliveries), "deliveries": list(redriven.deliveries), "left": redriven.left}
    return JSONResponse(said)


async def _purge(request: Request, services: Services) -> Response:
    chosen = _chosen(await small_object(request, services))
    purged = await services.threads.write(services.store.dead_letters.purge, chosen)
    if not purged and chosen.delivery_id is not None:
        raise not_found("dead letter")
    services.changes.announce(NEWS)
    return JSONResponse({"purged": purged})


async def _receiver_gone(delivery: StoredDelivery, services: Services) -> ApiProblem:
    endpoint = await services.threads.read(services.store.endpoints.find, delivery.endpoint_id)
    what = "was removed" if endpoint is None else "is disabled"
    return ApiProblem(codes.RECEIVER_GONE, f"its endpoint {what}: `{delivery.endpoint_id}`, `{delivery.url}`")


def _delivery_id(request: Request) -> str:
    return str(request.path_params["deliveryId"])


def _wanted(request: Request) -> Wanted:
    query = request.query_params
    after = query.get("after")
    if after is not None and not (after.isascii() and after.isdecimal() and len(after) < 19):
        raise ApiProblem(codes.BAD_REQUEST, "after is what `next` of the page before says")
    return Wanted(
        endpoint_id=query.get("endpointId"),
        event_id=query.get("eventId"),
        status=query.get("status"),
        trace_id=query.get("traceId"),
        after_no=None if after is None else int(after),
    )


def _limit(request: Request) -> int:
    given = request.query_params.get("limit", str(LISTED))
    if not (given.isascii() and given.isdecimal() and int(given[:9]) > 0):
        raise ApiProblem(codes.BAD_REQUEST, "limit is a number from 1; above 1000 it counts as 1000")
    return min(int(given[:9]), LISTED_AT_MOST)


def _cursor(nos: list[int], limit: int) -> str | None:
    """Return where the next page begins; None on the last."""
    return str(nos[-1]) if len(nos) == limit else None


def _chosen(asked: dict[str, Any]) -> Chosen:
    given = [name for name in ("deliveryId", "endpointId", "all") if name in asked]
    match given:
        case ["deliveryId"] if isinstance(asked["deliveryId"], str):
            return Chosen(delivery_id=asked["deliveryId"])
        case ["endpointId"] if isinstance(asked["endpointId"], str):
            return Chosen(endpoint_id=asked["endpointId"])
        case ["all"] if asked["all"] is True:
            return Chosen()
    raise ApiProblem(codes.REQUEST_INVALID, "give deliveryId, endpointId or all: true, and one of them")

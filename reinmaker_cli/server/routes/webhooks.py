"""`/_local/webhooks/endpoints`: who is told of events, and with which secret."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reinmaker_cli.contract import codes, names
from reinmaker_cli.server.addresses import literal_address
from reinmaker_cli.server.deliveries import NEWS
from reinmaker_cli.server.http_urls import NotHttp, http_url
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.control import guard_control, small_object, text_member
from reinmaker_cli.server.routes.preferences import answer_when_changed
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.routes.webhook_json import endpoint_document
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.endpoint_secrets import MAX_OVERLAP_S, OVERLAP_S, NotShown
from reinmaker_cli.server.store.endpoints import StoredEndpoint

ENDPOINTS = NEWS + "/endpoints"
BY_HAND = "disabled by hand"
MAX_URL = 2000
MAX_REASON = 200


def webhook_resources() -> list[Resource]:
    """Return the paths of the endpoints."""
    one = ENDPOINTS + "/{endpointId}"
    return [
        Resource(ENDPOINTS, {"GET": _list, "POST": _add}, guard_control),
        Resource(one, {"GET": _show, "DELETE": _remove}, guard_control),
        Resource(one + "/enable", {"POST": _enable}, guard_control),
        Resource(one + "/disable", {"POST": _disable}, guard_control),
        Resource(one + "/secret", {"POST": _tell_secret}, guard_control),
        Resource(one + "/rotate", {"POST": _rotate}, guard_control),
    ]


async def _list(_: Request, services: Services) -> Response:
    found = await services.threads.read(services.store.endpoints.all)
    return JSONResponse({"items": [endpoint_document(one, services.clock.now()) for one in found]})


async def _add(request: Request, services: Services) -> Response:
    asked = await small_object(request, services)
    url, types = _url(asked, services), _types(asked.get("types", []))
    now = services.clock.now()
    endpoint, secret = await services.threads.write(services.store.endpoints.add, url, types, now=now)
    services.changes.announce(NEWS)
    document = {**endpoint_document(endpoint, now), "signingSecret": secret}
    return JSONResponse(document, 201, {"Cache-Control": "no-store"})


async def _show(request: Request, services: Services) -> Response:
    """Answer with the endpoint; with If-None-Match and `Prefer: wait`, once something about it has changed."""

    async def look() -> dict[str, Any]:
        endpoint = await services.threads.read(services.store.endpoints.find, _endpoint_id(request))
        return endpoint_document(_found(endpoint), services.clock.now())

    return await answer_when_changed(request, services.changes, NEWS, look)


async def _enable(request: Request, services: Services) -> Response:
    endpoint = await services.threads.write(services.store.endpoints.enable, _endpoint_id(request))
    return _changed(_found(endpoint), services)


async def _disable(request: Request, services: Services) -> Response:
    """Stop telling it anything; what is open becomes dead letters."""
    reason = (await small_object(request, services)).get("reason", BY_HAND)
    if not isinstance(reason, str) or not 1 <= len(reason) <= MAX_REASON:
        raise ApiProblem(codes.REQUEST_INVALID, f"reason is a text of 1 to {MAX_REASON} characters")
    now = services.clock.now()
    endpoint = await services.threads.write(services.store.endpoints.disable, _endpoint_id(request), reason, now=now)
    return _changed(_found(endpoint), services)


async def _remove(request: Request, services: Services) -> Response:
    now = services.clock.now()
    if not await services.threads.write(services.store.endpoints.remove, _endpoint_id(request), now=now):
        raise not_found("endpoint")
    services.changes.announce(NEWS)
    return Response(status_code=204)


async def _tell_secret(request: Request, services: Services) -> Response:
    asked = text_member(await small_object(request, services), "which")
    if asked not in ("current", "next"):
        raise ApiProblem(codes.REQUEST_INVALID, "which is current or next")
    which: Literal["current", "next"] = "next" if asked == "next" else "current"
    endpoint_id, now = _endpoint_id(request), services.clock.now()
    shown = await services.threads.write(services.store.endpoints.show_secret, endpoint_id, which, now=now)
    if isinstance(shown, NotShown):
        raise ApiProblem(codes.SECRET_SHOWN, "the current secret was shown before, and is shown once")
    if shown is None:
        raise not_found("endpoint")
    services.deliveries.wake()  # the clock has something new to look forward to
    services.changes.announce(NEWS)
    document = {"endpointId": endpoint_id, "which": which, "signingSecret": shown.secret}
    return JSONResponse(document, headers={"Cache-Control": "no-store"})


async def _rotate(request: Request, services: Services) -> Response:
    overlap_s = (await small_object(request, services)).get("overlapSeconds", OVERLAP_S)
    if type(overlap_s) not in (int, float) or not 0 <= overlap_s <= MAX_OVERLAP_S:
        raise ApiProblem(codes.REQUEST_INVALID, f"overlapSeconds is a number from 0 to {MAX_OVERLAP_S}")
    endpoint = await services.threads.write(
        services.store.endpoints.rotate, _endpoint_id(request), overlap_s=overlap_s, now=services.clock.now()
    )
    if endpoint is False:
        raise ApiProblem(codes.NEXT_SECRET_UNFETCHED, "nobody has fetched the next secret, so no receiver knows it")
    return _changed(_found(endpoint), services)


def not_found(what: str) -> ApiProblem:
    """Return the answer where there is no such endpoint, delivery or dead letter."""
    return ApiProblem(codes.WEBHOOK_NOT_FOUND, f"there is no such {what}")


def _endpoint_id(request: Request) -> str:
    return str(request.path_params["endpointId"])


def _found(endpoint: StoredEndpoint | None) -> StoredEndpoint:
    if endpoint is None:
        raise not_found("endpoint")
    return endpoint


def _changed(endpoint: StoredEndpoint, services: Services) -> Response:
    services.deliveries.wake()
    services.changes.announce(NEWS)
    return JSONResponse(endpoint_document(endpoint, services.clock.now()))


def _url(asked: dict[str, Any], services: Services) -> str:
    """Return a target that may be asked as far as can be said now; each connection is checked again."""
    url = text_member(asked, "url")
    if len(url) > MAX_URL:
        raise ApiProblem(codes.REQUEST_INVALID, f"url is a text of at most {MAX_URL} characters")
    try:
        host = http_url(url).host
    except NotHttp as error:
        raise ApiProblem(codes.REQUEST_INVALID, f"url cannot be asked: {error}") from error
    address = literal_address(host)
    refusal = None if address is None else services.webhook_policy.refusal(address)
    if address is not None and refusal is None and urlsplit(url).scheme == "http" and not address.is_loopback:
        refusal = f"plain http beyond this machine: `{host}`"
    if refusal is not None:
        raise ApiProblem(codes.REQUEST_INVALID, f"url cannot be asked: {refusal}")
    return url


def _types(value: Any) -> list[str]:
    known = [event_type.value for event_type in names.EventType]
    if not isinstance(value, list) or not all(one in known for one in value):
        raise ApiProblem(codes.REQUEST_INVALID, f"types is a list of {', '.join(known)}; none: all")
    return value

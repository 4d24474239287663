"""`/_local/entitlements` and `/_local/forget`: what the owner of a local server does about its users."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reinmaker_cli.contract import codes, names
from reinmaker_cli.contract.events import is_utc_time
from reinmaker_cli.server.clock import unix_time
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.control import guard_control, small_object, text_member
from reinmaker_cli.server.routes.edge import trace_id
from reinmaker_cli.server.routes.entitlements import entitlement_document
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.snapshots import forget
from reinmaker_cli.server.store.entitlements import Entitlement

LOCAL_SOURCE = "local"
MAX_FEATURES = 100
MAX_TEXT = 64  # characters of a feature, a source or a region


def people_resources() -> list[Resource]:
    """Return the paths of the control API that are about users."""
    base = names.CONTROL_PATH
    return [
        Resource(base + "/entitlements", {"GET": _list, "PUT": _put}, guard_control),
        Resource(base + "/entitlements/revoke", {"POST": _revoke}, guard_control),
        Resource(base + "/forget", {"POST": _forget}, guard_control),
    ]


async def _list(request: Request, services: Services) -> Response:
    """Answer with what there is, whatever its status; with `?userId=` that of one user."""
    user_id, now = request.query_params.get("userId"), services.clock.now()
    if user_id is not None:
        services.note_user(request, user_id)
    found = await services.threads.read(services.store.entitlements.all, user_id)
    return JSONResponse({"items": [entitlement_document(one, now) for one in found]})


async def _put(request: Request, services: Services) -> Response:
    now = services.clock.now()
    entitlement = _entitlement(await small_object(request, services), now)
    services.note_user(request, entitlement.user_id)
    await services.threads.write(services.store.entitlements.put, entitlement, trace_id=trace_id(request), now=now)
    services.deliveries.wake()
    return JSONResponse(entitlement_document(entitlement, now))


async def _revoke(request: Request, services: Services) -> Response:
    asked = await small_object(request, services)
    user_id, plan = _user_id(asked), _plan(asked)
    services.note_user(request, user_id)
    revoked = await services.threads.write(
        services.store.entitlements.revoke, user_id, plan, trace_id=trace_id(request), now=services.clock.now()
    )
    services.deliveries.wake()
    if revoked is None:
        raise ApiProblem(codes.REQUEST_INVALID, f"the user never had {plan}")
    return JSONResponse(entitlement_document(revoked, services.clock.now()))


async def _forget(request: Request, services: Services) -> Response:
    user_id = _user_id(await small_object(request, services))
    services.note_user(request, user_id)
    forgotten = await forget(services, user_id)
    return JSONResponse(
        {"entitlements": forgotten.entitlements, "events": forgotten.events, "webhooks": forgotten.webhooks}
    )


def _entitlement(asked: dict[str, Any], now: float) -> Entitlement:
    plan, features, region = _plan(asked), asked.get("features", []), asked.get("region")
    source = asked.get("source", LOCAL_SOURCE)
    if not isinstance(features, list) or len(features) > MAX_FEATURES or not all(map(_is_short, features)):
        raise ApiProblem(codes.REQUEST_INVALID, f"features is a list of texts of 1 to {MAX_TEXT} characters")
    if not _is_short(source) or not (region is None or _is_short(region)):
        raise ApiProblem(codes.REQUEST_INVALID, f"source and region are texts of 1 to {MAX_TEXT} characters")
    return Entitlement(
        user_id=_user_id(asked),
        plan=plan,
        product=plan.partition(".")[0],
        is_revoked=False,
        issued_at=now,
        expires_at=_expiry(asked.get("expiresAt")),
        features=tuple(features),
        source=source,
        region=region,
    )


def _user_id(asked: dict[str, Any]) -> str:
    user_id = text_member(asked, "userId")
    if not 1 <= len(user_id) <= names.MAX_USER_ID:
        raise ApiProblem(codes.REQUEST_INVALID, f"userId is a text of 1 to {names.MAX_USER_ID} characters")
    return user_id


def _plan(asked: dict[str, Any]) -> str:
    plan = asked.get("plan")
    if plan not in names.PLANS:
        raise ApiProblem(codes.REQUEST_INVALID, f"plan is one of {', '.join(names.PLANS)}")
    return str(plan)


def _expiry(value: Any) -> float | None:
    if value is None:
        return None
    # Up to the year 9998, so that no reader's arithmetic goes past the last one.
    if not is_utc_time(value) or value >= "9999":
        raise ApiProblem(codes.REQUEST_INVALID, "expiresAt is a time like 2026-11-23T07:00:00Z (RFC 3339, UTC)")
    return unix_time(value)


def _is_short(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_TEXT

"""`/_local/webhooks/trigger` and `/_local/request-content`: cause an event, in the way in which events come about."""

from __future__ import annotations

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reinmaker_cli.contract import codes, names
from reinmaker_cli.contract.events import is_utc_time
from reinmaker_cli.contract.names import EntitlementStatus, EventType
from reinmaker_cli.server.clock import DAY_S, rfc3339, unix_time
from reinmaker_cli.server.deliveries import NEWS
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.control import guard_control, small_object, text_member
from reinmaker_cli.server.routes.edge import trace_id
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.entitlements import Entitlement
from reinmaker_cli.server.store.outbox import Emitted
from reinmaker_cli.server.store.telemetry import EventRow, NewBatch

TRIGGER_SOURCE = "trigger"
DEFAULT_CONTENT = {"phaseDNAId": "water-cycle", "locale": "en-US", "agePersona": "2-5"}
DEFAULT_TERM_S = 365 * DAY_S


def trigger_resources() -> list[Resource]:
    """Return the paths that cause events."""
    return [
        Resource(NEWS + "/trigger", {"POST": _trigger}, guard_control),
        Resource(names.CONTROL_PATH + "/request-content", {"POST": _request_content}, guard_control),
    ]


async def _trigger(request: Request, services: Services) -> Response:
    """Put an entitlement, store a batch, or request content; `data` says more about it."""
    asked = await small_object(request, services)
    event_type, data = text_member(asked, "type"), asked.get("data", {})
    if event_type not in list(EventType):
        raise ApiProblem(codes.REQUEST_INVALID, f"type is one of {', '.join(EventType)}")
    if not isinstance(data, dict):
        raise ApiProblem(codes.REQUEST_INVALID, "data is an object")
    cause = {
        EventType.ENTITLEMENT_UPDATED: _put_entitlement,
        EventType.TELEMETRY_FLUSHED: _store_batch,
        EventType.CONTENT_REQUESTED: _want_content,
    }[EventType(event_type)]
    return _caused(await cause(request, services, data), services)


async def _request_content(request: Request, services: Services) -> Response:
    asked = await small_object(request, services)
    data = {name: text_member(asked, name) for name in DEFAULT_CONTENT}
    return _caused(await _want_content(request, services, data), services)


async def _put_entitlement(request: Request, services: Services, data: dict[str, Any]) -> Emitted:
    _refuse_others(data, ("userId", "productTier", "status", "expiresAt"))
    now = services.clock.now()
    entitlement = _entitlement(data, now)
    wanted = data.get("status")
    if wanted is not None and entitlement.status_at(now) != wanted:
        raise ApiProblem(codes.REQUEST_INVALID, "status is active, expired or revoked, and goes with expiresAt")
    services.note_user(request, entitlement.user_id)
    told = await services.threads.write(
        services.store.entitlements.put, entitlement, trace_id=trace_id(request), now=now
    )
    if told is None:
        raise ApiProblem(codes.REQUEST_INVALID, "the user has exactly this, and no event tells of what did not change")
    return told


def _entitlement(data: dict[str, Any], now: float) -> Entitlement:
    plan = data.get("productTier", names.PLANS[0])
    user_id = data.get("userId", "usr_" + secrets.token_hex(6))
    if plan not in names.PLANS or not isinstance(user_id, str) or not 1 <= len(user_id) <= names.MAX_USER_ID:
        raise ApiProblem(
            codes.REQUEST_INVALID,
            f"productTier is one of {', '.join(names.PLANS)}; userId a text of 1 to {names.MAX_USER_ID} characters",
        )
    is_expired = data.get("status") == EntitlementStatus.EXPIRED
    default = rfc3339(now - 1 if is_expired else now + DEFAULT_TERM_S)
    expires_at = data.get("expiresAt", default)
    if expires_at is not None and (not is_utc_time(expires_at) or expires_at >= "9999"):
        raise ApiProblem(codes.REQUEST_INVALID, "expiresAt is a time like 2026-11-23T07:00:00Z (RFC 3339, UTC)")
    return Entitlement(
        user_id=user_id,
        plan=plan,
        product=plan.partition(".")[0],
        is_revoked=data.get("status") == EntitlementStatus.REVOKED,
        issued_at=now,
        expires_at=None if expires_at is None else unix_time(expires_at),
        source=TRIGGER_SOURCE,
    )


async def _store_batch(request: Request, services: Services, data: dict[str, Any]) -> Emitted:
    _refuse_others(data, ("events",))
    count, now = data.get("events", 1), services.clock.now()
    if type(count) is not int or not 1 <= count <= names.MAX_EVENTS:
        raise ApiProblem(codes.REQUEST_INVALID, f"events is a number from 1 to {names.MAX_EVENTS}")
    events: list[EventRow] = [
        (secrets.token_hex(16), "webhook.triggered", rfc3339(now), None, None, None) for _ in range(count)
    ]
    batch = NewBatch("batch_" + secrets.token_hex(12), TRIGGER_SOURCE, trace_id(request), events)
    added = await services.threads.write(services.store.telemetry.add, batch, now=now)
    assert added.told is not None  # the ids are new
    return added.told


async def _want_content(request: Request, services: Services, data: dict[str, Any]) -> Emitted:
    _refuse_others(data, DEFAULT_CONTENT)
    wanted = DEFAULT_CONTENT | data
    phase_dna_id = text_member(wanted, "phaseDNAId")
    if not 1 <= len(phase_dna_id) <= names.MAX_USER_ID:
        raise ApiProblem(codes.REQUEST_INVALID, f"phaseDNAId is a text of 1 to {names.MAX_USER_ID} characters")
    if wanted["locale"] not in names.LOCALES or wanted["agePersona"] not in names.PERSONAS:
        known = f"locale is one of {', '.join(names.LOCALES)}, agePersona one of {', '.join(names.PERSONAS)}"
        raise ApiProblem(codes.REQUEST_INVALID, known)
    return await services.threads.write(
        services.store.outbox.request_content,
        phase_dna_id,
        wanted["locale"],
        wanted["agePersona"],
        trace_id=trace_id(request),
        now=services.clock.now(),
    )


def _refuse_others(data: dict[str, Any], known: Any) -> None:
    others = [name for name in data if name not in known]
    if others:
        raise ApiProblem(codes.REQUEST_INVALID, f"data of this type has {', '.join(known)} and nothing else")


def _caused(event: Emitted, services: Services) -> Response:
    services.deliveries.wake()
    services.changes.announce(NEWS)
    return JSONResponse(
        {
            "eventId": event.event_id,
            "type": event.type.value,
            "traceId": event.trace_id,
            "deliveries": list(event.delivery_ids),
        },
        202,
    )

"""`/_local/faults`: list the failures that a local server is to make, add one, end one or all."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reinmaker_cli.contract import codes, names
from reinmaker_cli.contract.faults import (
    DEFAULT_LIFETIME_S,
    KINDS,
    LONGEST_LIFETIME_S,
    MOST_TIMES,
    FaultKind,
    Setting,
)
from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.faults import MOST_FAULTS, FaultState, Match, Rule, TooManyFaults
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.control import guard_control, small_object
from reinmaker_cli.server.routes.documents import openapi_json
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.services import Services

PATH = names.CONTROL_PATH + "/faults"
_MAX_PATTERN = 2048
_MAX_SEED = 2**32 - 1
_OF_REQUESTS = ("method", "path", "operation", "clientId")
_OF_DELIVERIES = ("url", "type")


def fault_resources() -> list[Resource]:
    """Return the paths of the faults."""
    return [
        Resource(PATH, {"GET": _list, "POST": _add, "DELETE": _clear}, guard_control),
        Resource(PATH + "/{faultId}", {"DELETE": _remove}, guard_control),
    ]


async def _list(_: Request, services: Services) -> Response:
    return JSONResponse({"items": [_document(fault) for fault in await services.fault_keeping.all()]})


async def _add(request: Request, services: Services) -> Response:
    asked = await small_object(request, services)
    kind = asked.get("kind")
    if not isinstance(kind, str) or kind not in set(FaultKind):
        raise _invalid(f"kind is one of {', '.join(FaultKind)}")
    match = await _match(FaultKind(kind), asked.get("match", {}), services)
    rule = _rule(FaultKind(kind), asked, match, drawn_seed=services.faults.seeds.randrange(_MAX_SEED))
    try:
        made = await services.fault_keeping.add(rule)
    except TooManyFaults:
        raise _invalid(f"there are {MOST_FAULTS} faults, and no room for more") from None
    return JSONResponse(_document(made), 201)


async def _clear(_: Request, services: Services) -> Response:
    return JSONResponse({"cleared": await services.fault_keeping.end()})


async def _remove(request: Request, services: Services) -> Response:
    fault_id = request.path_params["faultId"]
    if not await services.fault_keeping.end(fault_id):
        raise ApiProblem(codes.NOT_FOUND, f"no fault of that id, or it has ended: `{fault_id[:100]}`")
    return JSONResponse({"cleared": 1})


def _rule(kind: FaultKind, asked: Mapping[str, Any], match: Match, *, drawn_seed: int) -> Rule:
    known = KINDS[kind].settings
    for name in sorted({name for facts in KINDS.values() for name in facts.settings} - known.keys()):
        if asked.get(name) is not None:
            raise _invalid(f"{name} is nothing that `{kind}` has")
    settings = {name: _number(asked, name, setting) for name, setting in known.items()}
    times = _number(asked, "times", Setting(1, 1, MOST_TIMES, is_whole=True), may_be_null=True)
    probability = _number(asked, "probability", Setting(1.0, 0.0, 1.0))
    if not probability:
        raise _invalid("probability is above 0, and at most 1")
    seed = _number(asked, "seed", Setting(drawn_seed, 0, _MAX_SEED, is_whole=True))
    lifetime_s = _number(asked, "forSeconds", Setting(DEFAULT_LIFETIME_S, 1.0, LONGEST_LIFETIME_S))
    retry_after_s = settings.get("retryAfterSeconds")
    return Rule(
        kind=kind,
        match=match,
        times=None if times is None else int(times),
        probability=probability,
        seed=int(seed or 0),
        lifetime_s=lifetime_s or DEFAULT_LIFETIME_S,
        status=int(settings.get("status") or 0),
        delay_s=settings.get("delaySeconds") or 0.0,
        retry_after_s=None if retry_after_s is None else int(retry_after_s),
        skew_s=int(settings.get("skewSeconds") or 0),
    )


async def _match(kind: FaultKind, asked: Any, services: Services) -> Match:
    if not isinstance(asked, dict):
        raise _invalid("match is an object")
    of_deliveries = KINDS[kind].of_deliveries
    fitting = _OF_DELIVERIES if of_deliveries else _OF_REQUESTS
    what = "deliveries" if of_deliveries else "requests"
    for name, value in asked.items():
        if name not in fitting:
            raise _invalid(
                f"`{kind}` strikes {what}, and they are matched by {', '.join(fitting)}: not by `{name[:40]}`"
            )
        if value is not None and not (isinstance(value, str) and 0 < len(value) <= _MAX_PATTERN):
            raise _invalid(f"match.{name} is a text of 1 to {_MAX_PATTERN} characters")
    method, path, operation = asked.get("method"), asked.get("path"), asked.get("operation")
    if operation is not None:
        if method is not None or path is not None:
            raise _invalid("match has an operation, or method and path")
        method, path = _place_of(operation, await services.threads.examine(openapi_json))
    return Match(
        method=None if method is None else method.upper(),
        path=path,
        operation=operation,
        client_id=asked.get("clientId"),
        url=asked.get("url"),
        event_type=_event_type(asked.get("type")),
    )


def _event_type(given: str | None) -> str | None:
    if given is not None and given not in set(names.EventType):
        raise _invalid(f"match.type is one of {', '.join(names.EventType)}")
    return given


def _place_of(operation: str, document: bytes) -> tuple[str, str]:
    """Return method and path of an operation of the API document."""
    places = {
        found["operationId"]: (method.upper(), path)
        for path, methods in json.loads(document)["paths"].items()
        for method, found in methods.items()
        if isinstance(found, dict) and "operationId" in found
    }
    if operation not in places:
        raise _invalid(f"match.operation is one of {', '.join(places)}")
    place: tuple[str, str] = places[operation]
    return place


def _number(asked: Mapping[str, Any], name: str, setting: Setting, *, may_be_null: bool = False) -> float | None:
    """Return a number that was asked for, or its default where it is left out."""
    if name not in asked or (asked[name] is None and not may_be_null):
        return setting.default
    value = asked[name]
    if value is None:
        return None
    is_number = type(value) is int or (type(value) is float and math.isfinite(value) and not setting.is_whole)
    if not is_number or not setting.least <= value <= setting.most:
        kind = "a whole number" if setting.is_whole else "a number"
        null = ", or null" if may_be_null else ""
        raise _invalid(f"{name} is {kind} from {setting.least:g} to {setting.most:g}{null}")
    return float(value)


def _document(fault: FaultState) -> dict[str, Any]:
    rule, match = fault.rule, fault.rule.match
    values = {
        "status": rule.status,
        "delaySeconds": rule.delay_s,
        "retryAfterSeconds": rule.retry_after_s,
        "skewSeconds": rule.skew_s,
    }
    matched = {
        "method": match.method,
        "path": match.path,
        "operation": match.operation,
        "clientId": match.client_id,
        "url": match.url,
        "type": match.event_type,
    }
    return {
        "faultId": fault.fault_id,
        "kind": rule.kind.value,
        "match": {name: value for name, value in matched.items() if value is not None},
        **{name: values[name] for name in KINDS[rule.kind].settings},
        "times": rule.times,
        "probability": rule.probability,
        "seed": rule.seed,
        "hits": fault.hits,
        "left": fault.left,
        "createdAt": rfc3339(fault.created_at),
        "endsAt": rfc3339(fault.ends_at),
    }


def _invalid(detail: str) -> ApiProblem:
    return ApiProblem(codes.REQUEST_INVALID, detail)

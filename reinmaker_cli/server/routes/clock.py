"""`/_local/clock`: show the clock of a local server, wait for somebody to move it, move it."""

from __future__ import annotations

import math
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reinmaker_cli.contract import codes, names
from reinmaker_cli.contract.events import is_utc_time
from reinmaker_cli.server.clock import rfc3339, unix_time
from reinmaker_cli.server.delivery_turns import DeliveriesStopped, TurnFailed
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.control import guard_control, small_object
from reinmaker_cli.server.routes.exchange import stopping
from reinmaker_cli.server.routes.preferences import is_known, preferred_wait, waited
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.timekeeping import ClockLost, NotForward, Reading

PATH = names.CONTROL_PATH + "/clock"
_NEWS = PATH  # what is announced when the clock was moved; no manifest has a slash in its id

RETRY_AFTER_S = 1


def clock_resources() -> list[Resource]:
    """Return the path of the clock."""
    return [Resource(PATH, {"GET": _show, "POST": _move}, guard_control)]


async def _show(request: Request, services: Services) -> Response:
    """Answer with the clock; with If-None-Match and `Prefer: wait`, once somebody has moved it."""
    wait_s = preferred_wait(request)
    reading = services.timekeeper.look()
    if wait_s is not None and is_known(request, reading.etag):

        async def look() -> Reading:
            return services.timekeeper.look()

        def was_moved(latest: Reading) -> bool:
            return not is_known(request, latest.etag)

        reading = await services.changes.wait_until(_NEWS, look, was_moved, timeout_s=wait_s)
    if is_known(request, reading.etag):
        return Response(status_code=304, headers=_fields(reading) | waited(wait_s))
    return _shown(reading, waited(wait_s))


async def _move(request: Request, services: Services) -> Response:
    asked = await small_object(request, services)
    if ("advanceSeconds" in asked) == ("time" in asked):
        raise ApiProblem(codes.REQUEST_INVALID, "give advanceSeconds or time, and one of them")
    keeper = services.timekeeper
    try:
        if "time" in asked:
            reading = await keeper.set_to(_instant(asked["time"]))
        else:
            reading = await keeper.advance(_seconds(asked["advanceSeconds"]))
    except NotForward as refusal:
        raise ApiProblem(codes.REQUEST_INVALID, str(refusal)) from refusal
    except ClockLost as lost:
        raise _busy(str(lost)) from lost
    except DeliveriesStopped as stopped:
        raise stopping() from stopped
    except TurnFailed as failed:
        fact = "what became due could not be done, the server's log says why; see where the clock is, and move it again"
        raise _busy(fact) from failed
    services.changes.announce(_NEWS)
    return _shown(reading, {})


def _busy(detail: str) -> ApiProblem:
    return ApiProblem(codes.SERVER_BUSY, detail, headers={"Retry-After": str(RETRY_AFTER_S)})


def _instant(value: Any) -> float:
    if not is_utc_time(value):
        raise ApiProblem(codes.REQUEST_INVALID, "time is a time like 2026-11-23T07:00:00Z (RFC 3339, UTC)")
    return unix_time(value)


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
        raise ApiProblem(codes.REQUEST_INVALID, "advanceSeconds is a number of seconds, 0 or more")
    return float(value)


def _shown(reading: Reading, headers: dict[str, str]) -> Response:
    document = {"mode": reading.mode, "time": rfc3339(reading.now), "aheadSeconds": reading.ahead_s}
    return JSONResponse(document, headers=_fields(reading) | headers)


def _fields(reading: Reading) -> dict[str, str]:
    return {"ETag": reading.etag, "Cache-Control": "no-cache"}

"""`/_local/keys`: the keys that sign the tokens of a local server, and their rotation."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reinmaker_cli.contract import names
from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.routes.control import guard_control
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.signing_keys import KeyRing


def key_resources() -> list[Resource]:
    """Return the paths of the control API that are about signing keys."""
    base = names.CONTROL_PATH + "/keys"
    return [
        Resource(base, {"GET": _list}, guard_control),
        Resource(base + "/rotate", {"POST": _rotate}, guard_control),
    ]


async def _list(_: Request, services: Services) -> Response:
    await services.renew_keys()
    return _answer(await services.threads.examine(services.tokens.ring), services)


async def _rotate(_: Request, services: Services) -> Response:
    ring = await services.threads.examine(services.tokens.rotate)
    await services.tell_state()
    return _answer(ring, services)


def _answer(ring: KeyRing, services: Services) -> Response:
    now = services.clock.now()
    items = [
        {
            "kid": one.kid,
            "state": one.state_at(now),
            "createdAt": rfc3339(one.created_at),
            "signsFrom": rfc3339(one.signs_from),
            "endsAt": None if one.ends_at is None else rfc3339(one.ends_at),
        }
        for one in ring.live(now)
    ]
    return JSONResponse({"items": items})

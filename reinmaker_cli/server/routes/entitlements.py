"""`/v1/entitlements/{userId}`: what a user may use now."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reinmaker_cli.contract import codes, names
from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.resource import Resource, needs_scope
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.entitlements import Entitlement

ROUTE = names.ENTITLEMENTS_PATH + "/{userId:path}"
"""`path`: the server has decoded the path before it is matched, and a user's id may hold an encoded slash."""


def entitlement_resources() -> list[Resource]:
    """Return the path of the entitlements."""
    return [Resource(ROUTE, {"GET": _show}, needs_scope(names.Scope.ENTITLEMENT_READ), check_path=_check_path)]


async def _show(request: Request, services: Services) -> Response:
    user_id, now = _user_id(request), services.clock.now()
    services.note_user(request, user_id)
    found = await services.threads.read(services.store.entitlements.active, user_id, now=now)
    # An unknown user has an empty list: a 404 would tell strangers which children have accounts.
    document = {"userId": user_id, "entitlements": [entitlement_document(one, now) for one in found]}
    return JSONResponse(document, headers={"Cache-Control": "no-store"})


def entitlement_document(entitlement: Entitlement, now: float) -> dict[str, Any]:
    """Return an entitlement of the contract, with its status at a time of the server's clock."""
    return {
        "userId": entitlement.user_id,
        "product": entitlement.product,
        "plan": entitlement.plan,
        "status": entitlement.status_at(now).value,
        "issuedAt": rfc3339(entitlement.issued_at),
        "expiresAt": None if entitlement.expires_at is None else rfc3339(entitlement.expires_at),
        "features": list(entitlement.features),
        "source": entitlement.source,
        "region": entitlement.region,
    }


def _user_id(request: Request) -> str:
    """Return the last part of the path, decoded once. No message says what it is: it may be logged by others."""
    try:
        user_id = unquote_to_bytes(_last_part(request)).decode()
    except UnicodeDecodeError as error:
        raise ApiProblem(codes.BAD_REQUEST, "the userId is not percent-encoded UTF-8") from error
    if len(user_id) > names.MAX_USER_ID:
        raise ApiProblem(codes.BAD_REQUEST, f"the userId has more than {names.MAX_USER_ID} characters")
    return user_id


def _check_path(request: Request) -> None:
    part = _last_part(request)
    if not part or b"/" in part:
        raise ApiProblem(codes.NOT_FOUND, "no such route: a userId is one part of a path")


def _last_part(request: Request) -> bytes:
    return bytes(request.scope["raw_path"]).partition(names.ENTITLEMENTS_PATH.encode() + b"/")[2]

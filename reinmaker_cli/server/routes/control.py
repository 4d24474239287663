"""`/_local/`: what the command line asks of a local server. It has no counterpart in production.

Guarded by the control token, for requests from this machine and from no foreign web page.
"""

from __future__ import annotations

import hmac
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reinmaker_cli.contract import codes, names
from reinmaker_cli.contract.ijson import NotIJson, read_ijson
from reinmaker_cli.server.intake import Refused, examine_folder
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.edge import is_loopback_peer
from reinmaker_cli.server.routes.manifests import refusal_problem
from reinmaker_cli.server.routes.resource import Resource, bearer_token
from reinmaker_cli.server.routes.submission_json import submission_document
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.folders import StoredFolder

MAX_SMALL_BYTES = 64 * 1024


def control_resources() -> list[Resource]:
    """Return the paths of the control API."""
    base = names.CONTROL_PATH
    return [
        Resource(base + "/sources", {"POST": _register_folder}, guard_control),
        Resource(base + "/decide", {"POST": _decide}, guard_control),
    ]


async def guard_control(request: Request, services: Services) -> None:
    """Let through who has the control token, on this machine, and from no foreign page."""
    if not is_loopback_peer(request):
        raise ApiProblem(codes.CONTROL_REFUSED, "not a request from this machine, or one that was forwarded")
    origin = request.headers.get("origin")
    if origin is not None and origin != _own_origin(request):
        raise ApiProblem(codes.CONTROL_REFUSED, "the Origin is a foreign page")
    token = bearer_token(request)
    if token is None or not hmac.compare_digest(token.encode(), services.control_token.encode()):
        raise ApiProblem(codes.CONTROL_REFUSED, "no control token in Authorization, or another server's")


def _own_origin(request: Request) -> str:
    """Return the origin of a page that this server gave out under the name by which it is asked now.

    The name is one of its own, or the request would have been refused before: a foreign page cannot say it in both.
    """
    return f"{request.scope['scheme']}://{request.headers['host'].lower()}"


async def _register_folder(request: Request, services: Services) -> Response:
    async with services.bodies.receive(request, limit=names.MAX_MANIFEST_BYTES) as body:
        folder = await services.examine(examine_folder, body)
    if isinstance(folder, Refused):
        raise refusal_problem(folder)
    stored = StoredFolder(folder.manifest_id, folder.version, folder.root, folder.files_gzipped)
    await services.threads.write(services.store.folders.register, stored, now=services.clock.now())
    return Response(status_code=204)


async def _decide(request: Request, services: Services) -> Response:
    asked = await small_object(request, services)
    manifest_id, version = text_member(asked, "manifestId"), text_member(asked, "version")
    status, reason = text_member(asked, "status"), asked.get("reason")
    if status not in ("active", "rejected") or not isinstance(reason, str | None):
        raise ApiProblem(codes.REQUEST_INVALID, "status is active or rejected, reason a text")
    found = await services.threads.read(services.store.submissions.find, manifest_id, version)
    if found is None:
        raise ApiProblem(codes.MANIFEST_NOT_FOUND, f"nothing was submitted as {manifest_id}, version {version}")
    rejection = None if status == "active" else reason or "rejected by hand"
    if await services.validations.decide(found.no, rejection) is None:
        latest = await services.threads.read(services.store.submissions.find, manifest_id, version)
        raise ApiProblem(codes.REQUEST_INVALID, f"the verdict is there already: {latest.status if latest else '?'}")
    decided = await services.threads.read(services.store.submissions.find_by_id, found.submission_id)
    return JSONResponse(submission_document(decided or found))


async def small_object(request: Request, services: Services) -> dict[str, Any]:
    """Return the JSON object of a small body."""
    async with services.bodies.receive(request, limit=MAX_SMALL_BYTES) as body:
        try:
            document = read_ijson(bytes(body.content))
        except NotIJson as error:
            raise ApiProblem(error.code, error.detail) from error
    if not isinstance(document, dict):
        raise ApiProblem(codes.REQUEST_INVALID, "the body is not a JSON object")
    return document


def text_member(document: dict[str, Any], name: str) -> str:
    """Return a member that must be text."""
    value = document.get(name)
    if not isinstance(value, str):
        raise ApiProblem(codes.REQUEST_INVALID, f"{name} is not a text")
    return value

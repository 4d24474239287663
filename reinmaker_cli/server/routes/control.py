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
from reinmaker_cli.server.client_secrets import new_client_id, new_secret
from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.intake import Refused, examine_folder
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.edge import is_loopback_peer
from reinmaker_cli.server.routes.manifests import refusal_problem
from reinmaker_cli.server.routes.resource import Resource, bearer_token
from reinmaker_cli.server.routes.submission_json import submission_document
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.clients import StoredClient
from reinmaker_cli.server.store.folders import StoredFolder

MAX_SMALL_BYTES = 64 * 1024


def control_resources() -> list[Resource]:
    """Return the paths of the control API."""
    base = names.CONTROL_PATH
    return [
        Resource(base + "/sources", {"POST": _register_folder}, guard_control),
        Resource(base + "/decide", {"POST": _decide}, guard_control),
        Resource(base + "/clients", {"GET": _list_clients, "POST": _add_client}, guard_control),
        Resource(base + "/clients/{client_id}/rotate", {"POST": _rotate}, guard_control),
    ]


async def guard_control(request: Request, services: Services) -> None:
    """Let through who has the control token, on this machine, and from no foreign page."""
    if not is_loopback_peer(request):
        raise ApiProblem(codes.CONTROL_REFUSED, "not a request from this machine, or one that was forwarded")
    origin = request.headers.get("origin")
    if origin is not None and origin != services.public_url:
        raise ApiProblem(codes.CONTROL_REFUSED, "the Origin is a foreign page")
    token = bearer_token(request)
    if token is None or not hmac.compare_digest(token.encode(), services.control_token.encode()):
        raise ApiProblem(codes.CONTROL_REFUSED, "no control token in Authorization, or another server's")


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


async def _list_clients(_: Request, services: Services) -> Response:
    found = await services.threads.read(services.store.clients.all)
    return JSONResponse({"items": [_client_document(client) for client in found]})


async def _add_client(request: Request, services: Services) -> Response:
    asked = await small_object(request, services)
    name = asked.get("name", "")
    scopes = asked.get("scopes", [str(scope) for scope in names.Scope])
    known = [str(scope) for scope in names.Scope]
    if not isinstance(name, str) or len(name) > 128:
        raise ApiProblem(codes.REQUEST_INVALID, "name is a text of at most 128 characters")
    if not isinstance(scopes, list) or not scopes or not all(scope in known for scope in scopes):
        raise ApiProblem(codes.REQUEST_INVALID, f"scopes is a list of {', '.join(known)}")
    scopes = [scope for scope in known if scope in scopes]  # each once
    client_id, secret = new_client_id(), new_secret()
    await services.threads.write(
        services.store.clients.add, client_id, secret, name=name, scopes=scopes, now=services.clock.now()
    )
    return await _with_secret(services, client_id, secret, 201)


async def _rotate(request: Request, services: Services) -> Response:
    client_id = request.path_params["client_id"]
    client = await services.threads.read(services.store.clients.find, client_id)
    if client is None:
        raise ApiProblem(codes.REQUEST_INVALID, f"no client of that id: `{client_id[:100]}`")
    secret = new_secret()
    await services.threads.write(services.store.clients.add_secret, client_id, secret, now=services.clock.now())
    if client.is_development:
        await services.threads.write(services.keep_development_secret, client_id, secret)
    return await _with_secret(services, client_id, secret, 200)


async def _with_secret(services: Services, client_id: str, secret: str, status: int) -> Response:
    """Answer with the secret: the one time that it can be read."""
    client = await services.threads.read(services.store.clients.find, client_id)
    assert client is not None
    document = _client_document(client) | {"clientSecret": secret}
    return JSONResponse(document, status, {"Cache-Control": "no-store"})


def _client_document(client: StoredClient) -> dict[str, Any]:
    return {
        "clientId": client.client_id,
        "name": client.name,
        "scopes": list(client.scopes),
        "isDevelopment": client.is_development,
        "createdAt": rfc3339(client.created_at),
        "secrets": [{"createdAt": rfc3339(secret.created_at)} for secret in client.secrets],
    }


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

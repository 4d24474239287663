"""`/_local/clients`: the clients of a local server, their secrets and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reinmaker_cli.contract import codes, names
from reinmaker_cli.server.client_secrets import new_client_id, new_secret
from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.limits import MAX_QUOTA, POLICIES
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.control import guard_control, small_object
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.clients import StoredClient


def client_resources() -> list[Resource]:
    """Return the paths of the control API that are about clients."""
    base = names.CONTROL_PATH + "/clients"
    return [
        Resource(base, {"GET": _list_clients, "POST": _add_client}, guard_control),
        Resource(base + "/{clientId}/rotate", {"POST": _rotate}, guard_control),
        Resource(base + "/{clientId}/limits", {"POST": _limit}, guard_control),
    ]


async def _list_clients(_: Request, services: Services) -> Response:
    found = await services.threads.read(services.store.clients.all)
    return JSONResponse({"items": [_document(client, services) for client in found]})


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
    quotas = _quotas(asked["limits"]) if "limits" in asked else {}
    client_id, secret = new_client_id(), new_secret()
    await services.threads.write(
        services.store.clients.add, client_id, secret, name=name, scopes=scopes, now=services.clock.now()
    )
    await _keep_limits(services, client_id, quotas)
    return await _with_secret(services, client_id, secret, 201)


async def _rotate(request: Request, services: Services) -> Response:
    client, secret = await _client(request, services), new_secret()
    await services.threads.write(services.store.clients.add_secret, client.client_id, secret, now=services.clock.now())
    if client.is_development:
        await services.threads.write(services.keep_development_secret, client.client_id, secret)
    return await _with_secret(services, client.client_id, secret, 200)


async def _limit(request: Request, services: Services) -> Response:
    client = await _client(request, services)
    asked = await small_object(request, services)
    await _keep_limits(services, client.client_id, _quotas(asked.get("limits")))
    return JSONResponse(_document(client, services))


async def _client(request: Request, services: Services) -> StoredClient:
    client_id = request.path_params["clientId"]
    client = await services.threads.read(services.store.clients.find, client_id)
    if client is None:
        raise ApiProblem(codes.REQUEST_INVALID, f"no client of that id: `{client_id[:100]}`")
    return client


async def _keep_limits(services: Services, client_id: str, quotas: Mapping[str, int]) -> None:
    await services.threads.write(services.store.client_limits.put, client_id, quotas)
    services.limits.change(client_id, quotas)
    await services.tell_state()


def _quotas(value: Any) -> dict[str, int]:
    """Return the limits that were asked for, by name of the policy."""
    if not isinstance(value, dict) or not value or not POLICIES.keys() >= value.keys():
        raise ApiProblem(codes.REQUEST_INVALID, f"limits is an object with some of {', '.join(POLICIES)}")
    if not all(type(quota) is int and 1 <= quota <= MAX_QUOTA for quota in value.values()):
        raise ApiProblem(codes.REQUEST_INVALID, f"a limit is a number of requests, 1 to {MAX_QUOTA}")
    return value


async def _with_secret(services: Services, client_id: str, secret: str, status: int) -> Response:
    """Answer with the secret: the one time that it can be read."""
    client = await services.threads.read(services.store.clients.find, client_id)
    assert client is not None
    document = _document(client, services) | {"clientSecret": secret}
    return JSONResponse(document, status, {"Cache-Control": "no-store"})


def _document(client: StoredClient, services: Services) -> dict[str, Any]:
    return {
        "clientId": client.client_id,
        "name": client.name,
        "scopes": list(client.scopes),
        "isDevelopment": client.is_development,
        "createdAt": rfc3339(client.created_at),
        "limits": services.limits.quotas(client.client_id),
        "secrets": [{"createdAt": rfc3339(secret.created_at)} for secret in client.secrets],
    }

"""The application: routes and services, wired."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.routing import Router

from reinmaker_cli.contract import codes
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.clients import client_resources
from reinmaker_cli.server.routes.clock import clock_resources
from reinmaker_cli.server.routes.control import control_resources
from reinmaker_cli.server.routes.documents import document_resources
from reinmaker_cli.server.routes.edge import Edge, allowed_hosts
from reinmaker_cli.server.routes.entitlements import entitlement_resources
from reinmaker_cli.server.routes.manifests import manifest_resources
from reinmaker_cli.server.routes.oauth import oauth_resources
from reinmaker_cli.server.routes.people import people_resources
from reinmaker_cli.server.routes.telemetry import telemetry_resources
from reinmaker_cli.server.services import Foundation, Services, run_services

API_ROUTES = (oauth_resources, manifest_resources, entitlement_resources, telemetry_resources, document_resources)
"""What `contract/openapi.yaml` describes."""
CONTROL_ROUTES = (control_resources, client_resources, people_resources, clock_resources)
"""What `contract/control-openapi.yaml` describes."""


def build_app(base: Foundation, started: Callable[[Services], None], is_stopping: Callable[[], bool]) -> Edge:
    """Return the ASGI application; `started` is told its services when the lifespan begins.

    From when on `is_stopping`, nobody waits long for the rest of a body.
    """

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, Services]]:
        async with run_services(base) as services:
            started(services)
            yield {"services": services}

    routes = [resource.route() for resources in (*API_ROUTES, *CONTROL_ROUTES) for resource in resources()]
    router = Router(routes, redirect_slashes=False, default=_no_such_route, lifespan=lifespan)
    return Edge(router, allowed_hosts(base.config.host, base.config.allow_hosts), is_stopping)


async def _no_such_route(scope: Any, _receive: Any, _send: Any) -> None:
    raise ApiProblem(codes.NOT_FOUND, f"no such route: `{scope['path'][:200]}`")

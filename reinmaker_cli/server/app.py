"""The application: routes and services, wired."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from reinmaker_cli.contract import codes, names
from reinmaker_cli.server.listening import LOOPBACK_NAMES
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.clients import client_resources
from reinmaker_cli.server.routes.clock import clock_resources
from reinmaker_cli.server.routes.control import control_resources
from reinmaker_cli.server.routes.deliveries import delivery_resources
from reinmaker_cli.server.routes.documents import document_resources
from reinmaker_cli.server.routes.edge import Edge
from reinmaker_cli.server.routes.entitlements import entitlement_resources
from reinmaker_cli.server.routes.faults import fault_resources
from reinmaker_cli.server.routes.inspector import inspector_page, inspector_resources
from reinmaker_cli.server.routes.journal import journal_resources
from reinmaker_cli.server.routes.keys import key_resources
from reinmaker_cli.server.routes.manifests import manifest_resources
from reinmaker_cli.server.routes.oauth import oauth_resources
from reinmaker_cli.server.routes.people import people_resources
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.routes.snapshots import snapshot_resources
from reinmaker_cli.server.routes.table import RouteTable
from reinmaker_cli.server.routes.telemetry import telemetry_resources
from reinmaker_cli.server.routes.trigger import trigger_resources
from reinmaker_cli.server.routes.viewer import viewer_resources
from reinmaker_cli.server.routes.webhooks import webhook_resources
from reinmaker_cli.server.services import Foundation, Services, run_services

API_ROUTES = (oauth_resources, manifest_resources, entitlement_resources, telemetry_resources, document_resources)
"""What `contract/openapi.yaml` describes."""
CONTROL_ROUTES = (
    control_resources,
    client_resources,
    people_resources,
    clock_resources,
    webhook_resources,
    delivery_resources,
    trigger_resources,
    snapshot_resources,
    journal_resources,
    fault_resources,
    key_resources,
    inspector_resources,
)
"""What `contract/control-openapi.yaml` describes."""


@dataclass(frozen=True, slots=True)
class Apps:
    """What answers on the sockets of a server."""

    api: Edge
    """Has the lifespan, and the control API too where that has no port of its own."""
    control: Edge | None
    """On the control port."""


def build_apps(base: Foundation, started: Callable[[Services], None], is_stopping: Callable[[], bool]) -> Apps:
    """Return the ASGI applications; `started` is told their services when the lifespan begins.

    From when on `is_stopping`, nobody waits long for the rest of a body.
    """

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, Services]]:
        async with run_services(base) as services:
            started(services)
            yield {"services": services}

    place = base.listening
    control = (*CONTROL_ROUTES, viewer_resources, inspector_page)
    table = _table(API_ROUTES if place.control_is_apart else (*API_ROUTES, *control))
    edge = Edge(
        table,
        place.hosts,
        is_stopping,
        lifespan=Router(lifespan=lifespan),
        is_behind_proxy=place.is_behind_proxy,
        allowed_origins=base.config.allow_origins,
    )
    if not place.control:
        return Apps(edge, None)
    return Apps(edge, Edge(_table(control), LOOPBACK_NAMES, is_stopping))


def _table(groups: Iterable[Callable[[], list[Resource]]]) -> RouteTable:
    return RouteTable((resource for resources in groups for resource in resources()), _no_such_route)


async def _no_such_route(scope: Scope, _receive: Receive, _send: Send) -> None:
    path = scope["path"]
    if path.startswith(names.CONTROL_PATH + "/"):
        raise ApiProblem(codes.NOT_FOUND, "no such route here: see `reinmaker serve --control-port`")
    raise ApiProblem(codes.NOT_FOUND, f"no such route: `{path[:200]}`")

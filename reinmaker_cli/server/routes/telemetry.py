"""`/v1/telemetry/events`: take a batch of events, all or nothing."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reinmaker_cli.contract import names
from reinmaker_cli.server.event_intake import examine_events
from reinmaker_cli.server.intake import Refused
from reinmaker_cli.server.routes.edge import client_id, trace_id
from reinmaker_cli.server.routes.manifests import refusal_problem
from reinmaker_cli.server.routes.resource import Resource, needs_scope
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.store.telemetry import NewBatch


def telemetry_resources() -> list[Resource]:
    """Return the path of the events."""
    return [Resource(names.EVENTS_PATH, {"POST": _take}, needs_scope(names.Scope.TELEMETRY_WRITE))]


async def _take(request: Request, services: Services) -> Response:
    async with services.bodies.receive(request, limit=names.MAX_EVENTS_BYTES) as body:
        events = await services.examine(examine_events, body)
    if isinstance(events, Refused):
        raise refusal_problem(events)
    batch = NewBatch("batch_" + secrets.token_hex(12), client_id(request), trace_id(request), events)
    added = await services.threads.write_together(services.store.telemetry.add, batch, now=services.clock.now())
    if added.told is not None and added.told.delivery_ids:
        services.deliveries.wake()
    document = {"batchId": batch.batch_id, "accepted": added.accepted, "duplicates": len(events) - added.accepted}
    return JSONResponse(document, 202)

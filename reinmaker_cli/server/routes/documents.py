"""What describes the API: the manifest schema, the OpenAPI document, and health."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

import reinmaker_cli
from reinmaker_cli.contract import names
from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.routes.edge import is_loopback_peer
from reinmaker_cli.server.routes.resource import Resource, bearer_token
from reinmaker_cli.server.routes.submission_json import encoded
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.tokens import TokenRefused


def document_resources() -> list[Resource]:
    """Return the paths of the documents and of health."""
    return [
        Resource(names.HEALTH_PATH, {"GET": _health}),
        Resource(names.SCHEMA_PATH, {"GET": _schema}),
        Resource(names.OPENAPI_PATH, {"GET": _openapi}),
    ]


async def _schema(_: Request, services: Services) -> Response:
    return Response(await services.threads.examine(_schema_text), media_type="application/schema+json")


async def _openapi(_: Request, services: Services) -> Response:
    return Response(await services.threads.examine(openapi_json), media_type="application/json")


async def _health(request: Request, services: Services) -> Response:
    probed = await services.probe.look()
    status = {"ok": "ok", "slow": "degraded", "failing": "failing"}[probed.status]
    now = rfc3339(services.clock.now())
    document: dict[str, Any] = {"status": status, "version": reinmaker_cli.__version__, "time": now}
    if await _may_see_checks(request, services):
        database = {"status": probed.status, "writeMs": probed.write_ms}
        document["checks"] = {"database": database, **await _outbox_checks(services)}
    code = 503 if status == "failing" else 200
    return Response(encoded(document), code, {"Cache-Control": "no-store"}, "application/json")


async def _outbox_checks(services: Services) -> dict[str, Any]:
    """Return what /v1/health says of webhooks; nothing where the outbox could not be read yet."""
    outbox = await services.outbox.look()
    if outbox is None:
        return {}
    now, letters = services.clock.now(), {"count": outbox.dead_letters}
    if services.forwards:
        letters["toForward"] = outbox.unforwarded
    return {
        "outbox": {"depth": outbox.depth, "oldestDueSeconds": round(outbox.oldest_due_s_at(now), 3)},
        "deadLetters": letters,
        "rotation": {
            "status": outbox.rotation_at(now),
            "nextAt": None if outbox.rotates_at is None else rfc3339(outbox.rotates_at),
            "nextFetched": outbox.next_fetched,
        },
    }


async def _may_see_checks(request: Request, services: Services) -> bool:
    if is_loopback_peer(request):
        return True
    token = bearer_token(request)
    if token is None:
        return False
    await services.tokens.ready()
    try:
        return services.tokens.check(token) is not None
    except TokenRefused:
        return False


@functools.cache
def _schema_text() -> bytes:
    from reinmaker_cli.contract.validation import manifest_schema_text

    return manifest_schema_text()


@functools.cache
def openapi_json() -> bytes:
    """Return the OpenAPI document as JSON."""
    import yaml

    text = resources.files("reinmaker_cli.contract").joinpath("openapi.yaml").read_text("utf-8")
    return json.dumps(yaml.safe_load(text), ensure_ascii=False, default=str).encode()

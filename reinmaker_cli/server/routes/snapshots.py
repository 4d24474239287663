"""`/_local/snapshots` and `/_local/reset`: the whole state of a local server, kept, put back, or thrown away."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reinmaker_cli.contract import codes, names
from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.control import guard_control, small_object, text_member
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.snapshots import Snapshot, remove, reset, restore, take


def snapshot_resources() -> list[Resource]:
    """Return the paths of the state as a whole."""
    base = names.CONTROL_PATH + "/snapshots"
    return [
        Resource(base, {"GET": _list, "POST": _take}, _guard),
        Resource(base + "/{name}", {"DELETE": _remove}, _guard),
        Resource(base + "/{name}/restore", {"POST": _restore}, _guard),
        Resource(names.CONTROL_PATH + "/reset", {"POST": _reset}, _guard),
    ]


async def _guard(request: Request, services: Services) -> None:
    """Let through as `guard_control`, where the database is a file of this server's own."""
    await guard_control(request, services)
    if services.store.is_shared:
        raise ApiProblem(codes.SNAPSHOT_UNSUPPORTED, "the database is PostgreSQL, and others may use it")


async def _list(_: Request, services: Services) -> Response:
    found = await services.threads.read(services.snapshots.all)
    return JSONResponse({"items": [_document(one) for one in found]})


async def _take(request: Request, services: Services) -> Response:
    asked = await small_object(request, services)
    replace = asked.get("replace", False)
    if not isinstance(replace, bool):
        raise ApiProblem(codes.REQUEST_INVALID, "replace is true or false")
    taken = await take(services, text_member(asked, "name"), replace=replace)
    return JSONResponse(_document(taken), 201)


async def _remove(request: Request, services: Services) -> Response:
    await remove(services, request.path_params["name"])
    return Response(status_code=204)


async def _restore(request: Request, services: Services) -> Response:
    await restore(services, request.path_params["name"])
    return _changed(services)


async def _reset(_: Request, services: Services) -> Response:
    await reset(services)
    return _changed(services)


def _changed(services: Services) -> Response:
    reading = services.timekeeper.look()
    return JSONResponse({"mode": reading.mode, "time": rfc3339(reading.now), "aheadSeconds": reading.ahead_s})


def _document(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "name": snapshot.name,
        "takenAt": rfc3339(snapshot.taken.taken_at),
        "bytes": snapshot.size_bytes,
        "schemaVersion": snapshot.taken.schema_version,
    }

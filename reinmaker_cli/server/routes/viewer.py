"""The pages at `/docs`: the two OpenAPI documents for people, with everything they need from this server alone.

They stand with the control API, where that stands: local servers have them, production does not.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from reinmaker_cli.contract import codes
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.documents import openapi_json
from reinmaker_cli.server.routes.pages import answer_file, page_headers
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.services import Services

DOCS_PATH: Final = "/docs"
FILES: Final = ("swagger-ui-bundle.js", "swagger-ui.css", "page.js", "page.css")
HEADERS: Final = page_headers("data:")  # the pictures in the viewer's own CSS


def viewer_resources() -> list[Resource]:
    """Return the paths of the viewer."""
    return [Resource(DOCS_PATH, {"GET": _page}), Resource(DOCS_PATH + "/{file}", {"GET": _file})]


async def _page(_: Request, services: Services) -> Response:
    return await answer_file(services, "viewer", "page.html", HEADERS)


async def _file(request: Request, services: Services) -> Response:
    name = request.path_params["file"]
    if name in DOCUMENTS:
        content = await services.threads.examine(DOCUMENTS[name])
        return Response(content, media_type="application/json", headers=HEADERS)
    if name not in FILES:
        raise ApiProblem(codes.NOT_FOUND, f"no such route: `{DOCS_PATH}/{name[:200]}`")
    return await answer_file(services, "viewer", name, HEADERS)


@functools.cache
def _control_openapi_json() -> bytes:
    import yaml

    text = resources.files("reinmaker_cli.contract").joinpath("control-openapi.yaml").read_text("utf-8")
    return json.dumps(yaml.safe_load(text), ensure_ascii=False, default=str).encode()


DOCUMENTS: Final = {"openapi.json": openapi_json, "control-openapi.json": _control_openapi_json}

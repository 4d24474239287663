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
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.services import Services

DOCS_PATH: Final = "/docs"
FILES: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "page.js": "text/javascript",
    "page.css": "text/css",
}
HEADERS: Final = {
    # The viewer sets styles from its script, which `style-src` does not touch; `data:` are the pictures of its own CSS.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def viewer_resources() -> list[Resource]:
    """Return the paths of the viewer."""
    return [Resource(DOCS_PATH, {"GET": _page}), Resource(DOCS_PATH + "/{file}", {"GET": _file})]


async def _page(_: Request, services: Services) -> Response:
    content = await services.threads.examine(_shipped, "page.html")
    return Response(content, media_type="text/html", headers=HEADERS)


async def _file(request: Request, services: Services) -> Response:
    name = request.path_params["file"]
    if name in DOCUMENTS:
        content = await services.threads.examine(DOCUMENTS[name])
        return Response(content, media_type="application/json", headers=HEADERS)
    if name not in FILES:
        raise ApiProblem(codes.NOT_FOUND, f"no such route: `{DOCS_PATH}/{name[:200]}`")
    content = await services.threads.examine(_shipped, name)
    return Response(content, media_type=FILES[name], headers=HEADERS)


def _shipped(name: str) -> bytes:
    return resources.files("reinmaker_cli.server").joinpath("viewer", name).read_bytes()


@functools.cache
def _control_openapi_json() -> bytes:
    import yaml

    text = resources.files("reinmaker_cli.contract").joinpath("control-openapi.yaml").read_text("utf-8")
    return json.dumps(yaml.safe_load(text), ensure_ascii=False, default=str).encode()


DOCUMENTS: Final = {"openapi.json": openapi_json, "control-openapi.json": _control_openapi_json}

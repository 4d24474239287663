"""The page at `/`: a shell that anybody on this machine may load, and its views, for who has the control token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response

from reinmaker_cli.contract import codes, names
from reinmaker_cli.server.deliveries import NEWS as WEBHOOK_NEWS
from reinmaker_cli.server.journal import NEWS as JOURNAL_NEWS
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.control import guard_control
from reinmaker_cli.server.routes.pages import answer_file, page_headers
from reinmaker_cli.server.routes.preferences import answer_when_other
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.services import Services

if TYPE_CHECKING:
    from reinmaker_cli.server.inspector.views import Show

FILES_PATH: Final = "/inspector"
VIEW_PATH: Final = names.CONTROL_PATH + "/inspector/{view}"
FILES: Final = ("page.css", "page.js", "icon.svg")
HEADERS: Final = page_headers("'self'", "require-trusted-types-for 'script'", "trusted-types inspector") | {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
VIEW_HEADERS: Final = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}
"""A view is put into the page by its script, and is nothing by itself."""
_PAUSE_S: Final = 0.2
"""Between two looks for one waiting page: under load there is news all the time."""


def inspector_page() -> list[Resource]:
    """Return the paths of the shell: no data, so no token."""
    return [Resource("/", {"GET": _page}), Resource(FILES_PATH + "/{file}", {"GET": _file})]


def inspector_resources() -> list[Resource]:
    """Return the path of the views."""
    return [Resource(VIEW_PATH, {"GET": _view}, guard_control)]


async def _page(_: Request, services: Services) -> Response:
    return await answer_file(services, "inspector/page", "page.html", HEADERS)


async def _file(request: Request, services: Services) -> Response:
    name = request.path_params["file"]
    if name not in FILES:
        raise ApiProblem(codes.NOT_FOUND, f"no such route: `{FILES_PATH}/{name[:200]}`")
    return await answer_file(services, "inspector/page", name, HEADERS)


async def _view(request: Request, services: Services) -> Response:
    """Answer with a view as HTML; with If-None-Match and `Prefer: wait`, once it is another."""
    from reinmaker_cli.server.inspector.views import VIEWS, render  # servers that nobody looks at do without

    name, query = request.path_params["view"], dict(request.query_params)
    if name not in VIEWS:
        raise ApiProblem(codes.NOT_FOUND, f"no such view: `{name[:40]}`")
    show: Show = VIEWS[name]
    looked = False

    async def look() -> bytes:
        nonlocal looked
        if looked:
            await services.changes.closed_within(_PAUSE_S)
        looked = True
        return (await render(name, show, services, query)).encode()

    news = (JOURNAL_NEWS, WEBHOOK_NEWS)
    return await answer_when_other(request, services.changes, news, look, "text/html", VIEW_HEADERS)

"""Files of the package that a browser shows, and what it may do with them: nothing that leads to another server."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Final

from starlette.responses import Response

from reinmaker_cli.server.services import Services

_MEDIA_TYPES: Final = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


def page_headers(images: str, *more: str) -> dict[str, str]:
    """Return the fields of a page that loads only what is its own; `images` is where its pictures may be from."""
    policy = (
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", f"img-src {images}", "connect-src 'self'"),
        *("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", *more),
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }


async def answer_file(services: Services, folder: str, name: str, headers: Mapping[str, str]) -> Response:
    """Answer with a file below `server/`; the caller knows that there is one."""
    content = await services.threads.examine(_shipped, folder, name)
    return Response(content, media_type=_MEDIA_TYPES[name.rpartition(".")[2]], headers=headers)


def _shipped(folder: str, name: str) -> bytes:
    return resources.files("reinmaker_cli.server").joinpath(folder, name).read_bytes()

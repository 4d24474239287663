"""Which resource answers a path: looked up where the path has no parameters, else the first that matches."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from reinmaker_cli.server.routes.resource import Resource


class RouteTable:
    """The resources of an application by their paths."""

    def __init__(self, resources: Iterable[Resource], missing: ASGIApp) -> None:
        """`missing` answers what no resource does."""
        resources = list(resources)
        self._exact = {resource.path: resource for resource in resources if "{" not in resource.path}
        patterns = ((resource, compile_path(resource.path)) for resource in resources if "{" in resource.path)
        self._patterns = [(pattern, convertors, resource) for resource, (pattern, _, convertors) in patterns]
        self._missing = missing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        resource = self._exact.get(scope["path"])
        if resource is not None:
            await resource(scope, receive, send)
            return
        for pattern, convertors, resource in self._patterns:
            if match := pattern.match(scope["path"]):
                found = match.groupdict().items()
                scope["path_params"] = {name: convertors[name].convert(value) for name, value in found}
                await resource(scope, receive, send)
                return
        await self._missing(scope, receive, send)

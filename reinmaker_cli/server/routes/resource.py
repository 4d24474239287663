"""One path of the API: which methods it has, and who may call them."""

from __future__ import annotations

import string
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from reinmaker_cli.contract import codes, names
from reinmaker_cli.contract.faults import FaultKind
from reinmaker_cli.server import limits
from reinmaker_cli.server.faults import Asked
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.edge import note_client, note_route
from reinmaker_cli.server.routes.fields import field_of
from reinmaker_cli.server.routes.quota import count_request
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.tokens import EXPIRED, TokenRefused

Endpoint = Callable[[Request, Services], Awaitable[Response]]
Guard = Callable[[Request, Services], Awaitable[None]]

# RFC 6750 section 2.1. To delete them takes a tenth of the time in which a pattern matches the thousand of a token.
_TOKEN_CHARACTERS = (string.ascii_letters + string.digits + "._~+/=-").encode()


class Resource:
    """Answers one path: 405 and OPTIONS first, then the guard, then the method. HEAD is GET without its body.

    `check_path` comes before all of these, where a path that matches may still be none: it raises ApiProblem.
    """

    def __init__(
        self,
        path: str,
        methods: Mapping[str, Endpoint],
        guard: Guard | None = None,
        *,
        check_path: Callable[[Request], None] | None = None,
    ) -> None:
        self.path = path
        self.template = path.replace(":path}", "}")
        """The path as the documents write it."""
        self._methods = dict(methods)
        self._guard = guard
        self._check_path = check_path
        if "GET" in self._methods:
            self._methods["HEAD"] = self._methods["GET"]
        self._allow = ", ".join(sorted({*self._methods, "OPTIONS"}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        if self._check_path is not None:
            self._check_path(request)
        note_route(scope, self.template)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": self._allow})
        endpoint = self._methods.get(request.method)
        if endpoint is None:
            raise ApiProblem(
                codes.METHOD_NOT_ALLOWED,
                f"{request.method} is not one of {self._allow}",
                headers={"Allow": self._allow},
            )
        services: Services = request.scope["state"]["services"]
        if self._guard is not None:
            await self._guard(request, services)
        return await endpoint(request, services)


def needs_scope(scope: names.Scope, *, post: limits.Policy = limits.DEFAULT) -> Guard:
    """Return the guard of a protected route: RFC 6750 section 3, then the limits; `post` is the policy of POST."""

    async def guard(request: Request, services: Services) -> None:
        token = bearer_token(request)
        if token is None:
            # No error code without a token: the client may not have known that it needs one.
            raise ApiProblem(
                codes.TOKEN_MISSING, "no Bearer token in Authorization", headers={"WWW-Authenticate": "Bearer"}
            )
        try:
            await services.tokens.ready()
            grant = services.tokens.check(token)
            if not services.faults.is_quiet:
                asked = Asked(request.method, request.scope["path"], grant.client_id)
                if await services.faults.struck({FaultKind.EXPIRED_TOKEN}, asked) is not None:
                    raise TokenRefused(EXPIRED)
        except TokenRefused as refusal:
            raise ApiProblem(
                codes.TOKEN_INVALID, str(refusal), headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
            ) from refusal
        note_client(request, grant.client_id)
        if scope not in grant.scopes:
            raise ApiProblem(
                codes.INSUFFICIENT_SCOPE,
                f"the token lacks the scope {scope}",
                headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
            )
        await count_request(request, services, post if request.method == "POST" else limits.DEFAULT, grant.client_id)

    return guard


def bearer_token(request: Request) -> str | None:
    """Return the token in `Authorization: Bearer`, "" where the scheme is Bearer and the rest is none, else None."""
    given = (field_of(request.scope, b"authorization") or "").strip()
    scheme, rest = given[:6], given[6:]
    if scheme.lower() != "bearer":
        return None
    token = rest.lstrip(" ")
    is_well_formed = rest.startswith(" ") and not token.encode().translate(None, _TOKEN_CHARACTERS)
    return token if is_well_formed else ""

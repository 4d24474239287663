"""The outermost layer: trace id, Host names, the one error handler and the access log, around every request."""

from __future__ import annotations

import asyncio
import functools
import random
import re
import time
from collections.abc import Callable, Collection

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.loopback import is_loopback
from reinmaker_cli.contract.names import TRACE_HEADER, TRACE_PATTERN
from reinmaker_cli.server.access_log import SERVER_LOG, log_access
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.cross_origin import checked_origins, cross_origin_fields
from reinmaker_cli.server.routes.exchange import Exchange, add_to_answer, stopping
from reinmaker_cli.server.routes.fields import field_of
from reinmaker_cli.server.routes.struck import strike_of
from reinmaker_cli.server.store.database import DatabaseUnreachable, DatabaseUnwritable, WriteConflict

AWAY_RETRY_AFTER_S = 2  # PostgreSQL restarts in about that

_TRACE = re.compile(TRACE_PATTERN)
_TRACE_FIELD = TRACE_HEADER.lower().encode()
_PORT = re.compile(r":[0-9]*$")
_TRACES = random.Random()  # nosec B311  # no two alike, and no secret; the system's generator is a call each time
_TRACE_KEY = "reinmaker.trace_id"
_ROUTE_KEY = "reinmaker.route"
_CODE_KEY = "reinmaker.code"
_CLIENT_KEY = "reinmaker.client_id"
_USER_KEY = "reinmaker.user"
_BEHIND_PROXY_KEY = "reinmaker.behind_proxy"


def trace_id(request: Request) -> str:
    """Return the trace id of the request: the caller's, or the one made for it."""
    return str(request.scope[_TRACE_KEY])


def note_route(scope: Scope, route: str) -> None:
    """Say which route answers, for the access log: its template, never the path with what a user wrote in it."""
    scope[_ROUTE_KEY] = route


def note_client(request: Request, client_id: str) -> None:
    """Say which client asks, for the access log."""
    request.scope[_CLIENT_KEY] = client_id


def note_user(request: Request, pseudonym: str) -> None:
    """Say which user a request is about, for the access log: by what stands for the user there."""
    request.scope[_USER_KEY] = pseudonym


def note_code(scope: Scope, code: str) -> None:
    """Say with which error the request is answered, for the journal."""
    scope[_CODE_KEY] = str(code)


def client_id(request: Request) -> str:
    """Return the client that asks, on a route that needs a token."""
    return str(request.scope[_CLIENT_KEY])


class Edge:
    """Wrap the routes: every answer has a trace id, every error is a problem document, every request is logged."""

    def __init__(
        self,
        routes: ASGIApp,
        allowed_hosts: Collection[str],
        is_stopping: Callable[[], bool],
        *,
        lifespan: ASGIApp | None = None,
        is_behind_proxy: bool = False,
        allowed_origins: Collection[str] = (),
    ) -> None:
        self._routes, self._lifespan = routes, lifespan
        self._is_stopping = is_stopping
        self._allowed_hosts = frozenset(allowed_hosts)
        self._is_allowed = functools.lru_cache(64)(self._is_allowed_host)
        self._is_behind_proxy = is_behind_proxy
        self._allowed_origins = checked_origins(allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the lifespan is another's."""
        if scope["type"] != "http":
            assert self._lifespan is not None
            await self._lifespan(scope, receive, send)
            return
        scope[_TRACE_KEY] = _incoming_trace(scope) or f"{_TRACES.getrandbits(128):032x}"
        scope[_BEHIND_PROXY_KEY] = self._is_behind_proxy
        started = time.monotonic()
        if self._allowed_origins:
            add_to_answer(scope, cross_origin_fields(scope, self._allowed_origins))
        routes, exchange = self._routes, Exchange(scope, receive, send, scope[_TRACE_KEY], self._is_stopping)
        try:
            if (strike := await strike_of(scope)) is not None:
                routes, send = strike.around(routes), strike.answering(receive, send)
                exchange = Exchange(scope, receive, send, scope[_TRACE_KEY], self._is_stopping)
            self._refuse_foreign_host(scope)
            await routes(scope, exchange.receive, exchange.send)
        except ApiProblem as problem:
            note_code(scope, problem.code)
            await exchange.refuse(problem)
        except (DatabaseUnreachable, WriteConflict) as away:
            SERVER_LOG.warning("the database cannot be used now (%s)", away, extra={"trace_id": scope[_TRACE_KEY]})
            note_code(scope, codes.SERVER_BUSY)
            await exchange.refuse(_away(away))
        except ClientDisconnect:
            SERVER_LOG.info("the client went away", extra={"trace_id": scope[_TRACE_KEY]})
        except asyncio.CancelledError:
            # Only the end of a stop cancels a request, after it was waited for.
            SERVER_LOG.warning("cut short by the end of the server", extra={"trace_id": scope[_TRACE_KEY]})
            await exchange.refuse(stopping())
        except Exception:  # noqa: BLE001  (the one error handler: logged with its traceback, answered without it)
            SERVER_LOG.exception("unforeseen", extra={"trace_id": scope[_TRACE_KEY]})
            note_code(scope, codes.SERVER_ERROR)
            await exchange.refuse(ApiProblem(codes.SERVER_ERROR, "see the server's log"))
        seconds = time.monotonic() - started
        _write_down(scope, exchange.status, seconds)
        log_access(
            method=scope["method"],
            route=scope.get(_ROUTE_KEY, "-"),
            status=exchange.status,
            seconds=seconds,
            trace_id=scope[_TRACE_KEY],
            client_id=scope.get(_CLIENT_KEY, "-"),
            user=scope.get(_USER_KEY),
        )

    def _refuse_foreign_host(self, scope: Scope) -> None:
        # DNS rebinding: a web page can point a name of its own at 127.0.0.1, but it cannot change the Host field.
        host = field_of(scope, b"host") or ""
        if not self._is_allowed(host):
            raise ApiProblem(codes.HOST_NOT_ALLOWED, f"not a host name of this server: `{host[:100]}`")

    def _is_allowed_host(self, host: str) -> bool:
        return _PORT.sub("", host).lower().strip("[]") in self._allowed_hosts


def _away(error: DatabaseUnreachable | WriteConflict) -> ApiProblem:
    fact = "the database does not answer; the server goes on when it does"
    if isinstance(error, DatabaseUnwritable):
        fact = "the disk is full, or fails; nothing was taken, and the server goes on when there is room"
    return ApiProblem(codes.SERVER_BUSY, fact, headers={"Retry-After": str(AWAY_RETRY_AFTER_S)})


def is_loopback_peer(request: Request) -> bool:
    """Return whether the request comes from this machine, and not through a proxy on it."""
    scope = request.scope
    if scope["client"] is None or scope[_BEHIND_PROXY_KEY] or _was_forwarded(scope):
        return False
    return _is_loopback(scope["client"][0])


_is_loopback = functools.lru_cache(1024)(is_loopback)


def _write_down(scope: Scope, status: int, seconds: float) -> None:
    """Add the request to the journal."""
    scope["state"]["services"].journal.add(
        method=scope["method"],
        route=scope.get(_ROUTE_KEY, "-"),
        status=status,
        seconds=seconds,
        trace_id=scope[_TRACE_KEY],
        client_id=scope.get(_CLIENT_KEY),
        code=scope.get(_CODE_KEY),
    )


def _was_forwarded(scope: Scope) -> bool:
    return any(name == b"forwarded" or name.startswith(b"x-forwarded-") for name, _ in scope["headers"])


def _incoming_trace(scope: Scope) -> str | None:
    value = field_of(scope, _TRACE_FIELD)
    return value if value is not None and _TRACE.fullmatch(value) else None

"""What faults do to a request on the wire: before it reaches its route, and to the answer on its way back.

Faults that the routes themselves know how to answer are asked for there: 429 where requests are counted, an expired
token where tokens are checked, a missing key where keys are shown.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reinmaker_cli.contract import codes, names
from reinmaker_cli.contract.faults import FaultKind
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.faults import Asked, Faults, Rule
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.fields import field_of
from reinmaker_cli.server.wire import CONNECTION_KEY, TimedProtocol

_INSTEAD: Final = frozenset({FaultKind.FAILURE, FaultKind.RESET, FaultKind.EMPTY})
_ANSWERS: Final = frozenset({FaultKind.CUT, FaultKind.DRIP, FaultKind.LOST_ANSWER})
_LISTING: Final = frozenset({FaultKind.NO_LISTING})
_STRUCK_KEY: Final = "reinmaker.struck"


@dataclass(frozen=True, slots=True)
class Strike:
    """What goes wrong with one request."""

    latency: Rule | None
    skew: Rule | None
    main: Rule | None
    """Of what excludes each other."""
    connection: TimedProtocol
    changes: Changes

    def around(self, routes: ASGIApp) -> ASGIApp:
        """Return the routes behind this strike."""

        async def struck(scope: Scope, receive: Receive, send: Send) -> None:
            if self.latency is not None:
                await self.changes.closed_within(self.latency.delay_s)
            if self.main is None or self.main.kind in _ANSWERS:
                await routes(scope, receive, send)
            elif self.main.kind is FaultKind.EMPTY:
                await _read_to_the_end(receive)  # closed with unread bytes, TCP would reset the connection
                await _hang_up(self.connection, receive, self.connection.close_after_writing)
            elif self.main.kind is FaultKind.RESET:
                await _hang_up(self.connection, receive, self.connection.reset)
            else:
                raise _problem(self.main)

        return struck

    def answering(self, receive: Receive, send: Send) -> Send:
        """Return the way back to the caller, as the strike leaves it; both are uvicorn's own."""
        if self.skew is not None:
            self.connection.shift_date(self.skew.skew_s)
        match None if self.main is None else self.main.kind:
            case FaultKind.CUT | FaultKind.LOST_ANSWER as kind:
                return _CutAnswer(self.connection, receive, send, keeps_half=kind is FaultKind.CUT).send
            case FaultKind.DRIP:
                assert self.main is not None
                return _Drip(self.connection, self.changes, self.main.delay_s, send).send
            case _:
                return send


async def strike_of(scope: Scope) -> Strike | None:
    """Return what is to go wrong with a request; None nearly always, and always for the control API."""
    services = scope["state"]["services"]
    faults: Faults = services.faults
    if faults.is_quiet or scope["path"].startswith(names.CONTROL_PATH + "/"):
        return None
    asked = Asked(scope["method"], scope["path"], _claimed_client(scope))
    is_listing = asked.method in ("GET", "HEAD") and asked.path == names.MANIFESTS_PATH
    latency = await faults.struck({FaultKind.LATENCY}, asked)
    skew = await faults.struck({FaultKind.CLOCK_SKEW}, asked)
    main = await faults.struck(_INSTEAD | _ANSWERS | (_LISTING if is_listing else frozenset()), asked)
    found = [rule for rule in (latency, skew, main) if rule is not None]
    if not found:
        return None
    scope[_STRUCK_KEY] = tuple(found)
    return Strike(latency, skew, main, scope["state"][CONNECTION_KEY], services.changes)


def skew_s(scope: Scope) -> int:
    """Return by how many seconds the times of this request's answer are to be off; 0 nearly always."""
    struck: tuple[Rule, ...] = scope.get(_STRUCK_KEY, ())
    return next((rule.skew_s for rule in struck if rule.kind is FaultKind.CLOCK_SKEW), 0)


def _problem(rule: Rule) -> ApiProblem:
    if rule.kind is FaultKind.NO_LISTING:
        if rule.status == codes.METHOD_NOT_ALLOWED.status:
            allow = {"Allow": "OPTIONS, POST"}
            return ApiProblem(codes.METHOD_NOT_ALLOWED, "a fault: this server has no listing", headers=allow)
        return ApiProblem(codes.NOT_FOUND, "a fault: this server has no listing")
    retry_after = {} if rule.retry_after_s is None else {"Retry-After": str(rule.retry_after_s)}
    code = codes.SERVER_BUSY if rule.status == codes.SERVER_BUSY.status else codes.SERVER_ERROR
    problem = ApiProblem(code, "a fault: see `reinmaker local fault list`", headers=retry_after)
    problem.status = rule.status
    return problem


def _claimed_client(scope: Scope) -> str | None:
    """Return the client that a request says it is from: faults are no secret, so nobody checks that it is true."""
    scheme, _, said = (field_of(scope, b"authorization") or "").partition(" ")
    try:
        if scheme.lower() == "bearer":
            claims = said.strip().split(".")[1]
            claimed = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
            return str(claimed["client_id"])
        if scheme.lower() == "basic":
            return unquote_plus(base64.b64decode(said.strip()).decode().partition(":")[0])
    except (ValueError, IndexError, KeyError, TypeError, RecursionError, binascii.Error):
        return None
    return None


async def _read_to_the_end(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return


async def _hang_up(connection: TimedProtocol, receive: Receive, end: Callable[[], None]) -> None:
    """End the connection, and return once uvicorn knows: it would answer 500 for a route that said nothing."""
    end()
    while (await receive())["type"] != "http.disconnect":
        pass


class _CutAnswer:
    """Sends half of the body that the head promises, or nothing at all, and closes the connection."""

    def __init__(self, connection: TimedProtocol, receive: Receive, send: Send, *, keeps_half: bool) -> None:
        self._connection, self._receive, self._send, self._keeps_half = connection, receive, send, keeps_half
        self._left_bytes: int | None = None
        """Of what may pass; None: the head did not say how long the body is."""
        self._is_over = False

    async def send(self, message: Message) -> None:
        """Pass on what may pass."""
        if self._is_over:
            return
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if self._keeps_half:
            is_last = await self._send_part(message) or is_last
        if is_last:
            self._is_over = True
            await _hang_up(self._connection, self._receive, self._connection.close_after_writing)

    async def _send_part(self, message: Message) -> bool:
        """Return whether that was all that may pass."""
        if message["type"] == "http.response.start":
            length = Headers(raw=message["headers"]).get("content-length")
            self._left_bytes = None if length is None else int(length) // 2
            await self._send(message)
            return False
        body = message.get("body", b"")
        if self._left_bytes is None:
            self._left_bytes = len(body) // 2
        part = body[: self._left_bytes]
        self._left_bytes -= len(part)
        await self._send({"type": "http.response.body", "body": part, "more_body": True})
        return len(part) < len(body)


class _Drip:
    """Sends a body byte by byte; at once where the caller is gone or the server stops."""

    def __init__(self, connection: TimedProtocol, changes: Changes, pause_s: float, send: Send) -> None:
        self._connection, self._changes, self._pause_s, self._send = connection, changes, pause_s, send

    async def send(self, message: Message) -> None:
        """Pass a piece on."""
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        for byte in message.get("body", b""):
            if self._connection.transport.is_closing():
                return
            await self._send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            await self._changes.closed_within(self._pause_s)
        await self._send({"type": "http.response.body", "body": b"", "more_body": message.get("more_body", False)})

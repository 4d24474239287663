"""One request and its answer on the wire: time limits of the body, the trace id, and a clean end half-way.

uvicorn has no time limit for a body, and reads to its end, however long it is, what no route wants any more. Here such
an answer closes its connection, but not at once: closed with unread bytes, TCP resets it, and the client may lose the
answer it was sent. So the rest is read and thrown away for a while (nginx calls it lingering close).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import PROBLEM_MEDIA_TYPE, TRACE_HEADER
from reinmaker_cli.server.answering import in_a_task
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.fields import field_of

IDLE_LIMIT_S = 30
"""Without a byte of a body that is not complete."""
BODY_GRACE_S = 30.0
"""For a whole body of any size, beside what MIN_BYTES_PER_S gives it. Counted is only how long it was waited for."""
MIN_BYTES_PER_S = 8 * 1024
"""A modem sends as much; 64 MiB then take at most 2.3 hours, and a byte now and then is given up after 30 s."""
LINGER_S = 10.0
"""For reading the rest of a body after its answer."""
LINGER_IDLE_S = 2.0
SMALL_REST_BYTES = 64 * 1024
"""A rest that is not worth a new connection: uvicorn may read it."""
STOPPING_RETRY_AFTER_S = 5
_FIELDS_KEY = "reinmaker.answer_fields"
_NONE: Mapping[str, str] = MappingProxyType({})
_TRACE_FIELD = TRACE_HEADER.lower().encode()


def add_to_answer(scope: Scope, fields: Mapping[str, str]) -> None:
    """Put header fields on the answer to this request, whatever answer it will be."""
    scope[_FIELDS_KEY] = {**scope.get(_FIELDS_KEY, {}), **fields}


class Exchange:
    """The `receive` and `send` that a request's routes get."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, trace: str, is_stopping: Callable[[], bool]) -> None:
        declared = field_of(scope, b"content-length")
        is_chunked = field_of(scope, b"transfer-encoding") is not None
        self._scope = scope
        self._receive = receive
        self._send = send
        self._trace = trace
        self._is_stopping = is_stopping
        self._rest_bytes = math.inf if is_chunked else int(declared or 0)
        self._waited_s = 0.0
        self._received_bytes = 0
        self._is_asked_for = (field_of(scope, b"expect") or "").lower() != "100-continue"
        self._is_given_up = False
        self._closes = False
        self.status = 0
        """Of the answer, 0 before it was begun."""

    async def receive(self) -> Message:
        """Return the next piece of the body; ApiProblem where none comes in time, or within a second of a stop."""
        self._is_asked_for = True
        for _ in range(IDLE_LIMIT_S):
            in_time_s = BODY_GRACE_S + self._received_bytes / MIN_BYTES_PER_S - self._waited_s
            message = await self._received(max(0.0, min(1.0, in_time_s)))
            if message is not None:
                return message
            if self._is_stopping():
                self._is_given_up = True
                raise stopping()
            if in_time_s <= 0:
                self._is_given_up = True
                raise ApiProblem(codes.REQUEST_TIMEOUT, f"the body comes at less than {MIN_BYTES_PER_S} bytes a second")
        self._is_given_up = True
        raise ApiProblem(codes.REQUEST_TIMEOUT, f"no byte of the body for {IDLE_LIMIT_S} s")

    async def send(self, message: Message) -> None:
        """Pass the answer on, with the fields it is to have; end the connection where the body was not read."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._closes = self._is_given_up or self._rest_bytes > SMALL_REST_BYTES
            message["headers"].append((_TRACE_FIELD, self._trace.encode()))
            if self._closes:
                add_to_answer(self._scope, {"Connection": "close"})
            for name, value in self._scope.get(_FIELDS_KEY, _NONE).items():
                MutableHeaders(scope=message)[name] = value
        elif self._closes and not message.get("more_body", False):
            await self._send({**message, "more_body": True})  # the whole answer is on its way
            await self._linger()
            message = {"type": "http.response.body"}
        await self._send(message)

    async def refuse(self, problem: ApiProblem) -> None:
        """Answer with the problem, unless another answer was begun: uvicorn closes a connection that was cut short."""
        if not self.status:
            document = problem.document(self._trace)
            response = JSONResponse(document, problem.status, problem.headers, media_type=PROBLEM_MEDIA_TYPE)
            await response(self._scope, self._receive, self.send)

    async def _linger(self) -> None:
        if self._is_given_up or not self._is_asked_for:  # who expects a 100 sends nothing before it
            return
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + LINGER_S
        while self._rest_bytes > 0 and loop.time() < ends_at and not self._is_stopping():
            if await self._received(LINGER_IDLE_S) is None:
                return

    async def _received(self, limit_s: float) -> Message | None:
        """Return the next message, None where there is none in time; no limit holds once the body is complete."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        await in_a_task()
        try:
            async with asyncio.timeout(limit_s if self._rest_bytes > 0 else None):
                message = await self._receive()
        except TimeoutError:
            return None
        finally:
            self._waited_s += loop.time() - began_at
        self._received_bytes += len(message.get("body", b""))
        is_last = message["type"] != "http.request" or not message.get("more_body", False)
        self._rest_bytes = 0 if is_last else self._rest_bytes - len(message["body"])
        return message


def stopping() -> ApiProblem:
    """Return the answer to a request that the end of the server cuts short."""
    headers = {"Retry-After": str(STOPPING_RETRY_AFTER_S)}
    return ApiProblem(codes.SERVER_BUSY, "the server is stopping", headers=headers)

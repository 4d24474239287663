"""One connection: uvicorn's HTTP/1.1, with a time limit for the head of a request, which uvicorn has none for.

Who opens connections and sends a byte now and then (slow loris) would hold each of them for ever. The time limits of
bodies are in `routes/exchange.py`, the one between two requests is uvicorn's own.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import os
import secrets
import socket
import struct
import time

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import PROBLEM_MEDIA_TYPE, TRACE_HEADER
from reinmaker_cli.server.access_log import log_access
from reinmaker_cli.server.problems import ApiProblem

HEAD_LIMIT_S = 20.0
"""For the whole head, from the connection or from the first byte of a later request."""
CONNECTION_KEY = "connection"
"""In the `state` of a request's scope: the connection that it came by."""


class TimedProtocol(H11Protocol):
    """uvicorn's protocol, that gives up heads that do not end, and answers what is no HTTP with a problem document."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, CONNECTION_KEY: self}, _loop)
        self._head_limit: asyncio.TimerHandle | None = None
        self._has_begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._head_limit = self.loop.call_later(HEAD_LIMIT_S, self._give_up)

    def close_after_writing(self) -> None:
        """Close the connection once what was written is sent."""
        self.transport.close()

    def reset(self) -> None:
        """End the connection at once with a TCP reset; what was written and not sent is lost."""
        # RFC 9293 section 3.9.1.4: closed while lingering for no time at all, a connection is aborted.
        at_once = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.transport.abort()

    def shift_date(self, seconds: int) -> None:
        """Let the Date field of the answer under way be off by so much."""
        date = email.utils.formatdate(time.time() + seconds, usegmt=True).encode()
        kept = [(name, value) for name, value in self.cycle.default_headers if name != b"date"]
        self.cycle.default_headers = [*kept, (b"date", date)]

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._forget_limit()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; the limit holds from the first byte of a head to its last."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._forget_limit()
            return
        self._has_begun = True
        if self._head_limit is None:
            self._head_limit = self.loop.call_later(HEAD_LIMIT_S, self._give_up)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request; uvicorn has logged that it came, and nothing of it."""
        self._refuse(ApiProblem(codes.BAD_REQUEST, "not an HTTP/1.1 request"))

    def _give_up(self) -> None:
        self._head_limit = None
        if self.transport.is_closing():
            return
        if self._has_begun:
            self._refuse(ApiProblem(codes.REQUEST_TIMEOUT, f"no whole head of a request within {HEAD_LIMIT_S:g} s"))
        else:
            self.transport.close()  # it never said a word: an answer would be one to nothing

    def _refuse(self, problem: ApiProblem) -> None:
        """Answer without the application, which there is no request for, and close."""
        trace_id = secrets.token_hex(16)
        body = json.dumps(problem.document(trace_id), separators=(",", ":")).encode()
        headers = [
            (b"Content-Type", PROBLEM_MEDIA_TYPE.encode()),
            (b"Content-Length", str(len(body)).encode()),
            (TRACE_HEADER.encode(), trace_id.encode()),
            (b"Connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=problem.status, headers=headers, reason=b""),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        log_access(status=problem.status, trace_id=trace_id)

    def _forget_limit(self) -> None:
        if self._head_limit is not None:
            self._head_limit.cancel()
            self._head_limit = None

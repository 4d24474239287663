"""One connection: uvicorn's HTTP/1.1, with limits for the head of a request, which uvicorn has none for.

Who opens connections and sends a byte now and then (slow loris) would hold each of them for ever. The time limits of
bodies are in `routes/exchange.py`, the one between two requests is uvicorn's own.

Of uvicorn's two protocols it is the one on httptools, whose parser is written in C: the one on h11 takes longer over a
request and its answer than all of our own code for most routes. Where h11 is stricter, the rules are kept here.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import os
import re
import secrets
import socket
import struct
import time
from typing import Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import PROBLEM_MEDIA_TYPE, TRACE_HEADER
from reinmaker_cli.server.access_log import log_access
from reinmaker_cli.server.problems import ApiProblem

HEAD_LIMIT_S = 20.0
"""For the whole head, from the connection or from the first byte of a later request."""
HEAD_LIMIT_BYTES: Final = 64 * 1024
"""Of a head that is not complete; the parser would keep any number of them."""
CONNECTION_KEY = "connection"
"""In the `state` of a request's scope: the connection that it came by."""

_UPGRADE: Final = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
_HEAD_END: Final = re.compile(rb"\n\r?\n")


class NotHttp11(Exception):
    """The head breaks a rule of RFC 9112 that the parser does not know."""


class TimedProtocol(HttpToolsProtocol):
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
        self._is_in_head = self._is_in_body = False
        """Where the parser is; both are False between two requests."""
        self._head_bytes = 0
        """Of the head that is not complete."""
        self._held = b""
        """Of a head, which the parser gets as a whole."""

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
        """Take what came; the limits hold from the first byte of a head to its last."""
        self._has_begun = True
        if not self._is_in_body:
            self._head_bytes += len(data)
        if not (self._is_in_body or self._is_in_head):
            data = self._whole_head(data)
        if data:
            super().data_received(data)
        else:
            self._unset_keepalive_if_required()
        if not self._head_bytes or self.transport.is_closing():
            self._forget_limit()
        elif self._head_bytes > HEAD_LIMIT_BYTES:
            self._refuse(
                ApiProblem(codes.BAD_REQUEST, f"the head of the request has more than {HEAD_LIMIT_BYTES} bytes")
            )
        elif self._is_answering:
            self._forget_limit()
        elif self._head_limit is None:
            self._head_limit = self.loop.call_later(HEAD_LIMIT_S, self._give_up)

    def on_message_begin(self) -> None:
        """Begin a head, which may stand behind the end of another request."""
        self._head_bytes, self._is_in_head = max(self._head_bytes, 1), True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head, without the white space that may stand behind its value."""
        # RFC 9110 section 6.5.1: one behind the body, which nobody has checked, never counts as one of the head.
        if self._is_in_head:
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """End the head; NotHttp11, which the parser makes an error of its own of."""
        self._head_bytes, self._is_in_head, self._is_in_body = 0, False, True
        # The parser would take the body for the other protocol, and uvicorn what is left of it for a request.
        if self.parser.should_upgrade():
            raise NotHttp11
        version, hosts = self.parser.get_http_version(), sum(name == b"host" for name, _ in self.headers)
        # RFC 9112 section 3.2; and which of two names would be the one that is checked?
        if version not in ("1.0", "1.1") or hosts > 1 or (version == "1.1" and not hosts):
            raise NotHttp11
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the body."""
        self._is_in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request; uvicorn has logged that it came, and nothing of it."""
        self._refuse(ApiProblem(codes.BAD_REQUEST, "not an HTTP/1.1 request"))

    def _whole_head(self, data: bytes) -> bytes:
        """Return a head from its first byte to its last, and what follows it; nothing while it is not complete."""
        held, self._held = self._held, b""
        data = held + data
        # What begins with no method is no HTTP (TLS, for one), and its end is not waited for.
        if _HEAD_END.search(data, max(0, len(held) - 2)) is None and data[:1].isalpha():
            self._held, data = data, b""
        return _without_upgrade(data)

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

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
        if self._is_answering and self.cycle.response_started:
            self.transport.close()  # within another answer this one could not be told from it
            return
        trace_id = secrets.token_hex(16)
        body = json.dumps(problem.document(trace_id), separators=(",", ":")).encode()
        head = (
            f"Content-Type: {PROBLEM_MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
            f"{TRACE_HEADER}: {trace_id}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(STATUS_LINE[problem.status] + head.encode() + body)
        self.transport.close()
        log_access(status=problem.status, trace_id=trace_id)

    def _forget_limit(self) -> None:
        if self._head_limit is not None:
            self._head_limit.cancel()
            self._head_limit = None


def _without_upgrade(data: bytes) -> bytes:
    """Return a head that offers another protocol as one that does not.

    The parser takes what follows such an offer for that protocol, and with it the body of the request. Who offers one
    (Java's client does, HTTP/2) is to be served without (RFC 9110 section 7.8).
    """
    ends_at = data.find(b"\r\n\r\n") % (len(data) + 1)  # the length where the head goes on
    if _UPGRADE.search(data, 0, ends_at) is None:
        return data
    return _UPGRADE.sub(b"\r\nx-upgrade:", data[:ends_at]) + data[ends_at:]

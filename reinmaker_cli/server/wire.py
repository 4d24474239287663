"""One connection: uvicorn's HTTP/1.1, with limits for the head of a request, which uvicorn has none for.

Who opens connections and sends a byte now and then (slow loris) would hold each of them for ever. The time limits of
bodies are in `routes/exchange.py`, the one between two requests is uvicorn's own.

Of uvicorn's two protocols it is the one on httptools, whose parser is written in C: the one on h11 takes longer over a
request and its answer than all of our own code for most routes. Where h11 is stricter, the rules are kept here; what
the parser has no words for is said to it in others (`heads.py`).
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
from typing import TYPE_CHECKING, Final, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import PROBLEM_MEDIA_TYPE, TRACE_HEADER
from reinmaker_cli.server.access_log import log_access
from reinmaker_cli.server.answering import PromptProtocol
from reinmaker_cli.server.gathering import GatheringTransport
from reinmaker_cli.server.heads import NotHttp11, parted, target_in_origin_form
from reinmaker_cli.server.problems import ApiProblem

if TYPE_CHECKING:
    from reinmaker_cli.server.services import Services

HEAD_LIMIT_S = 20.0
"""For the whole head, from the connection or from the first byte of a later request."""
HEAD_LIMIT_BYTES: Final = 64 * 1024
"""Of a head that is not complete; the parser would keep any number of them."""
CONNECTION_KEY = "connection"
"""In the `state` of a request's scope: the connection that it came by."""


class TimedProtocol(PromptProtocol):
    """A protocol that gives up heads that do not end, and answers what is no HTTP with a problem document."""

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
        self._is_in_head = False
        self._head_bytes = 0
        """Of the head that is not complete."""
        self._body_left: int | None = None
        """Bytes of the body that are still to come; None: only the parser knows where it ends (it is chunked)."""
        self._held = b""
        """Of a head, which the parser gets as a whole."""
        self._refusal: ApiProblem | None = None
        """What ends the connection once the requests before it are answered; nothing is read any more."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request; no more where the server is stopping."""
        self._gathering = GatheringTransport(transport, self.loop)
        super().connection_made(self._gathering)  # type: ignore[arg-type]  # as good as one
        services = cast("Services | None", self.app_state.get("services"))
        if services is not None and services.changes.is_closed:
            # It was accepted just before: uvicorn has told all that it knew of, and would wait for this one in vain.
            transport.close()
            return
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
        assert self.answered is not None
        kept = [(name, value) for name, value in self.answered.default_headers if name != b"date"]
        self.answered.default_headers = [*kept, (b"date", date)]

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._forget_limit()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """Let what was written go first: the event loop closes the connection now."""
        self._gathering.hand_on()

    def data_received(self, data: bytes) -> None:
        """Take what came; the limits hold from the first byte of a head to its last."""
        self._has_begun = True
        while data and not self._is_at_its_end:
            data = self._take(data)
        if not self._head_bytes or self._is_at_its_end:
            self._forget_limit()
        elif self._head_bytes > HEAD_LIMIT_BYTES:
            self._refuse(
                ApiProblem(codes.BAD_REQUEST, f"the head of the request has more than {HEAD_LIMIT_BYTES} bytes")
            )
        elif self.is_answering:
            self._forget_limit()
        elif self._head_limit is None:
            self._head_limit = self.loop.call_later(HEAD_LIMIT_S, self._give_up)

    def _take(self, data: bytes) -> bytes:
        """Give the parser a head, or what there is of a body; return what is behind it."""
        if self.is_in_body or self._is_in_head:
            end = len(data) if self._body_left is None else self._body_left
            given, rest = data[:end], data[end:]
        else:
            given, rest = self._whole_head(data)
        if not self.is_in_body:
            self._head_bytes += len(data) - len(rest)
        self.is_followed = bool(rest)
        if given:
            super().data_received(given)
        return rest

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
        # The parser would take the body for the other protocol, and uvicorn what is left of it for a request.
        if self.parser.should_upgrade():
            raise NotHttp11
        version, hosts = self.parser.get_http_version(), sum(name == b"host" for name, _ in self.headers)
        # RFC 9112 section 3.2; and which of two names would be the one that is checked?
        if version not in ("1.0", "1.1") or hosts > 1 or (version == "1.1" and not hosts):
            raise NotHttp11
        if not self.url.startswith(b"/"):
            self.url, named = target_in_origin_form(self.url)
            if named is not None:
                # RFC 9112 section 3.2.2: whatever the Host field says, this is who is asked for.
                self.headers[:] = [(b"host", named), *(field for field in self.headers if field[0] != b"host")]
        # The parser has refused two of them, one beside a transfer coding, and whatever is no number.
        self._body_left = next((int(value) for name, value in self.headers if name == b"content-length"), None)
        super().on_headers_complete()
        self._head_bytes, self._is_in_head = 0, False  # and there is who may be told of a fault

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self._body_left is not None:
            self._body_left -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the body."""
        self._body_left = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Begin the next request that was sent ahead; behind the last one stands what is refused."""
        is_last = not self.pipeline
        super().on_response_complete()
        if self._refusal is not None and is_last and not self.transport.is_closing():
            self._answer_and_close(self._refusal)

    def end_rest(self) -> None:
        """Close the connection, unless a head has begun since the last answer, which has a limit of its own."""
        if self._head_limit is None:
            super().end_rest()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request; uvicorn has logged that it came, and nothing of it."""
        self._refuse(ApiProblem(codes.BAD_REQUEST, "not an HTTP/1.1 request"))

    def _whole_head(self, data: bytes) -> tuple[bytes, bytes]:
        """Return a head from its first byte to its last, and what follows it; nothing while it is not complete."""
        held, self._held = self._held, b""
        data = (held + data).lstrip(b"\r\n")  # RFC 9112 section 2.2
        head = parted(data, looked_at=len(held))
        if head is None:
            self._held = data
            return b"", b""
        self.method = head.method
        return head.text, head.rest

    @property
    def _is_at_its_end(self) -> bool:
        return self._refusal is not None or self.transport.is_closing()

    def _give_up(self) -> None:
        self._head_limit = None
        if self.transport.is_closing():
            return
        if self._has_begun:
            self._refuse(ApiProblem(codes.REQUEST_TIMEOUT, f"no whole head of a request within {HEAD_LIMIT_S:g} s"))
        else:
            self.transport.close()  # it never said a word: an answer would be one to nothing

    def _refuse(self, problem: ApiProblem) -> None:
        """Answer what no application can, behind the answers to whatever was asked before, and close."""
        if self._is_at_its_end:
            return
        if self.is_in_body and self.pipeline:
            self.pipeline.popleft()  # the request that has no end; others before it have
        elif self.is_in_body and self.cycle.response_started:
            self.transport.close()  # within its own answer this one could not be told from it
            return
        elif self.is_in_body or not self.is_answering:
            self._answer_and_close(problem)
            return
        self._refusal = problem
        self._forget_limit()
        self.flow.pause_reading()

    def _answer_and_close(self, problem: ApiProblem) -> None:
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

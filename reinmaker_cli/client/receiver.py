"""The other end of a webhook: verify, dedupe, forward, answer badly on purpose.

with running_receiver(Secrets([...]), on_received=print) as url:
    ...  # deliveries to this URL are verified and answered by a thread of its own
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from reinmaker_cli.client.answering import answering
from reinmaker_cli.client.exchange import Reply, Request
from reinmaker_cli.client.posting import Answered, NoAnswer, Poster
from reinmaker_cli.client.received import Received, Secrets, SeenIds
from reinmaker_cli.client.respond import Script, Step
from reinmaker_cli.contract.names import ATTEMPT_HEADER, TRACE_HEADER
from reinmaker_cli.contract.signing import ID_HEADER, Verified, verify

FORWARD_LIMIT_S: Final = 10.0  # the sender gives up after 5 s; what came later is still worth being told

# RFC 9110 section 7.6.1, and what the next request has of its own.
_NOT_FORWARDED: Final = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length", "expect"}
)
_PASSED_BACK: Final = ("content-type", "retry-after")


@dataclass(frozen=True)
class Behaviour:
    """How a receiver deals with a delivery that verifies."""

    script: Script
    forward_to: Poster | None = None


class Receiver:
    """One receiver. Lives on one event loop."""

    def __init__(
        self,
        secrets: Secrets,
        behaviour: Behaviour,
        on_received: Callable[[Received], None],
        clock: Callable[[], float],
    ) -> None:
        self._secrets, self._behaviour, self._on_received, self._clock = secrets, behaviour, on_received, clock
        self._seen = SeenIds()

    async def close(self) -> None:
        """End what is forwarded."""
        if self._behaviour.forward_to is not None:
            await self._behaviour.forward_to.close()

    async def receive(self, request: Request) -> Reply | None:
        """Return the answer to one delivery; None closes the connection without one."""
        started, at_s = time.monotonic(), self._clock()
        headers = dict(request.headers)
        secrets = self._secrets
        verdict = verify(secrets.live, headers, request.body, now=at_s, ended=secrets.ended)
        times, is_done, forwarded = 0, False, None
        if isinstance(verdict, Verified):
            times, is_done = self._seen.look(verdict.message_id)
            reply, forwarded = await self._answer(request)
            if reply is not None and 200 <= reply.status < 300:
                self._seen.done(verdict.message_id)
        else:
            # Not 410: that would have the sender give this endpoint up.
            reply = Reply(401, {"content-type": "text/plain"}, f"{verdict.reason}: {verdict.detail}\n".encode())
        attempt = headers.get(ATTEMPT_HEADER.lower(), "")
        self._on_received(
            Received(
                at_s=at_s,
                verdict=verdict,
                message_id=headers.get(ID_HEADER),
                attempt=int(attempt) if attempt.isascii() and attempt.isdigit() and len(attempt) < 4 else None,
                trace_id=headers.get(TRACE_HEADER.lower()),
                headers=request.headers,
                body=request.body,
                status=reply.status if reply is not None else None,
                took_s=time.monotonic() - started,
                is_sender_gone=request.is_sender_gone(),
                times_seen=times,
                is_duplicate=is_done,
                forwarded=forwarded,
            )
        )
        return reply

    async def _answer(self, request: Request) -> tuple[Reply | None, Answered | NoAnswer | None]:
        """Do what the script says; where it says 2xx and there is somebody behind, what that one says."""
        step = self._behaviour.script.next()
        await asyncio.sleep(step.after_s)
        poster = self._behaviour.forward_to
        if poster is None or step.status is None or not 200 <= step.status < 300:
            return _reply_of(step), None
        passed_on = [(name, value) for name, value in request.headers if name not in _NOT_FORWARDED]
        forwarded = await poster.post(passed_on, request.body, limit_s=FORWARD_LIMIT_S)
        if isinstance(forwarded, Answered):
            passed_back = {name: forwarded.headers[name] for name in _PASSED_BACK if name in forwarded.headers}
            return Reply(forwarded.status, passed_back, forwarded.body), forwarded
        return Reply(504 if forwarded.kind == "timeout" else 502), forwarded


def _reply_of(step: Step) -> Reply | None:
    if step.status is None:
        return None
    headers = {} if step.retry_after_s is None else {"retry-after": str(step.retry_after_s)}
    if 300 <= step.status < 400:
        headers["location"] = "/"
    return Reply(step.status, headers)


@contextmanager
def running_receiver(
    secrets: Secrets,
    *,
    on_received: Callable[[Received], None],
    behaviour: Behaviour | None = None,
    port: int = 0,
    clock: Callable[[], float] = time.time,
) -> Iterator[str]:
    """Yield the URL of a receiver that answers until the block is left. `on_received` is called in its thread.

    Raises UsageError where the port is taken.
    """
    receiver = Receiver(secrets, behaviour or Behaviour(Script()), on_received, clock)
    with answering(receiver.receive, port=port, close=receiver.close) as url:
        yield url

"""The URL of somebody's receiver -> what it does right and wrong, by the words of the contract.

It sees answers only: whether a receiver acts twice on a duplicate cannot be told from outside.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

from reinmaker_cli import __version__
from reinmaker_cli.client.posting import Answered, NoAnswer, Poster
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import ATTEMPT_HEADER, TRACE_HEADER, EventType
from reinmaker_cli.contract.signing import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    TOLERANCE_S,
    new_secret,
    secret_bytes,
    signature_header,
)

LIMIT_S: Final = 5.0  # contract, "Webhooks": connecting and reading the whole answer included
AT_ONCE: Final = 5
BEYOND_TOLERANCE_S: Final = TOLERANCE_S + 60

DATA: Final[dict[EventType, dict[str, Any]]] = {
    EventType.CONTENT_REQUESTED: {"phaseDNAId": "reinmaker-probe", "locale": "en-US", "agePersona": "2-5"},
    EventType.ENTITLEMENT_UPDATED: {
        "userId": "reinmaker-probe",
        "productTier": "reinmaker.game_pass",
        "status": "active",
        "expiresAt": None,
    },
    EventType.TELEMETRY_FLUSHED: {"batchId": "reinmaker-probe", "events": 0, "processedAt": "2026-11-23T07:00:00.000Z"},
}
UNKNOWN_TYPE: Final = "reinmaker.probe.unknown"
UNREACHABLE: Final = "cannot be reached"

Answer = Answered | NoAnswer


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was tried."""

    name: str
    """What was sent, in a word or two."""
    contract: str
    """What the contract asks."""
    answered: str
    """What came, for people."""
    status: int | None
    took_s: float
    wrong: codes.Code | None
    """None: the receiver is right."""


class Probe:
    """Sends a receiver what the API sends, and what others may send."""

    def __init__(
        self,
        poster: Poster,
        secret: bytes,
        event_type: EventType,
        trace_id: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._poster, self._secret, self._type, self._trace_id = poster, secret, event_type, trace_id
        self._clock = clock
        self._stranger = secret_bytes(new_secret())
        self.slowest_s = 0.0

    async def run(self) -> AsyncIterator[Checked]:
        """Yield one result after the other. Ends after the first where good deliveries are refused: the rest would
        say nothing then, for what refuses everything refuses forgeries too.
        """
        first_id = _new_id()
        good = await self._send(first_id)
        result = _accepted("good signature", "success is 2xx, read whole within 5 s", good, codes.RECEIVER_REFUSES_GOOD)
        yield result
        if result.wrong is not None:
            return
        async for checked in self._other_good_ones(first_id):
            yield checked
        async for checked in self._bad_ones():
            yield checked
        yield await self._at_once()
        yield _in_time(self.slowest_s)

    async def _other_good_ones(self, first_id: str) -> AsyncIterator[Checked]:
        raw = await self._send(body=self._odd_body())
        words = "the signature is over the exact bytes of the body"
        yield _accepted("odd white space and escapes", words, raw, codes.RECEIVER_REFUSES_RAW)

        both = await self._send(keys=(self._stranger, self._secret), before=f"v1a,{'A' * 86}== ")
        words = "one signature per live secret, newest first; other versions are passed over"
        yield _accepted("two signatures (rotation)", words, both, codes.RECEIVER_REFUSES_ROTATION)

        again = await self._send(first_id, attempt=2)
        words = "at least once; receivers dedupe by webhook-id, and still answer 2xx"
        yield _accepted("the first one again", words, again, codes.RECEIVER_REFUSES_DUPLICATE)

        unknown = await self._send(body=self._body(UNKNOWN_TYPE, {}))
        yield _accepted("unknown type", "anything but 2xx is tried again", unknown, codes.RECEIVER_REFUSES_UNKNOWN)

    async def _bad_ones(self) -> AsyncIterator[Checked]:
        forged = codes.RECEIVER_ACCEPTS_FORGERY
        words = "only the holder of the secret can sign"
        yield _refused("signature of a stranger", words, await self._send(keys=(self._stranger,)), forged)
        tampered = await self._send(signed_body=self._body(self._type, {"tampered": True}))
        yield _refused("another body than was signed", words, tampered, forged)
        yield _refused("no signature", words, await self._send(leave_out=SIGNATURE_HEADER), forged)
        yield _refused("another id than was signed", words, await self._send(signed_id=_new_id()), forged)
        words = "receivers check the timestamp to within 5 minutes"
        for name, age_s in (("old timestamp", BEYOND_TOLERANCE_S), ("timestamp to come", -BEYOND_TOLERANCE_S)):
            yield _refused(name, words, await self._send(age_s=age_s), codes.RECEIVER_ACCEPTS_OLD)

    async def _at_once(self) -> Checked:
        """Five at once; a sixth waits until one of them has ended, as the API has it wait."""
        places = asyncio.Semaphore(AT_ONCE)

        async def one() -> Answer:
            async with places:
                return await self._send()

        answers = await asyncio.gather(*(one() for _ in range(AT_ONCE + 1)))
        worst = max(answers, key=lambda answer: (not _is_success(answer), answer.took_s))
        name, words = "5 at once, a 6th after them", "at most 5 deliveries in flight per endpoint"
        return _accepted(name, words, worst, codes.RECEIVER_FAILS_AT_ONCE, keep_code=True)

    async def _send(
        self,
        message_id: str | None = None,
        *,
        body: bytes | None = None,
        keys: tuple[bytes, ...] | None = None,
        before: str = "",
        signed_body: bytes | None = None,
        signed_id: str | None = None,
        age_s: int = 0,
        attempt: int = 1,
        leave_out: str = "",
    ) -> Answer:
        message_id, body = message_id or _new_id(), body or self._body(self._type, DATA[self._type])
        timestamp_s = int(self._clock()) - age_s
        signature = signature_header(keys or (self._secret,), signed_id or message_id, timestamp_s, signed_body or body)
        headers = {
            "content-type": "application/json",
            "user-agent": f"reinmaker/{__version__}",
            ID_HEADER: message_id,
            TIMESTAMP_HEADER: str(timestamp_s),
            SIGNATURE_HEADER: before + signature,
            TRACE_HEADER.lower(): self._trace_id,
            ATTEMPT_HEADER.lower(): str(attempt),
        }
        headers.pop(leave_out, None)
        answer = await self._poster.post([*headers.items()], body, limit_s=LIMIT_S)
        self.slowest_s = max(self.slowest_s, answer.took_s)
        return answer

    def _body(self, event_type: str, data: dict[str, Any]) -> bytes:
        event = {"type": event_type, "timestamp": self._now(), "data": data}
        return json.dumps(event, separators=(",", ":")).encode()

    def _odd_body(self) -> bytes:
        """Return an event as no JSON writer writes it: the same document, and other bytes once it is written anew."""
        data = json.dumps({"note": "\u00e9/\u00f1", **DATA[self._type]}, indent=3).replace("/", "\\/")
        return f'{{ "data" :{data} ,\n\t"type":"{self._type}", "timestamp" : "{self._now()}"}}\n'.encode()

    def _now(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self._clock()))


def _new_id() -> str:
    return "evt_probe_" + secrets.token_hex(10)


def _is_success(answer: Answer) -> bool:
    return isinstance(answer, Answered) and 200 <= answer.status < 300


def _accepted(name: str, contract: str, answer: Answer, code: codes.Code, *, keep_code: bool = False) -> Checked:
    """Judge the answer to what must be accepted."""
    wrong: codes.Code | None = None if _is_success(answer) else code
    if wrong is not None and not keep_code:
        if isinstance(answer, Answered) and 300 <= answer.status < 400:
            wrong = codes.RECEIVER_REDIRECTS
        elif isinstance(answer, NoAnswer) and answer.kind == "timeout":
            wrong = codes.RECEIVER_SLOW
    return Checked(name, contract, _said(answer), _status(answer), answer.took_s, wrong)


def _refused(name: str, contract: str, answer: Answer, code: codes.Code) -> Checked:
    """Judge the answer to what must be refused: anything but a success."""
    return Checked(name, contract, _said(answer), _status(answer), answer.took_s, code if _is_success(answer) else None)


def _in_time(slowest_s: float) -> Checked:
    wrong = codes.RECEIVER_SLOW if slowest_s >= LIMIT_S else None
    words = "5 s in total: connect, TLS, headers, body"
    return Checked("slowest answer", words, f"{slowest_s * 1000:.0f} ms", None, slowest_s, wrong)


def _status(answer: Answer) -> int | None:
    return answer.status if isinstance(answer, Answered) else None


def _said(answer: Answer) -> str:
    if isinstance(answer, Answered):
        return f"{answer.status} in {answer.took_s * 1000:.0f} ms"
    return {
        "unreachable": UNREACHABLE,
        "timeout": f"nothing whole in {LIMIT_S:.0f} s",
        "broken": "closed the connection without an answer",
    }[answer.kind]

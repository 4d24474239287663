"""The failures that the local server makes on request: their kinds, and what can be set of each.

Standard library only, so that the command line can list them at no cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class FaultKind(StrEnum):
    """What goes wrong."""

    LATENCY = "latency"
    LIMITED = "limited"
    FAILURE = "failure"
    RESET = "reset"
    EMPTY = "empty"
    CUT = "cut"
    DRIP = "drip"
    LOST_ANSWER = "lost-answer"
    NO_LISTING = "no-listing"
    EXPIRED_TOKEN = "expired-token"
    MISSING_KEY = "missing-key"
    CLOCK_SKEW = "clock-skew"
    DNS = "dns"
    TLS = "tls"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Setting:
    """A number that can be set of a kind."""

    default: float | None
    """None: without the setting, the fault does without it."""
    least: float
    most: float
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class KindFacts:
    """What there is to know of a kind."""

    meaning: str
    settings: Mapping[str, Setting]
    """By its name on the wire."""
    of_deliveries: bool = False
    """True: it strikes webhook deliveries, False: requests to the API."""


LONGEST_DELAY_S: Final = 600.0
_A_WEEK_S: Final = 7 * 86_400.0

_DELAY = "delaySeconds"
_STATUS = "status"
_RETRY_AFTER = "retryAfterSeconds"
_SKEW = "skewSeconds"

KINDS: Final[Mapping[FaultKind, KindFacts]] = {
    FaultKind.LATENCY: KindFacts(
        "the request waits that long (real time) before it is carried out",
        {_DELAY: Setting(1.0, 0.0, LONGEST_DELAY_S)},
    ),
    FaultKind.LIMITED: KindFacts(
        "429 quota-exceeded with the RateLimit fields and Retry-After; not carried out",
        {_RETRY_AFTER: Setting(1, 1, 86_400, is_whole=True)},
    ),
    FaultKind.FAILURE: KindFacts(
        "a 5xx problem, not carried out",
        {_STATUS: Setting(500, 500, 599, is_whole=True), _RETRY_AFTER: Setting(None, 0, 86_400, is_whole=True)},
    ),
    FaultKind.RESET: KindFacts("the connection is reset (TCP RST), not carried out", {}),
    FaultKind.EMPTY: KindFacts("the connection is closed without a byte, not carried out", {}),
    FaultKind.CUT: KindFacts("carried out; half of the promised body is sent, then the connection is closed", {}),
    FaultKind.DRIP: KindFacts(
        "carried out; the body is sent byte by byte, with that pause after each",
        {_DELAY: Setting(0.01, 0.0, LONGEST_DELAY_S)},
    ),
    FaultKind.LOST_ANSWER: KindFacts("carried out in full; the connection is closed without a byte of the answer", {}),
    FaultKind.NO_LISTING: KindFacts(
        "the listing of manifests is refused, as by a server that has none",
        {_STATUS: Setting(404, 404, 405, is_whole=True)},
    ),
    FaultKind.EXPIRED_TOKEN: KindFacts("401 invalid_token, as for a token past its end", {}),
    FaultKind.MISSING_KEY: KindFacts("the signing key is missing from the JWKS", {}),
    FaultKind.CLOCK_SKEW: KindFacts(
        "the Date field, and iat and exp of tokens, are off by that much",
        {_SKEW: Setting(300, -_A_WEEK_S, _A_WEEK_S, is_whole=True)},
    ),
    FaultKind.DNS: KindFacts("the receiver's name does not resolve", {}, of_deliveries=True),
    FaultKind.TLS: KindFacts("the receiver's certificate cannot be trusted", {}, of_deliveries=True),
    FaultKind.TIMEOUT: KindFacts("the receiver does not answer in time", {}, of_deliveries=True),
}

DEFAULT_LIFETIME_S: Final = 300.0
LONGEST_LIFETIME_S: Final = _A_WEEK_S
MOST_TIMES: Final = 1_000_000

"""How fast we may go: what a server says about its limits on each answer, kept, so that no request is refused for it.

One budget for each policy, shared by all requests of a connection. A request that would be one too many is not sent;
whoever wants to send it meets the same error as after a 429, with the time to wait, and so treats it the same way.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from reinmaker_cli.client.answers import RetryLater
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import MANIFESTS_PATH

PolicyName = Literal["default", "manifests"]

CONTRACT_QUOTAS: Final[Mapping[PolicyName, tuple[int, int]]] = {"default": (120, 60), "manifests": (300, 60)}
"""Requests and seconds, contract.md "Limits"; taken for a policy that the server has not said anything of yet."""

LONGEST_WAY_S: Final = 1.0  # from here to the server; slower than that is a 429, which is waited for as well

# draft-ietf-httpapi-ratelimit-headers: a list of names in quotes, each with parameters that are whole numbers.
_ITEM = re.compile(r'"[^"]*"((?:\s*;\s*[a-z]+=[0-9]{1,9})+)')
_PARAMETER = re.compile(r"([a-z]+)=([0-9]+)")


class Paced(RetryLater):
    """Not sent: by what the server said, it would be refused."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(
            f"the limit is used up for {wait_s:.0f} s",
            code=codes.LIMITED,
            hint="run the same command again later, or give a longer --timeout",
            retry_after_s=wait_s,
            status=429,
        )


@dataclass(slots=True)
class _Budget:
    left: int | None = None
    """What may be sent; None: nothing is known, and the answer to the next request will say it."""
    free_at: float = 0.0
    """When the oldest counted request leaves the window; then one more may be sent, whose answer says the rest."""
    under_way: int = 0
    """Sent and not answered."""
    quota: tuple[int, int] | None = None
    """Requests and seconds, as the server said."""


class Pacing:
    """The budgets of one client at one server. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._budgets: dict[PolicyName, _Budget] = {name: _Budget() for name in CONTRACT_QUOTAS}
        self._has_limits: bool | None = None

    def admit(self, policy: PolicyName) -> float:
        """Count a request about to be sent, and return the time; `answered` must follow. Paced where it has to wait."""
        with self._lock:
            budget, now = self._budgets[policy], self._clock()
            if budget.left is not None and budget.left <= 0:
                if now < budget.free_at:
                    raise Paced(budget.free_at - now)
                # The oldest has left; how many more, the next answer says, so nobody else goes before it.
                budget.left, budget.free_at = 1, now + 1.0
            if budget.left is not None:
                budget.left -= 1
            budget.under_way += 1
            return now

    def answered(self, policy: PolicyName, sent_at: float, headers: Mapping[str, str] | None) -> None:
        """Take what an answer says (names of fields in lower case); None: none came."""
        with self._lock:
            budget = self._budgets[policy]
            budget.under_way -= 1
            if headers is None:
                return
            said = _strictest(headers.get("ratelimit", ""))
            self._has_limits = said is not None or bool(self._has_limits)
            if said is None:
                budget.left = None  # a proxy's answer, or a server without limits: the next one says more
                return
            left, leaves_in_s = said
            # Whatever else is under way may have been counted after this one.
            budget.left = max(0, left - budget.under_way)
            # A request counts when it arrives, however long its answer was held open afterwards.
            counted_at = self._clock()
            if "preference-applied" in headers:
                counted_at = min(counted_at, sent_at + LONGEST_WAY_S)
            budget.free_at = counted_at + leaves_in_s
            budget.quota = _quota(headers.get("ratelimit-policy", "")) or budget.quota

    def estimate_s(self, policy: PolicyName, requests: int) -> float:
        """Return the seconds that so many requests take at least, because of limits; 0 where there are none."""
        with self._lock:
            budget = self._budgets[policy]
            if self._has_limits is False:
                return 0.0
            quota, window_s = budget.quota or CONTRACT_QUOTAS[policy]
            beyond = requests - (quota if budget.left is None else budget.left)
            return float(-(-beyond // quota) * window_s) if beyond > 0 and quota > 0 else 0.0


def policy_of(method: str, path: str) -> PolicyName:
    """Return which policy a request falls under, contract.md "Limits"."""
    return "manifests" if (method, path) == ("POST", MANIFESTS_PATH) else "default"


def _strictest(field: str) -> tuple[int, int] | None:
    """Return (r, t) of the item of `RateLimit` that leaves the least, or None where there is none to understand."""
    found = [dict(_PARAMETER.findall(item)) for item in _ITEM.findall(field)]
    pairs = [(int(one["r"]), int(one.get("t", "1"))) for one in found if "r" in one]
    return min(pairs, default=None)


def _quota(field: str) -> tuple[int, int] | None:
    """Return (q, w) of the strictest item of `RateLimit-Policy`."""
    found = [dict(_PARAMETER.findall(item)) for item in _ITEM.findall(field)]
    pairs = [(int(one["q"]), int(one["w"])) for one in found if "q" in one and "w" in one]
    return min(pairs, default=None)

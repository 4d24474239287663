"""How fast we may go: what a server says about its limits on each answer, kept, so that no request is refused for it.

One budget for each policy, shared by all requests of a connection. A request that would be one too many is not sent;
whoever wants to send it meets the same error as after a 429, with the time to wait, and so treats it the same way.

The server counts in a sliding window. We know when our own requests were counted, so each is followed by another as
soon as it has left the window, however many are under way and however long their answers take. What an answer counts
beyond ours is somebody else's, with the same client, or that of an earlier run.
"""

from __future__ import annotations

import re
import threading
import time
from bisect import bisect_right, insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from reinmaker_cli.client.answers import RetryLater
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import MANIFESTS_PATH

PolicyName = Literal["default", "manifests"]

CONTRACT_QUOTAS: Final[Mapping[PolicyName, tuple[int, int]]] = {"default": (120, 60), "manifests": (300, 60)}
"""Requests and seconds, contract.md "Limits"; taken for a policy that the server has not said anything of yet."""

LONGEST_WAY_S: Final = 1.0  # from here to the server; slower than that is a 429, which is waited for as well
DRIFT_S: Final = 0.05  # in a minute, two clocks that are being set right part by up to 30 ms

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
    quota: tuple[int, int] | None = None
    """Requests and seconds; None: nothing is known, and the answer to the next request will say it."""
    ours: list[tuple[float, float]] = field(default_factory=list)
    """When each of our requests was counted at the latest, and at the earliest: when it was sent. Sorted."""
    others: int = 0
    """What the server counts beyond ours: somebody else's with the same client, or those of an earlier run."""
    free_at: float = 0.0
    """When the oldest counted request, whosesoever, has left the window."""

    def within(self, now: float) -> list[tuple[float, float]]:
        """Return those of ours that may still be counted."""
        return self.ours[bisect_right(self.ours, now, key=self._leaves_at) :]

    def _leaves_at(self, one: tuple[float, float]) -> float:
        """Return when one of ours has left the window for certain."""
        assert self.quota is not None
        return one[0] + self.quota[1] + DRIFT_S

    def left(self, now: float) -> int | None:
        """Return how many may be sent now; None: nothing is known."""
        return None if self.quota is None else self.quota[0] - self.others - len(self.within(now))

    def wait_s(self, now: float) -> float:
        """Return how long to wait until one more may be sent; 0 where it may be now."""
        left = self.left(now)
        if left is None or left > 0:
            return 0.0
        assert self.quota is not None
        ours, window_s = self.within(now), self.quota[1]
        is_theirs_first = self.others and (not ours or self.free_at < ours[0][0] + window_s - LONGEST_WAY_S)
        if is_theirs_first or -left >= len(ours):
            return max(0.0, self.free_at - now)
        return self._leaves_at(ours[-left]) - now

    def take(self, now: float) -> None:
        """Count a request that is about to be sent."""
        if (left := self.left(now)) is not None and left <= 0:
            # The oldest of others has left; how many more, the next answer says, so nobody else goes before it.
            self.others, self.free_at = max(0, self.others - 1), now + 1.0
        if self.quota is not None:  # an answer that was held open speaks of a window that began earlier
            del self.ours[: bisect_right(self.ours, (now - 2 * self.quota[1], 0.0))]
        insort(self.ours, (now + LONGEST_WAY_S, now))

    def settle(self, sent_at: float, counted_at: float | None) -> None:
        """Note when a request was counted, at the latest; None: it was not."""
        provisional = (sent_at + LONGEST_WAY_S, sent_at)
        if provisional in self.ours:
            self.ours.remove(provisional)
        if counted_at is not None:
            insort(self.ours, (counted_at, sent_at))

    def hear(self, left: int, sent_at: float, counted_at: float, *, itself: bool, at_most: bool) -> None:
        """Find out what others use: as before, if that is possible; `at_most`: as much as is possible.

        `itself`: whether this request was counted. What was under way at the same time may have been counted before
        it or after it.
        """
        assert self.quota is not None
        quota, window_s = self.quota
        certain = sum(latest < sent_at and sent > counted_at - window_s for latest, sent in self.ours)
        possible = sum(latest > sent_at - window_s - DRIFT_S and sent <= counted_at for latest, sent in self.ours)
        most, least = max(0, quota - left - certain - itself), max(0, quota - left - possible)
        self.others = most if at_most else min(max(self.others, least), max(most, least))


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
            if wait_s := budget.wait_s(now):
                raise Paced(wait_s)
            budget.take(now)
            return now

    def wait_s(self, policy: PolicyName) -> float:
        """Return how long the next request has to wait; 0 where it may go now."""
        with self._lock:
            return self._budgets[policy].wait_s(self._clock())

    def knows(self, policy: PolicyName) -> bool:
        """Return whether an answer has said what the limit is, or that there is none."""
        with self._lock:
            return self._budgets[policy].quota is not None or self._has_limits is False

    def answered(
        self, policy: PolicyName, sent_at: float, headers: Mapping[str, str] | None, status: int = 200
    ) -> None:
        """Take what an answer says (names of fields in lower case); None: none came."""
        with self._lock:
            budget, now, refused = self._budgets[policy], self._clock(), status == 429
            # A request counts when it arrives, however long its answer was held open afterwards.
            was_held = headers is not None and "preference-applied" in headers
            counted_at = min(now, sent_at + LONGEST_WAY_S) if was_held else now
            budget.settle(sent_at, None if refused else counted_at)
            if headers is None:
                return
            said = _strictest(headers.get("ratelimit", ""))
            if (
                said is None
            ):  # a server without limits, or a proxy's answer; a proxy that refuses says nothing of either
                self._has_limits = bool(self._has_limits) if 200 <= status < 300 else self._has_limits
                return
            self._has_limits = True
            left, leaves_in_s = said
            is_first = budget.quota is None
            budget.quota = _quota(headers.get("ratelimit-policy", "")) or budget.quota or CONTRACT_QUOTAS[policy]
            budget.hear(left, sent_at, counted_at, itself=not refused, at_most=is_first or refused)
            budget.free_at = counted_at + leaves_in_s

    def seconds_each(self, policy: PolicyName) -> float:
        """Return how often a request may be sent in the long run; 0 where there are no limits."""
        with self._lock:
            quota, window_s = self._budgets[policy].quota or CONTRACT_QUOTAS[policy]
            return 0.0 if self._has_limits is False else window_s / max(1, quota)

    def estimate_s(self, policy: PolicyName, requests: int) -> float:
        """Return the seconds that so many requests take at least, because of limits; 0 where there are none."""
        with self._lock:
            budget = self._budgets[policy]
            if self._has_limits is False:
                return 0.0
            quota, window_s = budget.quota or CONTRACT_QUOTAS[policy]
            left = budget.left(self._clock())
            beyond = requests - (quota if left is None else max(0, left))
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
    pairs = [(int(one["q"]), int(one["w"])) for one in found if int(one.get("q", "0")) and "w" in one]
    return min(pairs, default=None)

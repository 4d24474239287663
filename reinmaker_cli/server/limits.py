"""Who may go how fast: a sliding window for each client and policy, on the server's clock.

On SQLite the windows are in memory, and a restart forgets them; servers that share a PostgreSQL count there.
What a client's limits were raised to is in the database.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from reinmaker_cli.server.clock import Clock


@dataclass(frozen=True, slots=True)
class Policy:
    """So many requests in any stretch of time of this length."""

    name: str
    quota: int
    window_s: int


DEFAULT: Final = Policy("default", 120, 60)
"""Every route with a token, but for what has a policy of its own."""
MANIFESTS: Final = Policy("manifests", 300, 60)
"""Submitting manifests."""
TOKENS: Final = Policy("tokens", 60, 60)
"""The token endpoint, per client id and address. A token lasts 15 minutes: whoever needs more than this, guesses."""
POLICIES: Final = {policy.name: policy for policy in (DEFAULT, MANIFESTS, TOKENS)}

MAX_QUOTA: Final = 1_000_000
"""A counted request takes 8 bytes until it leaves the window."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The request may pass, and was counted."""

    left: int
    """What may be sent now."""
    oldest_leaves_s: int
    """Seconds until the oldest counted request leaves the window, 1 or more."""


@dataclass(frozen=True, slots=True)
class Exceeded:
    """The request must not pass, and was not counted."""

    oldest_leaves_s: int
    """Seconds until the oldest counted request leaves the window, 1 or more."""
    retry_after_s: int
    """Seconds until a request may pass, 1 or more; never too early."""


SharedTake = Callable[[str, str, int, int, float], Awaitable[Counted | Exceeded]]
"""Name of the policy, key, quota, length of the window, now."""


class Windows:
    """The sliding windows of one policy: when each key's requests were counted, for as long as that matters.

    A key that is not heard of for two windows is forgotten, without a look at any other: keys move from the earlier
    generation to the recent one when they are used, and with each new generation the earlier one is dropped whole.
    """

    def __init__(self, window_s: int) -> None:
        self._window_s = window_s
        self._recent: dict[str | bytes, array[float]] = {}
        self._earlier: dict[str | bytes, array[float]] = {}
        self._recent_since = -math.inf

    def __len__(self) -> int:
        """Return how many keys are in memory."""
        return len(self._recent) + len(self._earlier)

    def take(self, key: str | bytes, quota: int, now: float) -> Counted | Exceeded:
        """Count a request at the time `now`, unless `quota` (1 or more) of them are in the window that ends then.

        A request at second 0 has left a window of 60 s at second 60.
        """
        stamps = self._stamps(key, now)
        del stamps[: bisect_right(stamps, now - self._window_s)]
        if stamps and stamps[-1] > now:  # the machine's clock was set back: nobody waits for it to catch up
            del stamps[bisect_right(stamps, now) :]
        if len(stamps) < quota:
            stamps.append(now)
            return Counted(quota - len(stamps), self._leaves_in_s(stamps[0], now))
        # After a quota was lowered, more than one must leave.
        last_to_leave = stamps[len(stamps) - quota]
        return Exceeded(self._leaves_in_s(stamps[0], now), self._leaves_in_s(last_to_leave, now))

    def used(self, key: str | bytes, now: float) -> int:
        """Return how many of the key's requests are in the window that ends `now`; counts nothing."""
        stamps = self._recent.get(key) or self._earlier.get(key) or array("d")
        return bisect_right(stamps, now) - bisect_right(stamps, now - self._window_s)

    def _stamps(self, key: str | bytes, now: float) -> array[float]:
        age_s = now - self._recent_since
        if age_s >= self._window_s or age_s < 0:
            self._earlier = self._recent if 0 <= age_s < 2 * self._window_s else {}
            self._recent, self._recent_since = {}, now
        stamps = self._recent.get(key)
        if stamps is None:
            stamps = self._earlier.pop(key, None) or array("d")
            self._recent[key] = stamps
        return stamps

    def _leaves_in_s(self, stamp: float, now: float) -> int:
        return leaves_in_s(stamp, self._window_s, now)


def leaves_in_s(stamp: float, window_s: int, now: float) -> int:
    """Return in how many seconds, 1 or more, a request that was counted then has left the window."""
    return max(1, math.ceil(stamp + window_s - now))


class Limits:
    """Counts the requests of all clients. Lives on the event loop."""

    def __init__(
        self,
        clock: Clock,
        raised: Mapping[tuple[str, str], int],
        *,
        is_on: bool = True,
        shared: SharedTake | None = None,
    ) -> None:
        """`raised`: client id and name of a policy → the quota that this client has instead of the policy's.

        `shared` counts for all processes that answer, where there are several.
        """
        self._clock, self._shared = clock, shared
        self.is_on = is_on
        """False: nothing is counted."""
        self.begin_again(raised)

    def begin_again(self, raised: Mapping[tuple[str, str], int]) -> None:
        """Forget what was counted, and take these for what was raised."""
        self._raised = dict(raised)
        self._windows = {name: Windows(policy.window_s) for name, policy in POLICIES.items()}

    def raise_to(self, raised: Mapping[tuple[str, str], int]) -> None:
        """Take these for what was raised; what was counted stays counted."""
        self._raised = dict(raised)

    def quota(self, client_id: str, policy: Policy) -> int:
        """Return how many requests the client may send in a window."""
        return self._raised.get((client_id, policy.name), policy.quota)

    def quotas(self, client_id: str) -> dict[str, int]:
        """Return the client's quota under each policy."""
        return {name: self.quota(client_id, policy) for name, policy in POLICIES.items()}

    def used(self, policy: Policy, client_id: str) -> int | None:
        """Return how many requests of the client are in the window that ends now; of a policy without addresses.

        None where other processes count too.
        """
        if self._shared is not None:
            return None
        return self._windows[policy.name].used(client_id, self._clock.now())

    def change(self, client_id: str, quotas: Mapping[str, int]) -> None:
        """Give a client quotas of its own; what was counted stays counted."""
        self._raised |= {(client_id, name): quota for name, quota in quotas.items()}

    def take(self, policy: Policy, client_id: str, address: str = "") -> Counted | Exceeded | None:
        """Count a request of a client, from an address where the policy counts by address too; None: no limits."""
        if not self.is_on:
            return None
        key = _short_key(client_id, address) if address else client_id
        return self._windows[policy.name].take(key, self.quota(client_id, policy), self._clock.now())

    async def count(self, policy: Policy, client_id: str, address: str = "") -> Counted | Exceeded | None:
        """Count a request as `take`, for all processes that answer."""
        if self._shared is None or not self.is_on:
            return self.take(policy, client_id, address)
        key = _short_key(client_id, address).hex() if address else client_id
        return await self._shared(policy.name, key, self.quota(client_id, policy), policy.window_s, self._clock.now())


# Who asks for tokens is not known yet, and may call itself whatever it likes, at any length.
def _short_key(client_id: str, address: str) -> bytes:
    return hashlib.blake2b(f"{address} {client_id}".encode("utf-8", "surrogatepass"), digest_size=16).digest()

"""The keys that sign access tokens, and their rotation by the server's clock.

A key is published before it signs and stays published after it has signed: whoever holds the set of keys in a cache
knows the new one before a token needs it, and the old one until its last token has expired. All of it follows from when
each key was made, so moving the clock needs no list of what is due.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reinmaker_cli.contract.names import TOKEN_LIFETIME_S
from reinmaker_cli.server.clock import DAY_S
from reinmaker_cli.server.store.facts import Facts, StoredKey

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

RSA_BITS = 2048
LIFETIME_S = 90 * DAY_S  # as that of client secrets: what is done four times a year still works when it has to
CACHE_LIFETIME_S = 300
"""How long the published set may be kept, and so how long before its first signature a key is in it."""

State = Literal["next", "signing", "retiring"]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key, with the times of the server's clock that its place among the others gives it."""

    kid: str
    created_at: float
    signs_from: float
    ends_at: float | None
    """When the last token that it signed has expired; None: no other key is to follow it yet."""
    key: RSAKey = field(repr=False)

    def is_live(self, now: float) -> bool:
        """Return whether the key verifies a token now."""
        return self.ends_at is None or now < self.ends_at

    def state_at(self, now: float) -> State:
        """Return what the key does; never asked once it has ended."""
        if now < self.signs_from:
            return "next"
        return "signing" if self.ends_at is None or now < self.ends_at - TOKEN_LIFETIME_S else "retiring"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of a server, oldest first; at least one."""

    keys: tuple[SigningKey, ...]

    @classmethod
    def of(cls, stored: Sequence[tuple[StoredKey, RSAKey]]) -> KeyRing:
        """Return the ring of these keys, oldest first."""
        # Nobody knows another key when the first one is made, so it signs at once. Whole seconds, as tokens have them.
        starts = [
            int(one.created_at) + CACHE_LIFETIME_S if place else one.created_at for place, (one, _) in enumerate(stored)
        ]
        ends = [*(start + TOKEN_LIFETIME_S for start in starts[1:]), None]
        return cls(
            tuple(
                SigningKey(one.kid, one.created_at, start, end, key)
                for (one, key), start, end in zip(stored, starts, ends, strict=True)
            )
        )

    def signing(self, now: float) -> SigningKey:
        """Return the key for a new token."""
        started = [one for one in self.keys if one.signs_from <= now]
        return started[-1] if started else self.keys[0]

    def live(self, now: float) -> tuple[SigningKey, ...]:
        """Return the keys that verify a token now."""
        return tuple(one for one in self.keys if one.is_live(now))

    def verifying(self, kid: object, now: float) -> SigningKey | None:
        """Return the live key of that id."""
        return next((one for one in self.keys if one.kid == kid and one.is_live(now)), None)

    def awaits_next(self, now: float) -> bool:
        """Return whether a key was made that does not sign yet."""
        return self.keys[-1].signs_from > now

    def is_due(self, now: float) -> bool:
        """Return whether the next key is to be made, so that it takes over when the last one is old."""
        return now >= self.keys[-1].signs_from + LIFETIME_S - CACHE_LIFETIME_S


def load_keys(facts: Facts, now: float) -> KeyRing:
    """Return the keys of the store; the first one is made where there is none. Blocks, up to 0.2 s."""
    stored = facts.signing_keys()
    if not stored:
        return add_key(facts, None, now)
    return KeyRing.of([(one, _parsed(one.private_pem, one.kid)) for one in stored])


@functools.lru_cache(maxsize=8)  # a restored snapshot nearly always has the keys that were there before
def _parsed(private_pem: str, kid: str) -> RSAKey:
    """Return the key, in up to 0.1 s: OpenSSL checks that it is one."""
    from joserfc.jwk import RSAKey

    return RSAKey.import_key(private_pem, {"kid": kid})


def add_key(facts: Facts, ring: KeyRing | None, now: float) -> KeyRing:
    """Return the ring with a new key at its end, when the store has it; those that ended are erased. Blocks."""
    from joserfc.jwk import RSAKey

    made = RSAKey.generate_key(RSA_BITS, private=True, auto_kid=True)
    known = ring.keys if ring else ()
    # Later than the one before it, whatever the clock says, which may stand still: their order is all there is.
    created_at = max([now, *(one.created_at + 0.001 for one in known)])
    new = StoredKey(made.thumbprint(), made.as_pem(private=True).decode(), created_at)
    live = ring.live(now) if ring else ()
    ended = [one.kid for one in known if one not in live]
    facts.add_signing_key(new, known=[one.kid for one in known], ended=ended)
    return load_keys(facts, now)

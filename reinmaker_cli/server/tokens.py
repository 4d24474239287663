"""Access tokens: JWTs as in RFC 9068, signed with RS256. The one home of joserfc in the server.

The keys are kept in the database (`signing_keys.py`). They are made and loaded in the background of the start, because
an RSA key takes up to 0.2 s and the import of the library 0.1 s; whoever needs them first waits for them.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reinmaker_cli.contract.names import TOKEN_LIFETIME_S
from reinmaker_cli.server.clock import Clock
from reinmaker_cli.server.signing_keys import KeyRing, SigningKey, add_key, load_keys
from reinmaker_cli.server.store.facts import Facts

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

ALGORITHM = "RS256"
MAX_VERIFIED = 4096
"""Tokens whose signature is remembered; some hundred bytes each."""


EXPIRED = "the token has expired"


class TokenRefused(Exception):
    """The text is not a token of this server that is valid now."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid token says."""

    client_id: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Verified:
    """What a signature stands for: it holds for as long as the key is that of the server, and the time is right."""

    kid: str
    key: RSAKey
    expires_at: int
    grant: Grant


class Tokens:
    """Issues and checks the access tokens of one server."""

    def __init__(self, facts: Facts, clock: Clock, *, issuer: str, audience: str) -> None:
        self._facts = facts
        self._clock = clock
        self._issuer = issuer
        self._audience = audience
        self._changing = threading.Lock()
        self._verified: dict[bytes, _Verified] = {}
        self._ring: Future[KeyRing] = Future()
        _in_background(self._ring, lambda: _load_keys(facts, clock))

    def close(self) -> None:
        """Wait until the key is made, which needs the store; where that failed, its thread has said so."""
        wait([self._ring])

    async def ready(self) -> None:
        """Wait until there are keys; from then on `check` does not block."""
        if not self._ring.done():
            # Shielded: a request that is cancelled would cancel the keys for everybody.
            await asyncio.shield(asyncio.wrap_future(self._ring))

    def wait_for_key(self) -> None:
        """Return when the key is in the store; raise what kept it from being made. Blocks."""
        self._ring.result()

    def reload(self) -> None:
        """Take the key that the store has now: another state was put into it. Blocks."""
        with self._changing:
            self._put(_load_keys(self._facts, self._clock))

    def rotate(self) -> KeyRing:
        """Return the keys with the next one among them; made now unless it is there already. Blocks."""
        with self._changing:
            ring, now = self._ring.result(), self._clock.now()
            return ring if ring.awaits_next(now) else self._put(add_key(self._facts, ring, now))

    def ring(self) -> KeyRing:
        """Return the keys; where the next one is due, it is made before. Blocks."""
        ring = self._ring.result()
        if not ring.is_due(self._clock.now()):
            return ring
        with self._changing:
            ring, now = self._ring.result(), self._clock.now()
            return self._put(add_key(self._facts, ring, now)) if ring.is_due(now) else ring

    def is_due(self) -> bool:
        """Return whether the next key is to be made; `ready` comes first."""
        return self._ring.result().is_due(self._clock.now())

    def _put(self, ring: KeyRing) -> KeyRing:
        replaced: Future[KeyRing] = Future()
        replaced.set_result(ring)
        self._ring = replaced
        return ring

    def issue(self, client_id: str, scopes: tuple[str, ...], skew_s: int = 0) -> str:
        """Return a token that lives for 15 minutes; `skew_s`: made by a clock that is off by so much. Blocks."""
        from joserfc import jwt

        signing = self.ring().signing(self._clock.now())
        now = int(self._clock.now()) + skew_s
        claims = {
            "iss": self._issuer,
            "sub": client_id,
            "client_id": client_id,
            "aud": self._audience,
            "iat": now,
            "exp": now + TOKEN_LIFETIME_S,
            "jti": secrets.token_hex(16),
            "scope": " ".join(scopes),
        }
        # RFC 9068 section 2.1: the type keeps an access token from being taken for any other JWT.
        return jwt.encode({"alg": ALGORITHM, "typ": "at+jwt", "kid": signing.kid}, claims, signing.key)

    def check(self, token: str) -> Grant:
        """Return what the token grants, or raise TokenRefused. RFC 9068 section 4.

        The signature of a token is checked once; whether its key is still one of the server's, and the time, always.
        """
        ring, now = self._ring.result(), self._clock.now()
        digest = hashlib.sha256(token.encode()).digest()  # of the whole token: no other one has it
        known = self._verified.get(digest)
        if known is not None:
            verifying = ring.verifying(known.kid, now)
            if verifying is None or verifying.key is not known.key:
                known = None
        if known is None:
            known = self._verify(token, ring, now)
            if len(self._verified) >= MAX_VERIFIED:
                self._verified.clear()
            self._verified[digest] = known
        if known.expires_at <= now:
            raise TokenRefused(EXPIRED)
        return known.grant

    def _verify(self, token: str, ring: KeyRing, now: float) -> _Verified:
        """Return what a token of this server says, except whether it has expired."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        used: list[SigningKey] = []

        def key_of(parsed: Any) -> RSAKey:
            found = ring.verifying(parsed.headers().get("kid"), now)
            if found is None:
                raise TokenRefused("signed with no key of this server, or with one that has ended")
            used.append(found)
            return found.key

        try:
            decoded = jwt.decode(token, key_of, algorithms=[ALGORITHM])
        except (JoseError, ValueError) as error:
            raise TokenRefused("not a token of this server") from error
        claims = decoded.claims
        if str(decoded.header.get("typ", "")).lower() not in ("at+jwt", "application/at+jwt"):
            raise TokenRefused("not an access token")
        if claims.get("iss") != self._issuer:
            raise TokenRefused("the token was made by another issuer")
        if claims.get("aud") != self._audience:
            raise TokenRefused("the token was made for another API")
        if not isinstance(claims.get("exp"), int):
            raise TokenRefused(EXPIRED)
        grant = Grant(str(claims.get("client_id")), frozenset(str(claims.get("scope", "")).split()))
        return _Verified(used[0].kid, used[0].key, claims["exp"], grant)

    def jwks(self) -> dict[str, Any]:
        """Return the JWK Set with the public keys, RFC 7517 section 5. Blocks."""
        live = self.ring().live(self._clock.now())
        return {"keys": [{**one.key.as_dict(private=False), "use": "sig", "alg": ALGORITHM} for one in live]}


def _in_background(future: Future[KeyRing], make: Callable[[], KeyRing]) -> None:
    def run() -> None:
        try:
            future.set_result(make())
        except Exception as error:
            future.set_exception(error)  # raised again by whoever asks for the key
            raise

    threading.Thread(target=run, name="signing-key", daemon=True).start()


def _load_keys(facts: Facts, clock: Clock) -> KeyRing:
    from joserfc import jwt  # noqa: F401  (here, so that the event loop need not)

    return load_keys(facts, clock.now())

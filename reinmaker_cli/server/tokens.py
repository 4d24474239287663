"""Access tokens: JWTs as in RFC 9068, signed with RS256. The one home of joserfc in the server.

The key is made once and kept in the database. It is made and loaded in the background of the start, because an RSA key
takes up to 0.2 s and the import of the library 0.1 s; whoever needs it first waits for it.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reinmaker_cli.contract.names import TOKEN_LIFETIME_S
from reinmaker_cli.server.clock import Clock
from reinmaker_cli.server.store.facts import Facts, StoredKey

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

RSA_BITS = 2048
ALGORITHM = "RS256"


class TokenRefused(Exception):
    """The text is not a token of this server that is valid now."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid token says."""

    client_id: str
    scopes: frozenset[str]


class Tokens:
    """Issues and checks the access tokens of one server."""

    def __init__(self, facts: Facts, clock: Clock, *, issuer: str, audience: str) -> None:
        self._facts = facts
        self._clock = clock
        self._issuer = issuer
        self._audience = audience
        self._key: Future[RSAKey] = Future()
        _in_background(self._key, lambda: _load_key(facts, clock))

    def close(self) -> None:
        """Wait until the key is made, which needs the store; where that failed, its thread has said so."""
        wait([self._key])

    def wait_for_key(self) -> None:
        """Return when the key is in the store; raise what kept it from being made. Blocks."""
        self._key.result()

    def reload(self) -> None:
        """Take the key that the store has now: another state was put into it. Blocks."""
        key: Future[RSAKey] = Future()
        key.set_result(_load_key(self._facts, self._clock))
        self._key = key

    def issue(self, client_id: str, scopes: tuple[str, ...], skew_s: int = 0) -> str:
        """Return a token that lives for 15 minutes; `skew_s`: made by a clock that is off by so much."""
        from joserfc import jwt

        key = self._key.result()
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
        return jwt.encode({"alg": ALGORITHM, "typ": "at+jwt", "kid": key.kid}, claims, key)

    def check(self, token: str) -> Grant:
        """Return what the token grants, or raise TokenRefused. RFC 9068 section 4."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            decoded = jwt.decode(token, self._key.result(), algorithms=[ALGORITHM])
        except (JoseError, ValueError) as error:
            raise TokenRefused("not a token of this server") from error
        claims = decoded.claims
        if str(decoded.header.get("typ", "")).lower() not in ("at+jwt", "application/at+jwt"):
            raise TokenRefused("not an access token")
        if claims.get("iss") != self._issuer:
            raise TokenRefused("made by another issuer")
        if claims.get("aud") != self._audience:
            raise TokenRefused("made for another API")
        if not isinstance(claims.get("exp"), int) or claims["exp"] <= self._clock.now():
            raise TokenRefused("expired")
        return Grant(str(claims.get("client_id")), frozenset(str(claims.get("scope", "")).split()))

    def jwks(self) -> dict[str, Any]:
        """Return the JWK Set with the public key, RFC 7517 section 5."""
        return {"keys": [{**self._key.result().as_dict(private=False), "use": "sig", "alg": ALGORITHM}]}


def _in_background(future: Future[RSAKey], make: Callable[[], RSAKey]) -> None:
    def run() -> None:
        try:
            future.set_result(make())
        except Exception as error:
            future.set_exception(error)  # raised again by whoever asks for the key
            raise

    threading.Thread(target=run, name="signing-key", daemon=True).start()


def _load_key(facts: Facts, clock: Clock) -> RSAKey:
    from joserfc.jwk import RSAKey

    stored = facts.signing_key()
    if stored is None:
        made = RSAKey.generate_key(RSA_BITS, private=True, auto_kid=True)
        stored = StoredKey(made.thumbprint(), made.as_pem(private=True).decode())
        facts.add_signing_key(stored, now=clock.now())
    return RSAKey.import_key(stored.private_pem, {"kid": stored.kid})

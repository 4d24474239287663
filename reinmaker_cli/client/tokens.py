"""Client credentials in, bearer token out: OAuth 2.0 (RFC 6749 section 4.4) as an `httpx.Auth`.

A token lives in memory, is renewed 60 s before its end and once more on a 401, and is sent only to the API origin that
it was fetched for.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Final
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx

from reinmaker_cli.client.answers import Answer, error_of, plain
from reinmaker_cli.client.connection import Body, Connection
from reinmaker_cli.client.credentials import Credentials, Source
from reinmaker_cli.client.environment import Environment, origin_of
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.models import IssuerMetadata, TokenAnswer, Wire
from reinmaker_cli.contract.names import METADATA_PATH, PROBLEM_MEDIA_TYPE, TOKEN_PATH
from reinmaker_cli.errors import AccessDenied, ConfigError, ReinmakerError, ServerUnreachable

RENEW_BEFORE_S: Final = 60  # clocks differ; a token that dies in flight costs a second round trip
# What to do about a refused client depends on where its secret came from.
_CURES: Final[dict[Source, str]] = {
    "local": "start the local server again, or `reinmaker local client rotate`",
    "keyring": "`reinmaker auth login --env NAME` with the secret that the issuer gave",
    "variables": "give what the issuer gave last: `export REINMAKER_CLIENT_ID=… REINMAKER_CLIENT_SECRET=…`",
    "file": "keep what the issuer gave last in the file: `export REINMAKER_CLIENT_ID=… REINMAKER_CLIENT_SECRET_FILE=…`",
}
MAX_TOKEN_ANSWER_BYTES: Final = 1024 * 1024


class TokenError(Wire):
    """An error of the token endpoint, RFC 6749 section 5.2; its keys are snake_case there."""

    error: str
    error_description: str = ""

    model_config = TokenAnswer.model_config


OnToken = Callable[[str, TokenAnswer], None]
"""Told of each new token: client id and answer. The token itself is for requests only."""


class TokenSource:
    """Fetches tokens from an environment's token endpoint, which it finds out at the first one."""

    def __init__(
        self,
        connection: Connection,
        env: Environment,
        credentials: Credentials,
        *,
        trace_id: str,
        on_token: OnToken | None = None,
    ) -> None:
        """`connection` goes to the origin `env.token_origin`."""
        self._connection, self._env, self._credentials = connection, env, credentials
        self._trace_id, self._on_token = trace_id, on_token
        self._token_url = env.known_token_url

    @property
    def env(self) -> Environment:
        """The environment that the tokens are for."""
        return self._env

    def fetch(self, scope: str | None = None) -> TokenAnswer:
        """Return a new token, or raise AccessDenied. `scope` None asks for all that the client has."""
        if self._token_url is None:
            assert self._env.issuer is not None
            self._token_url = discover_token_url(self._connection, self._env.issuer, trace_id=self._trace_id)
        answer = fetch_token(self._connection, self._token_url, self._credentials, scope=scope, trace_id=self._trace_id)
        if self._on_token is not None:
            self._on_token(self._credentials.client_id, answer)
        return answer

    def close(self) -> None:
        """Close the connection to the issuer."""
        self._connection.close()


class ClientCredentialsAuth(httpx.Auth):
    """Puts a bearer token on each request; safe to share between threads."""

    def __init__(
        self, source: TokenSource, *, scope: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source, self._scope, self._clock = source, scope, clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._renew_at = 0.0

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send with a token; on a 401, once more with a new one."""
        if origin_of(f"{request.url.scheme}://{request.url.netloc.decode()}") != self._source.env.api_origin:
            raise AccessDenied(
                f"a token for `{self._source.env.api_origin}` is not sent anywhere else",
                code=codes.CREDENTIALS_UNBOUND,
                hint="check the address with `reinmaker config show --origin`",
            )
        token = self._current(refused=None)
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            request.headers["Authorization"] = f"Bearer {self._current(refused=token)}"
            yield request

    def _current(self, *, refused: str | None) -> str:
        """Return a token that is not the refused one. Of several threads with the same refused one, one renews."""
        with self._lock:
            if self._token is not None and self._token != refused and self._clock() < self._renew_at:
                return self._token
            answer = self._source.fetch(self._scope)
            # RFC 6749 section 5.1: expires_in is only recommended, so a missing one means "use it once".
            lifetime_s = answer.expires_in or 0
            self._token = answer.access_token
            self._renew_at = self._clock() + max(lifetime_s - RENEW_BEFORE_S, lifetime_s / 2)
            return self._token


def discover_token_url(connection: Connection, issuer: str, *, trace_id: str) -> str:
    """Return the issuer's token endpoint by RFC 8414; an issuer without metadata has it at `/oauth/token`.

    1. The metadata lies at the issuer's origin; the well-known path goes before the issuer's own (section 3.1).
    2. `issuer` in it must be the issuer that was asked, to the letter (section 3.3).
    3. `token_endpoint` must have the issuer's origin, so that the metadata cannot send the secret elsewhere.
    """
    own_path = urlsplit(issuer).path.rstrip("/")
    answer = connection.ask("GET", METADATA_PATH + own_path, trace_id=trace_id, max_answer_bytes=MAX_TOKEN_ANSWER_BYTES)
    if answer.status == 404:
        return issuer.rstrip("/") + TOKEN_PATH
    if answer.status == 429 or answer.status >= 500:
        raise error_of(answer)
    if answer.status != 200:
        raise _discovery_failed(issuer, f"HTTP {answer.status}")
    try:
        metadata = answer.read(IssuerMetadata)
    except ServerUnreachable as error:
        raise _discovery_failed(issuer, "damaged metadata") from error
    if metadata.issuer != issuer:
        raise _discovery_failed(issuer, f"the metadata is of another issuer, `{plain(metadata.issuer)}`")
    if not _has_origin(metadata.token_endpoint, origin_of(issuer)):
        raise _discovery_failed(issuer, f"the token endpoint is elsewhere, `{plain(metadata.token_endpoint)}`")
    return metadata.token_endpoint


def fetch_token(
    connection: Connection, token_url: str, credentials: Credentials, *, scope: str | None, trace_id: str
) -> TokenAnswer:
    """Return a token; AccessDenied where the issuer says no, with its own words."""
    form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
    answer = connection.ask(
        "POST",
        token_url.removeprefix(_base_of(token_url)),
        trace_id=trace_id,
        body=Body(urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}),
        headers={"Authorization": _basic(credentials)},
        max_answer_bytes=MAX_TOKEN_ANSWER_BYTES,
    )
    if answer.status != 200:
        raise _token_refused(answer, credentials)
    token = answer.read(TokenAnswer)
    if token.token_type.lower() != "bearer":
        raise answer.unusable(f"token type `{plain(token.token_type)}` instead of Bearer")
    # RFC 6749 section 5.1: without `scope` in the answer, what was asked for was granted.
    if scope and token.scope is not None and not set(scope.split()) <= set(token.scope.split()):
        raise _scope_refused(f"the client was not granted `{scope}`")
    return token


def _basic(credentials: Credentials) -> str:
    """Return HTTP Basic as OAuth wants it: id and secret form-urlencoded first (RFC 6749 section 2.3.1)."""
    pair = f"{quote_plus(credentials.client_id)}:{quote_plus(credentials.client_secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _base_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _has_origin(url: str, origin: str) -> bool:
    try:
        return origin_of(url) == origin
    except ConfigError:
        return False


def _token_refused(answer: Answer, credentials: Credentials) -> ReinmakerError:
    # An issuer that quotes the request back must not bring the secret into a message.
    safe = replace(answer, body=_without_secret(answer.body.decode(errors="replace"), credentials).encode())
    if answer.status not in (400, 401, 403) or answer.media_type == PROBLEM_MEDIA_TYPE:
        return error_of(safe)
    try:
        said = answer.read(TokenError)
    except ServerUnreachable as unusable:
        return unusable
    refusal = _refusal(said, credentials)
    refusal.trace_id = answer.trace_id
    return refusal


_TOKEN_ERRORS: Final = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"}
    | {"invalid_scope"}
)
"""RFC 6749 section 5.2: fixed words, which are no secret whatever the secret is."""


def _refusal(said: TokenError, credentials: Credentials) -> AccessDenied:
    # What quotes the secret is left out whole, so that one which is a common word does not eat words of ours.
    description = plain(said.error_description or said.error)
    is_fixed = said.error in _TOKEN_ERRORS
    if (said.error_description or not is_fixed) and _without_secret(description, credentials) != description:
        description = said.error if is_fixed else "its own words are left out, they hold the secret"
    if said.error == "invalid_scope":
        return _scope_refused(f"the issuer refused the scope: {description}")
    message = f"the issuer refused the client `{credentials.client_id}`: {description}"
    return AccessDenied(message, code=codes.CREDENTIALS_REFUSED, hint=_CURES[credentials.source])


def _without_secret(text: str, credentials: Credentials) -> str:
    secret = credentials.client_secret
    for form in (secret, json.dumps(secret)[1:-1], quote_plus(secret), _basic(credentials).removeprefix("Basic ")):
        text = text.replace(form, "…")
    return text


def _scope_refused(message: str) -> AccessDenied:
    return AccessDenied(
        message, code=codes.SCOPE_REFUSED, hint="ask the issuer for the scope; `reinmaker auth status` lists yours"
    )


def _discovery_failed(issuer: str, why: str) -> AccessDenied:
    return AccessDenied(
        f"metadata of issuer `{issuer}` cannot be used: {why}",
        code=codes.DISCOVERY_FAILED,
        hint="set `token_url` in your own config.toml",
    )

"""The issuer: token endpoint (RFC 6749), keys (RFC 7517), metadata (RFC 8414)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reinmaker_cli.contract import names
from reinmaker_cli.contract.faults import FaultKind
from reinmaker_cli.server.clock import DAY_S
from reinmaker_cli.server.faults import Asked
from reinmaker_cli.server.limits import TOKENS
from reinmaker_cli.server.routes.edge import note_client, note_code
from reinmaker_cli.server.routes.quota import count_request
from reinmaker_cli.server.routes.resource import Resource
from reinmaker_cli.server.routes.struck import skew_s
from reinmaker_cli.server.services import Services
from reinmaker_cli.server.signing_keys import CACHE_LIFETIME_S
from reinmaker_cli.server.store.clients import StoredClient

MAX_FORM_BYTES = 16 * 1024
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 section 5.1


class TokenError(Exception):
    """An error of RFC 6749 section 5.2."""

    def __init__(self, error: str, description: str, *, basic: bool = False) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.basic = basic
        """True where the client used HTTP Basic, and so gets a challenge."""

    def response(self) -> Response:
        """Return the answer: JSON of the RFC, not a problem document."""
        headers = dict(_NO_STORE)
        if self.basic and self.error == "invalid_client":
            headers["WWW-Authenticate"] = 'Basic realm="reinmaker"'
        document = {"error": self.error, "error_description": self.description}
        return JSONResponse(document, 401 if self.error == "invalid_client" else 400, headers)


@dataclass(frozen=True, slots=True)
class _Presented:
    client_id: str
    secret: str = field(repr=False)
    basic: bool


def oauth_resources() -> list[Resource]:
    """Return the paths of the issuer."""
    return [
        Resource(names.TOKEN_PATH, {"POST": _token}),
        Resource(names.JWKS_PATH, {"GET": _jwks}),
        Resource(names.METADATA_PATH, {"GET": _metadata}),
    ]


async def _token(request: Request, services: Services) -> Response:
    try:
        form = await _read_form(request)
        presented = _presented(request, form)
        # Before anything is looked up: guessing ids and secrets is what this limit is for.
        await count_request(request, services, TOKENS, presented.client_id, _address(request))
        client = await services.threads.read(services.store.clients.find, presented.client_id)
        client = _authenticated(client, presented, services.clock.now())
        note_client(request, client.client_id)
        if form.get("grant_type") != "client_credentials":
            raise _unusable_grant(form)
        scopes = _granted(client, form.get("scope", ""))
    except TokenError as error:
        note_code(request.scope, error.error)
        return error.response()
    await services.renew_keys()
    token = await services.threads.examine(services.tokens.issue, client.client_id, scopes, skew_s(request.scope))
    answer = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": names.TOKEN_LIFETIME_S,
        "scope": " ".join(scopes),
    }
    return JSONResponse(answer, headers=_NO_STORE)


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else "unknown"


async def _jwks(request: Request, services: Services) -> Response:
    asked = Asked(request.method, request.scope["path"], None)
    if await services.faults.struck({FaultKind.MISSING_KEY}, asked) is not None:
        return JSONResponse({"keys": []})
    await services.renew_keys()
    keys = await services.threads.examine(services.tokens.jwks)
    return JSONResponse(keys, headers={"Cache-Control": f"public, max-age={CACHE_LIFETIME_S}"})


async def _metadata(_: Request, services: Services) -> Response:
    url = services.public_url
    return JSONResponse(
        {
            "issuer": url,
            "token_endpoint": url + names.TOKEN_PATH,
            "jwks_uri": url + names.JWKS_PATH,
            "scopes_supported": [str(scope) for scope in names.Scope],
            # RFC 8414 wants the member although there is no authorization endpoint; clients refuse it empty or absent.
            "response_types_supported": ["none"],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
    )


async def _read_form(request: Request) -> dict[str, str]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise TokenError("invalid_request", "the body must be application/x-www-form-urlencoded")
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_FORM_BYTES:
            raise TokenError("invalid_request", "the body is too long")
    try:
        pairs = parse_qsl(content.decode(), keep_blank_values=True, strict_parsing=bool(content), errors="strict")
    except ValueError as error:
        raise TokenError("invalid_request", "the body is not form-encoded") from error
    form = dict(pairs)
    if len(form) != len(pairs):  # RFC 6749 section 3.2: parameters must not be repeated
        raise TokenError("invalid_request", "a parameter stands twice")
    return {name: value for name, value in form.items() if value}  # an empty one counts as left out


def _presented(request: Request, form: dict[str, str]) -> _Presented:
    authorization = request.headers.get("authorization")
    in_body = "client_secret" in form
    if authorization is not None and in_body:
        raise TokenError("invalid_request", "two ways of client authentication at once")
    if authorization is not None:
        presented = _from_basic(authorization)
        if form.get("client_id", presented.client_id) != presented.client_id:
            raise TokenError("invalid_request", "client_id differs from the authenticated client")
        return presented
    if "client_id" not in form or not in_body:
        raise TokenError("invalid_client", "no client authentication")
    return _Presented(form["client_id"], form["client_secret"], basic=False)


def _from_basic(authorization: str) -> _Presented:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise TokenError("invalid_client", "client authentication is HTTP Basic or in the body", basic=True)
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise TokenError("invalid_client", "the Basic credentials cannot be read", basic=True) from error
    if not colon:
        raise TokenError("invalid_client", "the Basic credentials cannot be read", basic=True)
    # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
    return _Presented(unquote_plus(client_id), unquote_plus(secret), basic=True)


def _authenticated(client: StoredClient | None, presented: _Presented, now: float) -> StoredClient:
    fitting = [secret for secret in client.secrets if secret.fits(presented.secret)] if client else []
    if client is None or not fitting:
        raise TokenError("invalid_client", "client id or secret is wrong", basic=presented.basic)
    if now - fitting[0].created_at >= names.MAX_SECRET_AGE_DAYS * DAY_S:
        cure = "renew it with `reinmaker auth rotate`"
        if client.is_development:
            cure = f"renew it with `reinmaker local client rotate {client.client_id}`"
        raise TokenError(
            "invalid_client",
            f"the secret is older than {names.MAX_SECRET_AGE_DAYS} days; {cure}",
            basic=presented.basic,
        )
    return client


def _unusable_grant(form: dict[str, str]) -> TokenError:
    if "grant_type" not in form:
        return TokenError("invalid_request", "grant_type is missing")
    return TokenError("unsupported_grant_type", "only client_credentials is supported")


def _granted(client: StoredClient, asked: str) -> tuple[str, ...]:
    scopes = tuple(dict.fromkeys(asked.split()))
    lacking = [scope for scope in scopes if scope not in client.scopes]
    if lacking:
        raise TokenError("invalid_scope", "the client has not all of these scopes")
    return scopes or client.scopes

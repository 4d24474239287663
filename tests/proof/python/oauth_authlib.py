"""authlib as a client: metadata, both ways of authentication, the token used. Prints JSON: what it checked."""

import json
import sys

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebToken
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oauth2.rfc9068.claims import JWTAccessTokenClaims

url, client_id, secret, known = sys.argv[1:5]
checked = []

metadata = AuthorizationServerMetadata(requests.get(f"{url}/.well-known/oauth-authorization-server", timeout=20).json())
for name in ("token_endpoint_auth_methods_supported", "grant_types_supported", "response_types_supported"):
    getattr(metadata, f"validate_{name}")()
    checked.append(name)
assert metadata["issuer"] == url, metadata["issuer"]
checked.append("issuer")

for method in ("client_secret_basic", "client_secret_post"):
    assert method in metadata["token_endpoint_auth_methods_supported"]
    with OAuth2Session(
        client_id, secret, token_endpoint_auth_method=method, scope="reinmaker.content.write"
    ) as session:
        token = session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
        assert token["token_type"] == "Bearer" and isinstance(token["expires_in"], int), "token"
        assert session.get(f"{url}{known}").status_code == 200, "the token is not taken"
        checked += [f"{method}: token", f"{method}: used"]

# The token as a resource server written with authlib reads it: RFC 9068.
keys = requests.get(metadata["jwks_uri"], timeout=20).json()
claims = JsonWebToken(["RS256"]).decode(
    token["access_token"],
    keys,
    claims_cls=JWTAccessTokenClaims,
    claims_options={
        "iss": {"essential": True, "value": url},
        "aud": {"essential": True},
        **{name: {"essential": True} for name in ("exp", "sub", "client_id", "iat", "jti")},
    },
)
claims.validate()
assert claims.header["typ"] == "at+jwt"
checked += ["signature by the published key", "claims of RFC 9068"]
json.dump(checked, sys.stdout)

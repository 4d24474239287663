"""requests-oauthlib as a client: both ways of authentication, renewal. Prints JSON: what it checked."""

import json
import sys

from oauthlib.oauth2 import BackendApplicationClient
from oauthlib.oauth2.rfc6749.errors import InvalidClientError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

url, client_id, secret, known = sys.argv[1:5]
checked = []


def session():
    return OAuth2Session(client=BackendApplicationClient(client_id=client_id, scope=["reinmaker.content.write"]))


ways = {
    "Basic": {"auth": HTTPBasicAuth(client_id, secret)},
    "body": {"client_secret": secret, "include_client_id": True},
}
for name, way in ways.items():
    with session() as client:
        token = client.fetch_token(f"{url}/oauth/token", **way)
        assert token["token_type"] == "Bearer", token
        assert token.scope == "reinmaker.content.write", token.scope
        assert token["expires_in"] == 900, "expires_in"
        assert client.get(f"{url}{known}").status_code == 200, "the token is not taken"
        checked += [f"{name}: token", f"{name}: scope", f"{name}: used"]

with session() as client:
    try:
        client.fetch_token(f"{url}/oauth/token", auth=HTTPBasicAuth(client_id, "wrong"))
    except InvalidClientError:
        checked.append("a wrong secret is invalid_client")
assert len(checked) == 7, "a wrong secret is taken"
json.dump(checked, sys.stdout)

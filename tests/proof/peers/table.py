"""The peers, in the order of the table."""

from tests.proof.peers.access import ACCESS
from tests.proof.peers.browser import BROWSER
from tests.proof.peers.generated_clients import PYTHON, TYPESCRIPT
from tests.proof.peers.inspector import INSPECTOR
from tests.proof.peers.linters import REDOCLY, SPECTRAL
from tests.proof.peers.newman import NEWMAN
from tests.proof.peers.oauth_clients import AUTHLIB, OAUTH4WEBAPI, REQUESTS_OAUTHLIB
from tests.proof.peers.openapi_core import OPENAPI_CORE
from tests.proof.peers.prism import PRISM
from tests.proof.peers.quota import QUOTA
from tests.proof.peers.released import BREAKING
from tests.proof.peers.schemathesis import SCHEMATHESIS, SCHEMATHESIS_BEARER

PEERS = (
    *(SPECTRAL, REDOCLY, BREAKING),
    *(ACCESS, QUOTA, OPENAPI_CORE),
    *(SCHEMATHESIS, SCHEMATHESIS_BEARER),
    *(PRISM, NEWMAN),
    *(AUTHLIB, REQUESTS_OAUTHLIB, OAUTH4WEBAPI),
    *(TYPESCRIPT, PYTHON),
    *(BROWSER, INSPECTOR),
)

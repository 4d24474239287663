"""OAuth clients that others wrote get tokens in both ways over TLS, and use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from reinmaker_cli.contract.names import MANIFESTS_PATH
from tests.proof.target import KNOWN_MANIFEST, Target
from tests.proof.verdict import HERE, PEERS_BIN, Peer, Verdict, run, said_last

KNOWN = f"{MANIFESTS_PATH}/{KNOWN_MANIFEST}"


def _client(*program: Path | str) -> Callable[[Target, Path], Verdict]:
    def judge(target: Target, scratch: Path) -> Verdict:
        trusted = str(target.ca_file)
        env = target.environment() | {"REQUESTS_CA_BUNDLE": trusted, "NODE_EXTRA_CA_CERTS": trusted}
        words = [*program, target.url, target.client_id, target.client_secret, KNOWN]
        ended = run(words, env=env, cwd=scratch, timeout_s=60)
        if ended.returncode != 0:
            return Verdict(0, (said_last(ended.stderr),))
        return Verdict(len(json.loads(ended.stdout)))

    return judge


AUTHLIB = Peer("authlib", _client(PEERS_BIN / "python", HERE / "python" / "oauth_authlib.py"), at_least=8, tls=True)
REQUESTS_OAUTHLIB = Peer(
    "requests-oauthlib",
    _client(PEERS_BIN / "python", HERE / "python" / "oauth_requests.py"),
    at_least=7,
    tls=True,
)
OAUTH4WEBAPI = Peer("oauth4webapi", _client("node", HERE / "node" / "oauth.mjs"), at_least=9, needs=("node",), tls=True)

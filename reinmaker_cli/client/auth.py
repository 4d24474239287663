"""What `reinmaker auth` does: a secret is proved before it is kept, and the old one stays until the new one works."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from reinmaker_cli.client.credentials import (
    SECRET_VARIABLE,
    Credentials,
    Source,
    keyring_service,
    locate_credentials,
    read_stored,
    store,
)
from reinmaker_cli.client.environment import Environment
from reinmaker_cli.client.keyring_store import KeyringStore
from reinmaker_cli.client.local import LocalControl
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.contract.models import LocalClient, TokenAnswer
from reinmaker_cli.errors import AccessDenied, UsageError

Prove = Callable[[Credentials], TokenAnswer]
"""Fetches a token with the credentials, with all scopes that the client has; AccessDenied where they are no good."""


@dataclass(frozen=True, slots=True)
class AuthStatus:
    """Who a command would be; the secret is not part of it."""

    source: Source
    client_id: str
    scopes: tuple[str, ...]
    """As granted when the secret was stored; empty where that is not known."""
    created_at: datetime | None
    age_days: int | None
    expires_at: datetime | None
    findings: tuple[Finding, ...]


def login(
    env: Environment, client_id: str, client_secret: str, *, prove: Prove, keyring: KeyringStore, now: datetime
) -> Credentials:
    """Keep a client id and secret for the environment after fetching a token with them; returns what is kept."""
    _require_keyring_environment(env)
    if not client_id or not client_secret:
        raise AccessDenied(
            "client id or secret is empty", code=codes.SECRET_UNUSABLE, hint="give both, as the issuer wrote them"
        )
    proved = _proved(Credentials(client_id, client_secret, "keyring", created_at=now), prove)
    store(env, proved, keyring)
    return proved


def rotate(env: Environment, new_secret: str, *, prove: Prove, keyring: KeyringStore, now: datetime) -> Credentials:
    """Put the issuer's new secret in place of the old one after fetching a token with it; the client stays."""
    _require_keyring_environment(env)
    current = read_stored(env, keyring)
    if current is None:
        raise AccessDenied(
            f"the keyring has no secret for environment: `{env.name}`",
            code=codes.CREDENTIALS_MISSING,
            hint=f"`reinmaker auth login --env {env.name}`; a secret in {SECRET_VARIABLE} is replaced there",
        )
    return login(env, current.client_id, new_secret, prove=prove, keyring=keyring, now=now)


def rotate_local(control: LocalControl, local: LocalClient) -> str:
    """Have the local server make a new secret for its development client; returns the client id."""
    return control.rotate_client(local.client_id).client_id


def logout(env: Environment, *, keyring: KeyringStore) -> bool:
    """Remove the environment's entry from the keyring; False where there was none."""
    _require_keyring_environment(env)
    return keyring.delete(keyring_service(env))


def status(
    env: Environment,
    *,
    variables: Mapping[str, str],
    keyring: KeyringStore,
    local: LocalClient | None,
    now: datetime,
) -> AuthStatus:
    """Return which credentials a command would use, whatever their age; AccessDenied where there are none."""
    found = locate_credentials(env, variables=variables, keyring=keyring, local=local)
    return AuthStatus(
        source=found.source,
        client_id=found.client_id,
        scopes=found.scopes,
        created_at=found.created_at,
        age_days=found.age_days(now),
        expires_at=found.expires_at,
        findings=found.age_findings(now),
    )


def _proved(credentials: Credentials, prove: Prove) -> Credentials:
    answer = prove(credentials)
    return replace(credentials, scopes=tuple((answer.scope or "").split()))


def _require_keyring_environment(env: Environment) -> None:
    if env.is_local:
        raise UsageError(
            "environment `local` has the development client of the local server and nothing else",
            code=codes.USAGE,
            hint="name another one with --env",
        )

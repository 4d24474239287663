"""Which client id and secret an environment is used with, and how old the secret may be.

The chain: environment `local` has the development client of the local server and nothing else. Every other one has the
variables, if they are meant for its address, else the OS keyring. Never a file in plain text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final, Literal

from reinmaker_cli.client.environment import Environment, origin_of
from reinmaker_cli.client.keyring_store import KeyringStore
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.contract.models import LocalClient, Wire
from reinmaker_cli.contract.names import MAX_SECRET_AGE_DAYS, WARN_SECRET_AGE_DAYS
from reinmaker_cli.errors import AccessDenied, ServerUnreachable

Source = Literal["variables", "file", "keyring", "local"]

ID_VARIABLE: Final = "REINMAKER_CLIENT_ID"
SECRET_VARIABLE: Final = "REINMAKER_CLIENT_SECRET"  # the variable's name, not its value
SECRET_FILE_VARIABLE: Final = "REINMAKER_CLIENT_SECRET_FILE"
CLIENT_VARIABLES: Final = (ID_VARIABLE, SECRET_VARIABLE, SECRET_FILE_VARIABLE)
ORIGIN_VARIABLE: Final = "REINMAKER_CLIENT_ORIGIN"

_FILE_HINT: Final = f"name the file that holds the secret: `export {SECRET_FILE_VARIABLE}=…`"
MAX_SECRET_FILE_BYTES: Final = 64 * 1024  # a secret is a line; a device or a wrong path must not fill the memory


@dataclass(frozen=True, slots=True)
class Credentials:
    """A client id with its secret. The secret is in no repr, message or log."""

    client_id: str
    client_secret: str = field(repr=False)
    source: Source
    scopes: tuple[str, ...] = ()
    """What the issuer granted when the secret was stored; empty where that is not known."""
    created_at: datetime | None = None
    """When the secret was stored; None where nobody noted it."""

    def age_days(self, now: datetime) -> int | None:
        """Return the secret's age in whole days, or None where it is not known."""
        return None if self.created_at is None else (now - self.created_at).days

    @property
    def expires_at(self) -> datetime | None:
        """When the issuer will refuse the secret (draft, "Key rotation": 90 days)."""
        return None if self.created_at is None else self.created_at + timedelta(days=MAX_SECRET_AGE_DAYS)

    def age_findings(self, now: datetime) -> tuple[Finding, ...]:
        """Return the warning that a secret of 75 days or more deserves."""
        age = self.age_days(now)
        if age is None or age < WARN_SECRET_AGE_DAYS:
            return ()
        return (codes.SECRET_OLD.finding(f"client secret of `{self.client_id}` is {age} days old"),)


class StoredCredentials(Wire):
    """The value of a keyring entry."""

    client_id: str
    client_secret: str
    created_at: datetime
    scopes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"StoredCredentials(client_id={self.client_id!r})"

    __str__ = __repr__


def keyring_service(env: Environment) -> str:
    """Return the name of the environment's keyring entry: a secret belongs to the pair of origins."""
    return f"reinmaker:{env.api_origin}|{env.token_origin}"


def find_credentials(
    env: Environment,
    *,
    variables: Mapping[str, str],
    keyring: KeyringStore,
    local: LocalClient | None,
    now: datetime,
) -> Credentials:
    """Return the credentials to use, or raise AccessDenied. No request is made; a secret of 90 days is refused."""
    credentials = locate_credentials(env, variables=variables, keyring=keyring, local=local)
    age = credentials.age_days(now)
    if age is not None and age >= MAX_SECRET_AGE_DAYS:
        raise AccessDenied(
            f"client secret of `{credentials.client_id}` is {age} days old",
            code=codes.CREDENTIALS_REFUSED,
            hint=f"ask the issuer for a new one, then `reinmaker auth rotate --env {env.name}`",
        )
    return credentials


def locate_credentials(
    env: Environment, *, variables: Mapping[str, str], keyring: KeyringStore, local: LocalClient | None
) -> Credentials:
    """Return the credentials of the environment whatever their age, as `auth status` shows them."""
    if env.is_local:
        return _development_client(local)
    given = _given_by_variables(env, variables)
    if given is not None:
        return given
    stored = read_stored(env, keyring)
    if stored is not None:
        return stored
    raise AccessDenied(
        f"no credentials for environment: `{env.name}`",
        code=codes.CREDENTIALS_MISSING,
        hint=f"`reinmaker auth login --env {env.name}`; in CI set {ID_VARIABLE} and {SECRET_VARIABLE}",
    )


def read_stored(env: Environment, keyring: KeyringStore) -> Credentials | None:
    """Return what the keyring holds for the environment, or None."""
    text = keyring.get(keyring_service(env))
    if text is None:
        return None
    try:
        stored = StoredCredentials.model_validate_json(text)
    except ValueError:
        # `from None`: the parser's own message quotes what it read, the secret included.
        raise AccessDenied(
            f"keyring entry cannot be read: `{keyring_service(env)}`",
            code=codes.SECRET_UNUSABLE,
            hint=f"`reinmaker auth login --env {env.name}` writes it anew",
        ) from None
    created_at = stored.created_at if stored.created_at.tzinfo else stored.created_at.replace(tzinfo=UTC)
    return Credentials(stored.client_id, stored.client_secret, "keyring", stored.scopes, created_at)


def store(env: Environment, credentials: Credentials, keyring: KeyringStore) -> None:
    """Write the credentials to the keyring, in place of what the environment had."""
    assert credentials.created_at is not None
    value = StoredCredentials(
        client_id=credentials.client_id,
        client_secret=credentials.client_secret,
        created_at=credentials.created_at,
        scopes=credentials.scopes,
    )
    keyring.set(keyring_service(env), value.model_dump_json(by_alias=True))


def ignored_variables(env: Environment, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the client variables that are set and that environment `local` does not use."""
    return tuple(name for name in CLIENT_VARIABLES if variables.get(name)) if env.is_local else ()


def _development_client(local: LocalClient | None) -> Credentials:
    if local is None:
        raise ServerUnreachable(
            "no development client: no local server was ever started with this data folder",
            code=codes.NO_LOCAL_SERVER,
            hint="start one: `reinmaker serve`",
        )
    return Credentials(local.client_id, local.client_secret, "local")


def _given_by_variables(env: Environment, variables: Mapping[str, str]) -> Credentials | None:
    """Return what the variables say, None where they say nothing. An empty one is an unset one: CI writes those."""
    client_id, secret = variables.get(ID_VARIABLE, ""), variables.get(SECRET_VARIABLE, "")
    secret_file = variables.get(SECRET_FILE_VARIABLE, "")
    if not (client_id or secret or secret_file):
        return None
    _require_binding(env, variables.get(ORIGIN_VARIABLE, ""))
    if not client_id:
        raise _incomplete(f"a client secret is set and {ID_VARIABLE} is not", f"`export {ID_VARIABLE}=…`")
    if secret and secret_file:
        raise _incomplete(
            f"{SECRET_VARIABLE} and {SECRET_FILE_VARIABLE} are both set",
            f"`unset {SECRET_FILE_VARIABLE}`, or the other one",
        )
    if secret_file:
        return Credentials(client_id, _read_secret_file(secret_file), "file")
    if not secret:
        hint = f"`export {SECRET_VARIABLE}=…`, or {SECRET_FILE_VARIABLE}"
        raise _incomplete(f"{ID_VARIABLE} is set and the client secret is not", hint)
    return Credentials(client_id, secret, "variables")


def _require_binding(env: Environment, bound_to: str) -> None:
    """Raise AccessDenied where a project file chose the addresses and the user did not agree to them.

    A project file could name an API that the user trusts and a token endpoint that nobody should. So one origin agrees
    to an API that issues its own tokens; where they differ, both must be named, as in the keyring.
    """
    if env.defined_in != "project":
        return
    trusted = [origin_of(part) for part in bound_to.split("|") if part]
    if trusted == [env.api_origin, env.token_origin] or trusted == [env.api_origin] == [env.token_origin]:
        return
    if env.api_origin == env.token_origin:
        needed = env.api_origin
    else:
        needed = f"{env.api_origin}|{env.token_origin}"
    raise AccessDenied(
        f"the variables are not meant for this address, which a project file chose: `{needed}`",
        code=codes.CREDENTIALS_UNBOUND,
        hint=f"if you trust it: `export {ORIGIN_VARIABLE}='{needed}'`",
    )


def _read_secret_file(name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            return read_secret(file, f"secret file `{name}`", hint=_FILE_HINT)
    except OSError as error:
        raise _incomplete(f"secret file cannot be read: `{name}`", _FILE_HINT) from error


def read_secret(file: BinaryIO, what: str, *, hint: str) -> str:
    """Return the secret in a file or pipe, without one line end at its end; AccessDenied where there is none."""
    raw = file.read(MAX_SECRET_FILE_BYTES + 1)
    if len(raw) > MAX_SECRET_FILE_BYTES:
        raise _incomplete(f"{what} is too large", hint)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _incomplete(f"{what} is not UTF-8 text", hint) from None
    secret = text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")  # one newline: editors add it
    if not secret:
        raise _incomplete(f"{what} is empty", hint)
    return secret


def _incomplete(message: str, hint: str) -> AccessDenied:
    return AccessDenied(message, code=codes.SECRET_UNUSABLE, hint=hint)

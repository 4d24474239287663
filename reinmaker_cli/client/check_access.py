"""Who we would be: keyring, secret and its age, and the files of the local server. Nobody is prompted."""

from __future__ import annotations

import stat
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from reinmaker_cli.client.check_machine import check_configured_keyring
from reinmaker_cli.client.checks import Checked, Failed, Passed, Warned, failed_by
from reinmaker_cli.client.credentials import CLIENT_VARIABLES, ID_VARIABLE, find_credentials, ignored_variables
from reinmaker_cli.client.environment import Environment
from reinmaker_cli.client.keyring_store import KeyringStore
from reinmaker_cli.client.local import CLIENT_FILE, read_local_client
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.models import LocalClient
from reinmaker_cli.errors import AccessDenied, ReinmakerError, UsageError


def check_variables(env: Environment, variables: Mapping[str, str]) -> Checked:
    """Return whether client variables are set that would do nothing."""
    ignored = ignored_variables(env, variables)
    if ignored:
        code = codes.VARIABLES_IGNORED
        return Warned("variables", f"environment `local` does not use {', '.join(ignored)}", code, code.cure)
    given = [name for name in CLIENT_VARIABLES if variables.get(name)]
    return Passed("variables", f"{', '.join(given)} set" if given else "no client variables are set")


def check_keyring(env: Environment, variables: Mapping[str, str], keyring: KeyringStore) -> Checked:
    """Return whether the OS keyring can be read without a prompt; variables make it needless."""
    if env.is_local:
        return Passed("keyring", "not needed: environment `local` has its development client")
    if any(variables.get(name) for name in CLIENT_VARIABLES):
        return Passed("keyring", "not needed: the client is in variables")
    try:
        backend = keyring.describe()
        if keyring.is_locked():
            raise AccessDenied(
                f"{backend} is locked", code=codes.KEYRING_LOCKED, hint=f"unlock it, or set {ID_VARIABLE} and a secret"
            )
    except AccessDenied as error:
        failure = failed_by("keyring", error)
        chosen = check_configured_keyring(variables)
        # What is missing is the fact; that another one was chosen and refused explains it.
        return failure if chosen is None else replace(failure, fact=f"{failure.fact}; {chosen.fact}")
    return check_configured_keyring(variables) or Passed("keyring", backend)


def check_secret(
    env: Environment,
    *,
    variables: Mapping[str, str],
    keyring: KeyringStore,
    local: LocalClient | None,
    now: datetime,
) -> Checked:
    """Return where the secret comes from and whether it is young enough: 75 days warn, 90 are refused."""
    try:
        found = find_credentials(env, variables=variables, keyring=keyring, local=local, now=now)
    except ReinmakerError as error:
        return failed_by("secret", error)
    age = found.age_days(now)
    aged = "of an age that nobody noted" if age is None else f"{age} days old"
    fact = f"client `{found.client_id}` from {found.source}, {aged}"
    if found.age_findings(now):
        code = codes.SECRET_OLD
        return Warned("secret", fact, code, f"`reinmaker auth rotate --env {env.name}` with the issuer's new one")
    return Passed("secret", fact)


def check_data_folder(data: Path) -> Checked:
    """Return whether a local server was ever started here, and whether its secrets are its owner's alone."""
    path = data / CLIENT_FILE
    try:
        if read_local_client(data) is None:
            fact = f"no local server was started with `{data}`"
            return Failed("client file", fact, codes.NO_LOCAL_SERVER, codes.NO_LOCAL_SERVER.cure, 7)
    except ReinmakerError as error:
        return failed_by("client file", error)
    mode = stat.S_IMODE(path.stat().st_mode)
    if sys.platform != "win32" and mode & 0o077:
        code = codes.FILE_TOO_OPEN
        return Failed("client file", f"`{path}` has mode {mode:04o}", code, f"`chmod 600 {path}`", UsageError.exit_code)
    return Passed("client file", f"`{path}`, its owner's alone")

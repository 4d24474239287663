"""From settings to a server that can be asked: credentials, API, and the control API of a local server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reinmaker_cli.cli.run import Run
from reinmaker_cli.contract import codes, names
from reinmaker_cli.errors import ServerUnreachable, UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.api import Api
    from reinmaker_cli.client.credentials import Credentials
    from reinmaker_cli.client.keyring_store import KeyringStore
    from reinmaker_cli.client.local import LocalControl
    from reinmaker_cli.client.tokens import OnToken, TokenSource
    from reinmaker_cli.contract.models import LocalClient


def open_run_api(run: Run, *, scope: str | None = names.Scope.CONTENT_WRITE, on_token: OnToken | None = None) -> Api:
    """Return the API of the environment that --env chose, with its credentials. Sends nothing yet."""
    from reinmaker_cli.client.api import open_api

    return open_api(
        run.environment,
        run_credentials(run),
        scope=scope,
        ca_file=ca_file(run),
        trace=trace_log(run),
        on_token=on_token,
        clock=run.world.clock,
    )


def open_run_token_source(run: Run) -> TokenSource:
    """Return where the tokens of the environment come from. Sends nothing yet."""
    from reinmaker_cli.client.api import open_token_source

    return open_token_source(run.environment, run_credentials(run), ca_file=ca_file(run), trace=trace_log(run))


def run_credentials(run: Run) -> Credentials:
    """Return the credentials of the environment, and warn of an old secret. Raises AccessDenied."""
    from reinmaker_cli.client.credentials import find_credentials

    warn_of_ignored_variables(run)
    now = datetime.now(UTC)
    credentials = find_credentials(
        run.environment, variables=run.variables, keyring=keyring_of(run), local=local_client(run), now=now
    )
    run.output.findings(credentials.age_findings(now))
    return credentials


def warn_of_ignored_variables(run: Run) -> None:
    """Say that environment `local` does not use the client variables, where some are set."""
    from reinmaker_cli.client.credentials import ignored_variables

    ignored = ignored_variables(run.environment, run.variables)
    if ignored:
        run.output.warn(f"environment `local` does not use {', '.join(ignored)}", codes.VARIABLES_IGNORED.cure)


def keyring_of(run: Run) -> KeyringStore:
    """Return the OS keyring; patient where somebody is there to unlock it."""
    from reinmaker_cli.client import keyring_store as store

    return store.KeyringStore(
        limit_s=store.INTERACTIVE_LIMIT_S if run.may_ask else store.UNATTENDED_LIMIT_S,
        say_waiting_after_s=store.SAY_WAITING_AFTER_S,
        on_waiting=lambda: run.output.note("waiting for the keyring to be unlocked"),
    )


def unattended_keyring() -> KeyringStore:
    """Return the OS keyring for somebody who must not be asked."""
    from reinmaker_cli.client.keyring_store import KeyringStore

    return KeyringStore()


def local_client(run: Run) -> LocalClient | None:
    """Return the development client of the local server, for environment `local` only."""
    from reinmaker_cli.client.local import read_local_client

    return read_local_client(run.data_folder) if run.environment.is_local else None


def open_local_control(run: Run) -> LocalControl:
    """Return the control API of the local server. UsageError for every other environment."""
    from reinmaker_cli.client.local import LocalControl

    if not run.environment.is_local:
        raise UsageError(
            f"`{run.verb}` is for the local server, not for `{run.environment.name}`",
            code=codes.LOCAL_ONLY,
            hint=f"for the local server: `{run.with_option('--env', None)}`",
        )
    client = local_client(run)
    if client is None:
        raise ServerUnreachable(
            f"no local server was started with the data folder: `{run.data_folder}`",
            code=codes.NO_LOCAL_SERVER,
            hint="start one with `reinmaker serve`, or name its folder with --data",
        )
    if client.control_url is None:
        raise UsageError(
            "the control API is off: the server listens beyond this machine",
            code=codes.LOCAL_ONLY,
            hint="give it a port on this machine: `reinmaker serve --control-port 7041` and the options it has now",
        )
    return LocalControl(
        client.control_url or run.environment.api_url,
        client.control_token,
        ca_file=ca_file(run),
        local_host=run.environment.local_host,
        trace=trace_log(run),
    )


def ca_file(run: Run) -> Path | None:
    """Return the certificates of --ca-file."""
    return Path(run.settings.ca_file).expanduser() if run.settings.ca_file else None


def trace_log(run: Run) -> Callable[[str], None] | None:
    """Return where `--trace` writes: stderr."""
    return run.output.note if run.settings.trace else None

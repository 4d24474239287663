"""`reinmaker auth`: keep, prove and rotate credentials. No secret is an argument, and none is ever printed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.verbs import SERVER, verb
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.auth import Prove
    from reinmaker_cli.client.credentials import Credentials
    from reinmaker_cli.contract.models import TokenAnswer

SecretStdin = Annotated[
    bool, typer.Option("--secret-stdin", help="Read the secret from stdin; one line end at its end is left out.")
]


@verb(flags=SERVER)
def login(
    run: Run,
    client_id: Annotated[str | None, typer.Option("--client-id", help="Client id; asked for without it.")] = None,
    secret_stdin: SecretStdin = False,
) -> None:
    """Prove a client id and secret by fetching a token, then keep them in the OS keyring."""
    from reinmaker_cli.cli.access import keyring_of
    from reinmaker_cli.client import auth

    environment = run.environment
    if environment.is_local:  # before anybody types a secret
        raise UsageError(
            "environment `local` needs no login: it has the development client of the local server",
            code=codes.USAGE,
            hint="name another one with --env",
        )
    name = client_id or run.settings.client_id or run.ask("client id")
    secret = _secret(run, f"secret of {name} for {environment.name}", secret_stdin)
    kept = auth.login(environment, name, secret, prove=_prover(run), keyring=keyring_of(run), now=datetime.now(UTC))
    _tell(
        run, kept, f"kept in the keyring for {environment.name}", f"next: `reinmaker publish --env {environment.name}`"
    )


@verb(flags=SERVER)
def status(run: Run) -> None:
    """Show which credentials a command would use: source, client id, scopes, age. Never the secret."""
    from reinmaker_cli.cli.access import keyring_of, local_client, warn_of_ignored_variables
    from reinmaker_cli.client import auth

    warn_of_ignored_variables(run)
    found = auth.status(
        run.environment,
        variables=run.variables,
        keyring=keyring_of(run),
        local=local_client(run),
        now=datetime.now(UTC),
    )
    run.output.findings(found.findings)
    run.output.add(
        credentials={
            "source": found.source,
            "clientId": found.client_id,
            "scopes": list(found.scopes),
            "createdAt": _utc(found.created_at),
            "ageDays": found.age_days,
            "expiresAt": _utc(found.expires_at),
        }
    )
    run.output.ids([found.client_id])
    age = "unknown" if found.age_days is None else f"{found.age_days} days; refused from {_utc(found.expires_at)}"
    run.output.table(
        [
            ["environment", f"{run.environment.name}, {run.environment.api_url}"],
            ["source", found.source],
            ["client id", found.client_id],
            ["scopes", ", ".join(found.scopes) or "unknown"],
            ["age", age],
        ]
    )


@verb(flags=SERVER)
def token(
    run: Run,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="Only this scope; repeatable. Without it, all that there are.")
    ] = None,
) -> None:
    """Print an access token, for other tools. It is a secret that lives 15 minutes."""
    from reinmaker_cli.cli.access import open_run_token_source

    source = open_run_token_source(run)
    try:
        answer = source.fetch(" ".join(scope) if scope else None)
    finally:
        source.close()
    run.output.add(
        accessToken=answer.access_token,
        tokenType=answer.token_type,
        expiresIn=answer.expires_in,
        scopes=(answer.scope or "").split(),
    )
    run.output.ids([answer.access_token])
    run.output.data(answer.access_token)


@verb(flags=SERVER)
def rotate(run: Run, secret_stdin: SecretStdin = False) -> None:
    """Replace the secret by the one that the issuer gave, once it is proved; for env local, make a new one."""
    from reinmaker_cli.cli.access import keyring_of, local_client, open_local_control
    from reinmaker_cli.client import auth

    if run.environment.is_local:
        with open_local_control(run) as control:
            client = local_client(run)
            assert client is not None  # open_local_control would have refused
            client_id = auth.rotate_local(control, client)
        run.output.add(credentials={"source": "local", "clientId": client_id})
        run.output.ids([client_id])
        run.output.note(f"the local server made a new secret for {client_id}")
        return
    secret = _secret(run, f"new secret for {run.environment.name}", secret_stdin)
    kept = auth.rotate(run.environment, secret, prove=_prover(run), keyring=keyring_of(run), now=datetime.now(UTC))
    _tell(run, kept, f"replaced in the keyring for {run.environment.name}")


@verb(flags=SERVER)
def logout(run: Run) -> None:
    """Remove the environment's credentials from the OS keyring."""
    from reinmaker_cli.cli.access import keyring_of
    from reinmaker_cli.client import auth

    removed = auth.logout(run.environment, keyring=keyring_of(run))
    run.output.add(removed=removed)
    run.output.note("removed from the keyring" if removed else "the keyring had nothing for this environment")


def _prover(run: Run) -> Prove:
    """Return a function that fetches a token with given credentials."""
    from reinmaker_cli.cli.access import ca_file, trace_log
    from reinmaker_cli.client.api import open_token_source

    def prove(credentials: Credentials) -> TokenAnswer:
        source = open_token_source(run.environment, credentials, ca_file=ca_file(run), trace=trace_log(run))
        try:
            return source.fetch()
        finally:
            source.close()

    return prove


def _secret(run: Run, question: str, from_stdin: bool) -> str:
    if not from_stdin:
        return run.ask_hidden(question)
    if sys.stdin is None:
        raise UsageError("stdin is closed", code=codes.USAGE, hint="pipe the secret: `--secret-stdin < FILE`")
    from reinmaker_cli.client.credentials import read_secret

    return read_secret(sys.stdin.buffer, "what stdin gives", hint="pipe the secret: `--secret-stdin < FILE`")


def _tell(run: Run, kept: Credentials, *lines: str) -> None:
    known: dict[str, Any] = {"source": kept.source, "clientId": kept.client_id, "scopes": list(kept.scopes)}
    run.output.add(credentials=known | {"createdAt": _utc(kept.created_at)})
    run.output.ids([kept.client_id])
    run.output.note(f"{kept.client_id}: {', '.join(kept.scopes) or 'scopes unknown'}", *lines)


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

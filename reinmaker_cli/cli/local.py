"""`reinmaker local …`: steer the local server through its control API."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from reinmaker_cli.cli.access import open_local_control
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.verbs import SERVER, verb
from reinmaker_cli.contract import codes, names
from reinmaker_cli.errors import UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.local import ClientSecret, ListedClient, LocalControl
    from reinmaker_cli.contract.models import Submission


class ClientAction(StrEnum):
    """What to do with the clients of the local server."""

    list = "list"
    add = "add"
    rotate = "rotate"
    limit = "limit"


class Verdict(StrEnum):
    """A verdict by hand."""

    active = "active"
    rejected = "rejected"


@verb(flags=SERVER)
def client(
    run: Run,
    action: Annotated[ClientAction, typer.Argument(help="What to do.")] = ClientAction.list,
    client_id: Annotated[
        str | None, typer.Argument(help="For rotate and limit: which client; without it, the development client.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="For add: a name to know it by.")] = "",
    scope: Annotated[
        list[names.Scope] | None, typer.Option("--scope", help="For add: a scope; repeatable. Without it, all.")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option("--limit", metavar="POLICY=N", help="For add and limit: requests in a window; repeatable."),
    ] = None,
) -> None:
    """List the clients of the local server, add one, give one a new secret or limits of its own.

    A new secret is shown this once; until the old one is 90 days old, both work. Policies of limits are `default`,
    `manifests` and `tokens`.
    """
    if client_id is not None and action in (ClientAction.list, ClientAction.add):
        raise UsageError(f"`{action}` takes no client id", code=codes.USAGE, hint="`reinmaker local client --help`")
    limits = dict(map(_limit, limit or ()))
    if bool(limits) != (action is ClientAction.limit) and action is not ClientAction.add:
        needs = "needs" if action is ClientAction.limit else "takes no"
        raise UsageError(f"`{action}` {needs} --limit", code=codes.USAGE, hint="`reinmaker local client --help`")
    with open_local_control(run) as control:
        if action is ClientAction.list:
            _show_clients(run, control.clients())
        elif action is ClientAction.add:
            scopes = [one.value for one in scope or names.Scope]
            _show_secret(run, control.add_client(name=name, scopes=scopes, limits=limits))
        elif action is ClientAction.limit:
            _show_clients(run, [control.limit_client(_chosen(run, control, client_id), limits)])
        else:
            _show_secret(run, control.rotate_client(_chosen(run, control, client_id)))


@verb(flags=SERVER)
def decide(
    run: Run,
    manifest_id: Annotated[str, typer.Argument(help="The manifest.")],
    version: Annotated[str, typer.Argument(help="Its version.")],
    verdict: Annotated[Verdict, typer.Argument(help="The verdict.")],
    reason: Annotated[str | None, typer.Option("--reason", help="For rejected: why.")] = None,
) -> None:
    """Give the verdict by hand, on a server that runs with `--validation manual`."""
    if reason is not None and verdict is Verdict.active:
        raise UsageError("--reason goes with `rejected`", code=codes.USAGE, hint="leave it out")
    with open_local_control(run) as control:
        _show_verdict(run, control.decide(manifest_id, version, verdict.value, reason))


def _limit(text: str) -> tuple[str, int]:
    policy, _, number = text.partition("=")
    if not policy or not re.fullmatch("[0-9]{1,9}", number):
        raise UsageError(
            f"--limit cannot be read: `{text}`", code=codes.USAGE, hint="write it as `--limit default=600`"
        )
    return policy, int(number)


def _chosen(run: Run, control: LocalControl, client_id: str | None) -> str:
    """Return the client that was named, or the development client."""
    if client_id is None:
        return _development_id(run)
    known = [one.client_id for one in control.clients()]
    if client_id not in known:
        raise UsageError(f"no such client: `{client_id}`", code=codes.USAGE, hint=f"known: {', '.join(known)}")
    return client_id


def _development_id(run: Run) -> str:
    from reinmaker_cli.cli.access import local_client

    found = local_client(run)
    assert found is not None, "open_local_control has read it"
    return found.client_id


def _show_clients(run: Run, clients: Sequence[ListedClient]) -> None:
    run.output.add(results=[one.to_json() for one in clients])
    run.output.ids(one.client_id for one in clients)
    rows = [[one.client_id, one.name, " ".join(one.scopes), _limits_text(one)] for one in clients]
    run.output.table(rows, head=("client", "name", "scopes", "limits"))


def _limits_text(client: ListedClient) -> str:
    return " ".join(f"{policy}={quota}" for policy, quota in (client.limits or {}).items())


def _show_secret(run: Run, made: ClientSecret) -> None:
    """Show a secret of the local server, this once: it opens nothing beyond this machine."""
    run.output.add(
        results=[{"clientId": made.client_id, "clientSecret": made.client_secret, "scopes": list(made.scopes)}]
    )
    run.output.ids([made.client_id])
    run.output.data(f"client  {made.client_id}", f"secret  {made.client_secret}", f"scopes  {' '.join(made.scopes)}")
    run.output.note(
        "the secret is shown this once; for an environment of your own with this server's address:",
        f"  export REINMAKER_CLIENT_ID={shlex.quote(made.client_id)} REINMAKER_CLIENT_SECRET=…",
    )


def _show_verdict(run: Run, decided: Submission | None) -> None:
    if decided is None:
        return
    run.output.add(results=[decided.to_json()])
    run.output.ids([decided.manifest_id])
    run.output.data(f"{decided.status}  {decided.manifest_id} {decided.version}")

"""`reinmaker webhooks endpoints` and `rotate`: who is told of events, and with which secrets."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Cell, Styled
from reinmaker_cli.cli.times import parse_duration_s
from reinmaker_cli.cli.verbs import SERVER, verb
from reinmaker_cli.cli.webhook_options import event_type_of, local_webhooks
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.webhooks import Endpoint, NewEndpoint, ShownSecret, Webhooks


class EndpointAction(StrEnum):
    """What to do with the endpoints of the local server."""

    list = "list"
    add = "add"
    disable = "disable"
    enable = "enable"
    remove = "remove"
    secret = "secret"


_OPTIONS = {"--types": (EndpointAction.add,), "--next": (EndpointAction.secret,), "--reason": (EndpointAction.disable,)}


@verb(flags=SERVER)
def endpoints(
    run: Run,
    action: Annotated[EndpointAction, typer.Argument(help="What to do.")] = EndpointAction.list,
    endpoint: Annotated[
        str | None, typer.Argument(metavar="[URL|ENDPOINT]", help="For add: the URL. Else: which endpoint.")
    ] = None,
    types: Annotated[
        str | None, typer.Option("--types", metavar="TYPE,...", help="For add: only events of these types.")
    ] = None,
    next_: Annotated[bool, typer.Option("--next", help="For secret: the one that will take over.")] = False,
    reason: Annotated[str | None, typer.Option("--reason", help="For disable: why, for people.")] = None,
) -> None:
    """List the endpoints of the local server, add one, stop or go on telling it of events, remove it, show a secret.

    A secret is shown once: when the endpoint is made, or by `secret` where `serve --webhook` made it. The next one may
    be fetched until it takes over.
    """
    given = {"--types": types is not None, "--next": next_, "--reason": reason is not None}
    for option, is_given in given.items():
        if is_given and action not in _OPTIONS[option]:
            raise _misused(f"`{action}` takes no {option}")
    if (action is EndpointAction.list) != (endpoint is None):
        raise _misused("`list` takes no endpoint" if endpoint else f"`{action}` needs a URL or an endpoint")
    with local_webhooks(run) as webhooks:
        if endpoint is None:
            _show(run, webhooks.endpoints())
        elif action is EndpointAction.add:
            wanted = parse_types(types)
            _show_new(run, webhooks.add_endpoint(endpoint, wanted))
        elif action is EndpointAction.secret:
            _show_secret(run, webhooks.secret(endpoint, "next" if next_ else "current"))
        elif action is EndpointAction.remove:
            webhooks.remove(endpoint)
            run.output.add(results=[])
            run.output.ids([endpoint])
            run.output.note(f"removed {endpoint}; what was on its way is among the dead letters")
        else:
            _show(run, [_switch(webhooks, action, endpoint, reason)])


@verb(flags=SERVER)
def rotate(
    run: Run,
    endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="Which endpoint.")],
    overlap: Annotated[
        str | None, typer.Option("--overlap", metavar="DURATION", help="How long both sign: 24h; 0s to 7d.")
    ] = None,
) -> None:
    """Let the next secret of an endpoint take over now; both sign for a day, so that receivers can follow.

    Somebody must have fetched it, `webhooks endpoints secret ENDPOINT --next`; `webhooks listen` does so by itself.
    """
    overlap_s = None if overlap is None else parse_duration_s(overlap, "--overlap")
    with local_webhooks(run) as webhooks:
        _show(run, [webhooks.rotate(endpoint, overlap_s)])


def parse_types(text: str | None) -> list[str]:
    """Return the types that `--types` names; none: all."""
    return [event_type_of(word.strip()) for word in text.split(",")] if text is not None else []


def _switch(webhooks: Webhooks, action: EndpointAction, endpoint: str, reason: str | None) -> Endpoint:
    if action is EndpointAction.enable:
        return webhooks.enable(endpoint)
    return webhooks.disable(endpoint, reason)


def _show(run: Run, found: Sequence[Endpoint]) -> None:
    run.output.add(results=[endpoint.to_json() for endpoint in found])
    run.output.ids([endpoint.endpoint_id for endpoint in found])
    rows: list[list[Cell]] = [
        [
            endpoint.endpoint_id,
            endpoint.url,
            _state(endpoint),
            _types(endpoint),
            f"{endpoint.open} open, {endpoint.dead_letters} dead",
            _secret_state(endpoint),
        ]
        for endpoint in found
    ]
    run.output.table(rows, head=["endpoint", "url", "state", "events", "deliveries", "secret"])
    if not found:
        run.output.note("no endpoint: `reinmaker webhooks listen` is one, `webhooks endpoints add URL` makes one")


def _state(endpoint: Endpoint) -> Cell:
    if endpoint.enabled:
        return Styled("green", "enabled")
    return Styled("red", f"disabled: {endpoint.disabled_reason or 'no reason given'}")


def _types(endpoint: Endpoint) -> str:
    return ", ".join(endpoint.types) or "all"


def _secret_state(endpoint: Endpoint) -> Cell:
    secret = endpoint.secret
    if secret.overdue:
        return Styled("red", "overdue: fetch the next one")
    if secret.next_ready and not secret.next_fetched:
        return Styled("yellow", f"next one ready; due {secret.rotates_at}")
    return f"due {secret.rotates_at}" if secret.rotates_at else "in use"


def _show_new(run: Run, made: NewEndpoint) -> None:
    run.output.add(results=[made.to_json()])
    run.output.ids([made.endpoint_id])
    run.output.data(
        f"endpoint  {made.endpoint_id}",
        f"url       {made.url}",
        f"events    {_types(made)}",
        f"secret    {made.signing_secret}",
    )
    run.output.note("the secret is shown this once")


def _show_secret(run: Run, shown: ShownSecret) -> None:
    run.output.add(results=[shown.to_json()])
    run.output.ids([shown.signing_secret])
    run.output.data(shown.signing_secret)
    if shown.which == "next":
        run.output.note(f"give it to the receiver, then `reinmaker webhooks rotate {shown.endpoint_id}`")


def _misused(fact: str) -> UsageError:
    return UsageError(fact, code=codes.USAGE, hint="`reinmaker webhooks endpoints --help`")

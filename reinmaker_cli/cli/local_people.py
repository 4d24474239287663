"""`reinmaker local entitlement` and `local forget`: the users of the local server."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from reinmaker_cli.cli.access import open_local_control
from reinmaker_cli.cli.entitlements import UserId, show_entitlements
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import counted
from reinmaker_cli.cli.times import parse_instant
from reinmaker_cli.cli.verbs import SERVER, verb
from reinmaker_cli.contract import codes, names
from reinmaker_cli.errors import UsageError


class EntitlementAction(StrEnum):
    """What to do with entitlements at the local server."""

    list = "list"
    add = "add"
    revoke = "revoke"


@verb(flags=SERVER)
def entitlement(
    run: Run,
    action: Annotated[EntitlementAction, typer.Argument(help="What to do.")] = EntitlementAction.list,
    user_id: Annotated[str | None, typer.Argument(metavar="[USER_ID]", help="Whose; list: without it, all.")] = None,
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="|".join(names.PLANS), help="For add and revoke: which plan.")
    ] = None,
    expires_at: Annotated[
        str | None, typer.Option("--expires-at", metavar="TIME", help="For add: RFC 3339 with Z, or a date.")
    ] = None,
    feature: Annotated[list[str] | None, typer.Option("--feature", help="For add: a feature; repeatable.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="For add: a region, such as US.")] = None,
) -> None:
    """List what users may use at the local server, give a user a plan, or take it away.

    Expired and revoked entitlements are listed too; `reinmaker entitlements` shows what the API shows.
    """
    if action is not EntitlementAction.add and (expires_at or feature or region):
        raise _misused(f"`{action}` takes no --expires-at, --feature or --region")
    expiry = parse_instant(expires_at, "--expires-at") if expires_at else None
    with open_local_control(run) as control:
        if action is EntitlementAction.list:
            if plan is not None:
                raise _misused("`list` takes no --plan")
            show_entitlements(run, control.entitlements(user_id))
            return
        if user_id is None or plan is None:
            raise _misused(f"`{action}` needs a user id and --plan")
        if plan not in names.PLANS:
            raise UsageError(f"no such plan: `{plan}`", code=codes.USAGE, hint=f"one of {', '.join(names.PLANS)}")
        if action is EntitlementAction.revoke:
            show_entitlements(run, [control.revoke_entitlement(user_id, plan)])
        else:
            given = control.give_entitlement(user_id, plan, expires_at=expiry, features=feature or (), region=region)
            show_entitlements(run, [given])


@verb(flags=SERVER)
def forget(run: Run, user_id: UserId) -> None:
    """Erase a user from the store of the local server: entitlements, events, and every trace in its file."""
    with open_local_control(run) as control:
        forgotten = control.forget(user_id)
    run.output.add(results=[forgotten.to_json()])
    plans, events = counted(forgotten.entitlements, "entitlement"), counted(forgotten.events, "event")
    run.output.data(f"erased {plans}, {events} and {counted(forgotten.webhooks, 'webhook')}")


def _misused(fact: str) -> UsageError:
    return UsageError(fact, code=codes.USAGE, hint="`reinmaker local entitlement --help`")

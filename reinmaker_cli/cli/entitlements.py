"""`reinmaker entitlements`: what a user may use now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import counted
from reinmaker_cli.cli.verbs import SERVER, verb
from reinmaker_cli.contract import names

if TYPE_CHECKING:
    from reinmaker_cli.contract.models import Entitlement

UserId = Annotated[str, typer.Argument(metavar="USER_ID", help="The pseudonym that events have as `userId`.")]


@verb(flags=(*SERVER, "timeout"))
def entitlements(run: Run, user_id: UserId) -> None:
    """List what a user may use now. A user that nobody knows has nothing, and that is no error."""
    from reinmaker_cli.cli.access import open_run_api
    from reinmaker_cli.client.api import new_trace_id
    from reinmaker_cli.client.patience import Patience

    patience, trace_id = Patience(run.settings.timeout, world=run.world), new_trace_id()
    with open_run_api(run, scope=names.Scope.ENTITLEMENT_READ) as api:
        found = patience.ask(lambda: api.entitlements(user_id, trace_id=trace_id, limit_s=patience.left_s()))
    show_entitlements(run, found.entitlements)
    run.output.note(counted(len(found.entitlements), "active entitlement"))


def show_entitlements(run: Run, found: Sequence[Entitlement]) -> None:
    """Show entitlements as a table, as plans, or in the document."""
    run.output.add(results=[one.to_json() for one in found])
    run.output.ids(one.plan for one in found)
    run.output.table(
        [[one.user_id, one.plan, str(one.status), one.expires_at or "never", " ".join(one.features)] for one in found],
        head=("user", "plan", "status", "expires", "features"),
    )

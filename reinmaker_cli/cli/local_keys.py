"""`reinmaker local keys`: the keys that sign the tokens of the local server."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from reinmaker_cli.cli.access import open_local_control
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.verbs import SERVER, verb

if TYPE_CHECKING:
    from reinmaker_cli.client.local_keys import SigningKey


class KeysAction(StrEnum):
    """What to do with the keys."""

    list = "list"
    rotate = "rotate"


@verb(flags=SERVER)
def keys(run: Run, action: Annotated[KeysAction, typer.Argument(help="What to do.")] = KeysAction.list) -> None:
    """List the keys that verify access tokens, or have the next one made now, 90 days or not.

    A new key is published at once and signs five minutes later, by the server's clock; the one before it verifies its
    tokens until the last has expired: `reinmaker local clock advance 5m`, then `15m`.
    """
    from reinmaker_cli.client.local_keys import rotate_keys, signing_keys

    with open_local_control(run) as control:
        _show(run, signing_keys(control) if action is KeysAction.list else rotate_keys(control))


def _show(run: Run, found: Sequence[SigningKey]) -> None:
    run.output.add(results=[one.to_json() for one in found])
    run.output.ids(one.kid for one in found)
    rows = [[one.kid, one.state, one.signs_from, one.ends_at or "-"] for one in found]
    run.output.table(rows, head=("key", "state", "signs from", "ends"))

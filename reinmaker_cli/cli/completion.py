"""`reinmaker completion`: the completion script of a shell.

The scripts hold the whole command tree, so that a TAB starts no Python at all.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.verbs import BARE, verb


class Shell(StrEnum):
    """A shell whose completion is known."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"
    powershell = "powershell"


@verb(flags=BARE)
def completion(run: Run, shell: Annotated[Shell, typer.Argument(help="bash, zsh, fish or powershell.")]) -> None:
    """Print the completion script of a shell, such as `source <(reinmaker completion bash)`."""
    from reinmaker_cli.cli.completion_scripts import completion_script

    run.output.claim_stdout("completion")
    run.output.raw(completion_script(shell))

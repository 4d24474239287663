"""`reinmaker init`: look at a folder, propose its reinmaker.toml, and name what does not fit."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from reinmaker_cli.cli.own_output import written_paths
from reinmaker_cli.cli.roots import require_folder
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import counted
from reinmaker_cli.cli.verbs import BARE, verb
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ContentInvalid, UsageError

MAX_LEFTOVERS_SHOWN = 50


@verb(flags=BARE)
def init(
    run: Run,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="The folder of assets.")] = Path(),
    ignore_leftovers: Annotated[
        bool, typer.Option("--ignore-leftovers", help="List the files that do not fit under [ignore].")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a reinmaker.toml that is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the file instead of writing it.")] = False,
) -> None:
    """Look at the names in a folder and write its reinmaker.toml."""
    from reinmaker_cli.assets.project import PROJECT_FILE
    from reinmaker_cli.assets.propose import propose_project
    from reinmaker_cli.assets.walk import walk_folder
    from reinmaker_cli.cli.files import write_result

    target = directory / PROJECT_FILE
    _require_place(directory, target, force=force or dry_run)
    walk = walk_folder(directory, written=written_paths(directory, [run.settings.events]))
    if not walk.files:
        raise ContentInvalid(
            f"no assets in folder: `{directory}`", code=codes.FOLDER_EMPTY, hint=codes.FOLDER_EMPTY.cure
        )
    proposal = propose_project(
        [file.path for file in walk.files],
        folder_name=directory.resolve().name,
        today=datetime.now(UTC).date(),
        ignore_leftovers=ignore_leftovers,
    )
    run.output.findings(walk.findings, directory)
    run.output.add(file=target.as_posix(), written=not dry_run, toml=proposal.toml, leftovers=list(proposal.leftovers))
    if dry_run:
        run.output.data(*proposal.toml.splitlines())
    else:
        write_result(target, proposal.toml.encode())
        run.output.ids([str(target)])
        run.output.note(f"wrote {target}")
    _tell_leftovers(run, proposal.leftovers, directory, ignored=ignore_leftovers)


def _require_place(directory: Path, target: Path, *, force: bool) -> None:
    require_folder(directory)
    if target.exists() and not force:
        raise UsageError(f"it is there already: `{target}`", code=codes.CONFIG_EXISTS, hint=codes.CONFIG_EXISTS.cure)


def _tell_leftovers(run: Run, leftovers: tuple[str, ...], directory: Path, *, ignored: bool) -> None:
    place = "" if directory == Path() else f" {shlex.quote(str(directory))}"
    if not leftovers:
        run.output.note("every file fits", f"next: `reinmaker check{place}`")
        return
    verdict = "ignored" if ignored else "not matched by any rule"
    run.output.note(f"{counted(len(leftovers), 'file')} {verdict}:")
    run.output.note(*(f"  {path}" for path in leftovers[:MAX_LEFTOVERS_SHOWN]))
    if len(leftovers) > MAX_LEFTOVERS_SHOWN:
        run.output.note(f"  and {len(leftovers) - MAX_LEFTOVERS_SHOWN:,} more; `--json` lists all")
    if ignored:
        run.output.note(f"next: `reinmaker check{place}`")
    else:
        run.output.note(f"next: add rules for them, or `reinmaker init{place} --force --ignore-leftovers`")

"""`reinmaker init`: look at a folder, propose its reinmaker.toml, and name what does not fit."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reinmaker_cli.cli.files import write_result
from reinmaker_cli.cli.own_output import written_paths
from reinmaker_cli.cli.roots import require_folder
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import counted
from reinmaker_cli.cli.verbs import BARE, verb
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError

if TYPE_CHECKING:
    from reinmaker_cli.assets.propose import Proposal

MAX_LEFTOVERS_SHOWN = 50


@verb(flags=(*BARE, "no_input"))
def init(
    run: Run,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="The folder of assets.")] = Path(),
    ignore_leftovers: Annotated[
        bool, typer.Option("--ignore-leftovers", help="List the files that do not fit under [ignore].")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a reinmaker.toml that is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the file instead of writing it.")] = False,
) -> None:
    """Look at the names in a folder and write its reinmaker.toml.

    At a terminal it asks what no file name says, shows the file, and writes it after a yes; elsewhere, or with
    --no-input, it writes at once.
    """
    from reinmaker_cli.assets.guards import lfs_pointers
    from reinmaker_cli.assets.project import PROJECT_FILE
    from reinmaker_cli.assets.propose import completed, propose_project
    from reinmaker_cli.assets.walk import walk_folder
    from reinmaker_cli.cli.folders import with_pull_from_here

    target = directory / PROJECT_FILE
    _require_place(run, directory, target, force=force or dry_run)
    walk = walk_folder(directory, written=written_paths(directory, [run.settings.events]))
    if not walk.files:
        raise walk.no_assets()
    proposal = propose_project(
        [file.path for file in walk.files],
        folder_name=directory.resolve().name,
        today=datetime.now(UTC).date(),
        ignore_leftovers=ignore_leftovers,
    )
    pointers = with_pull_from_here(list(lfs_pointers(walk.files)), directory)
    run.output.findings([*walk.findings, *pointers], directory)
    asks = run.may_ask and not (dry_run or run.output.quiet or run.output.wants_document)
    if asks:
        proposal = completed(proposal, lambda question, known, default: _ask_one_of(run, question, known, default))
    run.output.add(file=target.as_posix(), written=not dry_run, toml=proposal.toml, leftovers=list(proposal.leftovers))
    if dry_run or asks:
        run.output.data(*proposal.toml.splitlines())
    if asks and not run.confirm(f"write this to {target}?", default=True):
        raise UsageError("nothing was written", code=codes.DECLINED, hint=f"`{run.with_option('--dry-run')}` shows it")
    if not dry_run:
        _keep_what_was_there(run, target, proposal.toml)
        write_result(target, proposal.toml.encode())
        run.output.ids([str(target)])
        run.output.note(f"wrote {target}")
    _tell_leftovers(run, proposal.leftovers, ignored=ignore_leftovers)
    _tell_next(run, proposal, directory, ignored=ignore_leftovers)


def _keep_what_was_there(run: Run, target: Path, toml: str) -> None:
    """Copy a file that is about to be replaced beside it, as a dotfile, which no scan takes for an asset."""
    if not target.is_file() or (there := target.read_bytes()) == toml.encode():
        return
    kept = target.with_name(f".{target.name}.old")
    write_result(kept, there)  # not moved there: where the new one cannot be written, the old one is in force
    run.output.note(f"kept what was there: {kept}")


def _ask_one_of(run: Run, question: str, known: Sequence[str], default: str) -> str:
    """Ask until the answer is one of those known, or empty: then it is the default, which may be none."""
    while True:
        answer = run.ask(f"{question}, {' | '.join(known)} [{default or 'later'}]", default=default)
        if answer in (*known, default):
            return answer
        run.output.note(f"one of {', '.join(known)}; nothing: {default or 'you complete it in the file'}")


def _require_place(run: Run, directory: Path, target: Path, *, force: bool) -> None:
    from reinmaker_cli.assets.project import find_project_root

    require_folder(run, directory)
    if force:
        return
    if target.exists():
        raise UsageError(
            f"it is there already: `{target}`",
            code=codes.CONFIG_EXISTS,
            hint=f"see what it makes of the folder: `{run.again('check')}`; `{run.with_option('--force')}` replaces it",
        )
    # A nested project is a border: the one above would lose these files without a word.
    if (above := find_project_root(directory / "..")) is not None:
        raise UsageError(
            f"`{directory}` lies inside the project `{above}`, which would lose its files",
            code=codes.INSIDE_PROJECT,
            hint=f"change `{above / target.name}`, or pass --force to make it a project of its own",
        )


def _tell_leftovers(run: Run, leftovers: tuple[str, ...], *, ignored: bool) -> None:
    if not leftovers:
        run.output.note("every file fits")
        return
    verdict = "ignored" if ignored else "not matched by any rule"
    run.output.note(f"{counted(len(leftovers), 'file')} {verdict}:")
    run.output.note(*(f"  {path}" for path in leftovers[:MAX_LEFTOVERS_SHOWN]))
    if len(leftovers) > MAX_LEFTOVERS_SHOWN:
        run.output.note(f"  and {len(leftovers) - MAX_LEFTOVERS_SHOWN:,} more; `--json` lists all")


def _tell_next(run: Run, proposal: Proposal, directory: Path, *, ignored: bool) -> None:
    """Say what is to be completed, what is to be looked at, and the next command."""
    place = "" if directory == Path() else f" {shlex.quote(str(directory))}"
    if proposal.missing:
        run.output.note(f"complete [source] {' and '.join(proposal.missing)}: the file names do not say it")
    if not proposal.is_asked:
        run.output.note('check [manifest] product = "reinmaker": init cannot know it')
    if ignored or not proposal.leftovers:
        run.output.note(f"next: `reinmaker check{place}`")
    else:
        run.output.note(f"next: add rules for these files, or `reinmaker init{place} --force --ignore-leftovers`")

"""The next command to type. The rooms below know what is wrong; only here is it known what was typed.

Every error leaves with a command line in its hint, complete as it stands where that is possible.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import Interrupted, ReinmakerError

if TYPE_CHECKING:
    from reinmaker_cli.cli.run import Run
    from reinmaker_cli.contract.findings import Finding

MAX_COMMANDS = 3  # findings of one kind with a command each; more of them mean that a rule is missing

_COMMAND = re.compile(
    "`(?:reinmaker|git|export|unset|chmod|echo|mkdir|ls|df|pip|uv|apt-get|timedatectl|ulimit|python|getent) [^`]*`"
)
_ASKS_A_SERVER = re.compile(r"`(reinmaker (?:status|list|diff|publish|health|entitlements|auth [a-z]+)\b[^`]*)`")


_FINDS_A_SERVER = re.compile(r"`(reinmaker (?:serve|status|list|health|doctor)\b(?!=)(?!.*--ephemeral)[^`]*)`")

_SUMS = (codes.CONTENT_INVALID, codes.REJECTED, codes.PARTLY_DONE)
"""Errors that only say that there are findings: those are what is to be explained."""


def name_next_step(error: ReinmakerError, verb: str, run: Run | None, shown: Sequence[Finding]) -> None:
    """Make the error's hint one that can be typed; `shown` are the findings that were shown before."""
    if isinstance(error, Interrupted):
        return
    hint = error.hint
    if run is not None:
        hint = _with_data(_with_environment(_sharper(error, run), run), run)
    explanation = _explanation(error, verb, shown)
    hint = hint.replace("reinmaker explain CODE", explanation)
    if not _COMMAND.search(hint):
        hint = f"{hint}{' ' if hint.endswith('?') else '; '}`{explanation}` says more"
    error.hint = hint


def _sharper(error: ReinmakerError, run: Run) -> str:
    """Return the hint; where this very command line, a little changed, is the next step, that line."""
    if error.code in (codes.VERSION_CONFLICT, codes.VERSION_NOT_NEWER) and run.names_files:
        return f"publish it under the next free version: `{run.with_option('--as-new-version')}`"
    if error.code == codes.PORT_TAKEN and run.verb == "serve":
        return f"take a free one: `{run.with_option('--port', '0')}`"
    if error.code == codes.TLS_FAILED:
        return f"{error.hint}: `{run.with_option('--ca-file', 'FILE')}`"
    return error.hint.replace("run the same command again", f"run `{run.line()}` again")


def _with_environment(hint: str, run: Run) -> str:
    """Return the hint with the environment in its commands: that of the flag, or of the variable where it says NAME."""
    name = run.settings.env
    hint = hint.replace("--env NAME", f"--env {name}")
    if not run.chose_environment:
        return hint
    return _ASKS_A_SERVER.sub(lambda found: found[0] if "--env" in found[1] else f"`{found[1]} --env {name}`", hint)


def _with_data(hint: str, run: Run) -> str:
    """Return the hint with the data folder of the flag in its commands: without it they speak of another server."""
    if run.typed_data is None:
        return hint
    option = f" --data {shlex.quote(run.typed_data)}"
    return _FINDS_A_SERVER.sub(lambda found: found[0] if "--data" in found[1] else f"`{found[1]}{option}`", hint)


def _explanation(error: ReinmakerError, verb: str, shown: Sequence[Finding]) -> str:
    if error.code == codes.USAGE:
        return f"reinmaker {verb} --help"
    found = (*error.findings, *shown) if error.code in _SUMS else ()
    first = next((one.code for one in found if one.is_error and one.code in codes.ALL), error.code)
    return f"reinmaker explain {first}"


def with_commands(findings: Iterable[Finding], root: Path) -> list[Finding]:
    """Return the findings; those that ignoring the file would cure say how, where they are few."""
    found = list(findings)
    ignorable = {codes.UNMATCHED_FILE, codes.LINK_OUTSIDE_ROOT, codes.SPECIAL_FILE}
    if sum(one.code in ignorable for one in found) > MAX_COMMANDS:
        return found
    return [replace(one, hint=_ignoring(one, root)) if one.code in ignorable and one.path else one for one in found]


def _ignoring(finding: Finding, root: Path) -> str:
    from reinmaker_cli.assets.ignore import IGNORE_FILE
    from reinmaker_cli.assets.proposal_text import ignore_pattern

    command = f"echo {shlex.quote(ignore_pattern(finding.path or ''))} >> {shlex.quote(str(root / IGNORE_FILE))}"
    return f"{finding.hint}, which `{command}` does too" if command.isprintable() else finding.hint


def nearest(wrong: str, known: Iterable[str]) -> str | None:
    """Return what was probably meant, or None."""
    names = sorted(known)
    return next((one for one in names if one.startswith(wrong)), None) or next(
        iter(difflib.get_close_matches(wrong, names, n=1)), None
    )

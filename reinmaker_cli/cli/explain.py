"""`reinmaker explain`: what a code means and what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Styled
from reinmaker_cli.cli.verbs import BARE, verb
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError


@verb(flags=BARE)
def explain(
    run: Run, code: Annotated[str | None, typer.Argument(help="A code such as lfs-pointer; without it, all.")] = None
) -> None:
    """Explain a finding or an error: what it means and what to do."""
    if code is None:
        _list_all(run)
        return
    found = codes.ALL.get(code.lower())
    if found is None:
        raise _unknown(code)
    run.output.add(codes=[_as_json(found)])
    run.output.ids([found])
    run.output.data((Styled("bold", found), f": {found.summary}"), "")
    run.output.paragraph(found.meaning)
    run.output.data("", f"what to do: {found.cure}")
    if found.family == "finding":
        run.output.data(_allowance(found))


def _list_all(run: Run) -> None:
    run.output.add(codes=[_as_json(code) for code in codes.ALL.values()])
    run.output.ids(codes.ALL)
    for family, title in (("finding", "findings"), ("problem", "answers of the API"), ("error", "errors")):
        rows = [[f"  {code}", code.summary] for code in codes.ALL.values() if code.family == family]
        run.output.data(f"{title}:")
        run.output.table(rows)
        run.output.data("")


def _unknown(code: str) -> UsageError:
    import difflib

    near = difflib.get_close_matches(code.lower(), codes.ALL, n=1) or [one for one in codes.ALL if code.lower() in one]
    hint = f"did you mean `reinmaker explain {near[0]}`?" if near else codes.UNKNOWN_CODE.cure
    return UsageError(f"no such code: `{code}`", code=codes.UNKNOWN_CODE, hint=hint)


def _allowance(code: codes.Code) -> str:
    if code.severity == "warning":
        return "severity: warning; it does not stop a publication"
    return f"severity: error; `--allow {code}` makes it a warning" if code.allowable else "severity: error, always"


def _as_json(code: codes.Code) -> dict[str, object]:
    return {
        "code": str(code),
        "family": code.family,
        "severity": code.severity,
        "summary": code.summary,
        "meaning": code.meaning,
        "cure": code.cure,
        "allowable": code.family == "finding" and code.allowable,
    }

"""`reinmaker config`: which settings apply, who said so, and what they beat."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from reinmaker_cli.cli.run import Run, user_file
from reinmaker_cli.cli.verbs import BARE, SERVER, verb
from reinmaker_cli.settings import KNOBS, Claim, Knob

HIDDEN = "(set)"
"""What is shown of a secret."""


@verb(flags=(*SERVER, "jobs", "timeout", "deadline"))
def show(
    run: Run,
    origin: Annotated[bool, typer.Option("--origin", help="Name the source of each value, and what it beat.")] = False,
) -> None:
    """Show the settings that apply here."""
    environment = run.environment
    rows = []
    for knob in KNOBS:
        winner, *beaten = run.settings.claims[knob.name]
        row = [knob.name, _shown(knob, winner)]
        if origin:
            row += [f"from {winner.source}", _beaten(knob, beaten)]
        rows.append(row)
    run.output.add(settings=[_as_json(run, knob) for knob in KNOBS], environments=_environments(run))
    run.output.table(rows)
    run.output.data(
        "",
        f"environment {environment.name}: {environment.api_url} ({environment.defined_in})",
        f"environments: {', '.join(one['name'] for one in _environments(run))}",
    )


@verb(flags=(*BARE, "config", "data"), reads_files=False)
def path(run: Run) -> None:
    """Print where the configuration files are, and the local server's data folder."""
    from pathlib import Path

    from reinmaker_cli.assets.project import PROJECT_FILE, find_project_root

    root = find_project_root(Path())
    user = user_file(run.settings.config, run.variables)
    run.output.add(
        user=str(user), project=str(root / PROJECT_FILE) if root is not None else None, data=str(run.data_folder)
    )
    run.output.ids([str(user)])
    run.output.table(
        [
            ["user", str(user), "" if user.exists() else "(not there)"],
            ["project", str(root / PROJECT_FILE) if root is not None else "none upward from here", ""],
            ["data", str(run.data_folder), "" if run.data_folder.exists() else "(not there)"],
        ]
    )


def _shown(knob: Knob, claim: Claim) -> str:
    if claim.value is None:
        return "-"
    if knob.kind == "secret":
        return HIDDEN
    if isinstance(claim.value, bool):
        return "true" if claim.value else "false"
    return str(claim.value)


def _beaten(knob: Knob, claims: list[Claim]) -> str:
    if not claims:
        return ""
    return "beats " + ", ".join(f"{claim.source} {_shown(knob, claim)}" for claim in claims)


def _as_json(run: Run, knob: Knob) -> dict[str, Any]:
    winner, *beaten = run.settings.claims[knob.name]
    return {
        "name": knob.name,
        "value": _value(knob, winner),
        "origin": winner.source,
        "beats": [{"origin": claim.source, "value": _value(knob, claim)} for claim in beaten],
    }


def _value(knob: Knob, claim: Claim) -> Any:
    return HIDDEN if knob.kind == "secret" and claim.value is not None else claim.value


def _environments(run: Run) -> list[dict[str, str]]:
    from reinmaker_cli.cli.environments import BUILT_IN, environment_tables

    built_in = [{"name": name, "definedIn": "built-in"} for name in ("local", *BUILT_IN)]
    defined = environment_tables(run.project_document, run.user_document)
    return built_in + [{"name": name, "definedIn": where} for name, (_, _, where) in defined.items()]

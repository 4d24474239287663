"""`reinmaker spec`: the documents that machines read."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.verbs import BARE, verb
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError

Target = Annotated[str, typer.Option("--output", "-o", metavar="FILE|-", help="Where it goes; stdout without it.")]

SCHEMA_SUFFIX = ".schema.json"


@verb(flags=BARE)
def openapi(
    run: Run,
    control: Annotated[
        bool, typer.Option("--control", help="That of the local server's control API, which production does not have.")
    ] = False,
    output: Target = "-",
) -> None:
    """Print the API document: OpenAPI 3.1, YAML."""
    file = "control-openapi.yaml" if control else "openapi.yaml"
    _deliver(run, resources.files("reinmaker_cli.contract").joinpath(file).read_bytes(), output)


@verb(flags=BARE)
def postman(run: Run, output: Target = "-") -> None:
    """Print the Postman collection: every operation, chained, with tests; it runs in Postman and newman as it is.

    Fill in its variables baseUrl, clientId and clientSecret.
    """
    file = resources.files("reinmaker_cli.contract").joinpath("reinmaker.postman_collection.json")
    _deliver(run, file.read_bytes(), output)


@verb(flags=BARE)
def schema(
    run: Run,
    name: Annotated[
        str, typer.Argument(help="`manifest`, or the command whose --json document is meant, such as `publish`.")
    ] = "manifest",
    output: Target = "-",
) -> None:
    """Print the JSON Schema of manifests, or that of the document that a command prints with --json."""
    if name == "manifest":
        from reinmaker_cli.contract.validation import manifest_schema_text

        _deliver(run, manifest_schema_text(), output)
        return
    file = resources.files("reinmaker_cli.cli").joinpath("schemas", name.replace(" ", "-") + SCHEMA_SUFFIX)
    if not file.is_file() or "/" in name:
        known = ", ".join(["manifest", *schema_names()])
        raise UsageError(f"no schema of that name: `{name}`", code=codes.USAGE, hint=f"known: {known}")
    _deliver(run, file.read_bytes(), output)


def schema_names() -> list[str]:
    """Return the names of the shipped schemas of --json documents."""
    folder = resources.files("reinmaker_cli.cli").joinpath("schemas")
    return sorted(file.name.removesuffix(SCHEMA_SUFFIX) for file in folder.iterdir())


def _deliver(run: Run, document: bytes, target: str) -> None:
    if target == "-":
        run.output.claim_stdout("-o -")
        run.output.raw(document)
        return
    from reinmaker_cli.cli.files import write_result

    write_result(Path(target), document)
    run.output.add(file=Path(target).as_posix())
    run.output.note(f"wrote {target}")

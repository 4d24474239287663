"""What the verbs of `reinmaker webhooks` share: signing secrets, types of events, which dead letters are meant."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from reinmaker_cli.cli.access import open_local_control
from reinmaker_cli.cli.run import Run
from reinmaker_cli.contract import codes, names
from reinmaker_cli.errors import AccessDenied, UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.webhooks import Webhooks

SECRET_VARIABLE = "REINMAKER_WEBHOOK_SECRET"
TYPE_PREFIX = "reinmaker."

SecretFile = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        metavar="FILE",
        envvar="REINMAKER_WEBHOOK_SECRET_FILE",
        help="Read the signing secret from a file; several, newest first, with spaces or lines between.",
    ),
]
SecretStdin = Annotated[bool, typer.Option("--secret-stdin", help="Read the signing secret from stdin.")]
EndpointOption = Annotated[str | None, typer.Option("--endpoint", metavar="ENDPOINT", help="Only of this endpoint.")]


@contextmanager
def local_webhooks(run: Run) -> Iterator[Webhooks]:
    """Yield the webhooks of the local server. UsageError for every other environment."""
    from reinmaker_cli.client.webhooks import Webhooks

    with open_local_control(run) as control:
        yield Webhooks(control)


def given_secrets(run: Run, file: Path | None, *, from_stdin: bool) -> list[bytes]:
    """Return the signing secrets that were given by stdin, file or variable; none where nobody gave one.

    AccessDenied where what was given holds none: to go on without would be another command.
    """
    if from_stdin:
        if sys.stdin is None:
            raise UsageError("stdin is closed", code=codes.USAGE, hint="give --secret-file FILE")
        return _secrets_in(_read(sys.stdin.buffer, "what stdin gives"))
    if file is not None:
        try:
            with file.open("rb") as opened:
                return _secrets_in(_read(opened, f"secret file `{file}`"))
        except OSError as error:
            raise AccessDenied(
                f"secret file cannot be read: `{file}`: {(error.strerror or '').lower()}",
                code=codes.WEBHOOK_SECRET_MISSING,
                hint="check the path and its permissions",
            ) from None
    given = run.variables.get(SECRET_VARIABLE, "")
    return _secrets_in(given) if given else []


def wanted_secrets(run: Run, file: Path | None, *, from_stdin: bool) -> list[bytes]:
    """Return the signing secrets that were given, else ask; AccessDenied where nobody may be asked."""
    given = given_secrets(run, file, from_stdin=from_stdin)
    if given:
        return given
    if not run.may_ask:
        raise _missing("no signing secret was given")
    return _secrets_in(run.ask_hidden("signing secret"))


def _read(file: BinaryIO, what: str) -> str:
    from reinmaker_cli.client.credentials import read_secret

    return read_secret(file, what, hint=codes.WEBHOOK_SECRET_MISSING.cure)


def _secrets_in(text: str) -> list[bytes]:
    from reinmaker_cli.contract.signing import secret_bytes

    try:
        found = [secret_bytes(word) for word in text.split()]
    except ValueError as error:
        hint = codes.WEBHOOK_SECRET_UNUSABLE.cure
        raise AccessDenied(str(error), code=codes.WEBHOOK_SECRET_UNUSABLE, hint=hint) from None
    if not found:
        raise _missing("nothing but white space where a signing secret is to be")
    return found


def _missing(fact: str) -> AccessDenied:
    return AccessDenied(fact, code=codes.WEBHOOK_SECRET_MISSING, hint=codes.WEBHOOK_SECRET_MISSING.cure)


def event_type_of(text: str) -> str:
    """Return the type of an event; `content.requested` is short for `reinmaker.content.requested`."""
    name = text if text.startswith(TYPE_PREFIX) else TYPE_PREFIX + text
    if name not in list(names.EventType):
        raise UsageError(
            f"no such type of event: `{text}`", code=codes.USAGE, hint=f"one of {', '.join(names.EventType)}"
        )
    return name


def chosen_letters(verb: str, delivery: str | None, endpoint: str | None, all_: bool) -> dict[str, Any]:
    """Return which dead letters are meant; UsageError where none or several ways were used to say it."""
    ways: list[dict[str, Any]] = [
        *([{"deliveryId": delivery}] if delivery is not None else []),
        *([{"endpointId": endpoint}] if endpoint is not None else []),
        *([{"all": True}] if all_ else []),
    ]
    if len(ways) != 1:
        raise UsageError(
            f"`{verb}` needs a delivery, --endpoint or --all, and one of them", code=codes.USAGE,
            hint="`reinmaker webhooks dead-letters` lists them",
        )  # fmt: skip
    return ways[0]

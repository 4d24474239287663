"""`reinmaker webhooks verify` and `trigger`, and `local request-content`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Styled, shorten
from reinmaker_cli.cli.times import parse_instant
from reinmaker_cli.cli.verbs import SERVER, TALK, verb
from reinmaker_cli.cli.webhook_options import (
    SecretFile,
    SecretStdin,
    event_type_of,
    local_webhooks,
    wanted_secrets,
)
from reinmaker_cli.contract import codes, names
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.errors import ContentDiffers, UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.captures import Capture
    from reinmaker_cli.client.webhooks import Triggered
    from reinmaker_cli.contract.signing import NotVerified

EventTypeWord = Annotated[
    str, typer.Argument(metavar="TYPE", help="Type of event, such as content.requested; `reinmaker.` may be left out.")
]


@verb(flags=(*TALK, "no_input"))
def verify(
    run: Run,
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="A captured request: raw text, or JSON with headers and body.")
    ],
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="When it was received: RFC 3339 with Z. Default: now.")
    ] = None,
    secret_file: SecretFile = None,
    secret_stdin: SecretStdin = False,
) -> None:
    """Verify the signature of a captured webhook, and say exactly why it fails.

    The secret comes from REINMAKER_WEBHOOK_SECRET, --secret-file or --secret-stdin; at a terminal it is asked for.
    Exit 0 where it verifies, 9 where it does not.
    """
    import time

    from reinmaker_cli.contract.signing import NotVerified, verify

    if file == "-" and secret_stdin:
        raise UsageError("stdin cannot hold both request and secret", code=codes.USAGE, hint="use --secret-file")
    capture = _read_capture(file)
    now = _unix(parse_instant(at, "--at")) if at else time.time()
    secrets = wanted_secrets(run, secret_file, from_stdin=secret_stdin)
    outcome = verify(secrets, capture.headers, capture.body, now=now)
    row: dict[str, Any] = {"file": file, "verified": not isinstance(outcome, NotVerified), "reason": None}
    if isinstance(outcome, NotVerified):
        run.output.add(results=[row | {"reason": str(outcome.reason), "detail": outcome.detail}])
        finding = finding_of(outcome, path=None if file == "-" else file)
        message = f"`{shorten(file)}` does not verify: {outcome.reason}"
        raise ContentDiffers(message, code=codes.WEBHOOK_NOT_VERIFIED, hint=finding.hint, findings=[finding])
    signed_at = _time(outcome.timestamp_s)
    row |= {"messageId": outcome.message_id, "signedAt": signed_at, "secretNumber": outcome.secret_number}
    run.output.add(results=[row])
    run.output.ids([outcome.message_id])
    run.output.data((Styled("green", "verified"), f"  {outcome.message_id}  signed at {signed_at}"))


@verb(flags=SERVER)
def trigger(
    run: Run,
    event_type: EventTypeWord,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="a.b=c", help="A member of the event's data; repeatable. JSON, else text."),
    ] = None,
) -> None:
    """Cause an event at the local server, in the way in which it comes about: the change is made, and told.

    `entitlement.updated` gives a user a plan, `telemetry.flushed` stores a batch, `content.requested` asks for content.
    """
    with local_webhooks(run) as webhooks:
        _show_triggered(run, webhooks.trigger(event_type_of(event_type), _data(set_ or ())))


@verb(flags=SERVER)
def request_content(
    run: Run,
    phase_dna: Annotated[str, typer.Option("--phase-dna", metavar="ID", help="Which lesson, such as water-cycle.")],
    locale: Annotated[str, typer.Option("--locale", metavar="|".join(names.LOCALES), help="In which language.")],
    persona: Annotated[str, typer.Option("--persona", metavar="|".join(names.PERSONAS), help="For which ages.")],
) -> None:
    """Have the local server ask for content: every endpoint is told `reinmaker.content.requested`."""
    with local_webhooks(run) as webhooks:
        _show_triggered(run, webhooks.request_content(phase_dna, locale, persona))


def _show_triggered(run: Run, triggered: Triggered) -> None:
    run.output.add(results=[triggered.to_json()])
    run.output.ids([triggered.event_id])
    run.output.data(f"{triggered.type}  {triggered.event_id}  trace id {triggered.trace_id}")
    if triggered.deliveries:
        run.output.data(*(f"  delivery {delivery}" for delivery in triggered.deliveries))
        run.output.note("next: `reinmaker webhooks deliveries`")
    else:
        run.output.note("no endpoint is told: `reinmaker webhooks listen` is one")


def finding_of(outcome: NotVerified, path: str | None = None) -> Finding:
    """Return why a webhook does not verify as a finding, with its cure."""
    return reason_code(outcome).finding(outcome.detail, path=path)


def reason_code(outcome: NotVerified) -> codes.Code:
    """Return the code that explains a reason."""
    from reinmaker_cli.contract.signing import Reason

    return {
        Reason.HEADER_MISSING: codes.WEBHOOK_HEADER_MISSING,
        Reason.HEADER_MALFORMED: codes.WEBHOOK_HEADER_MALFORMED,
        Reason.TIMESTAMP_NOT_A_NUMBER: codes.WEBHOOK_TIMESTAMP_UNREADABLE,
        Reason.TIMESTAMP_TOO_OLD: codes.WEBHOOK_TOO_OLD,
        Reason.TIMESTAMP_TOO_NEW: codes.WEBHOOK_TOO_NEW,
        Reason.OTHER_VERSION: codes.WEBHOOK_OTHER_VERSION,
        Reason.SECRET_ENDED: codes.WEBHOOK_SECRET_ENDED,
        Reason.SECRET_NOT_DECODED: codes.WEBHOOK_SECRET_NOT_DECODED,
        Reason.BODY_RESERIALISED: codes.WEBHOOK_BODY_RESERIALISED,
        Reason.WRONG_SECRET: codes.WEBHOOK_WRONG_SECRET,
    }[outcome.reason]


def _read_capture(file: str) -> Capture:
    from reinmaker_cli.client.captures import MAX_CAPTURE_BYTES, parse_capture

    try:
        if file == "-":
            raw = sys.stdin.buffer.read(MAX_CAPTURE_BYTES + 1) if sys.stdin is not None else b""
        else:
            with open(file, "rb") as opened:
                raw = opened.read(MAX_CAPTURE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror or "").lower() if isinstance(error, OSError) else "an impossible name"
        raise UsageError(
            f"cannot read `{shorten(file)}`: {reason}", code=codes.FILE_NOT_FOUND, hint="check the path"
        ) from error
    if len(raw) > MAX_CAPTURE_BYTES:
        raise UsageError(
            f"larger than {MAX_CAPTURE_BYTES} bytes: `{shorten(file)}`",
            code=codes.CAPTURE_UNREADABLE,
            hint="one request is in one file",
        )
    return parse_capture(raw)


def _data(pairs: Sequence[str]) -> dict[str, Any]:
    """Return what `--set a.b=c` says: dots go down, a value is JSON where it can be read as that."""
    data: dict[str, Any] = {}
    for pair in pairs:
        path, separator, text = pair.partition("=")
        *above, last = path.split(".")
        if not separator or not all([*above, last]):
            raise _not_a_member(pair)
        place = data
        for name in above:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise _not_a_member(pair)
        place[last] = _value(text)
    return data


def _value(text: str) -> Any:
    from reinmaker_cli.contract.ijson import NotIJson, read_ijson

    try:
        return read_ijson(text.encode("utf-8", "backslashreplace"))
    except NotIJson:  # NaN too, and what is larger than any reader keeps
        return text


def _not_a_member(pair: str) -> UsageError:
    return UsageError(f"--set cannot be read: `{shorten(pair)}`", code=codes.USAGE, hint="such as `--set userId=usr_1`")


def _unix(time: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


def _time(unix_s: float) -> str:
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix_s))

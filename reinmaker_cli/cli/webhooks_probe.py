"""`reinmaker webhooks probe`: is somebody's receiver one that deliveries can rely on?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Cell, Styled, counted, shorten
from reinmaker_cli.cli.verbs import TALK, verb
from reinmaker_cli.cli.webhook_options import SecretFile, SecretStdin, event_type_of, wanted_secrets
from reinmaker_cli.contract import codes, names
from reinmaker_cli.errors import ContentDiffers, ServerUnreachable

if TYPE_CHECKING:
    from reinmaker_cli.client.probing import Checked


@verb(flags=(*TALK, "no_input", "ca_file"))
def probe(
    run: Run,
    url: Annotated[str, typer.Argument(metavar="URL", help="The receiver; plain http on this machine only.")],
    event_type: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="Type of the events that are sent.")
    ] = names.EventType.CONTENT_REQUESTED,
    secret_file: SecretFile = None,
    secret_stdin: SecretStdin = False,
) -> None:
    """Test somebody's receiver: signatures good and bad, old timestamps, duplicates, five at once, how long it takes.

    It sends about twenty events that look real, so point it at a receiver for tests. Nothing else is needed, no server.
    Exit 0 where all is right, 9 where something is not, 7 where it cannot be reached.
    """
    import asyncio

    from reinmaker_cli.cli.access import ca_file
    from reinmaker_cli.client.api import new_trace_id
    from reinmaker_cli.client.posting import Poster
    from reinmaker_cli.client.probing import Probe

    poster = Poster(url, ca_file=ca_file(run))
    secret = wanted_secrets(run, secret_file, from_stdin=secret_stdin)[0]
    trace_id = new_trace_id()
    probing = Probe(poster, secret, names.EventType(event_type_of(event_type)), trace_id)
    results: list[Checked] = []

    async def run_all() -> None:
        try:
            async for checked in probing.run():
                results.append(checked)
                run.output.event("checked", **_checked_json(checked))
                run.output.progress.doing(checked.name)
        finally:
            await poster.close()

    try:
        asyncio.run(run_all())
    finally:
        run.output.stop_progress()
        _show_checked(run, url, results, trace_id)
    _judge(url, results)


def _judge(url: str, results: Sequence[Checked]) -> None:
    from reinmaker_cli.client.probing import UNREACHABLE

    wrong = [checked for checked in results if checked.wrong is not None]
    if not wrong:
        return
    if len(results) == 1 and wrong[0].answered == UNREACHABLE:
        raise ServerUnreachable(
            f"cannot reach the receiver: `{shorten(url)}`", code=codes.SERVER_UNREACHABLE, hint="is it running?"
        )
    findings = [
        checked.wrong.finding(f"{checked.name}: {checked.answered}; {checked.contract}")
        for checked in wrong
        if checked.wrong is not None
    ]
    only = "; the rest was not tried" if len(results) == 1 else ""
    raise ContentDiffers(
        f"the receiver is wrong in {counted(len(wrong), 'place')} of {len(results)}{only}",
        code=codes.RECEIVER_DIFFERS,
        hint=codes.RECEIVER_DIFFERS.cure,
        findings=findings,
    )


def _show_checked(run: Run, url: str, results: Sequence[Checked], trace_id: str) -> None:
    wrong = sum(checked.wrong is not None for checked in results)
    run.output.add(
        receiver={"url": url, "traceId": trace_id},
        results=[_checked_json(checked) for checked in results],
        stats={"right": len(results) - wrong, "wrong": wrong},
    )
    rows: list[list[Cell]] = [
        [
            Styled("red", "wrong") if checked.wrong is not None else Styled("green", "right"),
            checked.name,
            checked.answered,
            checked.contract,
        ]
        for checked in results
    ]
    run.output.table(rows, head=["", "sent", "answered", "contract"])
    run.output.ids([str(checked.wrong) for checked in results if checked.wrong is not None])
    run.output.verbose(f"trace id {trace_id}")


def _checked_json(checked: Checked) -> dict[str, Any]:
    return {
        "name": checked.name,
        "right": checked.wrong is None,
        "code": None if checked.wrong is None else str(checked.wrong),
        "answered": checked.answered,
        "status": checked.status,
        "tookMs": round(checked.took_s * 1000, 1),
        "contract": checked.contract,
    }

"""`reinmaker webhooks listen`: the other end of a webhook, on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from reinmaker_cli.cli.listener import Listener
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.verbs import SERVER, verb
from reinmaker_cli.cli.webhook_options import SecretFile, SecretStdin, given_secrets
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ReinmakerError, UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.received import Secrets
    from reinmaker_cli.client.registration import News


@verb(flags=(*SERVER, "deadline"))
def listen(
    run: Run,
    # A variable of its own: that of `serve --port` is set where the server stands, and its port is taken.
    port: Annotated[
        int,
        typer.Option(
            envvar="REINMAKER_LISTEN_PORT", help="Port on this machine; 0 takes a free one.", min=0, max=65535
        ),
    ] = 0,
    types: Annotated[
        str | None, typer.Option("--types", metavar="TYPE,...", help="Only events of these types.")
    ] = None,
    forward_to: Annotated[
        str | None, typer.Option("--forward-to", metavar="URL", help="Pass on what verifies, and answer as it does.")
    ] = None,
    respond: Annotated[
        str,
        typer.Option(
            metavar="ANSWER,...", help="Answers in turn: 500, 503:120s, drop, slow:6s, slow:6s:500; the last repeats."
        ),
    ] = "200",
    once: Annotated[bool, typer.Option("--once", help="End after the first event.")] = False,
    count: Annotated[
        int | None,
        typer.Option("--count", metavar="N", help="End after so many events, duplicates not counted.", min=1),
    ] = None,
    secret_file: SecretFile = None,
    secret_stdin: SecretStdin = False,
) -> None:
    """Receive webhooks: verify each, say exactly why one fails, and show what is in it. Until ^C.

    It registers itself with the local server, fetches every secret by itself, and removes itself at the end. With a
    secret (REINMAKER_WEBHOOK_SECRET, --secret-file, --secret-stdin) it registers nowhere: another server, or a tunnel,
    delivers to it.
    """  # fmt: skip
    from reinmaker_cli.cli.access import ca_file
    from reinmaker_cli.client.posting import Poster
    from reinmaker_cli.client.received import Secrets
    from reinmaker_cli.client.receiver import Behaviour, running_receiver
    from reinmaker_cli.client.respond import parse_script

    if once and count is not None:
        raise UsageError("--once is --count 1", code=codes.USAGE, hint="give one of the two")
    behaviour = Behaviour(parse_script(respond), Poster(forward_to, ca_file=ca_file(run)) if forward_to else None)
    given = given_secrets(run, secret_file, from_stdin=secret_stdin)
    if given and types is not None:
        raise UsageError("--types is for an endpoint that is registered", code=codes.USAGE, hint="leave it out")
    secrets = Secrets(given)
    listener = Listener(run, count=1 if once else count, deadline_s=run.settings.deadline)
    try:
        with running_receiver(secrets, on_received=listener.inbox.put, behaviour=behaviour, port=port) as url:
            listener.url = url
            if given:
                listener.say_unregistered(len(given))
                listener.run_until_done()
            else:
                with _registered(run, url, types, secrets, listener.inbox.put):
                    listener.run_until_done()
    finally:
        listener.report()


@contextmanager
def _registered(
    run: Run, url: str, types: str | None, secrets: Secrets, on_news: Callable[[News], None]
) -> Iterator[None]:
    """Be registered with the local server while inside."""
    from reinmaker_cli.cli.access import open_local_control
    from reinmaker_cli.cli.webhooks_endpoints import parse_types
    from reinmaker_cli.client.registration import Registration

    registration = Registration(lambda: open_local_control(run), url, parse_types(types), secrets, on_news)
    try:
        registration.start()
        yield
    finally:
        run.output.stop_progress()
        try:
            registration.end()
        except ReinmakerError as error:
            run.output.warn(
                f"the endpoint was not removed: {error.message}", "`reinmaker webhooks endpoints remove ID`"
            )

"""`reinmaker publish` and `reinmaker rehearse`: from a folder to a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from reinmaker_cli.cli.journey import Journey, Server
from reinmaker_cli.cli.options import Allow, FoldersOrManifests, KeepGoing, Map, Only, Root, parse_maps
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.verbs import PUBLISH, verb
from reinmaker_cli.cli.verdicts import Narrator
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.local import LocalControl


Receipt = Annotated[
    str | None, typer.Option("--receipt", metavar="FILE|DIR", help="Write what was published; several need a folder.")
]
AsNewVersion = Annotated[
    bool, typer.Option("--as-new-version", help="Send a manifest file under the next free version.")
]


@verb(flags=(*PUBLISH, "trust_cache"))
def publish(
    run: Run,
    paths: FoldersOrManifests = None,
    root: Root = None,
    only: Only = None,
    allow: Allow = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Everything but the sending.")] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Leave once the server has it; do not await the verdict.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Answer every question with yes.")] = False,
    receipt: Receipt = None,
    keep_going: KeepGoing = False,
    as_new_version: AsNewVersion = False,
    push: Annotated[
        bool,
        typer.Option("--push", help="Upload the assets too, to where their URLs say, before anything is submitted."),
    ] = False,
    map_: Map = None,
) -> None:
    """Build, check, submit, and wait for the verdict.

    Sends nothing unless everything is clean. Can be run again at any time: what is active stays, what is pending is
    waited for. With --push, what is missing in the bucket is uploaded first, and what could not be is not submitted.
    """
    from reinmaker_cli.cli.access import open_run_api
    from reinmaker_cli.cli.wanted import require_root

    maps = parse_maps(map_)
    if push:
        require_root(run, paths or [], root, "publish", "an upload")
    elif maps:
        raise UsageError("--map goes with --push", code=codes.USAGE, hint="a server has a --map of its own")

    def open_server() -> Iterator[Server]:
        # What was uploaded is looked for where the URLs say, also by a local server.
        control = None if push else _control(run)
        try:
            with open_run_api(run, on_token=Narrator(run.output).token) as api:
                yield Server(api, control, run.environment.name, run.environment.api_url)
        finally:
            if control is not None:
                control.close()

    journey = Journey(run, receipt, keep_going=keep_going, yes=yes, dry_run=dry_run, push_to=maps if push else None)
    wanted = journey.load(paths, root, only, allow, as_new_version=as_new_version)
    journey.ask_before_production(wanted)
    with contextmanager(open_server)() as server:
        journey.go(wanted, server, wait=not no_wait)


@verb(flags=(*PUBLISH, "trust_cache"))
def rehearse(
    run: Run,
    paths: FoldersOrManifests = None,
    root: Root = None,
    only: Only = None,
    allow: Allow = None,
    receipt: Receipt = None,
    keep_going: KeepGoing = False,
    as_new_version: AsNewVersion = False,
) -> None:
    """Publish to a throw-away server inside the command: every step, and nothing leaves the machine.

    The server reads and hashes the local files, and rejects what it cannot read.
    """
    from reinmaker_cli.cli.wanted import require_root

    journey = Journey(run, receipt, keep_going=keep_going, yes=True)
    require_root(run, paths or [], root, "rehearse", "a rehearsal")
    wanted = journey.load(paths, root, only, allow, as_new_version=as_new_version)
    with _throw_away_server(run) as server:
        journey.go(wanted, server)


def _control(run: Run) -> LocalControl | None:
    from reinmaker_cli.cli.access import local_client, open_local_control

    client = local_client(run)
    is_off = client is not None and client.control_url is None  # then the server looks for the bytes by itself
    return open_local_control(run) if run.environment.is_local and not is_off else None


@contextmanager
def _throw_away_server(run: Run) -> Iterator[Server]:
    from reinmaker_cli.cli.access import keyring_of, trace_log
    from reinmaker_cli.client.api import open_api
    from reinmaker_cli.client.credentials import locate_credentials
    from reinmaker_cli.client.environment import Environment
    from reinmaker_cli.client.local import LocalControl
    from reinmaker_cli.server.running import ServerConfig, running_server

    config = ServerConfig(port=0, data=None, verify="strict", network=False, limits="off", log="off")
    with running_server(config) as started:
        environment = Environment.checked("local", started.url, defined_in="local")
        run.output.add(environment={"name": "rehearsal", "apiUrl": started.url})
        run.output.note(f"server    {started.url}, thrown away at the end")
        credentials = locate_credentials(environment, variables={}, keyring=keyring_of(run), local=started.client)
        with (
            LocalControl(started.url, started.client.control_token, trace=trace_log(run)) as control,
            open_api(environment, credentials, trace=trace_log(run), on_token=Narrator(run.output).token) as api,
        ):
            yield Server(api, control, "rehearsal", started.url)

"""`reinmaker serve`: the whole API on this machine."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reinmaker_cli.cli.options import parse_maps
from reinmaker_cli.cli.receivers import check_ranges, parse_buckets, parse_dead_letters, parse_webhook
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Styled
from reinmaker_cli.cli.verbs import TALK, verb
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import LOCAL_PORT
from reinmaker_cli.errors import UsageError

if TYPE_CHECKING:
    from reinmaker_cli.server.running import Started


class Verify(StrEnum):
    """What becomes of an asset whose bytes cannot be reached."""

    available = "available"
    strict = "strict"


class Validation(StrEnum):
    """How verdicts come about."""

    real = "real"
    immediate = "immediate"
    manual = "manual"


class Clock(StrEnum):
    """How time passes."""

    wall = "wall"
    virtual = "virtual"


class Limits(StrEnum):
    """How many requests a client may send."""

    contract = "contract"
    off = "off"


class WebhookTimestamp(StrEnum):
    """What the header of that name says."""

    real = "real"
    clock = "clock"


class Log(StrEnum):
    """The access log on stderr."""

    text = "text"
    json = "json"
    off = "off"


@verb(flags=("data", *TALK))
def serve(
    run: Run,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond loopback with --tls or --behind-proxy.")
    ] = "localhost",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = LOCAL_PORT,
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Keep nothing: a data folder that is thrown away.")
    ] = False,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="postgresql://USER@HOST/NAME instead of a file; its password in PGPASSWORD or a PGPASSFILE.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Processes that answer, on one port; more than one with --database.", min=1, max=64)
    ] = 1,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="URL_PREFIX=DIR", help="Where the bytes of URLs lie; may be given several times."
        ),
    ] = None,
    verify: Annotated[
        Verify, typer.Option(help="Assets whose bytes cannot be reached: accept with the count, or reject.")
    ] = Verify.available,
    validation: Annotated[
        Validation, typer.Option(help="Read the bytes, accept at once, or wait for `local decide`.")
    ] = Validation.real,
    clock: Annotated[
        Clock, typer.Option(help="Time passes as real time does, or stands still; `local clock` moves either.")
    ] = Clock.wall,
    limits: Annotated[
        Limits, typer.Option(help="Requests that a client may send: what the contract says, or any number.")
    ] = Limits.contract,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", metavar="NAME", help="Host name to answer beside localhost.")
    ] = None,
    webhook: Annotated[
        list[str] | None,
        typer.Option(
            "--webhook", metavar="[TYPE,...=]URL", help="Who is told of events, of all or of these; repeatable."
        ),
    ] = None,
    webhook_timestamp: Annotated[
        WebhookTimestamp,
        typer.Option(
            help="Real time, which receivers check, or that of the server's clock, for one with a clock of its own."
        ),
    ] = WebhookTimestamp.real,
    allow_target: Annotated[
        list[str] | None,
        typer.Option("--allow-target", metavar="CIDR", help="Private addresses that webhooks and asset URLs may name."),
    ] = None,
    allow_bucket: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-bucket", metavar="URL", help="s3://NAME[/FOLDER] to be read with this server's credentials."
        ),
    ] = None,
    dead_letters: Annotated[
        str | None,
        typer.Option(
            "--dead-letters", metavar="HUB", help="Where dead letters go on to: sqs://[REGION/]QUEUE, or an event hub."
        ),
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="TLS 1.3, with a certificate of the data folder's own authority.")
    ] = False,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="TLS ends in front of the server; with --public-url.")
    ] = False,
    public_url: Annotated[
        str | None, typer.Option("--public-url", metavar="URL", help="The address by which clients know the server.")
    ] = None,
    control_port: Annotated[
        int | None,
        typer.Option(help="Loopback port for the control API alone; 0 takes a free one.", min=0, max=65535),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option("--allow-origin", metavar="ORIGIN", help="Web origin whose pages may read answers (CORS)."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Let what chance decides be the same on every run: which requests faults spare.")
    ] = None,
    log: Annotated[Log, typer.Option(help="Access log on stderr.")] = Log.text,
) -> None:
    """Serve the whole API on this machine until ^C.

    OAuth 2.0, manifests and their validation, in a durable database; the other commands find it by themselves.
    """
    from reinmaker_cli.server.running import ServerConfig, serve_forever

    # The variable is what an earlier --ephemeral asked to be exported: it is no wish for this server.
    if ephemeral and _data_source(run) == "flag":
        raise UsageError(
            "--ephemeral keeps nothing, and --data names where to keep it", code=codes.USAGE, hint="give one of the two"
        )
    if ephemeral and database:
        raise UsageError(
            "--ephemeral keeps nothing, and --database names what keeps it",
            code=codes.USAGE,
            hint="give one of the two; a database of its own for tests: `createdb NAME`",
        )
    config = ServerConfig(
        database=database or None,
        workers=workers,
        host=host,
        port=port,
        data=None if ephemeral else run.data_folder,
        maps=parse_maps(map_),
        verify=verify.value,
        validation=validation.value,
        clock=clock.value,
        limits=limits.value,
        allow_hosts=tuple(allow_host or ()),
        webhooks=tuple(parse_webhook(text) for text in webhook or ()),
        webhook_timestamp=webhook_timestamp.value,
        allow_targets=check_ranges(allow_target or ()),
        allow_buckets=parse_buckets(allow_bucket or ()),
        dead_letters=parse_dead_letters(dead_letters, run.variables) if dead_letters else None,
        tls=tls,
        behind_proxy=behind_proxy,
        public_url=public_url,
        control_port=control_port,
        allow_origins=tuple(allow_origin or ()),
        seed=seed,
        log=log.value,
    )
    serve_forever(config, lambda started: _say_ready(run, started, ephemeral=ephemeral))


def _data_source(run: Run) -> str:
    """Return what names the data folder: `flag`, the variable, a file, `default`."""
    return run.settings.claims["data"][0].source


def _say_ready(run: Run, started: Started, *, ephemeral: bool) -> None:
    """Say where the server is; the client's secret stays in client.json."""
    output, data = run.output, started.data.absolute()
    output.add(url=started.url, data=str(data), clientId=started.client.client_id, pid=_process_id())
    output.data(
        (Styled("bold", "ready"), f" {started.url}"),
        f"  data     {data}",
        f"  client   {started.client.client_id} (secret in client.json there)",
    )
    inspector = _inspector_address(run, started)
    if inspector is not None:
        output.add(inspectorUrl=inspector)
        output.data(f"  inspect  {inspector}")
    if started.client.control_url:
        output.add(controlUrl=started.client.control_url)
        output.data(f"  control  {started.client.control_url}")
    output.data(f"  look     {started.url}/docs: the API, to be read in a browser")
    _say_what_to_try(run, started, must_name_data=ephemeral or _data_source(run) in ("flag", "REINMAKER_DATA"))
    output.ids([started.url])
    output.document_now()
    output.flush()


def _say_what_to_try(run: Run, started: Started, *, must_name_data: bool) -> None:
    """Say the exact commands: first the variables without which other terminals do not find or trust this server."""
    first = []
    if must_name_data:
        first.append(f"export REINMAKER_DATA={shlex.quote(str(started.data.absolute()))}")
    if started.ca_file is not None:
        run.output.add(caFile=str(started.ca_file))
        first.append(f"export REINMAKER_CA_FILE={shlex.quote(str(started.ca_file))}")  # of an authority of its own
    if first:
        run.output.data("", "in other terminals, first:", *(f"  {line}" for line in first))
    to_try = (
        ("reinmaker health", "is it up"),
        (_publication(), "a lesson from here to `active`"),
        ("reinmaker list", "what the server has then"),
        ("reinmaker webhooks listen", "receive what it sends; `reinmaker webhooks trigger` causes it"),
        ("reinmaker local clock advance 8h", "let time pass"),
    )
    run.output.data("", "try, in another terminal:", *(f"  {command:<34}  {what}" for command, what in to_try))


def _publication() -> str:
    """Return the command that publishes the nearest lesson, or makes one of the folder that one goes to."""
    from reinmaker_cli.assets.project import PROJECT_FILE, find_project_root

    lesson = find_project_root(Path()) or Path("examples/first-lesson").absolute()
    if (lesson / PROJECT_FILE).is_file():
        return shlex.join(["reinmaker", "publish", str(lesson)])
    return "reinmaker init && reinmaker publish"


def _inspector_address(run: Run, started: Started) -> str | None:
    """Return the inspector's address with the control token in its fragment, which no browser sends anywhere."""
    address = started.inspector_url
    if address is None or run.variables.get("GITHUB_ACTIONS") == "true":  # its log is for many to read
        return address
    return f"{address}#token={started.client.control_token}"


def _process_id() -> int:
    import os

    return os.getpid()

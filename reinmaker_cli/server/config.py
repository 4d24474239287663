"""How a server is to run: plain values, as `running.py` takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from reinmaker_cli.contract.names import LOCAL_PORT

Verify = Literal["strict", "available"]
ValidationMode = Literal["real", "immediate", "manual"]
ClockMode = Literal["wall", "virtual"]
LimitsMode = Literal["contract", "off"]
LogForm = Literal["text", "json", "off"]
TimestampMode = Literal["real", "clock"]


@dataclass(frozen=True, slots=True)
class SqsTarget:
    """An Amazon SQS queue."""

    text: str
    """As it was named."""
    queue: str
    region: str | None = None
    """None: that of the environment."""
    url: str | None = None
    """None: it is asked for by name."""


@dataclass(frozen=True, slots=True)
class EventHubsTarget:
    """An Azure event hub, and the shared access policy that may send to it."""

    text: str
    """As it was named."""
    origin: str
    """`https://NAMESPACE.servicebus.windows.net`; plain http to this machine only."""
    hub: str
    key_name: str = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One server. Without arguments: the local twin, with a database that is thrown away at its end."""

    host: str = "localhost"
    """An address, or `localhost`: IPv4 and, where there is one, IPv6. Beyond loopback: with TLS alone."""
    port: int = LOCAL_PORT
    """0 takes a free one."""
    data: Path | None = None
    """Folder of database and `client.json`; None: a private temporary folder, removed at the end."""
    database: str | None = field(default=None, repr=False)
    """URL of a PostgreSQL database, which may hold a password; None: a file in the data folder."""
    workers: int = 1
    """Processes that answer; more than one with `database`."""
    maps: tuple[tuple[str, Path], ...] = ()
    """URL prefix and the folder that holds what lies below it."""
    verify: Verify = "available"
    """`strict` rejects an asset whose bytes cannot be reached; `available` accepts it and counts it."""
    validation: ValidationMode = "real"
    """`immediate` accepts without looking; `manual` waits for a decision."""
    network: bool = True
    """False: http(s) URLs are never asked."""
    clock: ClockMode = "wall"
    """`wall` passes as real time does, `virtual` stands still; either is moved through the control API."""
    limits: LimitsMode = "contract"
    """`off`: no client is told to wait; for load tests."""
    allow_hosts: tuple[str, ...] = ()
    """Host names to answer beside the loopback ones."""
    tls: bool = False
    """TLS 1.3 with a certificate of the data folder's own authority."""
    behind_proxy: bool = False
    """TLS ends in front, and all requests come from there; goes with `public_url`."""
    public_url: str | None = None
    """Under which URL clients know the server; None: the address that it is bound to."""
    control_port: int | None = None
    """A port of its own for the control API, on loopback, 0 takes a free one; None: the API's own port, unless that
    is open beyond this machine."""
    allow_origins: tuple[str, ...] = ()
    """Web origins whose pages may read the API's answers (CORS)."""
    webhooks: tuple[tuple[tuple[str, ...], str], ...] = ()
    """Event types (none: all) and URL of receivers."""
    webhook_timestamp: TimestampMode = "real"
    """What `webhook-timestamp` says: real time, which receivers check, or the time of the server's clock."""
    allow_targets: tuple[str, ...] = ()
    """Ranges of private addresses that webhooks and asset URLs may lead to; all of them within this machine."""
    allow_buckets: tuple[str, ...] = ()
    """How the texts of objects begin that validations may read; none: all of them within this machine, and none else.

    Whoever may submit a manifest has them read with the credentials of whoever runs the server.
    """
    dead_letters: SqsTarget | EventHubsTarget | None = None
    """Where dead letters go from the table."""
    seed: int | None = None
    """Of the seeds that faults with a probability get; None: drawn anew."""
    log: LogForm = "text"
    """The access log on stderr; a bug's traceback is written there in any case."""

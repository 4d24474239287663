"""How a server is to run: plain values, as `running.py` takes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Verify = Literal["strict", "available"]
ValidationMode = Literal["real", "immediate", "manual"]
ClockMode = Literal["wall", "virtual"]
LimitsMode = Literal["contract", "off"]
LogForm = Literal["text", "json", "off"]


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One server. Without arguments: the local twin, with a database that is thrown away at its end."""

    host: str = "localhost"
    """A loopback name or address; `localhost` listens on IPv4 and, where there is one, on IPv6."""
    port: int = 7040
    """0 takes a free one."""
    data: Path | None = None
    """Folder of database and `client.json`; None: a private temporary folder, removed at the end."""
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
    log: LogForm = "text"
    """The access log on stderr; a bug's traceback is written there in any case."""

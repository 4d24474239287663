"""What the routes work with, wired once: `Services` is made when the server starts and ended when it stops."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.models import LocalClient
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.clock import Clock, MovableClock
from reinmaker_cli.server.config import ServerConfig
from reinmaker_cli.server.data_folder import write_client
from reinmaker_cli.server.judging import Rules
from reinmaker_cli.server.limits import Limits
from reinmaker_cli.server.probe import WriteProbe
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes.bodies import BUSY_RETRY_AFTER_S, Bodies, Body
from reinmaker_cli.server.store import Store
from reinmaker_cli.server.threads import Threads
from reinmaker_cli.server.timekeeping import Timekeeper
from reinmaker_cli.server.tokens import Tokens
from reinmaker_cli.server.validations import Validations
from reinmaker_cli.server.workers import WorkerDied, Workers

T = TypeVar("T")

INTAKE_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Foundation:
    """What is there before the event loop runs."""

    config: ServerConfig
    data: Path
    store: Store
    clock: MovableClock
    tokens: Tokens
    public_url: str
    control_token: str


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes work with, on one event loop."""

    data: Path
    store: Store
    clock: Clock
    timekeeper: Timekeeper
    tokens: Tokens
    public_url: str
    control_token: str
    threads: Threads
    limits: Limits
    changes: Changes
    validations: Validations
    bodies: Bodies
    workers: Workers
    probe: WriteProbe

    def keep_development_secret(self, client_id: str, secret: str) -> None:
        """Write the new secret to `client.json`, where the command line looks for it. Blocks."""
        client = LocalClient(
            client_id=client_id, client_secret=secret, api_url=self.public_url, control_token=self.control_token
        )
        write_client(self.data, client)

    async def examine(self, function: Callable[[bytes], T], body: Body) -> T:
        """Return what `function` makes of the body: in a thread, or in a worker process where the body is large."""
        if not body.is_large:
            return await self.threads.examine(function, bytes(body.content))
        try:
            result: T = await self.workers.call(function, body.content)
        except WorkerDied as error:
            raise ApiProblem(
                codes.SERVER_BUSY,
                "the process that examined the body died",
                headers={"Retry-After": str(BUSY_RETRY_AFTER_S)},
            ) from error
        return result


@asynccontextmanager
async def run_services(base: Foundation) -> AsyncIterator[Services]:
    """Yield the services, with the validations of a previous run resumed; end them all afterwards."""
    config, threads, changes, workers = base.config, Threads(), Changes(), Workers(INTAKE_WORKERS)
    rules = Rules(config.validation, config.verify == "strict", config.maps, config.network)
    validations = Validations(base.data, base.store, threads, changes, rules, base.clock)
    try:
        await validations.resume()
        raised = await threads.read(base.store.client_limits.all)
        yield Services(
            data=base.data,
            store=base.store,
            clock=base.clock,
            timekeeper=Timekeeper(base.clock, base.store.facts),
            tokens=base.tokens,
            public_url=base.public_url,
            control_token=base.control_token,
            threads=threads,
            limits=Limits(base.clock, raised, is_on=config.limits == "contract"),
            changes=changes,
            validations=validations,
            bodies=Bodies(),
            workers=workers,
            probe=WriteProbe(threads, functools.partial(_probe, base)),
        )
    finally:
        workers.close()
        await validations.stop()
        threads.close()


def _probe(base: Foundation) -> None:
    base.store.facts.probe_write(base.clock.now())

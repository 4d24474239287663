"""What the routes work with, wired once: `Services` is made when the server starts and ended when it stops."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import Request

from reinmaker_cli.contract import codes
from reinmaker_cli.server.access_log import pseudonym
from reinmaker_cli.server.addresses import AddressPolicy
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.clock import Clock, MovableClock
from reinmaker_cli.server.config import ServerConfig
from reinmaker_cli.server.data_folder import local_client, write_client
from reinmaker_cli.server.deliveries import POLL_S, Deliveries
from reinmaker_cli.server.fault_keeping import FaultKeeping
from reinmaker_cli.server.faults import Faults
from reinmaker_cli.server.forwarding import Forwarder, Hub
from reinmaker_cli.server.journal import Journal
from reinmaker_cli.server.judging import Rules
from reinmaker_cli.server.limits import Counted, Exceeded, Limits, SharedTake
from reinmaker_cli.server.listening import Listening
from reinmaker_cli.server.probe import OutboxWatch, WriteProbe
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.reads import Reads
from reinmaker_cli.server.routes.bodies import BUSY_RETRY_AFTER_S, Bodies, Body
from reinmaker_cli.server.routes.edge import note_user
from reinmaker_cli.server.sending import TIME_LIMIT_S, Sender
from reinmaker_cli.server.snapshots import SnapshotFolder
from reinmaker_cli.server.store import Store, StorePlace
from reinmaker_cli.server.threads import SHARED_WRITERS, Threads
from reinmaker_cli.server.timekeeping import Timekeeper
from reinmaker_cli.server.tokens import Tokens
from reinmaker_cli.server.validations import Validations
from reinmaker_cli.server.waiting import Counts
from reinmaker_cli.server.workers import WorkerDied, Workers

if TYPE_CHECKING:
    from reinmaker_cli.server.peers import Peers
    from reinmaker_cli.server.store.session import Session
    from reinmaker_cli.server.store.shared import Shared

T = TypeVar("T")

INTAKE_WORKERS = 2
EXAMINED_AT_ONCE_BYTES = 16 * 1024
"""On the event loop, in less than a millisecond: to hand a small body to a thread takes a quarter as long."""
FINISH_WITHIN_S = TIME_LIMIT_S + 1.0  # an attempt under way when the server stops
FORWARD_WITHIN_S = 2.0  # a batch of dead letters under way then; cut short, it is sent again


@dataclass(frozen=True, slots=True)
class Foundation:
    """What is there before the event loop runs."""

    config: ServerConfig
    data: Path
    store: Store
    clock: MovableClock
    tokens: Tokens
    listening: Listening
    control_token: str = field(repr=False)
    log_key: bytes = field(repr=False)
    """Makes pseudonyms of users, for the log."""
    hub: Hub | None = None
    """Where dead letters go from the table."""
    place: StorePlace | None = field(default=None, repr=False)  # its URL has the password
    """Where worker processes find the store; None: in the data folder."""
    session: Session | None = None
    """Where other processes use the database too."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes work with, on one event loop."""

    data: Path
    store: Store
    clock: Clock
    timekeeper: Timekeeper
    tokens: Tokens
    listening: Listening
    control_token: str = field(repr=False)
    log_key: bytes = field(repr=False)
    threads: Threads
    reads: Reads
    limits: Limits
    faults: Faults
    fault_keeping: FaultKeeping
    changes: Changes
    journal: Journal
    counts: Counts
    snapshots: SnapshotFolder
    keep_endpoints: Callable[[], None]
    """Add the receivers that the server was started with, where they are not there. Blocks."""
    validations: Validations
    deliveries: Deliveries
    webhook_policy: AddressPolicy
    """Where webhooks may go."""
    bodies: Bodies
    workers: Workers
    probe: WriteProbe
    outbox: OutboxWatch
    forwards: bool
    """Whether dead letters go to a hub."""
    peers: Peers | None = None
    """The way to other processes on the same database."""

    @property
    def public_url(self) -> str:
        """Under which URL clients know the server; without a slash at the end."""
        return self.listening.public_url

    def note_user(self, request: Request, user_id: str) -> None:
        """Say which user a request is about, for the log, where a keyed hash stands for the user."""
        note_user(request, pseudonym(self.log_key, user_id))

    def keep_development_secret(self, client_id: str, secret: str) -> None:
        """Write the new secret to `client.json`, where the command line looks for it. Blocks."""
        write_client(self.data, local_client(client_id, secret, self.control_token, self.listening))

    async def reload(self) -> None:
        """Load anew what is in memory, because another process has changed it, and let others see what is new here."""
        await self.timekeeper.follow()
        self.limits.raise_to(await self.threads.read(self.store.client_limits.all))
        await self.threads.read(self.tokens.reload)
        await self.fault_keeping.reload()
        await self.journal.write()
        self.deliveries.wake()

    async def renew_keys(self) -> None:
        """Make the next signing key where it is due, and let other processes know it before it signs."""
        await self.tokens.ready()
        if self.tokens.is_due():
            await self.threads.examine(self.tokens.ring)
            await self.tell_state()

    async def tell_state(self) -> None:
        """Let other processes follow what was changed here of what is in memory; nothing where there are none."""
        if self.peers is not None:
            await self.peers.tell_state()

    async def examine(self, function: Callable[[bytes], T], body: Body) -> T:
        """Return what `function` makes of the body: at once, in a thread, or in a process, as its size wants it."""
        if len(body.content) <= EXAMINED_AT_ONCE_BYTES:
            return function(bytes(body.content))
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
    config, workers, is_shared = base.config, Workers(INTAKE_WORKERS), base.session is not None
    threads = Threads(base.store.one_commit, writers=SHARED_WRITERS if is_shared else 1)
    base.store.together = threads.call_together
    peers = None if base.session is None else _peers(base.session, threads)
    changes = Changes() if peers is None else Changes(peers.tell, POLL_S)
    reads = Reads(threads, base.store.revision)
    is_private = base.listening.is_within_this_machine
    policy = AddressPolicy.from_ranges(allow_private=is_private, allow_targets=config.allow_targets)
    buckets = None if is_private and not config.allow_buckets else config.allow_buckets
    rules = Rules(config.validation, config.verify == "strict", config.maps, config.network, policy, buckets)
    shared = base.store.what_is_shared()
    journal = Journal(base.clock, changes)
    if shared is not None and peers is not None:
        journal = _shared_journal(base.clock, changes, shared, threads, peers.tell_state)
    validations = Validations(base.place or base.data, base.store, threads, changes, rules, base.clock, journal)
    seeds = random.SystemRandom() if config.seed is None else random.Random(config.seed)  # nosec B311  # repeatable chance
    faults = Faults(base.clock, seeds)
    tell_state = _tell_nobody if peers is None else peers.tell_state
    fault_keeping = FaultKeeping(faults, None if shared is None else shared.faults, threads, tell_state)
    stamp = time.time if config.webhook_timestamp == "real" else base.clock.now
    sender = Sender(policy, base.clock, fault=faults.struck_delivery, stamp=stamp)
    deliveries = Deliveries(base.store, threads, changes, base.clock, sender, recorded=journal.touch)
    forwarder = (
        None if base.hub is None else Forwarder(base.store, threads, changes, base.clock, base.hub, others=peers)
    )
    try:
        await threads.write(_keep_endpoints, base)
        counts = Counts(journal, base.store, threads, base.clock)
        await counts.begin()
        await validations.resume()
        await deliveries.resume()
        if forwarder is not None:
            forwarder.start()
        raised = await threads.read(base.store.client_limits.all)
        services = Services(
            data=base.data,
            store=base.store,
            clock=base.clock,
            timekeeper=Timekeeper(base.clock, base.store.facts, threads, deliveries, others=peers),
            tokens=base.tokens,
            listening=base.listening,
            control_token=base.control_token,
            log_key=base.log_key,
            threads=threads,
            reads=reads,
            limits=Limits(
                base.clock,
                raised,
                is_on=config.limits == "contract",
                shared=None if shared is None else _counting(shared, threads),
            ),
            faults=faults,
            fault_keeping=fault_keeping,
            changes=changes,
            journal=journal,
            counts=counts,
            snapshots=SnapshotFolder(base.data),
            keep_endpoints=functools.partial(_keep_endpoints, base),
            validations=validations,
            deliveries=deliveries,
            webhook_policy=policy,
            bodies=Bodies(),
            workers=workers,
            probe=WriteProbe(threads, functools.partial(_probe, base)),
            outbox=OutboxWatch(reads, base.store.delivery_log.state),
            forwards=forwarder is not None,
            peers=peers,
        )
        if peers is not None:
            peers.begin(
                changes,
                reload=services.reload,
                take_up=validations.take_up,
                deliver=deliveries.wake,
                cut_off=deliveries.cut_off,
            )
        yield services
    finally:
        workers.close()
        await validations.stop()
        await deliveries.stop(FINISH_WITHIN_S)
        await deliveries.close()
        if forwarder is not None:
            await forwarder.stop(FORWARD_WITHIN_S)
        await journal.close()
        if peers is not None:
            await peers.close()
        threads.close()


async def _tell_nobody() -> None:
    """Return at once: there is no other process."""


def _counting(shared: Shared, threads: Threads) -> SharedTake:
    async def take(policy: str, key: str, quota: int, window_s: int, now: float) -> Counted | Exceeded:
        return await threads.read(shared.rate_windows.take, policy, key, quota, window_s, now)

    return take


def _shared_journal(
    clock: Clock, changes: Changes, shared: Shared, threads: Threads, others: Callable[[], Awaitable[None]]
) -> Journal:
    from reinmaker_cli.server.shared_journal import SharedJournal

    return SharedJournal(clock, changes, shared.requests, threads, others)


def _peers(session: Session, threads: Threads) -> Peers:
    from reinmaker_cli.server.peers import Peers  # and the driver of PostgreSQL

    return Peers(session, threads)


def _keep_endpoints(base: Foundation) -> None:
    """Add the receivers of the options, those that are not there from an earlier start."""
    for types, url in base.config.webhooks:
        base.store.endpoints.keep_option(url, types, now=base.clock.now())


def _probe(base: Foundation) -> None:
    base.store.facts.probe_write(base.clock.now())

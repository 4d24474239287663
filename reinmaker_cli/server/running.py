"""Run a server: in the main thread until a signal comes (`serve`), or beside other work (`rehearse`, tests)."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

import uvicorn

from reinmaker_cli.contract.models import LocalClient
from reinmaker_cli.server.access_log import SERVER_LOG, access_log
from reinmaker_cli.server.app import build_apps
from reinmaker_cli.server.clock import MovableClock
from reinmaker_cli.server.config import EventHubsTarget, ServerConfig, SqsTarget
from reinmaker_cli.server.data_folder import development_client, occupied_folder
from reinmaker_cli.server.forwarding import Hub, HubFailed
from reinmaker_cli.server.listening import Listening, inherited, listen
from reinmaker_cli.server.services import Foundation, Services
from reinmaker_cli.server.store import open_store
from reinmaker_cli.server.timekeeping import resume_clock
from reinmaker_cli.server.tokens import Tokens
from reinmaker_cli.server.wire import TimedProtocol

if TYPE_CHECKING:
    from reinmaker_cli.server.routes.edge import Edge
    from reinmaker_cli.server.tls import ServerTls

__all__ = ["ServerConfig", "Started", "running_server", "serve_forever"]

FINISH_WITHIN_S = 10  # what is in flight when the server stops
KEEP_ALIVE_S = 30
COLLECT_AT = 10_000
"""Containers that were made and not freed, until cycles are looked for: a batch of events is 1,000, all in use."""
TICK_S = 1.0  # between two looks at the time, for the Date field


@dataclass(frozen=True, slots=True)
class Started:
    """A server that answers."""

    url: str
    """Public URL without a slash at the end."""
    data: Path
    """Folder of the database and `client.json`."""
    client: LocalClient
    """The development client, and the control token."""
    ca_file: Path | None = None
    """What clients are to trust, with TLS."""
    address: tuple[str, int] | None = None
    """Where it listens, which is not what `url` says behind a proxy."""

    @property
    def inspector_url(self) -> str | None:
        """The page of the inspector without the control token that it wants; None where the control API is off."""
        place = self.client.control_url
        return None if place is None else f"{place or self.client.api_url}/"


@dataclass(frozen=True, slots=True)
class Seat:
    """What a worker process takes over from the first process of a server; picklable."""

    config: ServerConfig
    client: LocalClient
    api: tuple[int, ...]
    """Numbers of the inherited sockets."""
    control: tuple[int, ...]


def serve_seated(seat: Seat, ready: Callable[[Started], None]) -> None:
    """Serve as one of several workers until SIGTERM; as `serve_forever`."""
    with _prepared(seat.config, None, seat) as (server, started), _stop_on_signals(server):
        _serve(server, lambda: ready(started))


def serve_forever(config: ServerConfig, ready: Callable[[Started], None], *, clock: MovableClock | None = None) -> None:
    """Serve in the main thread until SIGTERM or SIGINT; `ready` is called once, when the server answers.

    Raises `port-taken`, `database-newer`, `database-failed` and UsageError before `ready`.
    """
    if config.workers > 1:
        from reinmaker_cli.server.supervising import serve_with_workers

        serve_with_workers(config, ready)
        return
    with _prepared(config, clock) as (server, started), _stop_on_signals(server):
        _serve(server, lambda: ready(started))


def _serve(server: _Server, ready: Callable[[], object]) -> None:
    server.when_ready = ready
    gc.freeze()  # what was loaded stays: to look for cycles in it again and again takes a twentieth of the time
    gc.set_threshold(COLLECT_AT)  # and the same again for what is in hand, of which nearly nothing is in a cycle
    asyncio.run(server.serve(server.listening))


@contextmanager
def running_server(config: ServerConfig, *, clock: MovableClock | None = None) -> Iterator[Started]:
    """Yield a server that runs in a thread beside the caller, and stop it afterwards. Raises as `serve_forever`."""
    with _prepared(config, clock) as (server, started):
        answering = threading.Event()
        server.when_ready = answering.set
        failure: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(server.serve(server.listening))
            except BaseException as error:  # noqa: BLE001  (raised again below, in the caller's thread)
                failure.append(error)
            finally:
                answering.set()

        thread = threading.Thread(target=run, name="reinmaker-server", daemon=True)
        thread.start()
        answering.wait()
        try:
            if not failure:
                yield started
        finally:
            server.stop()
            thread.join()
        if failure:
            raise failure[0]


class _Server(uvicorn.Server):
    """uvicorn, that leaves signals to us, says when it answers, and ends all waits when it stops."""

    def __init__(self, base: Foundation, tls: ServerTls | None) -> None:
        apps = build_apps(base, self._remember, lambda: self.should_exit)
        super().__init__(_uvicorn_config(apps.api, lifespan="on"))
        self.listening = base.listening.api
        self._tls = tls
        self._control = None if apps.control is None else _uvicorn_config(apps.control, lifespan="off")
        self._control_sockets = base.listening.control
        self.when_ready: Callable[[], object] = lambda: None
        self._services: Services | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install nothing: uvicorn would raise the signal again at the end, and the exit code would not be 0."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        if self._tls is not None:
            self.config.ssl = self._tls.context
        try:
            await super().startup(sockets)
        except SystemExit as error:  # uvicorn's way to say that the lifespan raised; it has logged the traceback
            raise RuntimeError("the server could not start") from error
        if self._control is not None:
            await self._listen_for_control(self._control)
        self.when_ready()

    async def _listen_for_control(self, config: uvicorn.Config) -> None:
        """Answer on the control port: another application, without TLS, with the state and the end of the first."""
        config.load()

        def protocol() -> asyncio.Protocol:
            return TimedProtocol(config, self.server_state, self.lifespan.state)

        loop = asyncio.get_running_loop()
        self.servers += [await loop.create_server(protocol, sock=bound) for bound in self._control_sockets]

    async def main_loop(self) -> None:
        """Tick as uvicorn does, for the Date field, but end when stopped, and not at the next tick."""
        assert self._services is not None  # the lifespan has begun
        while not await self.on_tick(0):
            await self._services.changes.closed_within(TICK_S)

    def stop(self) -> None:
        """Accept nothing new, end the waits, finish what is in flight. From any thread, or a signal handler."""
        self.should_exit = True
        if self._services is not None:
            self._services.changes.close()

    def _remember(self, services: Services) -> None:
        self._services = services


def _uvicorn_config(app: Edge, *, lifespan: Literal["on", "off"]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=TimedProtocol,
        loop="asyncio",
        ws="none",
        lifespan=lifespan,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # it would believe X-Forwarded-For of anybody on this machine
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=FINISH_WITHIN_S,
    )


@contextmanager
def _prepared(
    config: ServerConfig, given_clock: MovableClock | None, seat: Seat | None = None
) -> Iterator[tuple[_Server, Started]]:
    """Yield a server that is ready to run: port bound, data folder ours, database open."""
    with ExitStack() as stack:
        if seat is not None and config.data is not None:
            data = config.data  # the first process holds it
        else:
            # Before the port: where a server runs already, that is what is to be said.
            data = stack.enter_context(occupied_folder(config.data))
        listening = listen(config) if seat is None else inherited(config, seat.api, seat.control)
        for bound in listening.all:
            stack.callback(bound.close)
        tls = _prepared_tls(data, listening) if config.tls else None
        place = config.database or data
        store = open_store(place)
        stack.callback(store.close)
        session = store.begin_session(alone=(given_clock.mode if given_clock else config.clock) == "virtual")
        if session is not None:
            stack.callback(session.close)
        clock = given_clock or resume_clock(store.facts, config.clock)
        url = listening.public_url
        tokens = Tokens(store.facts, clock, issuer=url, audience=url)
        stack.callback(tokens.close)
        client = development_client(store, data, listening, clock) if seat is None else seat.client
        stack.enter_context(access_log(config.log))
        base = Foundation(
            *(config, data, store, clock, tokens, listening, client.control_token, store.facts.log_key()),
            hub=None if config.dead_letters is None else _checked_hub(config.dead_letters),
            place=place,
            session=session,
        )
        yield _Server(base, tls), Started(url, data, client, tls.ca_file if tls else None, listening.address)


def _prepared_tls(data: Path, listening: Listening) -> ServerTls:
    from reinmaker_cli.server.tls import prepare_tls  # 30 ms that a server without TLS does not pay

    return prepare_tls(data, listening.hosts)


def _checked_hub(target: SqsTarget | EventHubsTarget) -> Hub:
    """Return where dead letters go; UsageError where they can never go there. Where it is down, they wait."""
    from reinmaker_cli.server.forwarding_event_hubs import EventHub
    from reinmaker_cli.server.forwarding_sqs import SqsQueue

    hub: Hub = SqsQueue(target) if isinstance(target, SqsTarget) else EventHub(target)
    try:
        hub.check()
    except HubFailed as error:
        SERVER_LOG.warning("dead letters wait, %s cannot be reached: %s", hub.name, error)
    return hub


@contextmanager
def _stop_on_signals(server: _Server) -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> Any:
        if server.should_exit:
            server.force_exit = True  # asked twice: somebody is in a hurry
        server.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

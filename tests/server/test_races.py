"""Races within one server, each with the other side held back at the worst moment."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reinmaker_cli.server import running
from reinmaker_cli.server.addresses import AddressPolicy
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.clock import VirtualClock
from reinmaker_cli.server.deliveries import Deliveries
from reinmaker_cli.server.delivery_turns import DeliveriesStopped
from reinmaker_cli.server.retries import Answered
from reinmaker_cli.server.sending import Sender
from reinmaker_cli.server.store import Store
from reinmaker_cli.server.store.database import DatabaseUnreachable, DatabaseUnwritable
from reinmaker_cli.server.store.deliveries import IN_FLIGHT_PER_ENDPOINT
from reinmaker_cli.server.store.deliveries import Deliveries as StoredDeliveries
from reinmaker_cli.server.store.webhook_records import Claimed, Sent
from reinmaker_cli.server.threads import Threads
from reinmaker_cli.server.wire import TimedProtocol
from tests.server.live import live_server, opened, problem_code
from tests.server.receiver import receiver
from tests.server.test_webhooks import NOON, add_endpoint, deliveries, request_content

# --- attempts --------------------------------------------------------------------------------------------------------


class _Held(Sender):
    """Begins attempts, and ends none before it is let go."""

    def __init__(self) -> None:
        super().__init__(AddressPolicy(), VirtualClock(NOON))
        self.begun = 0
        self.let_go = asyncio.Event()

    async def send(self, claimed: Claimed) -> Sent:
        self.begun += 1
        await self.let_go.wait()
        return Sent(claimed, Answered(200), NOON, NOON, 1.0, int(NOON))


@pytest.fixture
def store(tmp_path):
    store = opened(tmp_path)
    store.endpoints.add("https://receiver.example/", (), now=NOON)
    yield store
    store.close()


def delivered(store: Store, count: int) -> list[str]:
    """Return the ids of deliveries that nobody has to make any more."""
    emit = store.outbox.request_content
    ids = [emit("a", "fr-FR", "6-12", trace_id="t", now=NOON).delivery_ids[0] for _ in range(count)]
    endpoint = store.endpoints.all()[0].endpoint_id
    store.endpoints.disable(endpoint, "by hand", now=NOON)
    store.endpoints.enable(endpoint)
    return ids


@asynccontextmanager
async def delivering(store: Store) -> AsyncIterator[tuple[Deliveries, _Held]]:
    threads, sender = Threads(), _Held()
    deliveries = Deliveries(store, threads, Changes(), VirtualClock(NOON), sender)
    await deliveries.resume()
    try:
        yield deliveries, sender
    finally:
        await deliveries.stop(0)
        await deliveries.close()
        threads.close()


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0)


def test_a_resend_that_was_cut_short_before_its_turn_does_not_keep_the_deliveries_from_their_end(store):
    ids = delivered(store, IN_FLIGHT_PER_ENDPOINT + 1)

    async def run() -> None:
        async with delivering(store) as (deliveries, sender):
            asked = [asyncio.create_task(deliveries.resend(one)) for one in ids]
            await until(lambda: sender.begun == IN_FLIGHT_PER_ENDPOINT and len(deliveries._resends) == 1)
            for one in asked:
                one.cancel()
            await asyncio.wait(asked)

    asyncio.run(run())


def test_a_resend_that_was_cut_short_under_way_is_recorded_and_the_turns_go_on(store, caplog):
    first, second = delivered(store, 2)

    async def run() -> None:
        async with delivering(store) as (deliveries, sender):
            asked = asyncio.create_task(deliveries.resend(first))
            await until(lambda: sender.begun == 1)
            asked.cancel()
            await asyncio.wait([asked])
            sender.let_go.set()
            assert await deliveries.resend(second) is not None

    asyncio.run(run())
    assert [len(store.delivery_log.delivery(one).attempts) for one in (first, second)] == [1, 1]
    assert caplog.records == []


def test_a_resend_that_is_cut_off_before_it_has_begun_is_told_so(store):
    """The session of the process is lost in the moment in which the attempt is about to begin."""
    [delivery_id] = delivered(store, 1)

    async def run() -> None:
        async with delivering(store) as (deliveries, sender):
            wake = deliveries.wake
            await until(lambda: deliveries._turns.ended > 0)

            def wake_and_lose() -> None:
                wake()
                asyncio.get_running_loop().call_soon(deliveries.cut_off)

            deliveries.wake = wake_and_lose
            asked = asyncio.create_task(deliveries.resend(delivery_id))
            done, _ = await asyncio.wait([asked], timeout=60)
            assert [type(one.exception()) for one in done] == [DeliveriesStopped]
            assert (sender.begun, deliveries._in_flight.total()) == (0, 0)

    asyncio.run(run())


def test_a_turn_that_fails_within_a_move_of_the_clock_is_said_to_be_no_fault_of_the_caller(monkeypatch):
    fails = threading.Event()
    turn = StoredDeliveries.turn

    def failing(*args):
        if fails.is_set():
            raise DatabaseUnwritable("disk I/O error")
        return turn(*args)

    monkeypatch.setattr(StoredDeliveries, "turn", failing)
    with live_server(clock=VirtualClock(NOON)) as caller:
        fails.set()
        assert problem_code(caller.control.post("/_local/clock", json={"advanceSeconds": 60})) == "server-busy"
        fails.clear()
        moved = caller.control.post("/_local/clock", json={"advanceSeconds": 60})
        while moved.status_code == 503:  # a turn that had begun by then fails yet
            moved = caller.control.post("/_local/clock", json={"advanceSeconds": 60})
        assert moved.status_code == 200


def test_an_attempt_is_written_down_once_where_the_answer_to_the_commit_was_lost(monkeypatch):
    is_lost = threading.Event()
    turn = StoredDeliveries.turn

    def answer_lost(store, sent, *args):
        turned = turn(store, sent, *args)
        if sent and not is_lost.is_set():
            is_lost.set()
            raise DatabaseUnreachable("the connection was closed")
        return turned

    monkeypatch.setattr(StoredDeliveries, "turn", answer_lost)
    with live_server() as caller, receiver() as there:
        add_endpoint(caller, there.url)
        caused = request_content(caller)
        assert is_lost.wait(60)
        again = request_content(caller)  # ends after what was lost is written down again
        while deliveries(caller, eventId=again["eventId"])[0]["status"] != "delivered":
            pass
        [delivery] = deliveries(caller, eventId=caused["eventId"])
        assert (delivery["status"], len(delivery["attempts"])) == ("delivered", 1)


def test_an_attempt_is_written_down_once_where_that_answer_is_lost_before_the_end(store, monkeypatch):
    [delivery_id] = delivered(store, 1)
    turn = StoredDeliveries.turn

    def answer_lost(stored, sent, *args):
        turned = turn(stored, sent, *args)
        if sent:
            raise DatabaseUnreachable("the connection was closed")
        return turned

    monkeypatch.setattr(StoredDeliveries, "turn", answer_lost)

    async def run() -> Sent | None:
        async with delivering(store) as (deliveries, sender):
            sender.let_go.set()
            asked = asyncio.create_task(deliveries.resend(delivery_id))
            await until(lambda: deliveries._turns.failed > 0)
        return await asked

    assert asyncio.run(run()) is not None
    assert len(store.delivery_log.delivery(delivery_id).attempts) == 1


# --- the end of a server ---------------------------------------------------------------------------------------------


def test_a_connection_that_is_made_while_the_server_stops_is_not_waited_for(monkeypatch, capfd):
    """uvicorn tells the connections that it knows of; this one comes about just after."""
    held: list[Callable[[], None]] = []
    made, shutdown = TimedProtocol.connection_made, HttpToolsProtocol.shutdown
    holds, is_held = threading.Event(), threading.Event()

    def made_late(protocol, transport):
        if holds.is_set():
            held.append(lambda: made(protocol, transport))
            is_held.set()
        else:
            made(protocol, transport)

    def and_then_the_late_one(protocol):
        shutdown(protocol)
        while held:
            held.pop()()

    monkeypatch.setattr(TimedProtocol, "connection_made", made_late)
    monkeypatch.setattr(HttpToolsProtocol, "shutdown", and_then_the_late_one)
    monkeypatch.setattr(running, "FINISH_WITHIN_S", 1)
    with httpx.Client(trust_env=False) as other, live_server() as caller:
        assert other.get(caller.started.url + "/v1/health").status_code == 200  # a connection that is kept
        address = caller.started.url.removeprefix("http://").split(":")
        holds.set()
        late = socket.create_connection((address[0], int(address[1])))
        assert is_held.wait(60)
    with late:
        assert late.recv(1) == b""
    assert capfd.readouterr().err == "", "nobody was cut short"

"""Races within one server, each with the other side held back at the worst moment."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest

from reinmaker_cli.server.addresses import AddressPolicy
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.clock import VirtualClock
from reinmaker_cli.server.deliveries import Deliveries
from reinmaker_cli.server.delivery_turns import DeliveriesStopped
from reinmaker_cli.server.retries import Answered
from reinmaker_cli.server.sending import Sender
from reinmaker_cli.server.store import Store
from reinmaker_cli.server.store.deliveries import IN_FLIGHT_PER_ENDPOINT
from reinmaker_cli.server.store.snapshots import Snapshots
from reinmaker_cli.server.store.webhook_records import Claimed, Sent
from reinmaker_cli.server.threads import Threads
from reinmaker_cli.server.timekeeping import Timekeeper
from tests.server.live import Caller, event, live_server, opened
from tests.server.test_webhooks import NOON, PLAN

SNAPSHOTS = "/_local/snapshots"


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

            def wake_and_lose() -> None:
                wake()
                asyncio.get_running_loop().call_soon(deliveries.cut_off)

            deliveries.wake = wake_and_lose
            asked = asyncio.create_task(deliveries.resend(delivery_id))
            done, _ = await asyncio.wait([asked], timeout=60)
            assert [type(one.exception()) for one in done] == [DeliveriesStopped]
            assert (sender.begun, deliveries._in_flight.total()) == (0, 0)

    asyncio.run(run())


# --- snapshots -------------------------------------------------------------------------------------------------------


class _HeldCall:
    """Stands in for a method: its first call waits at its end until it is let go."""

    def __init__(self, owner: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()
        method = getattr(owner, name)

        def held(*args, **named):
            found = method(*args, **named)
            if not self.begun.is_set():
                self.begun.set()
                assert self.let_go.wait(60)
            return found

        monkeypatch.setattr(owner, name, held)


def give_a_chance(caller: Caller, other: Future) -> None:
    """Let another request come to its end, where nothing holds it back."""
    for _ in range(100):
        if other.done():
            return
        caller.http.get("/v1/health")


def take(caller: Caller, name: str) -> int:
    return caller.control.post(SNAPSHOTS, json={"name": name}).status_code


def test_a_user_who_is_forgotten_while_a_snapshot_is_taken_does_not_come_back(monkeypatch):
    held = _HeldCall(Snapshots, "copy_into", monkeypatch)
    with live_server() as caller, ThreadPoolExecutor(2) as pool:
        caller.send([event(userId="usr_1")])
        taking = pool.submit(take, caller, "held")
        assert held.begun.wait(60)
        forgetting = pool.submit(caller.control.post, "/_local/forget", json={"userId": "usr_1"})
        give_a_chance(caller, forgetting)
        held.let_go.set()
        assert (taking.result(), forgetting.result().json()["events"]) == (201, 1)
        assert caller.control.post(SNAPSHOTS + "/held/restore").status_code == 200
        assert caller.control.post("/_local/forget", json={"userId": "usr_1"}).json()["events"] == 0


def test_a_snapshot_that_is_removed_while_a_user_is_forgotten_stays_removed(monkeypatch):
    held = _HeldCall(Snapshots, "forget_user", monkeypatch)
    with live_server() as caller, ThreadPoolExecutor(2) as pool:
        assert [take(caller, name) for name in ("a", "b")] == [201, 201]
        forgetting = pool.submit(caller.control.post, "/_local/forget", json={"userId": "usr_1"})
        assert held.begun.wait(60)
        removing = pool.submit(caller.control.delete, SNAPSHOTS + "/a")
        give_a_chance(caller, removing)
        held.let_go.set()
        assert (forgetting.result().status_code, removing.result().status_code) == (200, 204)
        assert [one["name"] for one in caller.control.get(SNAPSHOTS).json()["items"]] == ["b"]


def test_a_snapshot_has_the_clock_of_its_state(monkeypatch):
    held = _HeldCall(Timekeeper, "kept_text", monkeypatch)
    with live_server(clock=VirtualClock(NOON)) as caller, ThreadPoolExecutor(2) as pool:
        taking = pool.submit(take, caller, "held")
        assert held.begun.wait(60)
        moving = pool.submit(caller.control.post, "/_local/clock", json={"advanceSeconds": 3600})
        give_a_chance(caller, moving)
        putting = caller.control.put("/_local/entitlements", json={"userId": "usr_1", "plan": PLAN}).json()
        held.let_go.set()
        assert (taking.result(), moving.result().status_code) == (201, 200)
        assert caller.control.post(SNAPSHOTS + "/held/restore").json()["time"] >= putting["issuedAt"]

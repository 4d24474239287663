"""Many webhooks at once: five on their way to a receiver, none held up by a slow one, none lost by a restart."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter

import pytest

from reinmaker_cli.server.addresses import AddressPolicy
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.clock import VirtualClock
from reinmaker_cli.server.deliveries import Deliveries
from reinmaker_cli.server.delivery_turns import DeliveriesStopped
from reinmaker_cli.server.retries import CONTRACT_SCHEDULE, Answered
from reinmaker_cli.server.sending import Sender
from reinmaker_cli.server.store import Store
from reinmaker_cli.server.store.deliveries import LEASE_S, Ask
from reinmaker_cli.server.store.entitlements import Entitlement
from reinmaker_cli.server.store.webhook_records import Claimed, Sent
from reinmaker_cli.server.threads import Threads
from reinmaker_cli.server.timekeeping import Timekeeper
from tests.server.live import Caller, live_server, opened
from tests.server.receiver import OK, Received, always, answer, receiver
from tests.server.test_webhooks import HOOKS, NOON, add_endpoint, advance, deliveries, request_content

EVENTS = 1000 if os.environ.get("REINMAKER_SOAK") else 200


def cause(caller: Caller, count: int) -> None:
    for _ in range(count):
        request_content(caller)


def test_a_slow_receiver_does_not_hold_up_a_fast_one(monkeypatch):
    """How much longer it takes the fast one is for `make bench PART=deliver` to say, where nothing else runs."""
    monkeypatch.setattr("reinmaker_cli.server.sending.TIME_LIMIT_S", 250.0)
    fast_ones_came = threading.Event()
    slow_ones_got_answers = []

    def respond(received: Received, _connection) -> bytes:
        if received.target == "/slow":
            slow_ones_got_answers.append(fast_ones_came.wait(200))
        return OK

    with live_server(clock=VirtualClock(NOON)) as caller, receiver(respond) as there:
        add_endpoint(caller, there.url + "/fast")
        add_endpoint(caller, there.url + "/slow")
        caller.control.event_hooks = {}  # the witness takes longer than all the rest
        cause(caller, 5)
        there.wait_for(5, target="/slow")  # it has all that it may have, and answers none
        cause(caller, 20)
        there.wait_for(25, target="/fast")
        fast_ones_came.set()
        cause(caller, EVENTS - 25)
        for target in ("/fast", "/slow"):
            there.wait_for(EVENTS, target=target)
    assert slow_ones_got_answers == [True] * EVENTS
    assert there.most_at_once["/slow"] == 5
    assert there.most_at_once["/fast"] <= 5


def test_a_resend_waits_for_room_too():
    may_answer = threading.Event()

    def respond(_received: Received, _connection) -> bytes:
        assert may_answer.wait(120)
        return OK

    with live_server() as caller, receiver(respond) as there:
        add_endpoint(caller, there.url)
        cause(caller, 6)
        there.wait_for(5)
        waiting = deliveries(caller)[0]["deliveryId"]
        resend = threading.Thread(target=caller.control.post, args=(f"{HOOKS}/deliveries/{waiting}/resend",))
        resend.start()
        may_answer.set()
        resend.join()
        there.wait_for(7)
        assert there.most_at_once["/"] == 5


# --- a restart -------------------------------------------------------------------------------------------------------


def test_what_was_open_goes_on_after_a_restart(tmp_path):
    with receiver(always(answer(500))) as there:
        with live_server(data=tmp_path, clock=VirtualClock(NOON)) as caller:
            add_endpoint(caller, there.url)
            cause(caller, 3)
            advance(caller, 30)
        with live_server(data=tmp_path, clock=VirtualClock(NOON + 30)) as caller:
            advance(caller, 120)
            assert Counter(one.attempt for one in there.received) == {1: 3, 2: 3, 3: 3}


@pytest.fixture
def store(tmp_path):
    store = opened(tmp_path)
    store.endpoints.add("https://receiver.example/", (), now=NOON)
    yield store
    store.close()


def turn(store: Store, *sent: Sent, real_now: float = 0.0, in_flight: int = 0) -> tuple[Claimed, ...]:
    asked = Ask({1: in_flight}, with_chores=False, now=NOON, real_now=real_now)
    return store.deliveries.turn(sent, CONTRACT_SCHEDULE, asked).claimed


def emit(store: Store) -> str:
    return store.outbox.request_content("water-cycle", "fr-FR", "6-12", trace_id="t", now=NOON).event_id


def ended(claimed: Claimed, status: int) -> Sent:
    return Sent(claimed, Answered(status), NOON, NOON, 1.0, int(NOON))


@pytest.mark.sqlite  # where several use a database, it is not the next start that takes over
def test_a_claim_of_a_server_that_died_is_taken_over_at_the_next_start(store):
    event_id = emit(store)
    [lost] = turn(store)
    assert turn(store) == ()
    store.deliveries.take_over(now=NOON)
    [again] = turn(store)
    assert (again.event_id, again.attempt, again.fence) == (event_id, 1, lost.fence + 1)


@pytest.mark.sqlite  # PostgreSQL has a clock of its own for leases, which no test can move
def test_a_lease_that_is_over_is_taken_up_and_its_late_result_counts_for_nothing(store):
    emit(store)
    [late] = turn(store, real_now=0.0)
    assert turn(store, real_now=LEASE_S - 1) == ()
    [again] = turn(store, real_now=LEASE_S)
    turn(store, ended(late, 410))
    assert store.delivery_log.delivery(again.delivery_id).status == "open"
    turn(store, ended(again, 200))
    turn(store, ended(late, 500))
    delivery = store.delivery_log.delivery(again.delivery_id)
    assert (delivery.status, len(delivery.attempts)) == ("delivered", 3)


@pytest.mark.sqlite  # what a resend holds where several processes deliver: test_peers.py
def test_a_resend_ends_and_frees_nothing_that_is_under_way(store):
    emit(store)
    [under_way] = turn(store)
    resent = store.deliveries.claim_resend(under_way.delivery_id, now=NOON, real_now=0.0)
    assert turn(store, ended(resent, 200)) == (), "the lease goes on"
    assert store.delivery_log.delivery(under_way.delivery_id).status == "open"
    turn(store, ended(under_way, 200))
    assert store.delivery_log.delivery(under_way.delivery_id).status == "delivered"


@pytest.mark.sqlite  # how many are under way is in the database: test_peers.py
def test_five_at_most_are_claimed(store):
    for _ in range(12):
        emit(store)
    assert len(turn(store, in_flight=2)) == 3
    assert len(turn(store, in_flight=5)) == 0
    assert len(turn(store)) == 5
    assert len(turn(store)) == 4


def test_a_result_for_a_user_who_was_forgotten_meanwhile_is_written_nowhere(store):
    given = Entitlement("usr_1", "reinmaker.game_pass", "reinmaker", False, NOON, None)
    store.entitlements.put(given, trace_id="t", now=NOON)
    [claimed] = turn(store)
    assert store.people.forget("usr_1").webhooks == 1
    turn(store, ended(claimed, 500))
    assert store.delivery_log.delivery(claimed.delivery_id) is None


def test_a_move_of_the_clock_ends_with_the_server(store):
    async def run() -> None:
        threads, changes = Threads(), Changes()
        sender = Sender(AddressPolicy(), clock)
        delivering = Deliveries(store, threads, changes, clock, sender)
        try:
            await delivering.resume()
            keeper = Timekeeper(clock, store.facts, threads, delivering)
            await keeper.advance(60)
            changes.close()
            await changes.closed_within(1)
            with pytest.raises(DeliveriesStopped):
                await keeper.advance(60)
        finally:
            await delivering.stop()
            await delivering.close()
            threads.close()

    clock = VirtualClock(NOON)
    asyncio.run(run())
    assert clock.now() == NOON + 60


def test_an_endpoint_of_an_option_is_the_same_after_a_restart(tmp_path):
    with receiver() as there:
        content = "reinmaker.content.requested"
        options = (((), there.url + "/a"), ((content,), there.url + "/a"), ((), there.url + "/b"))
        with live_server(data=tmp_path, webhooks=options[:2]) as caller:
            first = caller.control.get(HOOKS + "/endpoints").json()["items"]
        with live_server(data=tmp_path, webhooks=options) as caller:
            second = caller.control.get(HOOKS + "/endpoints").json()["items"]
    assert [one["endpointId"] for one in second[:2]] == [one["endpointId"] for one in first]
    assert [one["types"] for one in second] == [[], [content], []]

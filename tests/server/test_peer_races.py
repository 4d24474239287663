"""Races of two processes on one PostgreSQL, each with the other side held back at the worst moment."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest

from reinmaker_cli.server.retries import CONTRACT_SCHEDULE, Answered
from reinmaker_cli.server.store import Store, dead_letters, open_store, outbox
from reinmaker_cli.server.store.database import WriteConflict
from reinmaker_cli.server.store.dead_letters import KEPT_S, Chosen
from reinmaker_cli.server.store.deliveries import Ask, Deliveries, NoRoom
from reinmaker_cli.server.store.entitlements import Entitlement
from reinmaker_cli.server.store.postgres import PostgresDatabase
from reinmaker_cli.server.store.webhook_records import Claimed, Sent
from tests.server.live import live_server, run_sql
from tests.server.test_webhooks import HOOKS, add_endpoint, give

NOON = 1_800_000_000.0
_WAITING = "SELECT count(*) AS waiting FROM pg_locks WHERE NOT granted"


def endpoint_of(store: Store) -> str:
    return store.endpoints.add("https://receiver.example/", (), now=NOON)[0].endpoint_id


def emit(store: Store) -> str:
    """Return the id of the one delivery of a new event."""
    return store.outbox.request_content("a", "fr-FR", "6-12", trace_id="t", now=NOON).delivery_ids[0]


def turn(store: Store, *sent: Sent, now: float = NOON, chores: bool = False) -> tuple[Claimed, ...]:
    return store.deliveries.turn(sent, CONTRACT_SCHEDULE, Ask({}, chores, now, now)).claimed


def ended(claimed: Claimed, status: int) -> Sent:
    return Sent(claimed, Answered(status), NOON, NOON, 1.0, int(NOON))


def status_of(store: Store, delivery_id: str) -> str | None:
    found = store.delivery_log.delivery(delivery_id)
    return None if found is None else found.status


def entitlement(plan: str = "reinmaker.game_pass") -> Entitlement:
    return Entitlement("usr_1", plan, "reinmaker", False, NOON, None)


@contextmanager
def meanwhile(url: str, first: Store, call: Callable[[], Any]) -> Iterator[Future[Any]]:
    """Let `call` begin before what `first` writes in the block is committed, as soon as the block is left.

    It has come to its end by then, or waits for a lock of `first`.
    """
    result: Future[Any] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:  # noqa: BLE001  (raised again where the result is asked for)
            result.set_exception(error)

    thread = threading.Thread(target=run)
    with first.one_commit():
        yield result
        thread.start()
        while not result.done() and not run_sql(url, _WAITING)[0]["waiting"]:
            pass
    thread.join()


# --- endpoints that are disabled -------------------------------------------------------------------------------------


def test_an_event_written_while_its_endpoint_is_disabled_does_not_stay_open(stores, monkeypatch):
    first, second = stores
    endpoint_id = endpoint_of(first)
    body = outbox._body

    def disabled_first(*args):
        second.endpoints.disable(endpoint_id, "by hand", now=NOON)
        return body(*args)

    monkeypatch.setattr(outbox, "_body", disabled_first)
    delivery_id = emit(first)
    turn(second, chores=True)
    assert status_of(first, delivery_id) == "dead"


def test_what_is_on_its_way_when_another_process_starts_is_not_given_up(stores):
    first, second = stores
    endpoint_id, delivery_id = endpoint_of(first), emit(first)
    [claimed] = turn(first)
    second.endpoints.disable(endpoint_id, "by hand", now=NOON)
    second.deliveries.take_over(now=NOON)
    turn(second, chores=True)
    turn(first, ended(claimed, 200))
    assert status_of(first, delivery_id) == "delivered"


def test_what_a_dead_process_had_on_its_way_to_a_disabled_endpoint_is_given_up(url):
    dying = open_store(url)
    session = dying.begin_session(alone=False)
    assert session is not None
    endpoint_id, delivery_id = endpoint_of(dying), emit(dying)
    assert len(turn(dying)) == 1
    dying.endpoints.disable(endpoint_id, "by hand", now=NOON)
    with live_server(database=url) as caller:
        session.close()
        waited = {"met": False}
        while not waited["met"]:
            waited = caller.control.get("/_local/wait?deadLetters=1", headers={"Prefer": "wait=5"}).json()
        assert status_of(dying, delivery_id) == "dead"
    dying.close()


def test_nobody_is_sent_a_resend_who_was_removed_in_that_moment(stores, monkeypatch):
    first, second = stores
    endpoint_id, delivery_id = endpoint_of(first), emit(first)
    lease = Deliveries._lease_resend

    def removed_first(*args):
        second.endpoints.remove(endpoint_id, now=NOON)
        return lease(*args)

    monkeypatch.setattr(Deliveries, "_lease_resend", removed_first)
    claim = functools.partial(first.deliveries.claim_resend, delivery_id, now=NOON, real_now=NOON)
    assert (claim(), claim()) == (NoRoom(), None)


# --- dead letters ----------------------------------------------------------------------------------------------------


def dead_letter(store: Store) -> str:
    delivery_id = emit(store)
    [claimed] = turn(store)
    turn(store, Sent(claimed, Answered(410), NOON, NOON, 1.0, int(NOON)))
    store.endpoints.enable(store.endpoints.all()[0].endpoint_id)
    assert status_of(store, delivery_id) == "dead"
    return delivery_id


@pytest.mark.parametrize("how", ["purge", "expiry"])
def test_what_is_redriven_is_not_erased_by_who_comes_too_late(stores, url, how):
    first, second = stores
    endpoint_of(first)
    delivery_id = dead_letter(first)
    purge = functools.partial(second.dead_letters.purge, Chosen())
    expire = functools.partial(turn, second, now=NOON + KEPT_S, chores=True)
    with meanwhile(url, first, purge if how == "purge" else expire) as late:
        assert first.dead_letters.redrive(Chosen(), now=NOON).deliveries == (delivery_id,)
    late.result()
    assert status_of(first, delivery_id) == "open"


def test_what_is_redriven_twice_at_once_is_begun_anew_once(stores, url):
    first, second = stores
    endpoint_of(first)
    delivery_id = dead_letter(first)
    with meanwhile(url, first, functools.partial(second.dead_letters.redrive, Chosen(), now=NOON)) as late:
        assert first.dead_letters.redrive(Chosen(), now=NOON).deliveries == (delivery_id,)
        assert len(turn(first)) == 1
    assert late.result().deliveries == ()
    assert turn(second) == (), "the attempt under way is the only one"


# --- users who are forgotten -----------------------------------------------------------------------------------------


def test_a_user_is_forgotten_while_an_attempt_is_written_down(stores, url):
    first, second = stores
    endpoint_of(first)
    first.entitlements.put(entitlement(), trace_id="t", now=NOON)
    [claimed] = turn(first)
    with meanwhile(url, first, functools.partial(second.people.forget, "usr_1")) as forgotten:
        turn(first, ended(claimed, 500))
    assert forgotten.result().webhooks == 1
    assert status_of(first, claimed.delivery_id) is None


def test_a_user_is_forgotten_while_another_process_tells_of_the_user_again(stores, monkeypatch):
    first, second = stores
    endpoint_of(first)
    first.entitlements.put(entitlement(), trace_id="t", now=NOON)
    erase = dead_letters.erase

    def told_again(*args):
        second.entitlements.put(entitlement("reinmaker.family_pack"), trace_id="t", now=NOON)
        erase(*args)

    monkeypatch.setattr(dead_letters, "erase", told_again)
    assert first.people.forget("usr_1").webhooks == 1
    assert len(turn(first)) == 1, "what came afterwards is told of"


def test_a_user_is_counted_as_forgotten_once_however_often_the_database_is_written_anew(url, monkeypatch):
    write_anew, in_the_way = PostgresDatabase.forget_deleted, [True]

    def conflicting(database):
        if in_the_way and in_the_way.pop():
            raise WriteConflict("LockNotAvailable")
        write_anew(database)

    monkeypatch.setattr(PostgresDatabase, "forget_deleted", conflicting)
    with live_server(database=url) as caller:
        add_endpoint(caller, "http://127.0.0.1:9/")
        give(caller, "usr_1")
        forgotten = caller.control.post("/_local/forget", json={"userId": "usr_1"}).json()
        assert forgotten == {"entitlements": 1, "events": 0, "webhooks": 1}
        assert caller.control.get(HOOKS + "/deliveries").json()["items"] == []

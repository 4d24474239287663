"""Races of what two processes on one PostgreSQL have in memory, or tell each other, with one side held back."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from reinmaker_cli.contract.faults import FaultKind
from reinmaker_cli.server import services
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.clock import WallClock
from reinmaker_cli.server.delivery_turns import DeliveriesStopped
from reinmaker_cli.server.fault_keeping import FaultKeeping
from reinmaker_cli.server.faults import Faults, Rule
from reinmaker_cli.server.judging import with_own_store
from reinmaker_cli.server.peers import Peers
from reinmaker_cli.server.signing_keys import KeyRing
from reinmaker_cli.server.store import Store, open_store
from reinmaker_cli.server.store.database import WriteConflict
from reinmaker_cli.server.store.facts import Facts
from reinmaker_cli.server.store.shared_faults import SharedFaults, StoredFault
from reinmaker_cli.server.threads import Threads
from reinmaker_cli.server.timekeeping import Timekeeper
from tests.server.live import MANIFESTS, live_server, manifest, run_sql, token_part


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


class _FirstHeld:
    """Stands in for a method that reads: what its first call has found comes late."""

    def __init__(self, owner: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.has_read, self.let_go = threading.Event(), threading.Event()
        method = getattr(owner, name)

        def held(*args):
            found = method(*args)
            if not self.has_read.is_set():
                self.has_read.set()
                assert self.let_go.wait(60)
            return found

        monkeypatch.setattr(owner, name, held)


async def give_a_chance(threads: Threads, other: asyncio.Task) -> None:
    """Let it come to its end, where nothing holds it back."""
    for _ in range(100):
        if not other.done():
            await threads.examine(int)


async def _nobody() -> None:
    """There is nobody to be told."""


def test_faults_that_were_read_first_are_not_taken_over_last(store, monkeypatch):
    held = _FirstHeld(SharedFaults, "all", monkeypatch)
    made = Faults(WallClock()).add(Rule(FaultKind.FAILURE))

    async def run() -> list[str]:
        threads, faults, shared = Threads(), Faults(WallClock()), store.what_is_shared()
        assert shared is not None
        keeping = FaultKeeping(faults, shared.faults, threads, _nobody)
        early = asyncio.create_task(keeping.reload())
        await asyncio.to_thread(held.has_read.wait)
        shared.faults.add(StoredFault(made.fault_id, json.dumps(asdict(made.rule)), made.created_at, 0))
        late = asyncio.create_task(keeping.reload())
        await give_a_chance(threads, late)
        held.let_go.set()
        await asyncio.gather(early, late)
        threads.close()
        return [one.fault_id for one in faults.all()]

    assert asyncio.run(run()) == [made.fault_id]


class _Agenda:
    """Nothing is ever due."""

    async def settle(self) -> None:
        return None

    async def next_due(self) -> None:
        return None


class _Others:
    """Processes that are never in the way."""

    def alone(self, _name: str) -> nullcontext:
        return nullcontext()

    async def tell_state(self) -> None:
        return None


def test_a_clock_does_not_go_back_to_what_was_read_before_it_was_moved(store, monkeypatch):
    held = _FirstHeld(Facts, "clock", monkeypatch)
    clock = WallClock()

    async def run() -> None:
        threads = Threads()
        keeper = Timekeeper(clock, store.facts, threads, _Agenda(), others=_Others())
        early = asyncio.create_task(keeper.follow())
        await asyncio.to_thread(held.has_read.wait)
        moving = asyncio.create_task(keeper.advance(60))
        await give_a_chance(threads, moving)
        held.let_go.set()
        await asyncio.gather(early, moving)
        threads.close()

    asyncio.run(run())
    assert clock.setting == 60


def test_a_move_of_the_clock_that_waits_for_another_process_ends_with_the_server(url):
    opened = [open_store(url), open_store(url)]
    holder, waiter = (one.begin_session(alone=False) for one in opened)
    assert holder is not None
    assert waiter is not None
    held = holder.hold("clock")

    async def run() -> None:
        threads, changes = Threads(), Changes()
        peers = Peers(waiter, threads)
        peers.begin(changes, reload=_nobody, take_up=_nobody, deliver=lambda: None, cut_off=lambda: None)
        changes.close()
        await changes.closed_within(60)
        try:
            with pytest.raises(DeliveriesStopped):
                async with peers.alone("clock"):
                    pass
        finally:
            await peers.close()
            threads.close()

    asyncio.run(run())
    held.close()
    holder.close()
    for one in opened:
        one.close()


def test_a_key_that_was_due_at_one_is_known_to_the_other_before_it_signs(url, monkeypatch):
    with live_server(database=url) as first, live_server(database=url) as second:
        claims = token_part(second.token(), 1)
        monkeypatch.setattr(KeyRing, "is_due", lambda ring, _now: len(ring.keys) == 1)
        first.token()
        row = run_sql(url, "SELECT kid, private_pem FROM signing_keys ORDER BY created_at")[-1]
        head = {"alg": "RS256", "typ": "at+jwt", "kid": row["kid"]}
        token = jwt.encode(head, claims, RSAKey.import_key(row["private_pem"]))
        answer = second.http.get(MANIFESTS, headers={"Authorization": "Bearer " + token})
    assert answer.status_code == 200, answer.text


def test_a_verdict_is_told_to_who_waits_at_the_other(url, monkeypatch):
    monkeypatch.setattr(services, "POLL_S", 3600.0)
    manual = {"database": url, "validation": "manual"}
    with live_server(**manual) as first, live_server(**manual) as second, ThreadPoolExecutor(1) as pool:
        first.submit(manifest("m"), wait=None)
        shown = second.status("m")
        while shown.json()["status"] != "validating":
            shown = second.status("m")
        waiting = pool.submit(second.api.get, MANIFESTS + "/m", headers={"Prefer": "wait=30"})
        assert first.decide("m", "2026.11.23", "rejected").status_code == 200
        assert waiting.result().json()["status"] == "rejected"


def test_a_verdict_in_a_worker_process_is_given_again_after_a_conflict(url):
    calls = []

    def conclude(store: Store) -> str:
        def write() -> str:
            calls.append(store)
            if len(calls) == 1:
                raise WriteConflict("LockNotAvailable")
            return "active"

        return str(store.together(write))

    assert (with_own_store(url, conclude), len(calls)) == ("active", 2)

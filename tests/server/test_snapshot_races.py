"""Races of snapshots, restores and resets with everything else, each with one side held back at the worst moment."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from reinmaker_cli.server import snapshots
from reinmaker_cli.server.clock import VirtualClock
from reinmaker_cli.server.store.database import DatabaseUnwritable
from reinmaker_cli.server.store.deliveries import Deliveries
from reinmaker_cli.server.store.snapshots import Snapshots
from reinmaker_cli.server.store.submissions import Submissions
from reinmaker_cli.server.timekeeping import Timekeeper
from tests.server.live import Caller, event, live_server, manifest, problem_code
from tests.server.receiver import receiver
from tests.server.test_webhooks import NOON, PLAN, add_endpoint

SNAPSHOTS = "/_local/snapshots"


class _HeldCall:
    """Stands in for a method: its first call waits at its end until it is let go."""

    def __init__(self, owner: object, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.is_next = True
        """The next call is the one that is held."""
        method = getattr(owner, name)

        def held(*args, **named):
            found = method(*args, **named)
            if self.is_next:
                self.is_next = False
                self.begun.set()
                assert self.let_go.wait(60)
            return found

        monkeypatch.setattr(owner, name, held)


def give_a_chance(caller: Caller, other: Future) -> None:
    """Let another request come to its end, where nothing holds it back."""
    for _ in range(100):
        if other.done():
            return
        caller.http.get("/.well-known/oauth-authorization-server")  # asks no thread, and so waits for none


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


def test_a_manifest_is_never_shown_with_the_submission_of_another(monkeypatch):
    with live_server() as caller, ThreadPoolExecutor(1) as pool:
        assert caller.submit(manifest("other", version="2026.11.01")).json()["status"] == "active"
        assert caller.submit(manifest("shown")).json()["status"] == "active"
        assert take(caller, "after") == 201
        assert caller.control.post("/_local/reset").status_code == 200
        assert caller.submit(manifest("shown")).json()["status"] == "active"  # has the number of the other now
        held = _HeldCall(Submissions, "find", monkeypatch)
        showing = pool.submit(caller.status, "shown", include="manifest")
        assert held.begun.wait(60)
        assert caller.control.post(SNAPSHOTS + "/after/restore").status_code == 200
        held.let_go.set()
        shown = showing.result().json()
    assert (shown["manifestId"], shown["manifest"]["manifestId"]) == ("shown", "shown")


def test_deliveries_go_on_after_a_restore_on_a_disk_that_took_no_more_for_a_moment(monkeypatch):
    take_over, is_full = Deliveries.take_over, threading.Event()

    def taken_over(*args, **named):
        if is_full.is_set():
            is_full.clear()
            raise DatabaseUnwritable("database or disk is full")
        take_over(*args, **named)

    monkeypatch.setattr(Deliveries, "take_over", taken_over)
    with live_server() as caller, receiver() as there:
        add_endpoint(caller, there.url)
        assert take(caller, "before") == 201
        is_full.set()
        assert caller.control.post(SNAPSHOTS + "/before/restore").status_code == 200
        caller.send([event()])
        there.wait_for(1)
    assert not is_full.is_set()


def test_what_a_restore_brings_back_is_nothing_that_was_waited_for(monkeypatch):
    held = _HeldCall(snapshots, "development_client", monkeypatch)
    held.is_next = False
    with live_server() as caller, receiver() as there, ThreadPoolExecutor(2) as pool:
        add_endpoint(caller, there.url)
        caller.send([event()])
        assert caller.control.get("/_local/wait?delivered=1", headers={"Prefer": "wait=20"}).json()["met"]
        assert take(caller, "with-one") == 201
        assert caller.control.post("/_local/reset").status_code == 200
        cursor = caller.control.get("/_local/wait").json()["cursor"]
        held.is_next = True
        restoring = pool.submit(caller.control.post, SNAPSHOTS + "/with-one/restore")
        assert held.begun.wait(60)
        waiting = pool.submit(caller.control.get, f"/_local/wait?delivered=1&since={cursor}")
        give_a_chance(caller, waiting)
        held.let_go.set()
        assert restoring.result().status_code == 200
        assert problem_code(waiting.result()) == "bad-request"

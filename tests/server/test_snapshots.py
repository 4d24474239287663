"""Snapshots: a state that is put back whole, while the server runs, whatever is under way."""

from __future__ import annotations

import itertools
import json
import sqlite3
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from reinmaker_cli.server import judging, validations
from reinmaker_cli.server.clock import VirtualClock, rfc3339, unix_time
from tests.disk import small_files
from tests.server.live import MANIFESTS, QUIET, Caller, event, live_server, manifest, problem_code, token_part
from tests.server.receiver import Received, answer, receiver
from tests.server.test_upgrades import EARLIER, make_database

SNAPSHOTS = "/_local/snapshots"


@pytest.fixture
def started_at() -> float:
    """Now, in whole seconds: a reset goes to real time, and tokens of 15 minutes ago have ended by then."""
    return float(int(time.time()))


@pytest.fixture
def caller(started_at):
    with live_server(clock=VirtualClock(started_at)) as caller:
        yield caller


def take(caller: Caller, name: str = "before", **more: object) -> None:
    taken = caller.control.post(SNAPSHOTS, json={"name": name, **more})
    assert taken.status_code == 201, taken.text


def restore(caller: Caller, name: str = "before") -> dict:
    restored = caller.control.post(f"{SNAPSHOTS}/{name}/restore")
    assert restored.status_code == 200, restored.text
    return restored.json()


def reset(caller: Caller) -> dict:
    done = caller.control.post("/_local/reset")
    assert done.status_code == 200, done.text
    return done.json()


def advance(caller: Caller, seconds: float) -> None:
    assert caller.control.post("/_local/clock", json={"advanceSeconds": seconds}).status_code == 200


def time_of(caller: Caller) -> str:
    return caller.control.get("/_local/clock").json()["time"]


def manifests(caller: Caller) -> dict[str, str]:
    items = caller.api.get(MANIFESTS).json()["items"]
    return {item["manifestId"]: item["newest"]["status"] for item in items}


def folder_of(caller: Caller) -> Path:
    return caller.started.data / "snapshots"


# --- what comes back -------------------------------------------------------------------------------------------------


def test_a_restore_brings_everything_back(caller):
    caller.submit(manifest())
    caller.send([event("e1")])
    caller.control.put("/_local/entitlements", json={"userId": "usr_1", "plan": "reinmaker.game_pass"})
    take(caller)
    caller.submit(manifest("another"))
    caller.submit(manifest(version="2026.11.24"))
    caller.control.post("/_local/entitlements/revoke", json={"userId": "usr_1", "plan": "reinmaker.game_pass"})
    caller.send([event("e2")])
    restore(caller)
    assert manifests(caller) == {"water-cycle": "active"}
    assert len(caller.api.get("/v1/entitlements/usr_1").json()["entitlements"]) == 1
    assert caller.send([event("e1"), event("e2")]).json()["duplicates"] == 1


def test_the_clock_goes_back_to_where_it_was(caller, started_at):
    advance(caller, 60)
    take(caller)
    advance(caller, 86_400)
    caller.token()
    assert restore(caller)["time"] == rfc3339(started_at + 60)
    assert time_of(caller) == rfc3339(started_at + 60)


def test_a_clock_that_is_as_far_ahead_as_it_was_after_a_restart_too(tmp_path):
    with live_server(data=tmp_path) as caller:
        advance(caller, 3600)
        take(caller)
        advance(caller, 3600)
        assert restore(caller)["aheadSeconds"] == pytest.approx(3600, abs=60)
    with live_server(data=tmp_path) as caller:
        assert caller.control.get("/_local/clock").json()["aheadSeconds"] == pytest.approx(3600, abs=60)


def test_a_state_of_a_clock_that_passes_goes_on_in_one_that_stands_still(tmp_path):
    with live_server(data=tmp_path) as caller:
        advance(caller, 3600)
        take(caller)
        reset(caller)
    with live_server(replace(QUIET, data=tmp_path, clock="virtual")) as caller:
        shown = restore(caller)
    assert (shown["mode"], shown["aheadSeconds"]) == ("virtual", pytest.approx(3600, abs=60))


def test_a_token_of_before_is_still_valid_when_its_key_is_the_same(caller):
    take(caller)
    token = caller.token()
    restore(caller)
    answered = caller.http.get("/v1/entitlements/usr_1", headers={"Authorization": f"Bearer {token}"})
    assert answered.status_code == 200
    assert token_part(caller.token(), 0)["kid"] == token_part(token, 0)["kid"]


def test_a_snapshot_taken_at_once_has_the_key_that_signs():
    with live_server() as caller:  # has fetched a token; so ask a server that nobody has asked for one
        take(caller)
        with closing(sqlite3.connect(folder_of(caller) / "before.sqlite3")) as kept:
            assert kept.execute("select count(*) from signing_keys").fetchone() == (1,)


def test_the_development_client_works_on_with_what_client_json_says(caller):
    take(caller)
    client_id = caller.started.client.client_id
    for _ in range(2):  # the secret of the snapshot is no more in the file
        caller.control.post(f"/_local/clients/{client_id}/rotate")
    restore(caller)
    written = json.loads((caller.started.data / "client.json").read_text())
    form = {"grant_type": "client_credentials"}
    assert caller.http.post("/oauth/token", data=form, auth=(client_id, written["clientSecret"])).status_code == 200
    assert written["controlToken"] == caller.started.client.control_token


def test_raised_limits_come_back_and_what_was_counted_is_forgotten(started_at):
    with live_server(clock=VirtualClock(started_at), limits="contract") as caller:
        path = f"/_local/clients/{caller.started.client.client_id}/limits"
        caller.control.post(path, json={"limits": {"default": 3}})
        take(caller)
        caller.control.post(path, json={"limits": {"default": 2}})
        assert [caller.status("nothing").status_code for _ in range(3)] == [404, 404, 429]
        restore(caller)
        assert [caller.status("nothing").status_code for _ in range(4)] == [404, 404, 404, 429]


def test_faults_end(caller):
    caller.control.post("/_local/faults", json={"kind": "failure", "status": 503, "match": {"path": "/v1/health"}})
    take(caller)
    restore(caller)
    assert caller.control.get("/_local/faults").json()["items"] == []
    assert caller.http.get("/v1/health").status_code == 200


def test_the_journal_has_a_mark_and_counts_begin_anew(caller):
    take(caller)
    caller.status("nothing")
    since = caller.control.get("/_local/wait").json()["cursor"]
    restore(caller)
    shown = caller.control.get("/_local/requests").json()["items"]
    assert [one.get("mark") or one["route"] for one in shown[-3:]] == [
        *(MANIFESTS + "/{manifestId}", "restored before"),
        SNAPSHOTS + "/{name}/restore",
    ]
    assert problem_code(caller.control.get(f"/_local/wait?since={since}")) == "bad-request"


def test_a_restore_survives_a_restart(tmp_path):
    with live_server(data=tmp_path) as caller:
        caller.submit(manifest())
        take(caller)
        caller.submit(manifest("another"))
        restore(caller)
    with live_server(data=tmp_path) as caller:
        assert manifests(caller) == {"water-cycle": "active"}
        caller.submit(manifest("another"))
        restore(caller)
        assert manifests(caller) == {"water-cycle": "active"}


def test_what_was_pending_in_the_snapshot_is_validated(caller):
    with live_server(validation="manual") as caller:
        caller.submit(manifest(), wait=None)
        take(caller)
        assert caller.decide("water-cycle", "2026.11.23", "rejected").status_code == 200
        restore(caller)
        assert caller.decide("water-cycle", "2026.11.23", "active").json()["status"] == "active"


def test_a_user_who_is_forgotten_does_not_come_back(caller):
    caller.control.put("/_local/entitlements", json={"userId": "usr_gone", "plan": "reinmaker.game_pass"})
    caller.send([event(userId="usr_gone"), event(properties={"friend": "usr_gone"}), event("kept")])
    take(caller)
    caller.control.post("/_local/forget", json={"userId": "usr_gone"})
    assert b"usr_gone" not in (folder_of(caller) / "before.sqlite3").read_bytes()
    restore(caller)
    assert caller.api.get("/v1/entitlements/usr_gone").json()["entitlements"] == []
    assert caller.send([event("kept")]).json()["duplicates"] == 1


# --- reset -----------------------------------------------------------------------------------------------------------


def test_a_reset_leaves_what_programs_know_the_server_by(caller):
    token, before = caller.token(), json.loads((caller.started.data / "client.json").read_text())
    caller.submit(manifest())
    caller.control.post("/_local/clients", json={"name": "another", "limits": {"default": 5}})
    caller.control.post("/_local/webhooks/endpoints", json={"url": "http://localhost:9/"})
    take(caller)
    reset(caller)
    assert manifests(caller) == {}
    assert len(caller.control.get("/_local/clients").json()["items"]) == 1
    assert caller.control.get("/_local/webhooks/endpoints").json()["items"] == []
    assert json.loads((caller.started.data / "client.json").read_text()) == before
    assert caller.ask_token().status_code == 200
    assert token_part(caller.token(), 0)["kid"] == token_part(token, 0)["kid"]
    assert [one["name"] for one in caller.control.get(SNAPSHOTS).json()["items"]] == ["before"]
    shown = caller.control.get("/_local/requests").json()["items"]
    assert [one.get("mark") for one in shown[:1]] == ["reset"]


def test_a_reset_sets_the_clock_to_real_time_and_the_secret_lives_on():
    with live_server() as caller:
        advance(caller, 80 * 86_400)
        caller.control.post(f"/_local/clients/{caller.started.client.client_id}/rotate")
        assert abs(reset(caller)["aheadSeconds"]) < 1
        advance(caller, 80 * 86_400)
        secret = json.loads((caller.started.data / "client.json").read_text())["clientSecret"]
        form = {"grant_type": "client_credentials"}
        auth = (caller.started.client.client_id, secret)
        assert caller.http.post("/oauth/token", data=form, auth=auth).status_code == 200


# --- names and files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "-x", "ü", "a" * 65, "a\n", "a\0"])
def test_a_hostile_name_is_refused(caller, name):
    assert problem_code(caller.control.post(SNAPSHOTS, json={"name": name})) == "request-invalid"
    assert not folder_of(caller).exists()


@pytest.mark.parametrize("name", ["%2e%2e%2fclient.json", "..%2f..%2fx", "a%00", "a" * 65])
def test_a_hostile_name_in_the_path_reaches_no_file(caller, name):
    for answered in (
        caller.control.post(f"{SNAPSHOTS}/{name}/restore"),
        caller.control.delete(f"{SNAPSHOTS}/{name}"),
    ):
        assert problem_code(answered) in ("request-invalid", "not-found")
    assert (caller.started.data / "client.json").exists()


def test_a_name_is_taken_once_unless_it_is_to_be_replaced(caller):
    take(caller)
    assert problem_code(caller.control.post(SNAPSHOTS, json={"name": "before"})) == "snapshot-exists"
    caller.submit(manifest())
    take(caller, replace=True)
    reset(caller)
    restore(caller)
    assert manifests(caller) == {"water-cycle": "active"}


def test_files_are_readable_by_their_owner_alone_and_none_is_left_over(caller):
    take(caller)
    restore(caller)
    reset(caller)
    assert [file.name for file in folder_of(caller).iterdir()] == ["before.sqlite3"]
    assert stat.S_IMODE((folder_of(caller) / "before.sqlite3").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder_of(caller).stat().st_mode) == 0o700


def test_snapshots_are_listed_and_removed(caller, started_at):
    for name in ("b", "a"):
        take(caller, name)
    [first, second] = caller.control.get(SNAPSHOTS).json()["items"]
    assert (first["name"], first["takenAt"], second["name"]) == ("a", rfc3339(started_at), "b")
    assert first["bytes"] == (folder_of(caller) / "a.sqlite3").stat().st_size
    assert caller.control.delete(f"{SNAPSHOTS}/a").status_code == 204
    assert problem_code(caller.control.delete(f"{SNAPSHOTS}/a")) == "snapshot-not-found"
    assert problem_code(caller.control.post(f"{SNAPSHOTS}/a/restore")) == "snapshot-not-found"


def test_a_file_that_is_no_snapshot_is_refused_and_nothing_has_changed(caller):
    caller.submit(manifest())
    take(caller)
    kept = (folder_of(caller) / "before.sqlite3").read_bytes()
    with closing(sqlite3.connect(folder_of(caller) / "foreign.sqlite3")) as foreign:
        foreign.execute("create table facts (name, value)")
    (folder_of(caller) / "text.sqlite3").write_text("not a database")
    (folder_of(caller) / "empty.sqlite3").write_bytes(b"")
    (folder_of(caller) / "cut.sqlite3").write_bytes(kept[: len(kept) // 3])
    for name in ("foreign", "text", "empty", "cut"):
        refused = caller.control.post(f"{SNAPSHOTS}/{name}/restore")
        assert problem_code(refused) in ("snapshot-unusable", "snapshot-failed"), name
        assert manifests(caller) == {"water-cycle": "active"}
    assert caller.submit(manifest("another")).json()["status"] == "active"  # validations go on


def test_a_snapshot_of_a_newer_reinmaker_is_refused(caller):
    take(caller)
    with closing(sqlite3.connect(folder_of(caller) / "before.sqlite3")) as kept:
        kept.execute("update facts set value = '999' where name = 'schemaVersion'")
        kept.commit()
    refused = caller.control.post(f"{SNAPSHOTS}/before/restore")
    assert (problem_code(refused), refused.status_code) == ("snapshot-unusable", 422)


@pytest.mark.parametrize("schema", EARLIER, ids=lambda path: path.stem)
def test_a_snapshot_of_an_earlier_reinmaker_is_brought_up_to_date(caller, tmp_path, schema):
    take(caller)
    file = make_database(tmp_path, schema)
    with closing(sqlite3.connect(file)) as earlier:
        earlier.execute("insert into facts values ('snapshotTakenAt', '1.0')")
        earlier.execute("insert or replace into facts values ('clock', 'virtual 1795435200.0')")  # 2026-11-23T12:00:00Z
        earlier.execute("pragma journal_mode=delete")
        earlier.commit()
    file.replace(folder_of(caller) / "earlier.sqlite3")
    before = (folder_of(caller) / "earlier.sqlite3").read_bytes()
    assert restore(caller, "earlier")["time"] == "2026-11-23T12:00:00.000Z"
    client = json.loads((caller.started.data / "client.json").read_text())  # another one: that state knew none
    form, auth = {"grant_type": "client_credentials"}, (client["clientId"], client["clientSecret"])
    assert caller.http.post("/oauth/token", data=form, auth=auth).status_code == 200
    assert (folder_of(caller) / "earlier.sqlite3").read_bytes() == before


def test_a_full_disk_leaves_no_half_snapshot_and_no_half_restore(caller):
    caller.submit(manifest())
    take(caller)
    caller.submit(manifest("another"))
    kept = (folder_of(caller) / "before.sqlite3").read_bytes()
    with small_files(64 * 1024):
        for answered in (
            caller.control.post(SNAPSHOTS, json={"name": "next"}),
            caller.control.post(SNAPSHOTS, json={"name": "before", "replace": True}),
            caller.control.post(f"{SNAPSHOTS}/before/restore"),
            caller.control.post("/_local/reset"),
        ):
            assert (problem_code(answered), answered.status_code) == ("snapshot-failed", 507)
    assert [file.name for file in folder_of(caller).iterdir()] == ["before.sqlite3"]
    assert (folder_of(caller) / "before.sqlite3").read_bytes() == kept
    assert manifests(caller) == {"another": "active", "water-cycle": "active"}
    assert caller.submit(manifest("a-third")).json()["status"] == "active"


# --- races -----------------------------------------------------------------------------------------------------------


class _Held:
    """Stands in for `judge`: lets a validation come as far as its verdict, and no further until it is let go."""

    def __init__(self, judge: Callable) -> None:
        self._judge, self.begun, self.let_go = judge, threading.Event(), threading.Event()
        self.outcomes: list[object] = []

    def __call__(self, store, claim, rules, clock, stop):
        self.begun.set()
        assert self.let_go.wait(120)
        # The one from before the restore has been told to stop; it is as deaf as a worker process would be.
        self.outcomes.append(self._judge(store, claim, rules, clock, judging.never_stop))
        return self.outcomes[-1]


def test_a_validation_under_way_during_a_restore_never_gives_its_verdict(monkeypatch):
    """Its number and attempt come again after the restore, for another manifest: the epoch tells them apart."""
    held = _Held(judging.judge)
    monkeypatch.setattr(validations, "judge", held)
    with live_server() as caller:
        take(caller)
        caller.submit(manifest("doomed", url="s3://bucket/doomed.mp3"), wait=None)
        assert held.begun.wait(120)
        restore(caller)
        monkeypatch.setattr(validations, "judge", lambda *_: None)  # the next one is never decided by itself
        caller.submit(manifest("innocent"), wait=None)
        claimed = f"{MANIFESTS}/innocent"
        while caller.api.get(claimed, headers={"Prefer": "wait=1"}).json()["status"] != "validating":
            pass
        held.let_go.set()
        while not held.outcomes:
            caller.http.get("/v1/health")
        assert held.outcomes == [None]
        assert manifests(caller) == {"innocent": "validating"}


def test_the_same_submission_open_in_both_states_gets_one_verdict(monkeypatch):
    held = _Held(judging.judge)
    monkeypatch.setattr(validations, "judge", held)
    with live_server() as caller:
        caller.submit(manifest(), wait=None)
        assert held.begun.wait(120)
        take(caller)
        restore(caller)
        held.let_go.set()
        status = "validating"
        while status in ("pending", "validating"):  # a wait ends at any change
            status = caller.api.get(f"{MANIFESTS}/water-cycle", headers={"Prefer": "wait=20"}).json()["status"]
        assert status == "active"
        while len(held.outcomes) < 2:
            caller.http.get("/v1/health")
    assert sorted(map(str, held.outcomes)) == ["None", "active"]


def test_submissions_during_restores_are_whole_or_gone(caller):
    caller.submit(manifest("kept"))
    take(caller)
    stop, both_have_begun = threading.Event(), threading.Barrier(3)

    def submit(worker: int) -> None:
        both_have_begun.wait(120)
        for number in itertools.count():
            answered = caller.submit(manifest(f"m{worker}-{number}"), wait=None)
            assert answered.status_code == 202, answered.text
            if stop.is_set():
                return

    with ThreadPoolExecutor(2) as pool:
        workers = [pool.submit(submit, worker) for worker in range(2)]
        both_have_begun.wait(120)
        for _ in range(10):
            restore(caller)
        stop.set()
        for worker in workers:
            worker.result(timeout=120)
    restore(caller)
    assert manifests(caller) == {"kept": "active"}
    assert caller.submit(manifest("after")).json()["status"] == "active"


def test_readers_during_restores_see_one_state_or_the_other(caller):
    """A manifest and its active version are rows of two tables; never one of this state and one of that."""
    for manifest_id in ("a", "b", "c"):
        caller.submit(manifest(manifest_id))
    take(caller, "three")
    reset(caller)
    take(caller, "none")
    stop, seen = threading.Event(), set()

    def read() -> None:
        while not stop.is_set():
            items = caller.api.get(MANIFESTS).json()["items"]
            seen.add(tuple((one["manifestId"], one["newest"]["status"], bool(one["active"])) for one in items))

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        for number in itertools.count():
            restore(caller, ("three", "none")[number % 2])
            if number >= 20 and len(seen) >= 2:  # some reader has met each of them
                break
        stop.set()
        for reader in readers:
            reader.result(timeout=120)
    assert seen == {(), tuple((manifest_id, "active", True) for manifest_id in "abc")}


def test_two_restores_at_once_leave_one_whole_state(caller):
    caller.submit(manifest("a"))
    take(caller, "a")
    reset(caller)
    caller.submit(manifest("b"))
    take(caller, "b")
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda name: restore(caller, name), ["a", "b"] * 4))
    assert len(done) == 8
    assert manifests(caller) in ({"a": "active"}, {"b": "active"})
    assert caller.submit(manifest("c")).json()["status"] == "active"


def test_two_who_take_the_same_name_do_not_both_get_it(caller):
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: caller.control.post(SNAPSHOTS, json={"name": "x"}).status_code, range(8)))
    assert sorted(taken) == [201] + [409] * 7


def test_who_waits_for_a_manifest_hears_of_a_restore():
    with live_server(validation="manual") as caller, ThreadPoolExecutor(1) as pool:
        take(caller)
        caller.submit(manifest(), wait=None)
        shown = caller.status("water-cycle")
        while shown.json()["status"] != "validating":
            shown = caller.status("water-cycle")
        headers = {"Prefer": "wait=30", "If-None-Match": shown.headers["etag"]}
        waiting = pool.submit(caller.api.get, f"{MANIFESTS}/water-cycle", headers=headers)
        restore(caller)
        assert problem_code(waiting.result(timeout=120)) == "manifest-not-found"


def test_a_delivery_under_way_during_a_restore_is_made_again(caller):
    hold = threading.Event()

    def respond(received: Received, _connection) -> bytes:
        hold.wait(120)
        return answer(200)

    with receiver(respond) as there:
        caller.control.post("/_local/webhooks/endpoints", json={"url": there.url})
        caller.send([event()])
        there.wait_for(1)
        take(caller)
        hold.set()
        delivered = caller.control.get("/_local/wait?delivered=1", headers={"Prefer": "wait=20"})
        assert delivered.json()["met"]
        restore(caller)
        again = caller.control.get("/_local/wait?delivered=1", headers={"Prefer": "wait=20"})
        assert again.json()["met"]
        first, second = there.wait_for(2)
    assert first.id == second.id


def test_a_move_of_the_clock_during_a_restore_leaves_memory_and_database_agreed(caller):
    take(caller)

    def move(_: int) -> int:
        return caller.control.post("/_local/clock", json={"advanceSeconds": 3600}).status_code

    with ThreadPoolExecutor(4) as pool:
        moves = [pool.submit(move, number) for number in range(20)]
        for _ in range(5):
            restore(caller)
        # A move that a restore cut short says so: 503, to be asked for again.
        assert {one.result(timeout=120) for one in moves} <= {200, 503}
    shown = unix_time(time_of(caller))
    with closing(sqlite3.connect(caller.started.data / "reinmaker.sqlite3")) as database:
        [kept] = database.execute("select value from facts where name = 'clock'").fetchone()
    assert kept == f"virtual {shown!r}"

"""Two servers on one PostgreSQL: what holds for one holds for both, whichever is asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from reinmaker_cli.errors import UsageError
from reinmaker_cli.server import peers
from reinmaker_cli.server.clock import WallClock
from reinmaker_cli.server.limits import Counted, Exceeded
from reinmaker_cli.server.retries import CONTRACT_SCHEDULE, Answered
from reinmaker_cli.server.store import Store, open_store, postgres, session
from reinmaker_cli.server.store.deliveries import IN_FLIGHT_PER_ENDPOINT, Ask, NoRoom
from reinmaker_cli.server.store.entitlements import Entitlement
from reinmaker_cli.server.store.postgres import NAMES
from reinmaker_cli.server.store.tables import SCHEMA_VERSION
from reinmaker_cli.server.store.webhook_records import Claimed, Sent
from reinmaker_cli.server.threads import Threads
from reinmaker_cli.server.timekeeping import ClockLost, Timekeeper
from tests.server.live import QUIET, Caller, live_server, manifest, problem_code, run_sql
from tests.server.receiver import OK, receiver
from tests.server.test_webhooks import HOOKS, add_endpoint, deliveries, request_content

NOON = 1_800_000_000.0
STANDING = replace(QUIET, clock="virtual")


@pytest.fixture
def pair(url: str) -> Iterator[tuple[Caller, Caller]]:
    with live_server(database=url) as first, live_server(database=url) as second:
        yield first, second


# --- what is in memory of each ---------------------------------------------------------------------------------------


def test_what_one_takes_the_other_shows(pair):
    first, second = pair
    assert first.submit(manifest("m")).json()["status"] == "active"
    assert second.status("m").json()["status"] == "active"


def test_a_wait_at_one_ends_with_a_decision_at_the_other(url):
    with live_server(database=url, validation="manual") as first, live_server(database=url) as second:
        first.submit(manifest("m"), wait=None)
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(first.api.get, "/v1/content/manifests/m", headers={"Prefer": "wait=20"})
            while first.status("m").json()["status"] != "validating":
                pass
            assert second.decide("m", "2026.11.23", "rejected", "no").status_code == 200
            assert waiting.result().json()["status"] in ("validating", "rejected")
        assert first.status("m").json()["status"] == "rejected"


def test_the_clock_of_both_is_moved_by_either(pair):
    first, second = pair
    moved = first.control.post("/_local/clock", json={"advanceSeconds": 3600}).json()
    assert second.control.get("/_local/clock").json()["aheadSeconds"] == moved["aheadSeconds"] == 3600
    second.control.post("/_local/clock", json={"advanceSeconds": 900})
    assert first.control.get("/_local/clock").json()["aheadSeconds"] == 4500
    assert problem_code(first.api.get("/v1/content/manifests")) == "token-invalid"


def test_a_limit_holds_for_both_together(url):
    with live_server(database=url, limits="contract") as first, live_server(database=url, limits="contract") as second:
        client = first.control.post("/_local/clients", json={"name": "c", "limits": {"tokens": 5}}).json()
        form = {"grant_type": "client_credentials"}
        secret = (client["clientId"], client["clientSecret"])
        answers = [one.http.post("/oauth/token", data=form, auth=secret) for one in (first, second) * 4]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
        assert answers[-1].headers["RateLimit-Policy"] == '"tokens";q=5;w=60'
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


def test_a_fault_strikes_as_often_as_it_may_whoever_is_asked(pair):
    first, second = pair
    fault = {
        "kind": "failure",
        "status": 503,
        "retryAfterSeconds": 1,
        "times": 3,
        "match": {"path": "/v1/content/manifests"},
    }
    made = first.control.post("/_local/faults", json=fault).json()
    assert [one.api.get("/v1/content/manifests").status_code for one in (second, first) * 3] == [503] * 3 + [200] * 3
    [listed] = second.control.get("/_local/faults").json()["items"]
    assert (listed["faultId"], listed["hits"], listed["left"]) == (made["faultId"], 3, 0)
    assert second.control.delete("/_local/faults").json() == {"cleared": 1}
    assert first.control.get("/_local/faults").json() == {"items": []}


def test_the_same_requests_are_struck_with_one_seed_however_they_are_spread(pair):
    first, second = pair
    fault = {"kind": "failure", "times": None, "probability": 0.5, "seed": 7, "match": {"method": "GET"}}

    def struck(callers: tuple[Caller, ...]) -> list[int]:
        first.control.post("/_local/faults", json=fault)
        answers = [one.api.get("/v1/content/manifests").status_code for one in callers]
        first.control.delete("/_local/faults")
        return answers

    assert struck((first,) * 12) == struck((first, second) * 6) == struck((second, second, first) * 4)


def test_the_journal_has_what_either_answered_in_order(pair):
    first, second = pair
    for number, one in enumerate((first, second, first)):
        one.api.post("/v1/content/manifests", json=manifest(f"m{number}"), headers={"X-Lesson-Trace-Id": f"t{number}"})
    for one in pair:
        found = one.control.get("/_local/requests").json()["items"]
        mine = [entry for entry in found if entry["traceId"].startswith("t")]
        assert sorted(entry["traceId"] for entry in mine) == ["t0", "t1", "t2"]
        assert len({entry["no"] for entry in found}) == len(found)
        assert mine[0]["caused"]["submissions"][0]["manifestId"] in {"m0", "m1", "m2"}
    assert first.control.get("/_local/wait", params={"requests": 3}).json()["met"]


def test_the_last_that_a_server_answers_before_it_stops_is_in_the_journal(url, capfd):
    with live_server(database=url) as stays:
        with live_server(database=url) as leaves:
            leaves.http.get("/v1/health", headers={"X-Lesson-Trace-Id": "last"})
        [entry] = stays.control.get("/_local/requests", params={"traceId": "last"}).json()["items"]
    assert (entry["route"], entry["status"]) == ("/v1/health", 200)
    assert capfd.readouterr().err == ""  # the writing that was due later found its threads closed


def test_a_key_that_one_makes_the_other_publishes(pair):
    first, second = pair
    first.control.post("/_local/keys/rotate")
    assert first.http.get("/.well-known/jwks.json").json() == second.http.get("/.well-known/jwks.json").json()


def test_servers_that_start_at_once_have_one_key(url):
    with ThreadPoolExecutor(4) as threads:

        def start(_: int) -> str:
            with live_server(database=url) as caller:
                return caller.http.get("/.well-known/jwks.json").json()["keys"][0]["kid"]

        assert len(set(threads.map(start, range(4)))) == 1


def test_each_server_has_a_development_client_of_its_own(pair):
    first, second = pair
    assert first.started.client.client_id != second.started.client.client_id
    assert len(first.control.get("/_local/clients").json()["items"]) == 2


# --- who does what ---------------------------------------------------------------------------------------------------


def test_five_at_most_are_on_their_way_whoever_sends_them(pair):
    may_answer = threading.Event()

    def respond(_received, _connection) -> bytes:
        may_answer.wait(120)
        return OK

    with receiver(respond) as there:
        add_endpoint(pair[0], there.url)
        for number in range(20):
            request_content(pair[number % 2])
        there.wait_for(5)
        waiting = deliveries(pair[0])[0]["deliveryId"]
        resend = threading.Thread(target=pair[1].control.post, args=(f"{HOOKS}/deliveries/{waiting}/resend",))
        resend.start()
        may_answer.set()
        resend.join()
        there.wait_for(21)
        assert there.most_at_once["/"] == 5
        assert set(Counter(one.id for one in there.received).values()) <= {1, 2}


def test_a_clock_whose_lock_was_lost_is_not_moved_back(url):
    store, clock = open_store(url), WallClock()
    alone = store.begin_session(alone=False)
    assert alone is not None

    class MovedMeanwhile:
        """In the middle of the move the connection that holds the lock ends, and another process moves the clock."""

        async def settle(self) -> None:
            run_sql(url, f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE classid = {NAMES} AND granted")
            store.facts.keep_clock("wall 7200.0")

        async def next_due(self) -> None:
            return None

    async def move() -> None:
        threads = Threads()
        try:
            keeper = Timekeeper(clock, store.facts, threads, MovedMeanwhile(), others=peers.Peers(alone, threads))
            with pytest.raises(ClockLost):
                await keeper.advance(60)
            await keeper.follow()
        finally:
            threads.close()

    try:
        asyncio.run(move())
        assert (store.facts.clock(), clock.setting) == ("wall 7200.0", 7200.0)
    finally:
        alone.close()
        store.close()


def test_what_a_process_claimed_is_done_by_another_when_it_dies(url):
    dying = open_store(url)
    session = dying.begin_session(alone=False)
    assert session is not None
    with receiver() as there, live_server(database=url) as caller:
        add_endpoint(caller, there.url)
        caller.control.post(HOOKS + "/endpoints", json={"url": there.url + "/second"})
        event_id = dying.outbox.request_content("a", "fr-FR", "6-12", trace_id="t", now=1.0).event_id
        claimed = dying.deliveries.turn([], CONTRACT_SCHEDULE, Ask({}, False, 2.0, 2.0)).claimed
        session.close()
        dying.close()
        got = there.wait_for(2)
        assert {one.id for one in got} == {event_id}
        assert {one.attempt for one in got} == {1}
        assert all(one.fence == 1 for one in claimed)


def test_a_validation_of_a_process_that_dies_is_given_its_verdict_by_another(url):
    with live_server(database=url, validation="manual") as dying:
        dying.submit(manifest("m"), wait=None)
        while dying.status("m").json()["status"] != "validating":
            pass
    with live_server(database=url) as caller:
        answer = caller.api.get("/v1/content/manifests/m", headers={"Prefer": "wait=20"})
        while answer.json()["status"] in ("pending", "validating"):
            answer = caller.api.get("/v1/content/manifests/m", headers={"Prefer": "wait=20"})
    assert answer.json()["status"] == "active"


def turn(store: Store, *sent: Sent, chores: bool = False) -> tuple[Claimed, ...]:
    return store.deliveries.turn(sent, CONTRACT_SCHEDULE, Ask({}, chores, NOON, NOON)).claimed


def test_claims_of_two_processes_do_not_meet(stores):
    first, second = stores
    first.endpoints.add("https://receiver.example/", (), now=NOON)
    for _ in range(8):
        first.outbox.request_content("a", "fr-FR", "6-12", trace_id="t", now=NOON)
    mine, theirs = turn(first), turn(second)
    assert (len(mine), len(theirs)) == (5, 0), "five at most, whoever sends them"
    again = turn(second, Sent(mine[0], Answered(200), NOON, NOON, 1.0, int(NOON)))
    assert len(again) == 1
    assert again[0].no not in {one.no for one in mine}
    assert isinstance(first.deliveries.claim_resend(mine[0].delivery_id, now=NOON, real_now=NOON), NoRoom)


def of_older_claim(store: Store, kind: str) -> Claimed:
    """Return what was claimed first of a delivery, whose lease is over."""
    store.endpoints.add("https://receiver.example/", (), now=NOON)
    store.outbox.request_content("a", "fr-FR", "6-12", trace_id="t", now=NOON)
    [claimed] = turn(store)
    if kind == "resend":
        turn(store, Sent(claimed, Answered(500), NOON, NOON, 1.0, int(NOON)))
        resent = store.deliveries.claim_resend(claimed.delivery_id, now=NOON, real_now=NOON)
        assert isinstance(resent, Claimed)
        return resent
    return claimed


@pytest.mark.parametrize("kind", ["scheduled", "resend"])
def test_a_late_result_neither_ends_nor_frees_what_a_resend_holds(stores, url, kind):
    first, second = stores
    late = of_older_claim(first, kind)
    run_sql(url, "UPDATE webhook_deliveries SET leased_until = 1")
    resent = second.deliveries.claim_resend(late.delivery_id, now=NOON, real_now=NOON)
    assert isinstance(resent, Claimed)
    held = run_sql(url, "SELECT status, leased_by, leased_until FROM webhook_deliveries")
    turn(first, Sent(late, Answered(410), NOON, NOON, 1.0, int(NOON)))
    assert run_sql(url, "SELECT status, leased_by, leased_until FROM webhook_deliveries") == held
    turn(second, Sent(resent, Answered(200), NOON, NOON, 1.0, int(NOON)))
    assert [row["status"] for row in run_sql(url, "SELECT status FROM webhook_deliveries")] == ["open"]
    kept = [(one.kind, one.status) for one in second.delivery_log.delivery(late.delivery_id).attempts]
    assert kept[-2:] == [(kind, 410), ("resend", 200)]


def test_who_finds_all_places_taken_does_not_look_again_for_a_lock(stores, url):
    first, second = stores
    first.endpoints.add("https://receiver.example/", (), now=NOON)
    for _ in range(8):
        first.outbox.request_content("a", "fr-FR", "6-12", trace_id="t", now=NOON)
    looked = Ask({}, False, NOON, NOON)
    with psycopg.connect(url) as holder:
        holder.execute("SELECT no FROM webhook_endpoints FOR NO KEY UPDATE")
        assert second.deliveries.turn([], CONTRACT_SCHEDULE, looked).has_skipped
    turn(first)
    with psycopg.connect(url) as holder:
        holder.execute("SELECT no FROM webhook_endpoints FOR NO KEY UPDATE")
        assert not second.deliveries.turn([], CONTRACT_SCHEDULE, looked).has_skipped


def test_an_end_is_told_once_whoever_notices(stores, url):
    for number in range(40):
        stores[0].entitlements.put(
            Entitlement(f"usr_{number}", "reinmaker.game_pass", "reinmaker", False, NOON - 9, NOON - 1),
            trace_id="t",
            now=NOON - 9,
        )
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda place: turn(stores[place % 2], chores=True), range(8)))
    told = [row["user_id"] for row in run_sql(url, "SELECT user_id FROM webhook_events")]
    assert Counter(told) == {f"usr_{number}": 2 for number in range(40)}, "that it was given, and that it ended"


def test_the_same_manifest_at_once_is_one_submission(pair):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda place: pair[place % 2].submit(manifest("m"), wait=None), range(16)))
    assert {answer.json()["submissionId"] for answer in answers} == {answers[0].json()["submissionId"]}
    assert sum(answer.headers.get("Idempotent-Replayed") is None for answer in answers) >= 1


def test_a_url_is_published_with_one_content_whoever_validates(pair):
    shared = "s3://bucket/shared.mp3"
    documents = [manifest(f"m{number}", url=shared, sha256=f"{number:064x}") for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        places = range(len(documents))
        answers = list(threads.map(lambda place: pair[place % 2].submit(documents[place]).json()["status"], places))
    assert Counter(answers) == {"active": 1, "rejected": 7}


# --- limits, exactly -------------------------------------------------------------------------------------------------


def test_the_window_counts_exactly_and_moves_with_time(stores):
    take = stores[0].what_is_shared().rate_windows.take
    also = stores[1].what_is_shared().rate_windows.take
    assert take("default", "c", 3, 60, NOON) == Counted(2, 60)
    assert also("default", "c", 3, 60, NOON + 10) == Counted(1, 50)
    assert take("default", "c", 3, 60, NOON + 20) == Counted(0, 40)
    assert also("default", "c", 3, 60, NOON + 59.5) == Exceeded(1, 1)
    assert take("default", "c", 3, 60, NOON + 60) == Counted(0, 10)
    assert take("default", "c", 1, 60, NOON + 61) == Exceeded(9, 59), "after a quota was lowered, more must leave"
    assert take("default", "d", 3, 60, NOON) == Counted(2, 60)
    assert take("default", "c", 3, 60, NOON - 3600) == Counted(2, 60), "nobody waits for a clock that was set back"


def test_no_more_than_the_quota_passes_at_once(stores):
    take = [store.what_is_shared().rate_windows.take for store in stores]
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda place: take[place % 2]("default", "c", 30, 60, time.time()), range(80)))
    assert sum(isinstance(one, Counted) for one in taken) == 30


# --- who may be there ------------------------------------------------------------------------------------------------


def test_a_clock_that_stands_still_is_of_one_server(url):
    with live_server(database=url), pytest.raises(UsageError) as refused, live_server(STANDING, database=url):
        pass
    assert refused.value.code == "clock-not-shared"
    with live_server(STANDING, database=url) as caller:
        assert caller.control.get("/_local/clock").json()["mode"] == "virtual"


def test_nobody_comes_beside_a_clock_that_stands_still(url, postgres):
    store = open_store(url)
    session = store.begin_session(alone=True)
    with pytest.raises(UsageError) as refused, live_server(database=url):
        pass
    assert refused.value.code == "clock-not-shared"
    assert session is not None
    session.close()
    store.close()


def test_a_newer_database_is_refused(url):
    run_sql(url, f"UPDATE facts SET value = '{SCHEMA_VERSION + 1}' WHERE name = 'schemaVersion'")
    with pytest.raises(UsageError) as refused:
        open_store(url)
    assert (refused.value.code, SCHEMA_VERSION + 1 > SCHEMA_VERSION) == ("database-newer", True)
    assert "a-pass" not in refused.value.message


def test_an_upgrade_beside_other_servers_is_refused(url):
    with live_server(database=url):
        run_sql(url, f"UPDATE facts SET value = '{SCHEMA_VERSION - 1}' WHERE name = 'schemaVersion'")
        with pytest.raises(UsageError) as refused:
            open_store(url)
    assert refused.value.code == "database-failed"
    assert "other servers" in refused.value.message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda url: url.replace("own@", "wrong@"), "user or password is wrong"),
        (lambda url: "postgresql://nobody@127.0.0.1:1/none", "Connection refused"),
        (lambda url: "mysql://somebody@host/name", "not PostgreSQL"),
        (lambda url: "postgresql://u:hunter2@host:port/name", "no URL"),
    ],
)
def test_a_database_that_cannot_be_used_is_an_error_with_a_hint_and_without_the_password(url, change, says):
    with pytest.raises(UsageError) as refused:
        open_store(change(url))
    told = f"{refused.value.message} {refused.value.hint}"
    assert says in told
    assert "a-pass" not in told and "hunter2" not in told
    assert refused.value.hint


def test_a_database_that_is_not_there_is_named(url):
    missing = url.partition("@/")[0] + "@/not-there?" + url.partition("?")[2]
    with pytest.raises(UsageError) as refused:
        open_store(missing)
    assert "there is no such database" in refused.value.message
    assert refused.value.hint == "make it: `createdb not-there`"


def test_who_waits_too_long_for_another_that_makes_the_database_ready_is_told_so(url, monkeypatch):
    monkeypatch.setattr(postgres, "_SETTINGS", "-c lock_timeout=50ms")
    with psycopg.connect(url) as maker:
        maker.execute("SELECT pg_advisory_xact_lock(%s, 0)", (postgres.MAKING,))
        with pytest.raises(UsageError, match="another server is making it ready") as refused:
            open_store(url)
    assert refused.value.code == "database-failed"


def test_snapshots_are_refused(pair):
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/a"), ("POST", "/a/restore")):
        answer = pair[0].control.request(method, "/_local/snapshots" + path, json={"name": "a"})
        assert problem_code(answer) == "snapshot-unsupported"
    assert problem_code(pair[0].control.post("/_local/reset")) == "snapshot-unsupported"


# --- what cannot be asked for ----------------------------------------------------------------------------------------


@contextmanager
def unreadable_faults(url: str) -> Iterator[None]:
    """Let no process count a strike."""
    run_sql(url, "ALTER TABLE fault_rules RENAME TO away")
    try:
        yield
    finally:
        run_sql(url, "ALTER TABLE away RENAME TO fault_rules")


def test_a_fault_that_cannot_be_counted_is_a_problem_with_a_trace_id(url):
    with live_server(database=url) as one:
        one.control.post("/_local/faults", json={"kind": "latency", "delaySeconds": 0.01})
        with unreadable_faults(url):
            answer = one.http.get("/v1/health", headers={"X-Lesson-Trace-Id": "t-1"})
    assert (answer.status_code, answer.json()["code"]) == (500, "server-error")
    assert answer.headers["X-Lesson-Trace-Id"] == "t-1"


def test_attempts_that_come_to_nothing_leave_their_endpoint_free_when_their_leases_are_over(url):
    with live_server(database=url) as one, receiver() as there:
        add_endpoint(one, there.url)
        one.control.post("/_local/faults", json={"kind": "dns", "probability": 1e-9})
        with unreadable_faults(url):
            for _ in range(6):
                request_content(one)
            leased = "SELECT count(*) FROM webhook_deliveries WHERE leased_until IS NOT NULL"
            while run_sql(url, leased)[0]["count"] < IN_FLIGHT_PER_ENDPOINT:
                pass
        one.control.delete("/_local/faults")
        run_sql(url, "UPDATE webhook_deliveries SET leased_until = 1 WHERE leased_until IS NOT NULL")
        there.wait_for(6)


def test_processes_that_change_what_all_have_in_memory_do_not_wait_for_each_other(monkeypatch, pair):
    for module in (peers, session):
        monkeypatch.setattr(module, "FOLLOW_WITHIN_S", 600.0)  # nobody gives up waiting: a deadlock stays one

    def add(caller: Caller) -> int:
        return caller.control.post("/_local/faults", json={"kind": "latency", "delaySeconds": 0.01}).status_code

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(add, pair * 8)) == {201}
    assert [len(one.control.get("/_local/faults").json()["items"]) for one in pair] == [16, 16]

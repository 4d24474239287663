"""One manifest, one submission, however many answers are lost; then the wait for the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from reinmaker_cli.client.answers import RetryLater
from reinmaker_cli.client.api import Api, Seen
from reinmaker_cli.client.events import AnswerLost, Event, Submitted
from reinmaker_cli.client.patience import MAX_ATTEMPTS, MAX_LIMITS_IN_A_ROW, Clockwork, Patience
from reinmaker_cli.client.submit import Accepted, submit_manifest, wait_for_verdict
from reinmaker_cli.errors import ReinmakerError, ServerUnreachable, StillPending, VersionConflict
from reinmaker_cli.manifest.assemble import Manifest
from reinmaker_cli.server.running import Started
from tests.client.conftest import FakeTime, OpenedApi
from tests.client.lessons import lesson, upload
from tests.client.scripted import NOT_FOUND, Script, answer, problem, shown
from tests.faults import Fault, FaultProxy, fault_proxy

POSTS = "POST /v1/content/manifests"
MANIFEST = lesson(None, "scripted", {"a.mp3": b"a"}).at("2026.11.23")
OTHER = lesson(None, "scripted", {"a.mp3": b"other"}).at("2026.11.23")
LOST = httpx.ReadError("the connection broke")


def patience(time: FakeTime, timeout_s: float = 300) -> Patience:
    return Patience(timeout_s, world=time.world)


def submit(
    api: Api, manifest: Manifest, time: FakeTime, earlier: str | None = None, trace_id: str = "trace-1"
) -> Accepted:
    return submit_manifest(api, manifest, earlier=earlier, patience=patience(time), trace_id=trace_id)


# --- lost answers, at a real server through a proxy that loses them --------------------------------------------------


@contextmanager
def losing(server: Started, open_to: OpenedApi, *faults: Fault) -> Iterator[tuple[Api, FaultProxy]]:
    with fault_proxy(server.url, *faults) as proxy:
        yield open_to(server, proxy.url), proxy


@pytest.mark.parametrize("kind", ["drop", "reset", "cut"])
def test_a_lost_answer_is_reconciled_by_asking(
    kind: str, server: Started, open_to: OpenedApi, bucket: Path, fake_time: FakeTime
) -> None:
    manifest = lesson(bucket, f"lost-{kind}", {"a.mp3": b"a"}).at("2026.11.23")
    with losing(server, open_to, Fault(1, kind)) as (api, proxy):  # type: ignore[arg-type]
        accepted = submit(api, manifest, fake_time)
    assert accepted.reconciled
    assert accepted.seen.submission.digest == manifest.digest
    assert proxy.requests.count(POSTS) == 1


def test_a_lost_answer_on_a_re_submission_after_rejected_is_not_mistaken_for_the_rejected_one(
    server: Started, open_to: OpenedApi, bucket: Path, fake_time: FakeTime
) -> None:
    """The race: reading back finds the same digest twice, and only the submissionId tells which POST it was."""
    draft = lesson(None, "lost-again", {"a.mp3": b"a"})
    manifest = draft.at("2026.11.23")
    upload(bucket, next(iter(draft.files)), b"b")
    rejected = submit(open_to(server), manifest, fake_time).seen.submission
    assert rejected.status == "rejected"
    upload(bucket, next(iter(draft.files)), b"a")
    with losing(server, open_to, Fault(1, "drop")) as (api, proxy):
        accepted = submit(api, manifest, fake_time, earlier=rejected.submission_id)
    assert accepted.reconciled
    assert accepted.seen.submission.submission_id != rejected.submission_id
    assert proxy.requests.count(POSTS) == 1


def test_a_re_submission_that_never_arrived_is_sent_again(
    server: Started, open_to: OpenedApi, bucket: Path, fake_time: FakeTime
) -> None:
    draft = lesson(None, "never-arrived", {"a.mp3": b"a"})
    upload(bucket, next(iter(draft.files)), b"b")
    rejected = submit(open_to(server), draft.at("2026.11.23"), fake_time).seen.submission
    upload(bucket, next(iter(draft.files)), b"a")
    with losing(server, open_to, Fault(1, "refuse")) as (api, proxy):
        accepted = submit(api, draft.at("2026.11.23"), fake_time, earlier=rejected.submission_id)
    assert not accepted.reconciled
    assert accepted.seen.submission.status == "active"
    assert proxy.requests.count(POSTS) == 2


def test_an_old_rejected_one_that_nobody_knew_of_is_not_adopted_for_a_lost_answer(
    server: Started, open_to: OpenedApi, bucket: Path, fake_time: FakeTime
) -> None:
    """The race under `auto`: the version was rejected before the newest, so the preflight never saw it."""
    draft = lesson(None, "long-rejected", {"a.mp3": b"a"})
    manifest = draft.at("2026.11.23")
    upload(bucket, next(iter(draft.files)), b"b")
    submit(open_to(server), manifest, fake_time, trace_id="an-earlier-run")
    upload(bucket, next(iter(draft.files)), b"a")
    with losing(server, open_to, Fault(1, "refuse")) as (api, proxy):
        accepted = submit(api, manifest, fake_time)
    assert (accepted.seen.submission.status, accepted.reconciled) == ("active", False)
    assert proxy.requests.count(POSTS) == 2


def test_a_lost_answer_that_was_a_rejection_is_adopted(
    server: Started, open_to: OpenedApi, bucket: Path, fake_time: FakeTime
) -> None:
    draft = lesson(None, "lost-rejection", {"a.mp3": b"a"})
    upload(bucket, next(iter(draft.files)), b"b")
    with losing(server, open_to, Fault(1, "drop")) as (api, proxy):
        accepted = submit(api, draft.at("2026.11.23"), fake_time)
    assert (accepted.seen.submission.status, accepted.reconciled) == ("rejected", True)
    assert proxy.requests.count(POSTS) == 1


def test_a_token_refused_in_the_middle_is_renewed(server: Started, open_to: OpenedApi, fake_time: FakeTime) -> None:
    expired = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    manifest = lesson(None, "renewed", {"a.mp3": b"a"}).at("2026.11.23")
    with losing(server, open_to, Fault(1, "answer", with_answer=expired)) as (api, proxy):
        submit(api, manifest, fake_time)
    assert proxy.requests == ["POST /oauth/token", POSTS, "POST /oauth/token", POSTS]


# --- answers that a healthy server never gives -----------------------------------------------------------------------


@pytest.mark.parametrize("first", [LOST, httpx.ReadTimeout("slow"), problem(500, "server-error"), httpx.Response(502)])
def test_nothing_found_after_a_failure_means_send_again(first: httpx.Response | Exception, fake_time: FakeTime) -> None:
    script = Script([first, NOT_FOUND, answer(shown(MANIFEST), 202)])
    accepted = submit(script.api(), MANIFEST, fake_time)
    assert (script.methods, accepted.reconciled) == (["POST", "GET", "POST"], False)


def test_a_replay_after_a_lost_answer_counts_as_reconciled(fake_time: FakeTime) -> None:
    script = Script([LOST, NOT_FOUND, answer(shown(MANIFEST), 202, Idempotent_Replayed="true")])
    assert submit(script.api(), MANIFEST, fake_time).reconciled


def test_a_replay_of_what_somebody_else_sent_is_no_lost_answer(fake_time: FakeTime) -> None:
    script = Script([answer(shown(MANIFEST), 202, Idempotent_Replayed="true")])
    assert not submit(script.api(), MANIFEST, fake_time).reconciled


def test_other_content_found_is_not_adopted(fake_time: FakeTime) -> None:
    script = Script([LOST, answer(shown(OTHER, submission_id="sub_9")), problem(409, "version-conflict")])
    with pytest.raises(VersionConflict):
        submit(script.api(), MANIFEST, fake_time)
    assert script.methods == ["POST", "GET", "POST"]


def test_a_server_that_stays_down_ends_after_bounded_attempts(fake_time: FakeTime) -> None:
    def dead(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    script = Script([dead] * 100)
    with pytest.raises(ServerUnreachable) as caught:
        submit(script.api(), MANIFEST, fake_time)
    assert caught.value.code == "server-unreachable"
    assert script.methods == ["POST"] + ["GET"] * MAX_ATTEMPTS
    assert sum(fake_time.slept) < 30


def test_a_page_in_the_place_of_an_answer_is_looked_into_once(fake_time: FakeTime) -> None:
    script = Script([httpx.Response(200, text="<html>"), httpx.Response(200, text="<html>")])
    with pytest.raises(ServerUnreachable) as caught:
        submit(script.api(), MANIFEST, fake_time)
    assert (caught.value.code, script.methods) == ("answer-unusable", ["POST", "GET"])


def test_a_page_that_comes_again_ends_it(fake_time: FakeTime) -> None:
    page = httpx.Response(200, text="<html>")
    script = Script([page, NOT_FOUND, page])
    with pytest.raises(ServerUnreachable):
        submit(script.api(), MANIFEST, fake_time)
    assert script.methods == ["POST", "GET", "POST"]


def test_a_digest_that_is_not_ours_is_no_success(fake_time: FakeTime) -> None:
    with pytest.raises(ServerUnreachable) as caught:
        submit(Script([answer(shown(OTHER), 202)]).api(), MANIFEST, fake_time)
    assert caught.value.code == "answer-unusable"


def test_a_limit_is_waited_for_and_not_read_back(fake_time: FakeTime) -> None:
    script = Script([problem(429, "quota-exceeded", Retry_After="7"), answer(shown(MANIFEST), 202)])
    submit(script.api(), MANIFEST, fake_time)
    assert (script.methods, fake_time.slept) == (["POST", "POST"], [7.0])


def test_a_busy_server_is_waited_for_and_asked_before_anything_is_sent_again(fake_time: FakeTime) -> None:
    script = Script([problem(503, "server-busy", Retry_After="2"), answer(shown(MANIFEST))])
    assert submit(script.api(), MANIFEST, fake_time).reconciled
    assert (script.methods, fake_time.slept) == (["POST", "GET"], [2.0])


def test_waiting_for_limits_does_not_use_up_the_time(fake_time: FakeTime) -> None:
    limited = [problem(429, "quota-exceeded", Retry_After="50")] * 10
    script = Script([*limited, answer(shown(MANIFEST), 202)])
    quick = patience(fake_time, timeout_s=60)
    submit_manifest(script.api(), MANIFEST, earlier=None, patience=quick, trace_id="t")
    assert (quick.limited_s, quick.left_s()) == (500, 60)


def test_a_limit_longer_than_what_is_left_is_not_waited_for(fake_time: FakeTime) -> None:
    script = Script([problem(429, "quota-exceeded", Retry_After="61")])
    with pytest.raises(ServerUnreachable) as caught:
        submit_manifest(script.api(), MANIFEST, earlier=None, patience=patience(fake_time, 60), trace_id="t")
    assert (caught.value.code, caught.value.exit_code, fake_time.slept) == ("limited", 7, [])


def test_a_deadline_counts_the_waiting_for_limits_too(fake_time: FakeTime) -> None:
    script = Script([problem(429, "quota-exceeded", Retry_After="50")] * 10)
    strict = Patience(60, deadline_at=fake_time.now + 120, world=fake_time.world)
    with pytest.raises(ServerUnreachable) as caught:
        submit_manifest(script.api(), MANIFEST, earlier=None, patience=strict, trace_id="t")
    assert (caught.value.code, sum(fake_time.slept)) == ("limited", 100)


def test_whoever_comes_back_apart_from_others_does_not_pass_the_deadline(fake_time: FakeTime) -> None:
    world = Clockwork(lambda: fake_time.now, fake_time.sleep, lambda: 1.0)
    waiting = Patience(300, deadline_at=fake_time.now + 100, world=world)
    waiting.wait_as_asked(RetryLater("later", code="limited", hint="", retry_after_s=95, status=429))
    assert (fake_time.slept, waiting.left_s()) == ([100.0], 0.0)


def test_a_server_that_only_ever_says_later_ends(fake_time: FakeTime) -> None:
    with pytest.raises(ServerUnreachable) as caught:
        submit(Script([problem(429, "quota-exceeded", Retry_After="0")] * 100).api(), MANIFEST, fake_time)
    assert caught.value.code == "limited"


def test_limits_of_questions_that_passed_do_not_add_up(fake_time: FakeTime) -> None:
    waiting = patience(fake_time)
    later = RetryLater("later", code="limited", hint="", retry_after_s=1, status=429)

    def question() -> str:
        if refusals:
            raise refusals.pop()
        return "an answer"

    for _ in range(2):
        refusals = [later] * (MAX_LIMITS_IN_A_ROW - 1)
        assert waiting.ask(question) == "an answer"


def test_a_limit_met_again_and_again_ends_although_questions_pass(fake_time: FakeTime) -> None:
    limited = problem(429, "quota-exceeded", Retry_After="1")
    script = Script([LOST, NOT_FOUND, *[limited, NOT_FOUND] * 100])
    with pytest.raises(ServerUnreachable) as caught:
        submit(script.api(), MANIFEST, fake_time)
    assert caught.value.code == "limited"


@pytest.mark.parametrize("retry_after", ["0", "3"])
def test_a_server_that_stays_busy_uses_the_time_up(retry_after: str, fake_time: FakeTime) -> None:
    busy = problem(503, "server-busy", Retry_After=retry_after)
    script = Script([busy, NOT_FOUND] * 1000)
    with pytest.raises(ServerUnreachable) as caught:
        submit_manifest(script.api(), MANIFEST, earlier=None, patience=patience(fake_time, 60), trace_id="t")
    assert (caught.value.code, caught.value.exit_code) == ("server-busy", 7)
    assert 55 < sum(fake_time.slept) <= 60
    assert len(script.requests) < 250  # never without a pause


def test_what_happens_is_told(fake_time: FakeTime) -> None:
    told: list[Event] = []
    script = Script([LOST, answer(shown(MANIFEST))])
    submit_manifest(
        script.api(), MANIFEST, earlier=None, patience=patience(fake_time), trace_id="t", on_event=told.append
    )
    assert [type(event) for event in told][1:] == [AnswerLost, Submitted]
    assert told[-1].to_json() == {
        "event": "submitted",
        "manifestId": "scripted",
        "version": "2026.11.23",
        "submissionId": "sub_1",
        "status": "pending",
        "reconciled": True,
        "traceId": "trace-1",
    }


# --- the verdict -----------------------------------------------------------------------------------------------------


def seen(manifest: Manifest = MANIFEST, **more: str) -> Seen:
    found = Script([answer(shown(manifest), ETag='"1"', **more)]).api().manifest("scripted", trace_id="t")
    assert isinstance(found, Seen)
    return found


def wait(script: Script, time: FakeTime, timeout_s: float = 300) -> str:
    return str(wait_for_verdict(script.api(), seen(), patience=patience(time, timeout_s), trace_id="t").status)


def test_polling_waits_at_the_server_and_sends_what_it_has_seen(fake_time: FakeTime) -> None:
    unchanged = httpx.Response(304, headers={"Preference-Applied": "wait=10", "Retry-After": "0"})
    script = Script([unchanged, answer(shown(MANIFEST, "active"))])
    assert wait(script, fake_time) == "active"
    for request in script.requests:
        assert request.headers["Prefer"] == "wait=10"
        assert request.headers["If-None-Match"] == '"1"'
        assert request.url.params["version"] == "2026.11.23"
    assert fake_time.slept == [0.0]


def test_the_servers_hint_wins(fake_time: FakeTime) -> None:
    pending = answer(shown(MANIFEST), Retry_After="33")
    wait(Script([pending, answer(shown(MANIFEST, "active"))]), fake_time)
    assert fake_time.slept == [33.0]


def test_without_a_hint_it_asks_every_1_to_10_s(fake_time: FakeTime) -> None:
    wait(Script([answer(shown(MANIFEST))] * 9 + [answer(shown(MANIFEST, "rejected"))]), fake_time)
    assert fake_time.slept[0] == 1.0
    assert fake_time.slept == sorted(fake_time.slept)
    assert fake_time.slept[-1] == 10.0


def test_a_server_that_says_now_without_waiting_is_not_hammered(fake_time: FakeTime) -> None:
    wait(Script([answer(shown(MANIFEST), Retry_After="0"), answer(shown(MANIFEST, "active"))]), fake_time)
    assert fake_time.slept == [1.0]


def test_passing_failures_while_polling_are_passed_over(fake_time: FakeTime) -> None:
    script = Script(
        [LOST, httpx.Response(502), problem(429, "quota-exceeded", Retry_After="1"), answer(shown(MANIFEST, "active"))]
    )
    assert wait(script, fake_time) == "active"


def test_no_verdict_in_time_is_exit_8_with_the_next_command(fake_time: FakeTime) -> None:
    with pytest.raises(StillPending) as caught:
        wait(Script([answer(shown(MANIFEST), Retry_After="40")] * 9), fake_time, timeout_s=100)
    assert (caught.value.exit_code, caught.value.code, sum(fake_time.slept)) == (8, "out-of-time", 100)
    assert "reinmaker status scripted --wait" in caught.value.hint


def test_an_answer_that_is_held_open_to_the_end_has_time_to_come_back(fake_time: FakeTime) -> None:
    def held(request: httpx.Request) -> httpx.Response:
        asked_s = int(request.headers["Prefer"].removeprefix("wait="))
        assert request.extensions["timeout"]["read"] >= asked_s + 1
        fake_time.now += asked_s
        return answer(shown(MANIFEST), Preference_Applied=f"wait={asked_s}", Retry_After="0")

    with pytest.raises(StillPending):
        wait(Script([held, held, held, answer(shown(MANIFEST))]), fake_time, timeout_s=25.001)


def test_other_content_under_the_version_while_polling_is_a_conflict(fake_time: FakeTime) -> None:
    with pytest.raises(VersionConflict):
        wait(Script([answer(shown(OTHER, "active", "sub_2"))]), fake_time)


def test_the_same_content_submitted_by_somebody_else_is_followed(fake_time: FakeTime) -> None:
    assert wait(Script([answer(shown(MANIFEST, "active", "sub_2"))]), fake_time) == "active"


def test_a_submission_that_vanished_is_said(fake_time: FakeTime) -> None:
    with pytest.raises(ReinmakerError, match="no longer knows"):
        wait(Script([NOT_FOUND]), fake_time)

"""`local requests` and `local wait`."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.cli.command import Command, command_line, in_time
from tests.server.live import Caller, event, live_server, manifest


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """A server that waits for decisions."""
    with live_server(data=tmp_path_factory.mktemp("data"), validation="manual") as caller:
        yield caller


@pytest.fixture
def local(reinmaker: Command, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line, with that server as environment `local`."""
    monkeypatch.setenv("REINMAKER_DATA", str(caller.started.data))
    return reinmaker


def test_requests_are_shown_with_what_they_caused(local: Command, caller: Caller) -> None:
    headers = {"X-Lesson-Trace-Id": "trace-a"}
    caller.api.post("/v1/telemetry/events", json={"events": [event()]}, headers=headers)
    shown = local("local", "requests", "--trace-id", "trace-a")
    request, batch, webhook = shown.out.splitlines()
    assert "202" in request
    assert request.endswith(f"POST   /v1/telemetry/events  trace=trace-a  client={caller.started.client.client_id}")
    assert batch.startswith("    batch  1 of 1 event new  batch_")
    assert webhook.startswith("    webhook  reinmaker.telemetry.flushed  msg_")
    assert webhook.endswith(", undelivered: no endpoint")


def test_filters_and_json(local: Command, caller: Caller) -> None:
    caller.status("nothing")
    [refused] = local("local", "requests", "--status", "4xx", "--limit", "1", "--json").document["results"]
    assert (refused["status"], refused["code"]) == (404, "manifest-not-found")
    mine = local("local", "requests", "--client", caller.started.client.client_id, "--route", "/v1/nothing", "--json")
    assert mine.document["results"] == []
    assert local("local", "requests", "--status", "4xx", "--limit", "1", "-q").out.strip() == refused["traceId"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("requests", "--status", "many"), "bad-request"),
        (("requests", "--limit", "0"), "usage"),
        (("wait", "--delivered", "0"), "usage"),
        (("wait", "--version", "2026.11.23"), "usage"),
        (("wait", "--since", "yesterday"), "bad-request"),
    ],
)
def test_what_cannot_be_meant_is_exit_2(local: Command, words: tuple[str, ...], code: str) -> None:
    ended = local("local", *words, "--json")
    assert (ended.code, ended.document["error"]["code"]) == (2, code)


def test_follow_tells_of_requests_and_of_what_becomes_of_them(local: Command, caller: Caller) -> None:
    words = ("local", "requests", "--follow", "--route", "/v1/content/manifests", "--events", "-")
    words += ("--limit", "1", "--data", str(caller.started.data))
    headers = {"X-Lesson-Trace-Id": "followed"}
    caller.api.post("/v1/content/manifests", json=manifest("followed"), headers=headers)
    with subprocess.Popen(command_line(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as follower:
        try:
            assert follower.stdout is not None
            first = json.loads(follower.stdout.readline())
            assert (first["event"], first["traceId"], first["status"]) == ("request", "followed", 202)
            assert caller.decide("followed", "2026.11.23", "active").status_code == 200
            again = first
            while again["caused"]["submissions"][0]["status"] != "active":
                again = json.loads(follower.stdout.readline())
            assert (again["no"], again["revision"] > first["revision"]) == (first["no"], True)
            follower.send_signal(signal.SIGINT)
            assert follower.wait(timeout=120) == 130
        finally:
            follower.kill()


def test_follow_shows_only_the_news_of_what_it_has_shown(local: Command, caller: Caller) -> None:
    words = ("local", "requests", "--follow", "--trace-id", "news", "--data", str(caller.started.data))
    caller.api.post("/v1/content/manifests", json=manifest("news"), headers={"X-Lesson-Trace-Id": "news"})
    while caller.status("news").json()["status"] != "validating":
        pass
    with subprocess.Popen(command_line(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as follower:
        try:
            assert follower.stdout is not None
            request, submission = follower.stdout.readline(), follower.stdout.readline()
            assert b" POST   /v1/content/manifests  trace=news" in request
            assert submission.split() == [b"submission", b"validating", b"news", b"2026.11.23"]
            assert caller.decide("news", "2026.11.23", "rejected").status_code == 200
            assert follower.stdout.readline().rstrip().endswith(b"since then  trace=news")
            assert follower.stdout.readline().split() == [b"submission", b"rejected", b"news", b"2026.11.23"]
            follower.stdout.close()  # who follows ends when nobody reads it
            caller.api.post("/v1/content/manifests", json={}, headers={"X-Lesson-Trace-Id": "news"})
            assert follower.wait(timeout=120) == 0
        finally:
            follower.kill()


# --- wait ------------------------------------------------------------------------------------------------------------


def test_without_a_condition_wait_gives_a_cursor_to_count_from(local: Command, caller: Caller) -> None:
    since = local("local", "wait", "-q").out.strip()
    waiting = ("local", "wait", "--since", since, "--requests", "1")
    assert in_time(local, *waiting, is_enough=lambda ended: ended.code == 8).code == 8
    caller.api.get("/v1/health")
    ended = local("local", "wait", "--since", since, "--requests", "1")
    assert (ended.code, ended.out.splitlines()[0]) == (0, "so: requests: 1 of 1")


def test_what_is_missing_is_said_at_the_end_of_the_time(local: Command, caller: Caller) -> None:
    caller.submit(manifest("slow"), wait=None)
    words = ("--idle", "--active", "slow", "--delivered", "2")
    ended = in_time(local, "local", "wait", *words, is_enough=lambda ended: ended.code == 8)
    assert (ended.code, ended.document["error"]["code"]) == (8, "out-of-time")
    assert ended.document["met"] is False
    message = ended.document["error"]["message"]
    assert "delivered: 0 of 2" in message
    assert "without a verdict" in message
    assert any(f"slow is {status}" in message for status in ("pending", "validating"))


def test_wait_ends_when_it_is_so(local: Command, caller: Caller) -> None:
    caller.submit(manifest("soon"), wait=None)
    words = ("local", "wait", "--active", "soon", "--version", "2026.11.23", "--data", caller.started.data)
    with subprocess.Popen(command_line(*words), stdout=subprocess.PIPE) as waiting:
        assert caller.decide("soon", "2026.11.23", "active").status_code == 200
        assert waiting.wait(timeout=120) == 0
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == b"so: soon 2026.11.23 is active\n"

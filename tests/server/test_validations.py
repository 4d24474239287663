"""Validations that fail for a reason of the server's own: they are tried again, and no manifest pays for them."""

from __future__ import annotations

import asyncio
import threading

import pytest

from reinmaker_cli.contract.names import Status
from reinmaker_cli.server import judging
from reinmaker_cli.server.store.submissions import Submissions
from reinmaker_cli.server.validations import MANY, Validations
from tests.server.live import MANIFESTS, live_server, manifest

VALIDATIONS = "reinmaker_cli.server.validations."


class _Failing:
    """Stands in for `judge` or `decide`, and fails as often as it is told before it does their work."""

    def __init__(self, works, failures: int) -> None:
        self._works = works
        self.failures_left = failures
        self.calls = 0

    def __call__(self, *args, **named):
        self.calls += 1
        if self.failures_left:
            self.failures_left -= 1
            raise OSError(28, "No space left on device")
        return self._works(*args, **named)


@pytest.fixture
def no_pauses(monkeypatch) -> None:
    monkeypatch.setattr(VALIDATIONS + "RETRY_AFTER_S", (0.0,))


def test_validation_that_fails_is_tried_again_until_its_verdict(monkeypatch, capfd, no_pauses):
    failing = _Failing(judging.judge, failures=5)
    monkeypatch.setattr(VALIDATIONS + "judge", failing)
    with live_server() as caller:
        headers = {"Prefer": "wait=20", "X-Lesson-Trace-Id": "trace-of-the-post"}
        answer = caller.api.post(MANIFESTS, json=manifest(), headers=headers)
    assert (answer.json()["status"], failing.calls) == ("active", 6)
    logged = capfd.readouterr().err
    assert logged.count("OSError: [Errno 28] No space left on device") >= 5
    assert logged.count("trace=trace-of-the-post") == 5


def test_submission_stays_validating_while_its_validation_fails(monkeypatch):
    failing = _Failing(judging.judge, failures=1)
    monkeypatch.setattr(VALIDATIONS + "judge", failing)
    monkeypatch.setattr(VALIDATIONS + "RETRY_AFTER_S", (3600.0,))
    with live_server() as caller:
        caller.submit(manifest(), wait=None)
        while failing.failures_left:
            pass
        assert caller.status("water-cycle").json()["status"] == "validating"
        other = caller.submit(manifest("other")).json()  # nobody waits in the place of the one that failed
    assert other["status"] == "active"


def test_claim_that_fails_is_tried_again(monkeypatch, capfd, no_pauses):
    failing = _Failing(Submissions.claim, failures=2)

    def claim(store, *args, **named):
        return failing(store, *args, **named)

    monkeypatch.setattr(Submissions, "claim", claim)
    with live_server() as caller:
        assert caller.submit(manifest()).json()["status"] == "active"
    assert capfd.readouterr().err.count("tried again") == 2


def test_decision_that_fails_leaves_the_validation_to_be_done(monkeypatch, no_pauses):
    """A decision overtakes the validation under way; where it then fails, somebody must give the verdict."""
    monkeypatch.setattr(VALIDATIONS + "decide", _Failing(judging.decide, failures=1))
    failing = _Failing(judging.judge, failures=1)
    monkeypatch.setattr(VALIDATIONS + "judge", failing)
    monkeypatch.setattr(VALIDATIONS + "RETRY_AFTER_S", (3600.0,))
    with live_server() as caller:
        caller.submit(manifest(), wait=None)
        while failing.failures_left:
            pass
        assert caller.decide("water-cycle", "2026.11.23", "rejected").status_code == 500
        answer = caller.api.get(f"{MANIFESTS}/water-cycle", headers={"Prefer": "wait=20"})
    assert answer.json()["status"] == "active"


def test_validation_whose_turn_comes_within_a_decision_does_not_undo_it(monkeypatch):
    decided, validated = threading.Event(), threading.Event()
    decisions: list[Status | None] = []
    attempt = Validations._attempt

    async def attempt_late(validations, no, pause_s):
        await asyncio.to_thread(decided.wait, 60)
        try:
            return await attempt(validations, no, pause_s)
        finally:
            validated.set()

    def decide(*args):
        decided.set()
        assert validated.wait(60)
        decisions.append(judging.decide(*args))
        return decisions[-1]

    monkeypatch.setattr(Validations, "_attempt", attempt_late)
    monkeypatch.setattr(VALIDATIONS + "decide", decide)
    with live_server(validation="manual") as caller:
        caller.submit(manifest(), wait=None)
        answer = caller.decide("water-cycle", "2026.11.23", "active")
    assert (answer.status_code, answer.json()["status"], decisions) == (200, "active", [None, "active"])


def test_validation_that_nobody_waits_for_lets_submissions_go_first(monkeypatch):
    monkeypatch.setattr(VALIDATIONS + "GIVE_WAY_S", 3600.0)
    monkeypatch.setattr(VALIDATIONS + "MANY", 2)
    with live_server() as caller:
        for name in ("first", "second", "third"):
            caller.submit(manifest(name), wait=None)
        assert caller.submit(manifest("awaited")).json()["status"] == "active"
        assert [caller.status(name).json()["status"] for name in ("second", "third")] == ["pending", "pending"]
        assert caller.decide("third", "2026.11.23", "active").json()["status"] == "active"


def test_validations_give_way_to_many_submissions_and_not_to_a_few(monkeypatch):
    monkeypatch.setattr(VALIDATIONS + "GIVE_WAY_S", 3600.0)
    names = [f"lesson-{number}" for number in range(MANY - 1)]
    with live_server() as caller:
        for name in names:
            caller.submit(manifest(name), wait=None)
        answers = [caller.api.get(f"{MANIFESTS}/{name}", headers={"Prefer": "wait=20"}) for name in names]
    assert [answer.json()["status"] for answer in answers] == ["active"] * len(names)

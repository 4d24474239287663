"""What follows from an attempt."""

from __future__ import annotations

import pytest

from reinmaker_cli.server.retries import (
    Answered,
    DeadLetter,
    Delivered,
    Failed,
    RetryAt,
    Schedule,
    decide,
    retry_after_seconds,
)

TIMEOUT = Failed("timeout", "no complete answer within 5 s")
REAL_NOW = 1_795_417_200.0  # Mon, 23 Nov 2026 07:00:00 GMT


@pytest.mark.parametrize("status", [200, 204, 299])
@pytest.mark.parametrize("attempt", [1, 6])
def test_2xx_is_delivered(status, attempt):
    assert decide(Answered(status), attempt, 0.0) == Delivered()


@pytest.mark.parametrize(("attempt", "delay_s"), [(1, 30), (2, 120), (3, 600), (4, 3600), (5, 21_600)])
@pytest.mark.parametrize("outcome", [Answered(500), Answered(302), Answered(404), Answered(199), TIMEOUT])
def test_anything_else_is_tried_again_after_the_delay_of_its_attempt(outcome, attempt, delay_s):
    assert decide(outcome, attempt, 1000.0) == RetryAt(1000.0 + delay_s)


def test_sixth_failure_is_a_dead_letter():
    assert decide(Answered(503), 6, 0.0) == DeadLetter("HTTP 503")
    assert decide(TIMEOUT, 6, 0.0) == DeadLetter("no complete answer within 5 s")


@pytest.mark.parametrize("attempt", [1, 6])
def test_410_is_a_dead_letter_and_disables_the_endpoint(attempt):
    assert decide(Answered(410), attempt, 0.0) == DeadLetter("HTTP 410", disables_endpoint=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("asked_s", "waited_s"), [(0, 120), (120, 120), (200, 200), (240, 240), (86_400, 240)])
def test_retry_after_counts_between_the_delay_and_twice_it(status, asked_s, waited_s):
    assert decide(Answered(status, asked_s), 2, 0.0) == RetryAt(waited_s)


def test_retry_after_on_another_status_counts_for_nothing():
    assert decide(Answered(500, 50.0), 1, 0.0) == RetryAt(30.0)


def test_the_schedule_is_data():
    once_more = Schedule(delays_s=(1.0,))
    assert decide(TIMEOUT, 1, 0.0, once_more) == RetryAt(1.0)
    assert isinstance(decide(TIMEOUT, 2, 0.0, once_more), DeadLetter)
    capped = Schedule(max_attempts=3)
    assert decide(TIMEOUT, 2, 0.0, capped) == RetryAt(120.0)
    assert isinstance(decide(TIMEOUT, 3, 0.0, capped), DeadLetter)


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Mon, 23 Nov 2026 07:01:30 GMT", 90.0),
        ("Mon, 23 Nov 2026 06:00:00 GMT", 0.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("\u0661\u0662", None),
        ("Mon, 99 Nov 2026 07:01:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(field, seconds):
    assert retry_after_seconds(field, REAL_NOW) == seconds

"""From what a server answered to what the user reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from reinmaker_cli.client.answers import Answer, RetryLater, error_of
from reinmaker_cli.contract.models import Submission
from reinmaker_cli.errors import AccessDenied, ContentInvalid, ServerUnreachable, VersionConflict

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def problem(status: int, code: str, **more: Any) -> Answer:
    document = {"type": f"https://api.reinmaker.com/problems/{code}", "title": "T", "status": status, "code": code}
    body = json.dumps(document | more).encode()
    return Answer(
        status, {"content-type": "application/problem+json; charset=utf-8"}, body, "https://api.example/x", "tr"
    )


def page(status: int, **headers: str) -> Answer:
    shown = {"content-type": "text/html"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, shown, b"<html>", "https://api.example/x", "tr")


@pytest.mark.parametrize(
    ("answer", "kind", "code", "exit_code"),
    [
        (problem(401, "token-invalid"), AccessDenied, "token-invalid", 4),
        (problem(403, "insufficient-scope"), AccessDenied, "insufficient-scope", 4),
        (problem(409, "version-conflict"), VersionConflict, "version-conflict", 5),
        (problem(409, "version-not-newer"), VersionConflict, "version-not-newer", 5),
        (problem(422, "manifest-invalid"), ContentInvalid, "manifest-invalid", 3),
        (problem(400, "not-i-json"), ContentInvalid, "not-i-json", 3),
        (problem(500, "server-error"), ServerUnreachable, "server-failed", 7),
        (problem(421, "host-not-allowed"), ServerUnreachable, "host-not-allowed", 7),
        (problem(418, "nobody-knows-this"), ServerUnreachable, "answer-unusable", 7),
        (page(404), ServerUnreachable, "answer-unusable", 7),
        (page(200), ServerUnreachable, "answer-unusable", 7),
        (page(302, location="https://evil.example"), ServerUnreachable, "answer-unusable", 7),
        (page(502), ServerUnreachable, "server-failed", 7),
    ],
)
def test_each_answer_has_its_error(answer: Answer, kind: type[Exception], code: str, exit_code: int) -> None:
    error = error_of(answer)
    assert (type(error), error.code, error.exit_code, error.trace_id) == (kind, code, exit_code, "tr")


def test_places_that_are_wrong_become_findings_with_our_cure() -> None:
    errors = [{"code": "asset-hash", "pointer": "/assets/3", "detail": "other bytes", "assetId": "a", "expected": "1"}]
    (finding,) = error_of(problem(422, "manifest-invalid", errors=errors)).findings
    assert (finding.code, finding.pointer, finding.asset_id, finding.expected) == ("asset-hash", "/assets/3", "a", "1")
    assert "never replaced" in finding.hint


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({"retry_after": "17"}, 17.0),
        ({"retry_after": "Mon, 23 Nov 2026 12:01:00 GMT"}, 60.0),
        ({"retry_after": "Mon, 23 Nov 2026 12:01:00 GMT", "date": "Mon, 23 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry_after": "Mon, 23 Nov 2020 12:01:00 GMT"}, 0.0),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "Mon, 23 Nov 2026 12:01:00 +99999999999999999999"}, None),
        ({"retry_after": "Mon, 23 Nov 99999999999999999999 12:01:00 GMT"}, None),
        ({"retry_after": "-5"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_on_the_servers_clock(header: dict[str, str], seconds: float | None) -> None:
    error = error_of(page(429, **header), now=NOW)
    assert isinstance(error, RetryLater)
    assert error.retry_after_s == seconds


def test_a_503_asks_to_wait_only_where_it_says_how_long() -> None:
    assert isinstance(error_of(page(503, retry_after="1")), RetryLater)
    assert error_of(page(503)).code == "server-failed"


def test_a_servers_words_cannot_write_on_the_terminal() -> None:
    message = error_of(problem(409, "version-conflict", detail="a\x1b[2Jb\r\n\x9b\u202ec" + "x" * 10_000)).message
    assert message.startswith("a [2Jb c")
    assert len(message) == 500


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"submissionId": 5}', b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_what_was_asked_for_is_unusable(body: bytes) -> None:
    answer = Answer(200, {"content-type": "application/json"}, body, "https://api.example/x", "tr")
    with pytest.raises(ServerUnreachable) as caught:
        answer.read(Submission)
    assert caught.value.code == "answer-unusable"


@pytest.mark.parametrize(("tag", "sent_back"), [('"a1"', '"a1"'), ("", None), ('"é"', None)])
def test_a_tag_that_no_request_can_hold_is_not_sent_back(tag: str, sent_back: str | None) -> None:
    assert page(200, etag=tag).etag == sent_back

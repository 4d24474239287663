"""Captured requests: raw text and JSON, and what is neither."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reinmaker_cli.client.captures import parse_capture
from reinmaker_cli.errors import UsageError

HEAD = b"POST /hooks HTTP/1.1\r\nHost: localhost\r\nWebhook-Id: evt_1\r\n"
BODY = b'{"a": 1}'


def test_raw_text_is_headers_and_the_exact_body() -> None:
    capture = parse_capture(HEAD + b"\r\n" + BODY + b"\r\n\r\n")
    assert capture.headers["webhook-id"] == "evt_1"
    assert capture.body == BODY + b"\r\n\r\n"


def test_the_request_line_may_be_missing_and_lines_may_end_in_lf() -> None:
    capture = parse_capture(b"webhook-id: evt_1\nother:  x \n\n" + BODY)
    assert dict(capture.headers) == {"webhook-id": "evt_1", "other": "x"}
    assert capture.body == BODY


def test_what_an_editor_added_after_the_body_is_cut_at_its_length() -> None:
    assert parse_capture(HEAD + b"Content-Length: 8\r\n\r\n" + BODY + b"\n").body == BODY


def test_json_holds_headers_and_the_text_of_the_body() -> None:
    capture = parse_capture(json.dumps({"headers": {"Webhook-Id": ["evt_1"]}, "body": '{"é": 1}'}).encode())
    assert (capture.headers["webhook-id"], capture.body) == ("evt_1", '{"é": 1}'.encode())


def test_json_may_hold_the_body_as_base64() -> None:
    document = {"headers": {}, "body": base64.b64encode(b"\xff").decode(), "isBase64Encoded": True}
    assert parse_capture(json.dumps(document).encode()).body == b"\xff"


def test_a_signature_header_that_stands_twice_is_one() -> None:
    assert parse_capture(b"webhook-signature: v1,a\nWebhook-Signature: v1,b\n\n").headers == {
        "webhook-signature": "v1,a v1,b"
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"just text",
        b"no header\n\nbody",
        b"{",
        b"{}",
        b'{"headers": {}}',
        b'{"headers": {}, "body": {"parsed": true}}',
        b'{"headers": [], "body": ""}',
        b'{"headers": {}, "body": "%", "isBase64Encoded": true}',
    ],
)
def test_what_is_no_capture_is_refused(raw: bytes) -> None:
    with pytest.raises(UsageError) as refused:
        parse_capture(raw)
    assert refused.value.code == "capture-unreadable"


@given(st.binary(max_size=200))
def test_no_file_breaks_the_reader(raw: bytes) -> None:
    try:
        parse_capture(raw)
    except UsageError as refused:
        assert refused.hint

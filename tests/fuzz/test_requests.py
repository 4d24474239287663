"""Requests that no client would send, to a live server: it answers each, never with 500, and as its document says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reinmaker_cli.contract.validation import check_manifest
from tests.fuzz.conftest import fuzzing
from tests.fuzz.strategies import any_json, broken_manifests
from tests.server.live import MANIFESTS, Caller, live_server

field_value = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40).map(str.strip)
FIELDS = [
    "X-Lesson-Trace-Id",
    "Prefer",
    "If-None-Match",
    "Accept",
    "Content-Type",
    "Content-Encoding",
    "Accept-Encoding",
]
FIELDS += ["Authorization", "Origin", "Forwarded", "X-Forwarded-For", "Range", "Expect", "Cookie", "Connection"]
LIKELY = [
    "wait=999999999999",
    "wait=-1",
    "wait=0x1",
    "wait=0, wait=5",
    "respond-async",
    'W/"',
    "*",
    '""',
    "gzip, gzip",
    "identity",
]
LIKELY += [
    "Bearer",
    "Bearer .",
    "Basic Og==",
    "Basic %",
    "application/json; charset=utf-16",
    "text/html",
    "null",
    "100-continue",
]
fields = st.dictionaries(st.sampled_from(FIELDS), st.one_of(st.sampled_from(LIKELY), field_value), max_size=4)
PATHS = [
    MANIFESTS,
    f"{MANIFESTS}/a",
    f"{MANIFESTS}/%00",
    "/v1/entitlements/u",
    "/v1/health",
    "/oauth/token",
    "/openapi.json",
    "/_local/clock",
]
queries = st.dictionaries(st.sampled_from(["version", "include", "limit", "cursor", "x"]), field_value, max_size=2)
forms = st.dictionaries(
    st.sampled_from(["grant_type", "scope", "client_id", "client_secret", "x"]),
    st.one_of(
        st.sampled_from(["client_credentials", "password", "reinmaker.content.write", "", " "]), st.text(max_size=12)
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def live():
    with live_server(validation="immediate") as caller:
        yield caller


@fuzzing
@given(st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH"]), st.sampled_from(PATHS), fields, queries)
def test_any_header_fields_get_an_answer(live: Caller, method, path, headers, query):
    answer = live.api.request(method, path, headers=headers, params=query)
    assert answer.status_code < 500, answer.text


@fuzzing
@given(forms, st.one_of(st.none(), st.tuples(st.text(max_size=8), st.text(max_size=8))))
def test_any_token_request_gets_an_answer_of_oauth(live: Caller, form, basic):
    data = {name: value.encode("utf-8", "replace").decode() for name, value in form.items()}
    auth = tuple(one.encode("utf-8", "replace").decode() for one in basic) if basic else None
    answer = live.http.post("/oauth/token", data=data, auth=auth)
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] in (
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unsupported_grant_type",
        "invalid_scope",
    )


@fuzzing
@given(broken_manifests)
def test_client_and_server_agree_on_manifests(live: Caller, document):
    """What the client lets through is never refused for its form, and what it refuses is never accepted."""
    try:
        body = json.dumps(document, allow_nan=True).encode()
        examined = check_manifest(json.loads(body))
    except (ValueError, RecursionError) as error:  # not I-JSON: the reader of files refuses it before it is a document
        examined = error
    answer = live.api.post(MANIFESTS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 202, 400, 409, 422), answer.text
    if answer.status_code == 422:
        assert isinstance(examined, Exception) or not examined.is_valid, answer.text
    elif answer.status_code in (200, 202, 409):
        assert not isinstance(examined, Exception), answer.text
        assert examined.is_valid, examined.findings


@fuzzing
@given(st.one_of(any_json.map(lambda value: json.dumps(value).encode()), st.binary(max_size=60)))
def test_any_body_gets_an_answer(live: Caller, body):
    for path in (MANIFESTS, "/v1/telemetry/events"):
        answer = live.api.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (202, 400, 422), answer.text

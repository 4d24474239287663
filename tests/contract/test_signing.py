"""Signing and verifying webhooks, and what is said of one that does not verify."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime

import pytest
import standardwebhooks
import svix.webhooks
from hypothesis import given
from hypothesis import strategies as st

from reinmaker_cli.contract.signing import (
    HEADERS,
    NotVerified,
    Reason,
    Verified,
    new_secret,
    secret_bytes,
    sign,
    signature_header,
    signed_content,
    verify,
)

SECRET = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
OTHER = secret_bytes("whsec_" + "A" * 32)
MESSAGE, SIGNED_AT = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
BODY = b'{"test": 2432232314}'
PUBLISHED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def headers_of(signature: str = PUBLISHED, **changes: str | None) -> dict[str, str]:
    """Return the headers of the published example; None leaves one out."""
    headers = {"webhook_id": MESSAGE, "webhook_timestamp": str(SIGNED_AT), "webhook_signature": signature} | changes
    return {name.replace("_", "-"): value for name, value in headers.items() if value is not None}


def reason_of(headers: dict[str, str], body: bytes = BODY, *, now: float = SIGNED_AT, **more: list[bytes]) -> Reason:
    outcome = verify([SECRET], headers, body, now=now, **more)
    assert isinstance(outcome, NotVerified)
    return outcome.reason


def detail_of(headers: dict[str, str], body: bytes = BODY, *, now: float = SIGNED_AT) -> str:
    outcome = verify([SECRET], headers, body, now=now)
    assert isinstance(outcome, NotVerified)
    return outcome.detail


def test_signature_matches_the_published_example() -> None:  # vector from the Svix documentation
    assert sign(SECRET, MESSAGE, SIGNED_AT, BODY) == PUBLISHED
    assert verify([SECRET], headers_of(), BODY, now=SIGNED_AT) == Verified(MESSAGE, SIGNED_AT)


def test_the_signed_content_is_id_timestamp_and_the_exact_body() -> None:
    assert signed_content("msg_1", 7, b"\xff\n") == b"msg_1.7.\xff\n"


def test_header_names_count_without_regard_to_case() -> None:
    headers = {name.title(): value for name, value in headers_of().items()}
    assert isinstance(verify([SECRET], headers, BODY, now=SIGNED_AT), Verified)


def test_two_secrets_sign_newest_first_and_either_verifies() -> None:
    header = signature_header([OTHER, SECRET], MESSAGE, SIGNED_AT, BODY)
    assert header.split(" ")[1] == PUBLISHED
    for secret in (SECRET, OTHER):
        assert isinstance(verify([secret], headers_of(header), BODY, now=SIGNED_AT), Verified)
    assert verify([SECRET, OTHER], headers_of(sign(OTHER, MESSAGE, SIGNED_AT, BODY)), BODY, now=SIGNED_AT) == Verified(
        MESSAGE, SIGNED_AT, secret_number=1
    )


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_a_new_secret_is_32_random_bytes() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert first.startswith("whsec_")
    assert len(secret_bytes(first)) == 32


def test_a_secret_without_its_prefix_is_the_same_secret() -> None:
    assert secret_bytes("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") == SECRET


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%", "whsec_ä", "whsec_" + "A" * 88, "x y"])
def test_what_is_no_secret_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        secret_bytes(text)
    assert text.removeprefix("whsec_") in ("",) or text not in str(refused.value)
    assert refused.value.__cause__ is None


# --- reasons ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HEADERS)
def test_a_missing_header_is_named(name: str) -> None:
    headers = headers_of(**{name.replace("-", "_"): None})
    assert reason_of(headers) is Reason.HEADER_MISSING
    assert detail_of(headers) == f"without `{name}`"


def test_all_missing_headers_are_named_at_once() -> None:
    assert detail_of({}) == "without `webhook-id`, `webhook-timestamp`, `webhook-signature`"


@pytest.mark.parametrize(
    "text", ["now", "1614265330.5", "-1", "+1", "1_0", "١٢", " 1614265330", "9" * 400, "2021-02-25"]
)
def test_a_timestamp_that_is_no_number_is_said_so(text: str) -> None:
    assert reason_of(headers_of(webhook_timestamp=text)) is Reason.TIMESTAMP_NOT_A_NUMBER


def test_the_tolerance_is_five_minutes_to_either_side() -> None:
    for now in (SIGNED_AT - 300, SIGNED_AT + 300):
        assert isinstance(verify([SECRET], headers_of(), BODY, now=now), Verified)
    assert reason_of(headers_of(), now=SIGNED_AT + 301) is Reason.TIMESTAMP_TOO_OLD
    assert reason_of(headers_of(), now=SIGNED_AT - 301) is Reason.TIMESTAMP_TOO_NEW


def test_an_old_timestamp_says_by_how_much_and_whether_the_signature_is_right() -> None:
    old = "signed 312 s ago, 12 s more than the 300 s allowed"
    assert detail_of(headers_of(), now=SIGNED_AT + 312) == f"{old}; its signature is right"
    assert detail_of(headers_of(), b"{}", now=SIGNED_AT + 312) == f"{old}; its signature is wrong too"


def test_another_version_is_named() -> None:
    headers = headers_of("v1a,aGFsbG8= v2,aGFsbG8=")
    assert reason_of(headers) is Reason.OTHER_VERSION
    assert detail_of(headers) == "no `v1` signature in `webhook-signature`, only `v1a`, `v2`"


def test_another_version_beside_ours_is_passed_over() -> None:
    assert isinstance(verify([SECRET], headers_of(f"v1a,aGFsbG8= {PUBLISHED}"), BODY, now=SIGNED_AT), Verified)


@pytest.mark.parametrize("signature", ["g0hM9SsE", "v1", ",", "v1;x", "sha256=abc", "\udcff", "V1,abc"])
def test_a_signature_header_without_a_signature_is_malformed(signature: str) -> None:
    assert reason_of(headers_of(signature)) is Reason.HEADER_MALFORMED


def test_a_message_id_that_is_not_ascii_is_malformed() -> None:
    assert reason_of(headers_of(webhook_id="msg\u00e4")) is Reason.HEADER_MALFORMED


def test_a_secret_that_has_ended_is_told_from_a_wrong_one() -> None:
    headers = headers_of(sign(OTHER, MESSAGE, SIGNED_AT, BODY))
    assert reason_of(headers, ended=[OTHER]) is Reason.SECRET_ENDED
    assert reason_of(headers) is Reason.WRONG_SECRET


def test_the_text_of_the_secret_as_key_is_recognised() -> None:
    for text in (b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"):
        assert reason_of(headers_of(sign(text, MESSAGE, SIGNED_AT, BODY))) is Reason.SECRET_NOT_DECODED


DOCUMENT = {"type": "reinmaker.content.requested", "data": {"locale": "es-ES", "a": "agua <1> ñ/n"}}


@pytest.mark.parametrize(
    ("signed", "form"),
    [
        (json.dumps(DOCUMENT, separators=(",", ":"), ensure_ascii=False), "compact"),
        (json.dumps(DOCUMENT, indent=2, ensure_ascii=False), "indented by 2"),
        (json.dumps(DOCUMENT, indent=4), "indented by 4, ASCII-escaped"),
        (json.dumps(DOCUMENT), "with a space after each comma and colon, ASCII-escaped"),
        (json.dumps(DOCUMENT, separators=(",", ":"), sort_keys=True), "compact, members sorted, ASCII-escaped"),
        (
            json.dumps(DOCUMENT, separators=(",", ":"), ensure_ascii=False).replace("<1>", "\\u003c1\\u003e"),
            "compact, with <, > and & escaped",
        ),
        (
            json.dumps(DOCUMENT, separators=(",", ":")).replace("/", "\\/"),
            "compact, ASCII-escaped, slashes too",
        ),
    ],
)
def test_a_body_that_was_written_anew_is_recognised_by_its_form(signed: str, form: str) -> None:
    headers = headers_of(sign(SECRET, MESSAGE, SIGNED_AT, signed.encode()))
    received = json.dumps(DOCUMENT, ensure_ascii=False).encode()
    assert reason_of(headers, received) is Reason.BODY_RESERIALISED
    assert f"the same body {form}:" in detail_of(headers, received)


@pytest.mark.parametrize(("signed", "received"), [(BODY + b"\n", BODY), (BODY, BODY + b"\r\n"), (b"a\r\nb", b"a\nb")])
def test_white_space_that_came_or_went_is_recognised(signed: bytes, received: bytes) -> None:
    assert reason_of(headers_of(sign(SECRET, MESSAGE, SIGNED_AT, signed)), received) is Reason.BODY_RESERIALISED


# --- whatever is sent ------------------------------------------------------------------------------------------------

ANY_TEXT = st.text(st.characters(), max_size=40)
LIKELY = st.sampled_from(
    ["", " ", ",", "v1,", "v1,,", "v1", "v1a,x", PUBLISHED, f"{PUBLISHED} {PUBLISHED}", "\ud800", "NaN", "1e9", "\x00"]
)
HEADER = st.one_of(ANY_TEXT, LIKELY, st.just(str(SIGNED_AT)), st.just(MESSAGE))


@given(st.dictionaries(st.one_of(st.sampled_from(HEADERS), ANY_TEXT), HEADER), st.binary(max_size=60))
def test_verify_raises_nothing_and_takes_no_forgery(headers: dict[str, str], body: bytes) -> None:
    outcome = verify([SECRET], headers, body, now=SIGNED_AT, ended=[OTHER])
    if isinstance(outcome, Verified):
        assert body == BODY
    else:
        assert outcome.detail


@pytest.mark.parametrize("body", [b"[" * 20_000, b'{"a":' * 20_000, b"9" * 9000, b'"\\ud800"', b"\xff", b"NaN", b""])
def test_no_body_breaks_the_diagnosis(body: bytes) -> None:
    headers = headers_of(sign(OTHER, MESSAGE, SIGNED_AT, BODY))
    assert reason_of(headers, body) is Reason.WRONG_SECRET


# --- against another implementation ----------------------------------------------------------------------------------

SECRETS = st.binary(min_size=24, max_size=64)
IDS = st.from_regex(r"\A[A-Za-z0-9_-]{1,40}\Z")


def theirs_of(secret: bytes) -> standardwebhooks.Webhook:
    return standardwebhooks.Webhook("whsec_" + base64.b64encode(secret).decode())


@given(SECRETS, IDS, st.text(max_size=60), st.integers(0, 4_000_000_000))
def test_ours_and_theirs_sign_alike(secret: bytes, message_id: str, text: str, timestamp_s: int) -> None:
    body = json.dumps({"text": text}, ensure_ascii=True)
    # In UTC: of every other zone the library makes another timestamp.
    theirs = theirs_of(secret).sign(message_id, datetime.fromtimestamp(timestamp_s, UTC), body)
    assert theirs == sign(secret, message_id, timestamp_s, body.encode())


@given(SECRETS, SECRETS, IDS)
def test_they_verify_what_two_secrets_of_ours_signed(older: bytes, newer: bytes, message_id: str) -> None:
    now_s = int(time.time())  # their verification knows no other clock
    header = signature_header([newer, older], message_id, now_s, BODY)
    headers = headers_of(header, webhook_id=message_id, webhook_timestamp=str(now_s))
    for secret in (older, newer):
        assert theirs_of(secret).verify(BODY.decode(), headers) == json.loads(BODY)


@given(SECRETS, SECRETS)
def test_they_refuse_what_ours_refuses(ours: bytes, strange: bytes) -> None:
    now_s = int(time.time())
    headers = headers_of(sign(strange, MESSAGE, now_s, BODY), webhook_timestamp=str(now_s))
    if ours == strange:
        return
    assert isinstance(verify([ours], headers, BODY, now=now_s), NotVerified)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        theirs_of(ours).verify(BODY.decode(), headers)


def test_svix_verifies_what_ours_signs() -> None:
    now_s = int(time.time())
    headers = headers_of(sign(SECRET, MESSAGE, now_s, BODY), webhook_timestamp=str(now_s))
    theirs = svix.webhooks.Webhook("whsec_" + base64.b64encode(SECRET).decode())
    theirs.verify(BODY.decode(), headers)  # it returns nothing, and raises where a signature is wrong
    with pytest.raises(svix.webhooks.WebhookVerificationError):
        theirs.verify("{}", headers)

"""`webhooks verify` and `webhooks probe`: without any server of ours."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reinmaker_cli.client.answering import answering
from reinmaker_cli.client.exchange import Reply, Request
from reinmaker_cli.client.received import Secrets
from reinmaker_cli.contract.signing import Verified, secret_bytes, sign, verify
from tests.cli.command import Command
from tests.client.receivers import BODY, inbox, signed

TEXT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRET = secret_bytes(TEXT)
PUBLISHED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="  # from the Svix documentation
CAPTURED = (
    "POST / HTTP/1.1\r\nwebhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\nwebhook-timestamp: 1614265330\r\n"
    f"webhook-signature: {PUBLISHED}\r\n\r\n"
)
AT = "2021-02-25T15:02:40Z"


@pytest.fixture
def verified(reinmaker: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line, with a signing secret in its variable."""
    monkeypatch.setenv("REINMAKER_WEBHOOK_SECRET", TEXT)
    return reinmaker


def write(text: str, body: str = '{"test": 2432232314}') -> str:
    Path("request.txt").write_bytes((text + body).encode())
    return "request.txt"


# --- verify ----------------------------------------------------------------------------------------------------------


def test_a_captured_request_verifies_at_the_time_of_its_capture(verified: Command) -> None:
    ended = verified("webhooks", "verify", write(CAPTURED), "--at", AT)
    assert ended.code == 0
    assert ended.out == "verified  msg_p5jXN8AQM9LWM0D4loKWxJek  signed at 2021-02-25T15:02:10Z\n"


def test_the_same_request_is_too_old_now(verified: Command) -> None:
    ended = verified("webhooks", "verify", write(CAPTURED), "--json")
    assert ended.code == 9
    (finding,) = ended.document["findings"]
    assert finding["code"] == "webhook-too-old"
    assert "its signature is right" in finding["message"]
    assert ended.document["error"]["code"] == "webhook-not-verified"


@pytest.mark.parametrize(
    ("text", "body", "code"),
    [
        (CAPTURED, '{"test":2432232314}', "webhook-body-reserialised"),
        (CAPTURED, '{"test": 0}', "webhook-wrong-secret"),
        (CAPTURED.replace("v1,", "v1a,"), '{"test": 2432232314}', "webhook-other-version"),
        (CAPTURED.replace("webhook-id", "x-id"), "", "webhook-header-missing"),
        (CAPTURED.replace("1614265330", "today"), "", "webhook-timestamp-unreadable"),
        (CAPTURED.replace("v1,", "v1"), "", "webhook-header-malformed"),
    ],
)
def test_each_reason_is_named_with_its_cure(verified: Command, text: str, body: str, code: str) -> None:
    ended = verified("webhooks", "verify", write(text, body), "--at", AT)
    assert ended.code == 9
    assert f"error[{code}]" in ended.err or code in ended.err
    assert "hint: " in ended.err
    assert verified("explain", code).code == 0


def test_json_is_read_too(verified: Command) -> None:
    headers = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330"}
    document = {"headers": headers | {"webhook-signature": PUBLISHED}, "body": '{"test": 2432232314}'}
    assert verified("webhooks", "verify", write(json.dumps(document), ""), "--at", AT).code == 0


def test_a_secret_from_a_file_may_be_one_of_several(reinmaker: Command) -> None:
    Path("secrets").write_text(f"whsec_{base64.b64encode(b'A' * 32).decode()}\n{TEXT}\n")
    ended = reinmaker("webhooks", "verify", write(CAPTURED), "--at", AT, "--secret-file", "secrets", "--json")
    assert (ended.code, ended.document["results"][0]["secretNumber"]) == (0, 1)


def test_no_secret_is_exit_4(reinmaker: Command) -> None:
    ended = reinmaker("webhooks", "verify", write(CAPTURED), "--json")
    assert (ended.code, ended.document["error"]["code"]) == (4, "webhook-secret-missing")


@pytest.mark.parametrize("content", [b"", b"\n", b" \t\n", b"\xff" * 32, b"\xff" * 70_000])
@pytest.mark.parametrize("words", [("verify", "request.txt", "--at", AT), ("listen", "--deadline", "1")])
def test_a_file_without_a_secret_is_not_as_if_none_were_given(
    reinmaker: Command, content: bytes, words: tuple[str, ...]
) -> None:
    write(CAPTURED)
    Path("secrets").write_bytes(content)
    ended = reinmaker("webhooks", *words, "--secret-file", "secrets", "--json")
    assert ended.code == 4
    assert ended.document["error"]["code"] in ("webhook-secret-missing", "secret-unusable")


def test_a_secret_that_is_none_is_not_quoted(reinmaker: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINMAKER_WEBHOOK_SECRET", "whsec_hunter2")
    ended = reinmaker("webhooks", "verify", write(CAPTURED))
    assert ended.code == 4
    assert "error[webhook-secret-unusable]" in ended.err
    assert "hunter2" not in ended.out + ended.err


@pytest.mark.parametrize("content", ["", "nonsense", '{"headers": {}, "body": {}}'])
def test_a_file_that_is_no_request_is_exit_2(verified: Command, content: str) -> None:
    ended = verified("webhooks", "verify", write(content, ""), "--json")
    assert (ended.code, ended.document["error"]["code"]) == (2, "capture-unreadable")


def test_a_missing_file_is_exit_2(verified: Command) -> None:
    assert verified("webhooks", "verify", "nowhere.txt").code == 2


# --- probe -----------------------------------------------------------------------------------------------------------


def test_our_own_receiver_is_right_in_everything(verified: Command) -> None:
    with inbox(secrets=Secrets([SECRET])) as box:
        ended = verified("webhooks", "probe", box.url, "--json")
    assert ended.code == 0, ended.err
    results = ended.document["results"]
    assert all(result["right"] for result in results)
    assert len(results) == 13


def probe(reinmaker: Command, receive: Callable[[Request], Reply]) -> set[str]:
    """Probe a receiver that answers as `receive` says; return the codes of what is wrong with it."""

    async def answer(request: Request) -> Reply:
        return receive(request)

    with answering(answer) as url:
        ended = reinmaker("webhooks", "probe", url, "--json")
    assert ended.code == 9, ended.err
    return {finding["code"] for finding in ended.document["findings"]}


def is_signed(request: Request, *, body: bytes | None = None, tolerance_s: float = 300) -> bool:
    headers = dict(request.headers)
    outcome = verify([SECRET], headers, body or request.body, now=time.time(), tolerance_s=tolerance_s)
    return isinstance(outcome, Verified)


def test_a_receiver_that_verifies_nothing_is_found(verified: Command) -> None:
    wrong = probe(verified, lambda _: Reply(200))
    assert wrong == {"receiver-accepts-forgery", "receiver-accepts-old"}


def test_a_receiver_that_looks_at_no_timestamp_is_found(verified: Command) -> None:
    wrong = probe(verified, lambda request: Reply(200 if is_signed(request, tolerance_s=1e9) else 401))
    assert wrong == {"receiver-accepts-old"}


def test_a_receiver_that_verifies_its_own_json_is_found(verified: Command) -> None:
    def receive(request: Request) -> Reply:
        anew = json.dumps(json.loads(request.body), separators=(",", ":")).encode()
        return Reply(200 if is_signed(request, body=anew) else 401)

    assert probe(verified, receive) == {"receiver-refuses-raw"}


def test_a_receiver_that_reads_one_signature_is_found(verified: Command) -> None:
    def receive(request: Request) -> Reply:
        headers = dict(request.headers)
        return Reply(200 if is_signed(request) and " " not in headers["webhook-signature"] else 401)

    assert probe(verified, receive) == {"receiver-refuses-rotation"}


def test_a_receiver_that_answers_409_to_duplicates_is_found(verified: Command) -> None:
    seen: set[str] = set()

    def receive(request: Request) -> Reply:
        if not is_signed(request):
            return Reply(401)
        message_id = dict(request.headers)["webhook-id"]
        reply = Reply(409 if message_id in seen else 200)
        seen.add(message_id)
        return reply

    assert probe(verified, receive) == {"receiver-refuses-duplicate"}


def test_a_receiver_that_refuses_unknown_types_is_found(verified: Command) -> None:
    def receive(request: Request) -> Reply:
        if not is_signed(request):
            return Reply(401)
        return Reply(422 if json.loads(request.body)["type"] == "reinmaker.probe.unknown" else 204)

    assert probe(verified, receive) == {"receiver-refuses-unknown"}


@pytest.mark.parametrize(("status", "code"), [(401, "receiver-refuses-good"), (308, "receiver-redirects")])
def test_nothing_more_is_tried_where_good_deliveries_are_refused(verified: Command, status: int, code: str) -> None:
    assert probe(verified, lambda _: Reply(status)) == {code}


def test_a_receiver_that_takes_six_seconds_is_too_slow(verified: Command) -> None:
    with inbox("slow:6s", secrets=Secrets([SECRET])) as box:
        ended = verified("webhooks", "probe", box.url, "--json")
    assert ended.code == 9
    assert [finding["code"] for finding in ended.document["findings"]] == ["receiver-slow"]


def test_a_receiver_that_is_not_there_is_exit_7(verified: Command) -> None:
    with inbox() as box:
        url = box.url
    assert verified("webhooks", "probe", url).code == 7


@pytest.mark.parametrize("url", ["http://example.com/", "example.com", "ftp://localhost/"])
def test_a_url_that_cannot_be_asked_safely_is_exit_2(verified: Command, url: str) -> None:
    assert verified("webhooks", "probe", url).code == 2


# --- listen, with a secret of another server -------------------------------------------------------------------------


def test_listen_without_a_local_server_says_how_to_start_one(reinmaker: Command, tmp_path: Path) -> None:
    ended = reinmaker("webhooks", "listen", "--data", tmp_path / "none", "--json")
    assert (ended.code, ended.document["error"]["code"]) == (7, "no-local-server")


@pytest.mark.parametrize(
    "words", [("--respond", "maybe"), ("--once", "--count", "2"), ("--forward-to", "example.com"), ("--types", "x.y")]
)
def test_what_cannot_be_meant_is_exit_2(verified: Command, words: tuple[str, ...]) -> None:
    ended = verified("webhooks", "listen", *words, "--deadline", "1", "--json")
    assert (ended.code, ended.document["error"]["code"]) == (2, "usage")


def test_listen_with_a_given_secret_registers_nowhere_and_ends_at_its_deadline(verified: Command) -> None:
    ended = verified("webhooks", "listen", "--once", "--deadline", "0.2", "--json")
    assert (ended.code, ended.document["error"]["code"]) == (8, "nothing-received")
    assert ended.document["listener"]["endpointId"] is None
    assert verified("webhooks", "listen", "--deadline", "0.2").code == 0


def test_the_signed_headers_of_these_tests_are_right() -> None:
    headers = signed(BODY, secrets=(SECRET,))
    timestamp_s = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == sign(SECRET, "evt_1", timestamp_s, BODY)

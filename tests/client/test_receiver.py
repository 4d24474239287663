"""The receiver: verifies, names the reason, dedupes, answers as it is told, forwards."""

from __future__ import annotations

import concurrent.futures
import contextlib
import socket
import time

import httpx
import pytest

from reinmaker_cli.client.exchange import MAX_BODY_BYTES
from reinmaker_cli.client.posting import Answered, NoAnswer
from reinmaker_cli.client.received import MAX_IDS, Secrets, SeenIds
from reinmaker_cli.client.receiver import running_receiver
from reinmaker_cli.client.respond import Step, parse_script
from reinmaker_cli.contract.signing import NotVerified, Reason, Verified, secret_bytes
from reinmaker_cli.errors import UsageError
from tests.client.receivers import BODY, LIMIT_S, SECRET, inbox, signed

OTHER = secret_bytes("whsec_" + "A" * 32)


def test_a_delivery_is_verified_and_acknowledged() -> None:
    with inbox() as box:
        assert box.deliver().status_code == 200
        received = box.next()
    assert isinstance(received.verdict, Verified)
    assert (received.message_id, received.attempt, received.trace_id) == ("evt_1", 1, "trace-1")
    assert received.event["data"] == {"events": 3}
    assert received.is_news


def test_a_delivery_that_does_not_verify_is_refused_with_the_reason() -> None:
    with inbox() as box:
        answer = box.deliver(secrets=(OTHER,))
        received = box.next()
    assert answer.status_code == 401
    assert answer.text.startswith("wrong-secret: ")
    assert isinstance(received.verdict, NotVerified)
    assert received.verdict.reason is Reason.WRONG_SECRET
    assert not received.is_news


def test_an_old_delivery_is_refused_by_the_receivers_own_clock() -> None:
    with inbox() as box:
        assert box.deliver(age_s=301).text.startswith("timestamp-too-old: signed 30")
        assert box.deliver(age_s=290).status_code == 200


def test_the_same_id_again_is_a_duplicate_once_it_was_dealt_with() -> None:
    with inbox("500,200") as box:
        assert [box.deliver().status_code for _ in range(3)] == [500, 200, 200]
        first, second, third = box.next(), box.next(), box.next()
    assert (first.is_duplicate, second.is_duplicate, third.is_duplicate) == (False, False, True)
    assert (first.is_news, second.is_news, third.is_news) == (False, True, False)
    assert third.times_seen == 2


def test_ids_are_remembered_in_bounded_memory() -> None:
    seen = SeenIds(most=3)
    for name in "abcd":
        seen.look(name)
        seen.done(name)
    assert seen.look("a") == (0, False)
    assert seen.look("d") == (1, True)
    assert MAX_IDS == 10_000


def test_a_next_secret_verifies_beside_the_current_one_and_an_ended_one_is_named() -> None:
    with inbox() as box:
        box.secrets.add(OTHER)
        assert box.deliver(secrets=(OTHER, SECRET)).status_code == 200
        assert box.deliver(secrets=(SECRET,)).status_code == 200
        box.secrets.keep(1)
        assert box.deliver(secrets=(OTHER,)).status_code == 200
        assert box.deliver(secrets=(SECRET,)).text.startswith("secret-ended: ")


# --- answers on purpose ----------------------------------------------------------------------------------------------


def test_answers_follow_the_script_and_the_last_one_repeats() -> None:
    with inbox("500,429:120s,302,204") as box:
        answers = [box.deliver() for _ in range(5)]
    assert [answer.status_code for answer in answers] == [500, 429, 302, 204, 204]
    assert answers[1].headers["retry-after"] == "120"
    assert answers[2].headers["location"] == "/"


def test_a_dropped_delivery_gets_no_answer_at_all() -> None:
    with inbox("drop,200") as box:
        with pytest.raises(httpx.RequestError):
            box.deliver()
        assert box.next().status is None
        assert box.deliver().status_code == 200


def test_a_slow_answer_takes_its_time() -> None:
    with inbox("slow:0.2s:503") as box:
        started = time.monotonic()
        assert box.deliver().status_code == 503
        assert time.monotonic() - started >= 0.2


def test_a_sender_that_gives_up_before_the_answer_is_noticed() -> None:
    with inbox("slow:0.3s") as box:
        is_noticed = False
        while not is_noticed:  # a busy machine may have the answer there before the sender gives up
            with contextlib.suppress(httpx.ReadTimeout):
                box.http.post(box.url, content=BODY, headers=signed(), timeout=httpx.Timeout(LIMIT_S, read=0.1))
            is_noticed = box.next().is_sender_gone


def test_a_delivery_that_does_not_verify_uses_up_no_answer() -> None:
    with inbox("500,200") as box:
        assert box.deliver(secrets=(OTHER,)).status_code == 401
        assert box.deliver().status_code == 500


def test_a_script_is_read() -> None:
    script = parse_script("500, drop,slow:6s,slow:1.5s:404,503:7s")
    steps = [script.next() for _ in range(6)]
    assert steps[:4] == [Step(500), Step(None), Step(200, after_s=6), Step(404, after_s=1.5)]
    assert steps[4] == steps[5] == Step(503, retry_after_s=7)


@pytest.mark.parametrize("text", ["", "ok", "600", "199", "slow", "slow:s", "slow:6", "200,", "drop:1s", "slow:99999s"])
def test_what_is_no_script_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_script(text)


# --- forwarding ------------------------------------------------------------------------------------------------------


def test_a_forwarded_delivery_arrives_as_it_was_sent_and_its_answer_comes_back() -> None:
    body = b'{ "type" : "x",\n "data": {"\\u00e1": 1.0} }'
    with inbox("201,503:30s") as app, inbox(forward_to=app.url + "hooks?a=1") as front:
        assert front.deliver(body, x_other="kept").status_code == 201
        assert app.next().is_news  # verified: not one byte or header of it was changed
        refused = front.deliver(message_id="evt_2")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        assert isinstance(front.next().forwarded, Answered)
        assert not front.next().is_news


def test_the_answer_waits_for_the_forward() -> None:
    with inbox("slow:0.3s") as app, inbox(forward_to=app.url) as front:
        started = time.monotonic()
        assert front.deliver().status_code == 200
        assert time.monotonic() - started >= 0.3


def test_a_forward_to_nobody_is_502() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with inbox(forward_to=f"http://127.0.0.1:{unused.getsockname()[1]}/") as front:
            assert front.deliver().status_code == 502
            forwarded = front.next().forwarded
    assert isinstance(forwarded, NoAnswer)
    assert forwarded.kind == "unreachable"


def test_what_does_not_verify_is_not_forwarded() -> None:
    with inbox() as app, inbox(forward_to=app.url) as front:
        assert front.deliver(secrets=(OTHER,)).status_code == 401
        assert front.next().forwarded is None
        assert app.is_empty()


@pytest.mark.parametrize(
    "url", ["http://example.com/", "ftp://localhost/", "http://u:p@localhost/", "localhost:80", "http://[::1"]
)
def test_forwarding_in_clear_text_beyond_this_machine_is_refused(url: str) -> None:
    with pytest.raises(UsageError), inbox(forward_to=url):
        pass


# --- whatever is sent ------------------------------------------------------------------------------------------------


def raw_exchange(url: str, sent: bytes) -> bytes:
    """Send bytes, end, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0), timeout=LIMIT_S) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"401"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 300_000 + b"\r\n\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + b"a" * (MAX_BODY_BYTES + 1), b"413"),
    ],
    ids=["method", "nonsense", "no host", "nothing", "long header", "long body"],
)  # fmt: skip
def test_what_is_no_delivery_is_refused(sent: bytes, status: bytes) -> None:
    with inbox() as box:
        try:
            answer = raw_exchange(box.url, sent)
        except OSError:  # it closed before it had read everything
            assert status in (b"413", b"431")
        else:
            assert answer.startswith(b"HTTP/1.1 " + status)
        assert box.deliver().status_code == 200


def test_a_request_that_ends_halfway_is_dropped() -> None:
    with inbox() as box:
        try:
            answer = raw_exchange(box.url, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        except ConnectionError:
            answer = b""
        assert answer[:12] in (b"", b"HTTP/1.1 400")
        assert box.is_empty()


def test_a_connection_is_used_again() -> None:
    with inbox() as box:
        request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        assert raw_exchange(box.url, request * 3).count(b"HTTP/1.1 401") == 3


def test_expect_continue_and_chunks_are_understood() -> None:
    headers = "".join(f"{name}: {value}\r\n" for name, value in signed().items())
    head = f"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n{headers}\r\n"
    with inbox() as box:
        answer = raw_exchange(box.url, head.encode() + b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n")
    assert b"HTTP/1.1 200" in answer


def held_post(url: str, headers: dict[str, str]) -> httpx.Response:
    """Wait for the answer as long as it takes."""
    return httpx.post(url, content=BODY, headers=headers, trust_env=False, timeout=None)


def test_five_deliveries_at_once_are_served_at_once() -> None:
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        with inbox("slow:60s,slow:60s,slow:60s,slow:60s,200") as box:
            posts = [pool.submit(held_post, box.url, signed(message_id=f"evt_{number}")) for number in range(5)]
            [first], _ = concurrent.futures.wait(posts, LIMIT_S, concurrent.futures.FIRST_COMPLETED)
            assert first.result().status_code == 200  # the fifth that came, while the other four are held
        assert sum(isinstance(post.exception(LIMIT_S), httpx.TransportError) for post in posts) == 4


def test_a_port_that_is_taken_is_said() -> None:
    with inbox() as box:
        port = httpx.URL(box.url).port or 0
        with pytest.raises(UsageError) as refused, running_receiver(Secrets(), on_received=lambda _: None, port=port):
            pass
    assert refused.value.code == "port-taken"


def test_a_receiver_ends_with_what_is_in_flight() -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with inbox("200,slow:60s") as box:
            box.deliver()
            waiting = pool.submit(held_post, box.url, signed())
            while box.http.get(box.url).status_code != 405:
                pass
        with pytest.raises(httpx.TransportError):  # and not 200 after a minute
            waiting.result(timeout=LIMIT_S)

"""Dead letters go on to a queue beyond the server: each at least once, and nobody waits for it.

The queue is moto's SQS, a real server on a port of its own, spoken to by the real boto3. The event hub is
ours, and checks signatures.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import subprocess
import sys
import threading
import time
from contextlib import closing
from urllib.parse import parse_qs

import boto3
import httpx
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from reinmaker_cli.cli.receivers import parse_dead_letters
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError
from reinmaker_cli.server.changes import Changes
from reinmaker_cli.server.clock import VirtualClock, unix_time
from reinmaker_cli.server.config import EventHubsTarget, SqsTarget
from reinmaker_cli.server.forwarding import BATCH_BYTES, Forwarder, Message, Pace, Put, first_batch, message_of
from reinmaker_cli.server.store.webhook_records import StoredAttempt, StoredDeadLetter, StoredDelivery
from reinmaker_cli.server.threads import Threads
from tests.server.live import Caller, live_server, opened
from tests.server.receiver import always, answer, receiver

NOON = unix_time("2026-11-23T12:00:00Z")
HOOKS = "/_local/webhooks"
PLAN = "reinmaker.game_pass"
DAYS_14 = "1209600"
TARGET = parse_dead_letters("sqs://eu-west-1/letters", {})


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host.replace('0.0.0.0', '127.0.0.1')}:{port}"
    server.stop()


@pytest.fixture
def sqs(moto, monkeypatch, tmp_path):
    """The AWS that programs find in their environment; empty, and without a word from this machine's own set-up."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", moto)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # this machine asks itself without one
    httpx.post(moto + "/moto-api/reset", trust_env=False, timeout=120)
    monkeypatch.setenv("NO_PROXY", "")
    client = boto3.client("sqs", region_name="eu-west-1", config=Config(proxies={}))
    yield client
    client.close()


def queue(sqs, name="letters", retention=DAYS_14, **attributes) -> str:
    made = sqs.create_queue(QueueName=name, Attributes={"MessageRetentionPeriod": retention, **attributes})
    return made["QueueUrl"]


def taken(sqs, url: str, count: int, timeout_s: float = 120) -> list[dict]:
    """Return the messages of a queue, and take them out of it, as soon as they are so many."""
    found: list[dict] = []
    ends_at = time.monotonic() + timeout_s
    while len(found) < count:
        assert time.monotonic() < ends_at, f"{len(found)} of {count} came"
        asked = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 1, "MessageAttributeNames": ["All"]}
        got = sqs.receive_message(QueueUrl=url, **asked).get("Messages", [])
        for message in got:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        found += got
    return found


def kill_letters(caller: Caller, count: int) -> list[dict]:
    """Make so many dead letters, and return them as the control API shows them, oldest first."""
    with receiver(always(answer(500))) as there:
        added = caller.control.post(HOOKS + "/endpoints", json={"url": there.url, "types": []}).json()
        for number in range(count):
            given = {"userId": f"usr_{number}", "plan": PLAN, "region": f"R{number}"}
            assert caller.control.put("/_local/entitlements", json=given).status_code == 200
        caller.control.post("/_local/clock", json={"advanceSeconds": 0})  # once all have been attempted
        path = f"{HOOKS}/endpoints/{added['endpointId']}/disable"
        assert caller.control.post(path, json={"reason": "a test"}).json()["deadLetters"] == count
    return letters(caller)[::-1]


def letters(caller: Caller) -> list[dict]:
    return caller.control.get(HOOKS + "/dead-letters").json()["items"]


def forwarded(caller: Caller, count: int) -> list[dict]:
    """Return the dead letters once so many were forwarded."""
    path, etag, found = HOOKS + "/dead-letters", "", []
    ends_at = time.monotonic() + 120
    while sum(one["forwarded"] is not None for one in found) < count:
        assert time.monotonic() < ends_at, found
        shown = caller.control.get(path, headers={"Prefer": "wait=1", "If-None-Match": etag})
        if shown.status_code == 200:
            etag, found = shown.headers.get("etag", ""), shown.json()["items"]
    return found


def wait_until_so_many_wait(caller: Caller, count: int) -> None:
    """Return when health says so; it looks for 50 ms at most, and then tells what it knew before."""
    found, ends_at = None, time.monotonic() + 120
    while found != count:
        assert time.monotonic() < ends_at, found
        found = caller.http.get("/v1/health").json()["checks"].get("deadLetters", {}).get("toForward")


def test_a_dead_letter_goes_to_the_queue_with_all_that_is_known_of_it(sqs):
    url = queue(sqs)
    with live_server(clock=VirtualClock(NOON), dead_letters=TARGET) as caller:
        with receiver(always(answer(500))) as there:
            added = caller.control.post(HOOKS + "/endpoints", json={"url": there.url, "types": []}).json()
            caller.control.put("/_local/entitlements", json={"userId": "usr_ü", "plan": PLAN})
            caller.control.post("/_local/clock", json={"advanceSeconds": 8 * 3600})
            body = there.received[0].body.decode()
        [message] = taken(sqs, url, 1)
        [shown] = forwarded(caller, 1)
        wait_until_so_many_wait(caller, 0)
    document = json.loads(message["Body"])
    assert (document["body"], document["reason"], document["url"]) == (body, "HTTP 500", there.url)
    assert (document["endpointId"], document["deliveryId"]) == (added["endpointId"], shown["deliveryId"])
    assert [attempt["attempt"] for attempt in document["history"]] == [1, 2, 3, 4, 5, 6]
    assert document["traceId"] == shown["traceId"]
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes["deduplicationId"] == document["eventId"] == shown["eventId"]
    assert attributes["type"] == document["type"] == "reinmaker.entitlement.updated"
    assert shown["forwarded"]["to"] == "sqs://eu-west-1/letters"


def test_many_letters_go_once_each_when_all_is_well(sqs):
    url = queue(sqs)
    with live_server(dead_letters=SqsTarget(url, "letters", "eu-west-1", url)) as caller:
        died = kill_letters(caller, 23)
        came = [json.loads(message["Body"])["deliveryId"] for message in taken(sqs, url, 23)]
        assert sorted(came) == sorted(letter["deliveryId"] for letter in died)
        forwarded(caller, 23)
    with live_server(dead_letters=TARGET):
        assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_fifo_queue_takes_the_same_event_from_two_endpoints(sqs):
    url = queue(sqs, "letters.fifo", FifoQueue="true")
    target = parse_dead_letters("sqs://eu-west-1/letters.fifo", {})
    with live_server(dead_letters=target) as caller, receiver(always(answer(410))) as there:
        for path in ("/a", "/b"):
            caller.control.post(HOOKS + "/endpoints", json={"url": there.url + path, "types": []})
        caller.control.put("/_local/entitlements", json={"userId": "usr_1", "plan": PLAN})
        there.wait_for(2)
        came = [json.loads(message["Body"]) for message in taken(sqs, url, 2)]
    assert len({one["eventId"] for one in came}) == 1
    assert {one["url"][-2:] for one in came} == {"/a", "/b"}


@pytest.mark.parametrize("retention", ["345600", "1209599"])
def test_a_queue_that_forgets_too_soon_is_refused_at_the_start(sqs, retention):
    url = queue(sqs, retention=retention)
    with pytest.raises(UsageError) as refused, live_server(dead_letters=TARGET):
        pass
    assert refused.value.code == codes.DEAD_LETTERS_RETENTION
    assert f"aws sqs set-queue-attributes --queue-url {url} --attributes MessageRetentionPeriod=" in refused.value.hint


def test_a_queue_that_is_not_there_is_refused_at_the_start(sqs):
    with (
        pytest.raises(UsageError, match=r"NonExistentQueue|QueueDoesNotExist") as refused,
        live_server(dead_letters=TARGET),
    ):
        pass
    assert refused.value.code == codes.DEAD_LETTERS_UNUSABLE


def test_missing_credentials_are_said_at_the_start(sqs, monkeypatch):
    queue(sqs)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UsageError, match="NoCredentialsError"), live_server(dead_letters=TARGET):
        pass


def test_plain_http_beyond_this_machine_is_refused(sqs, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://192.0.2.1:4566")
    with pytest.raises(UsageError, match="plain http beyond this machine"), live_server(dead_letters=TARGET):
        pass


def test_a_queue_that_is_down_at_the_start_gets_its_letters_when_it_is_up(sqs, monkeypatch, tmp_path, moto):
    url = queue(sqs)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")  # nobody listens there
    with live_server(data=tmp_path, dead_letters=TARGET) as caller:
        kill_letters(caller, 3)
        wait_until_so_many_wait(caller, 3)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", moto)
    with live_server(data=tmp_path, dead_letters=TARGET) as caller:
        assert len(taken(sqs, url, 3)) == 3
        forwarded(caller, 3)


class Front:
    """Stands before moto, passes requests on, and does with batches what a test wants."""

    def __init__(self, moto: str) -> None:
        self._moto = moto
        self.came = threading.Event()
        self.batches: list[list[dict]] = []
        self.on_batch = lambda document, passed_on: passed_on()
        """The batch, and what passes it on and returns moto's answer -> an answer, or None for a broken connection."""

    def __call__(self, received, _connection):
        def passed_on() -> bytes:
            names = ("x-amz-target", "content-type", "authorization", "x-amz-date")
            headers = {name: received.headers[name] for name in names if name in received.headers}
            there = httpx.post(
                self._moto + received.target, content=received.body, headers=headers, trust_env=False, timeout=120
            )
            return http_json(there.status_code, there.content)

        if not received.headers["x-amz-target"].endswith("SendMessageBatch"):
            return passed_on()
        document = json.loads(received.body)
        self.batches.append(document["Entries"])
        self.came.set()
        return self.on_batch(document, passed_on)


def http_json(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} S\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.fixture
def front(sqs, moto, monkeypatch):
    front = Front(moto)
    with receiver(front) as there:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", there.url)
        yield front


def test_an_answer_that_is_lost_means_once_more_and_not_never(sqs, front):
    url = queue(sqs)

    def lose_first(_document, passed_on):
        answered = passed_on()
        return None if len(front.batches) == 1 else answered

    front.on_batch = lose_first
    with live_server(dead_letters=TARGET) as caller:
        [letter] = kill_letters(caller, 1)
        came = taken(sqs, url, 2)
        forwarded(caller, 1)
    assert {json.loads(message["Body"])["deliveryId"] for message in came} == {letter["deliveryId"]}


def test_what_the_queue_did_not_take_is_sent_again_and_nothing_else(sqs, front):
    url = queue(sqs)
    over = threading.Event()

    def take_half(document, passed_on):
        if over.is_set() or len(document["Entries"]) < 2:
            return passed_on()
        over.set()
        ids = [entry["Id"] for entry in document["Entries"]]
        done = [{"Id": one, "MessageId": "m", "MD5OfMessageBody": "x"} for one in ids[::2]]
        failed = [{"Id": one, "SenderFault": False, "Code": "InternalError"} for one in ids[1::2]]
        return http_json(200, json.dumps({"Successful": done, "Failed": failed}).encode())

    front.on_batch = take_half
    with live_server(dead_letters=TARGET) as caller:
        kill_letters(caller, 6)
        forwarded(caller, 6)
    first = next(batch for batch in front.batches if len(batch) >= 2)
    again = {json.loads(message["Body"])["deliveryId"] for message in taken(sqs, url, 6 - len(first[::2]))}
    assert again.isdisjoint(json.loads(entry["MessageBody"])["deliveryId"] for entry in first[::2])


def test_a_letter_that_the_queue_refuses_holds_up_no_other(sqs, front):
    queue(sqs)
    refused: list[str] = []

    def refuse_the_first(document, _passed_on):
        done, failed = [], []
        for entry in document["Entries"]:
            delivery_id = json.loads(entry["MessageBody"])["deliveryId"]
            refused[:] = refused or [delivery_id]
            if delivery_id in refused:
                failed.append({"Id": entry["Id"], "SenderFault": True, "Code": "InvalidMessageContents"})
            else:
                done.append({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x"})
        return http_json(200, json.dumps({"Successful": done, "Failed": failed}).encode())

    front.on_batch = refuse_the_first
    with live_server(dead_letters=TARGET) as caller:
        kill_letters(caller, 12)
        shown = forwarded(caller, 11)
        assert [one["deliveryId"] for one in shown if one["forwarded"] is None] == refused
        wait_until_so_many_wait(caller, 1)


def test_a_queue_that_hangs_holds_up_neither_deliveries_nor_the_stop(sqs, front, tmp_path):
    url = queue(sqs)
    over, ended_by_itself = threading.Event(), []

    def hang(_document, _passed_on):
        ended_by_itself.append(not over.wait(240))

    front.on_batch = hang
    with live_server(data=tmp_path, dead_letters=TARGET) as caller:
        kill_letters(caller, 2)
        assert front.came.wait(120)
        with receiver() as well:
            caller.control.post(HOOKS + "/endpoints", json={"url": well.url, "types": []})
            caller.control.put("/_local/entitlements", json={"userId": "usr_new", "plan": PLAN})
            well.wait_for(1)
        wait_until_so_many_wait(caller, 2)
    assert ended_by_itself == []  # the server is gone, and did not wait for it
    over.set()
    front.on_batch = lambda _document, passed_on: passed_on()
    with live_server(data=tmp_path, dead_letters=TARGET):
        assert len(taken(sqs, url, 2)) == 2


@pytest.mark.parametrize("how", ["purge", "redrive", "forget"])
def test_what_is_no_dead_letter_any_more_is_not_forwarded(sqs, front, how):
    """The queue fails first, so that the letters wait; then all but one are gone before it is asked again."""
    url = queue(sqs)
    died: list[dict] = []

    def fail_while_both_are_sent(document, passed_on):
        return passed_on() if died and len(document["Entries"]) == 1 else http_json(503, b"{}")

    front.on_batch = fail_while_both_are_sent
    with live_server(clock=VirtualClock(NOON), dead_letters=TARGET) as caller:
        died += kill_letters(caller, 2)
        assert front.came.wait(120)
        if how == "forget":
            assert caller.control.post("/_local/forget", json={"userId": "usr_0"}).status_code == 200
        elif how == "purge":
            chosen = {"deliveryId": died[0]["deliveryId"]}
            assert caller.control.post(HOOKS + "/dead-letters/purge", json=chosen).json() == {"purged": 1}
        else:
            caller.control.post(f"{HOOKS}/endpoints/{died[0]['endpointId']}/enable")
            chosen = {"deliveryId": died[0]["deliveryId"]}
            assert caller.control.post(HOOKS + "/dead-letters/redrive", json=chosen).json()["redriven"] == 1
        [message] = taken(sqs, url, 1)
        forwarded(caller, 1)
    assert json.loads(message["Body"])["deliveryId"] == died[1]["deliveryId"]
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_letter_that_is_redriven_while_it_is_sent_and_dies_again_is_another_letter(sqs, front):
    """Its death has the same time, on a clock that stands still; what was written of the first is not true of it."""
    url = queue(sqs)
    died: list[dict] = []
    with live_server(clock=VirtualClock(NOON), dead_letters=TARGET) as caller:

        def die_again(_document, passed_on):
            if len(front.batches) == 1:
                [letter] = letters(caller)
                endpoint = f"{HOOKS}/endpoints/{letter['endpointId']}"
                for path, asked in (
                    (endpoint + "/enable", None),
                    (HOOKS + "/dead-letters/redrive", {"all": True}),
                    ("/_local/clock", {"advanceSeconds": 0}),
                    (endpoint + "/disable", {}),
                ):
                    caller.control.post(path, json=asked).raise_for_status()
                died.extend(letters(caller))
            return passed_on()

        front.on_batch = die_again
        kill_letters(caller, 1)
        came = [json.loads(message["Body"]) for message in taken(sqs, url, 2)]
        [shown] = forwarded(caller, 1)
    assert {one["deliveryId"] for one in came} == {shown["deliveryId"]}
    assert sorted(len(one["history"]) for one in came) == [1, 2]
    assert len(died) == 1


class Hanging:
    """A hub that never answers its first batch."""

    name = "hanging"

    def __init__(self) -> None:
        self.batches = 0
        self.took = asyncio.Event()

    def check(self) -> None:
        pass

    async def put(self, messages) -> Put:
        self.batches += 1
        if self.batches == 1:
            await asyncio.Event().wait()
        self.took.set()
        return Put(range(len(messages)))

    async def close(self) -> None:
        pass


def test_a_batch_without_an_answer_is_given_up_and_sent_again(tmp_path):
    with live_server(data=tmp_path) as caller:
        kill_letters(caller, 2)

    async def forward(store) -> int:
        threads, hub = Threads(), Hanging()
        pace = Pace(time_limit_s=0.05, first_retry_s=0.01)
        forwarder = Forwarder(store, threads, Changes(), VirtualClock(NOON), hub, pace)
        forwarder.start()
        await asyncio.wait_for(hub.took.wait(), 120)
        await forwarder.stop(120)
        threads.close()
        return hub.batches

    with closing(opened(tmp_path)) as store:
        assert asyncio.run(forward(store)) == 2
        assert store.delivery_log.unforwarded(limit=10, without=()) == ()


def test_pauses_double_up_to_five_minutes():
    assert [Pace().retry_after_s(failures) for failures in (1, 2, 3, 9, 10, 5000)] == [1, 2, 4, 256, 300, 300]


def test_boto3_is_loaded_only_where_a_queue_is_named():
    script = (
        "import sys, reinmaker_cli.server.running, reinmaker_cli.server.forwarding_sqs; print('boto3' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, check=True, text=True)
    assert ended.stdout == "False\n"


def test_health_and_letters_say_nothing_of_forwarding_where_there_is_none():
    with live_server() as caller:
        kill_letters(caller, 1)
        assert caller.http.get("/v1/health").json()["checks"]["deadLetters"] == {"count": 1}


# --- messages --------------------------------------------------------------------------------------------------------


def letter(body: str = "{}", attempts: int = 1) -> StoredDeadLetter:
    one = StoredAttempt(1, "resend", NOON, NOON, 1.0, int(NOON), 500, "http-status", "HTTP 500")
    delivery = StoredDelivery(
        no=1,
        delivery_id="del_1",
        event_id="msg_1",
        type="t",
        endpoint_id="ep_1",
        url="https://example.com",
        status="dead",
        attempt=6,
        due_at=None,
        created_at=NOON,
        updated_at=NOON,
        trace_id="trace",
        body=body,
        fence=6,
        attempts=[one] * attempts,
    )
    return StoredDeadLetter(delivery, "HTTP 500", 6, NOON, NOON, None, None)


def test_a_batch_is_at_most_ten_letters_and_256_kib():
    small = [message_of(letter())] * 11
    assert len(first_batch(small)) == 10
    large = [message_of(letter("x" * 100_000))] * 3
    assert len(first_batch(large)) == 2
    assert sum(message.size_bytes for message in first_batch(large)) <= BATCH_BYTES
    assert first_batch([]) == []


def test_a_letter_with_thousands_of_resends_keeps_the_newest_and_says_so():
    message: Message = message_of(letter(attempts=5_000))
    document = json.loads(message.text)
    assert message.size_bytes <= BATCH_BYTES
    assert document["historyOmitted"] + len(document["history"]) == 5_000
    assert document["body"] == "{}"


@pytest.mark.parametrize(
    ("text", "queue_name", "region"),
    [
        ("sqs://letters", "letters", None),
        ("sqs://eu-west-1/letters.fifo", "letters.fifo", "eu-west-1"),
        ("https://sqs.us-east-1.amazonaws.com/123456789012/letters", "letters", "us-east-1"),
    ],
)
def test_a_queue_is_named_or_given_by_its_url(text, queue_name, region):
    target = parse_dead_letters(text, {})
    assert (target.text, target.queue, target.region) == (text, queue_name, region)


@pytest.mark.parametrize(
    "text", ["sqs://", "sqs://a/b/c", "https://sqs.us-east-1.example.com/123456789012/x", "letters"]
)
def test_what_is_no_queue_is_refused(text):
    with pytest.raises(UsageError, match="--dead-letters"):
        parse_dead_letters(text, {})


# --- Azure Event Hubs ------------------------------------------------------------------------------------------------

KEY = "c2VjcmV0LW9mLXRoZS1odWI="
CONNECTION = (
    f"Endpoint=sb://ours.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey={KEY};EntityPath=dead"
)
HUB = "https://ours.servicebus.windows.net/dead"
VARIABLE = "REINMAKER_DEAD_LETTERS_CONNECTION"


def is_signed(received, resource: str) -> bool:
    """Return whether the request carries a signature for the resource that has not ended, made anew by hand."""
    scheme, _, fields = received.headers["authorization"].partition(" ")
    given = {name: values[0] for name, values in parse_qs(fields).items()}
    signed = resource.replace(":", "%3A").replace("/", "%2F") + "\n" + given["se"]
    expected = base64.b64encode(hmac.digest(KEY.encode(), signed.encode(), hashlib.sha256)).decode()
    is_ours = (scheme, given["sr"], given["skn"]) == ("SharedAccessSignature", resource, "send")
    return is_ours and given["sig"] == expected and time.time() < int(given["se"]) < time.time() + 3600


def test_an_event_hub_gets_signed_batches():
    with receiver(always(answer(201))) as hub:
        target = EventHubsTarget("hub", hub.url, "dead", "send", KEY)
        with live_server(dead_letters=target) as caller:
            died = kill_letters(caller, 12)
            forwarded(caller, 12)
    events = [event for one in hub.received for event in one.document]
    assert all(is_signed(one, hub.url + "/dead") for one in hub.received)
    assert all(one.target.startswith("/dead/messages?") for one in hub.received)
    assert all(one.headers["content-type"] == "application/vnd.microsoft.servicebus.json" for one in hub.received)
    ids = [json.loads(event["Body"])["deliveryId"] for event in events]
    assert sorted(ids) == sorted(letter["deliveryId"] for letter in died)
    assert {event["UserProperties"]["deduplicationId"] for event in events} == {letter["eventId"] for letter in died}


@pytest.mark.parametrize("bad", [answer(401), answer(503), None], ids=["refuses", "fails", "breaks"])
def test_an_event_hub_that_fails_gets_the_letter_later(bad):
    first = threading.Event()

    def fail_once(_received, _connection):
        if first.is_set():
            return answer(201)
        first.set()
        return bad

    with receiver(fail_once) as hub:
        with live_server(dead_letters=EventHubsTarget("hub", hub.url, "dead", "send", KEY)) as caller:
            kill_letters(caller, 1)
            forwarded(caller, 1)
        assert [one.document[0]["Body"] for one in hub.received] == [hub.received[0].document[0]["Body"]] * 2


def test_an_event_hub_is_named_by_its_url_and_its_key_comes_from_a_variable_or_a_private_file(tmp_path):
    file = tmp_path / "connection"
    file.write_text(CONNECTION + "\n")
    file.chmod(0o600)
    for variables in ({VARIABLE: CONNECTION}, {VARIABLE + "_FILE": str(file)}):
        target = parse_dead_letters(HUB, variables)
        assert target == EventHubsTarget(HUB, "https://ours.servicebus.windows.net", "dead", "send", KEY)
        assert KEY not in repr(target)
    file.chmod(0o644)
    with pytest.raises(UsageError, match="others may read"):
        parse_dead_letters(HUB, {VARIABLE + "_FILE": str(file)})


@pytest.mark.parametrize(
    "connection",
    ["", "x", CONNECTION.replace("ours", "theirs"), CONNECTION.replace("=dead", "=live"), CONNECTION.replace(KEY, "")],
)
def test_a_connection_string_for_something_else_is_refused_and_not_shown(connection):
    with pytest.raises(UsageError) as refused:
        parse_dead_letters(HUB, {VARIABLE: connection})
    assert KEY not in refused.value.message + refused.value.hint

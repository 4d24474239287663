"""The webhooks of a local server from the command line: both ends, rotation, retries, dead letters."""

from __future__ import annotations

import base64
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import svix.webhooks

from reinmaker_cli.cli.times import seconds_between
from reinmaker_cli.client.received import Received
from reinmaker_cli.contract.signing import secret_bytes
from reinmaker_cli.server.running import ServerConfig, running_server
from tests.cli.command import Command, command_line
from tests.cli.terminals import Session, needs_terminals
from tests.client.receivers import Inbox, inbox
from tests.node import NODE, needs_node
from tests.ports import own_port


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a server."""
    folder = tmp_path_factory.mktemp("data")
    with running_server(ServerConfig(port=0, data=folder, log="off", network=False)):
        yield folder


@pytest.fixture
def local(reinmaker: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """The command line, with that server as environment `local`; endpoints and dead letters are gone afterwards."""
    monkeypatch.setenv("REINMAKER_DATA", str(data))
    yield reinmaker
    for endpoint in reinmaker("webhooks", "endpoints", "-q").out.split():
        assert reinmaker("webhooks", "endpoints", "remove", endpoint).code == 0
    assert reinmaker("webhooks", "dead-letters", "purge", "--all").code == 0


def results(local: Command, *words: str) -> list[Any]:
    ended = local("webhooks", *words, "--json")
    assert ended.code == 0, ended.err
    found: list[Any] = ended.document["results"]
    return found


class Telling:
    """A command as a process; what it writes with `--events -`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def next(self, kind: str) -> dict[str, Any]:
        """Return the next line of one kind, waiting for it; others are passed over."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said: dict[str, Any] = json.loads(line)
            if said.get("event") == kind:
                return said
        raise AssertionError(f"it ended before it said `{kind}`: {self.process.communicate()}")

    def end(self, number: int = signal.SIGINT) -> dict[str, Any]:
        """Stop it and return its document."""
        self.process.send_signal(number)
        return self.document()

    def document(self) -> dict[str, Any]:
        """Wait for its end and return its document."""
        out, err = self.process.communicate(timeout=120)
        self.err = err.decode()
        document: dict[str, Any] = json.loads(out.splitlines()[-1])
        assert document["exitCode"] == self.process.returncode
        assert "whsec_" not in out.decode() + self.err
        return document


class Listening(Telling):
    """`webhooks listen`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(process)
        self.first = self.next("listening")


@contextmanager
def listening(data: Path, *words: str) -> Iterator[Listening]:
    """Yield a receiver that is registered."""
    line = command_line("webhooks", "listen", "--data", data, "--events", "-", *words)
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            yield Listening(process)
        finally:
            process.kill()


# --- listen ----------------------------------------------------------------------------------------------------------


def test_listen_receives_an_event_and_removes_itself(local: Command, data: Path) -> None:
    with listening(data, "--once") as listener:
        (endpoint,) = results(local, "endpoints")
        assert endpoint["url"] == listener.first["url"]
        assert endpoint["secret"]["nextFetched"]
        (caused,) = results(local, "trigger", "content.requested", "--set", "locale=fr-FR")
        received = listener.next("received")
        assert (received["messageId"], received["verified"], received["status"]) == (caused["eventId"], True, 200)
        assert json.loads(received["body"])["data"]["locale"] == "fr-FR"
        document = listener.document()
    assert (document["exitCode"], document["stats"]["events"]) == (0, 1)
    assert results(local, "endpoints") == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_removes_the_endpoint_too(local: Command, data: Path, number: int, code: int) -> None:
    with listening(data) as listener:
        assert listener.end(number)["exitCode"] == code
        assert "Traceback" not in listener.err
    assert results(local, "endpoints") == []


def seconds_after(delivery: dict[str, Any], attempt: int) -> float:
    """Return how long after its event an attempt was made: 30 s after the end of the first, for the second."""
    return seconds_between(delivery["createdAt"], delivery["attempts"][attempt]["startedAt"])


def test_answers_on_purpose_make_retries_that_the_clock_brings(local: Command, data: Path) -> None:
    with listening(data, "--respond", "500,drop,503:90s,200") as listener:
        (caused,) = results(local, "trigger", "telemetry.flushed")
        assert listener.next("received")["status"] == 500
        assert local("local", "clock", "advance", "8h").code == 0
        rest = [listener.next("received") for _ in range(3)]
        assert [one["status"] for one in rest] == [None, 503, 200]
        assert [one["attempt"] for one in rest] == [2, 3, 4]
        assert {one["messageId"] for one in rest} == {caused["eventId"]}
        (delivery,) = results(local, "deliveries", "--event", caused["eventId"])
        shown = local("webhooks", "deliveries", "--event", caused["eventId"]).out
        assert listener.end()["stats"] == {"received": 4, "events": 1, "duplicates": 0, "refused": 0}
    assert (delivery["status"], [one["status"] for one in delivery["attempts"]]) == ("delivered", [500, None, 503, 200])
    lines = [line.split() for line in shown.splitlines()]
    assert [line[0] for line in lines[3:]][:2] == ["+0s", f"+{int(seconds_after(delivery, 1))}s"]


def test_listen_takes_its_own_variable_for_the_port_and_not_that_of_serve(
    local: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        monkeypatch.setenv("REINMAKER_PORT", port)
        with listening(data) as listener:
            assert listener.end()["exitCode"] == 130
        monkeypatch.setenv("REINMAKER_LISTEN_PORT", port)
        assert local("webhooks", "listen").code == 2


def test_rotation_while_listening_loses_nothing(local: Command, data: Path) -> None:
    with listening(data) as listener:
        endpoint = listener.first["endpointId"]
        for _ in range(3):
            assert local("webhooks", "rotate", endpoint, "--overlap", "1h").code == 0
            listener.next("rotated")
            (caused,) = results(local, "trigger", "content.requested")
            received = listener.next("received")
            assert (received["messageId"], received["verified"]) == (caused["eventId"], True)
        assert local("local", "clock", "advance", "2h").code == 0
        results(local, "trigger", "content.requested")
        assert listener.next("received")["verified"]
        assert listener.end()["stats"]["refused"] == 0


def test_sixty_days_rotate_by_themselves_while_listening(local: Command, data: Path) -> None:
    with listening(data) as listener:
        for _ in range(2):
            assert local("local", "clock", "advance", "61d").code == 0
            listener.next("rotated")
            results(local, "trigger", "content.requested")
            assert listener.next("received")["verified"]
        assert listener.end()["stats"]["refused"] == 0


def test_an_endpoint_that_somebody_removed_is_registered_again(local: Command, data: Path) -> None:
    with listening(data) as listener:
        assert local("webhooks", "endpoints", "remove", listener.first["endpointId"]).code == 0
        assert listener.next("listening")["endpointId"] != listener.first["endpointId"]
        results(local, "trigger", "content.requested")
        assert listener.next("received")["verified"]


def test_one_that_was_killed_leaves_nothing_behind_on_its_port(local: Command, data: Path) -> None:
    port = str(own_port())
    with listening(data, "--port", port) as listener:
        listener.process.kill()
        listener.process.wait(timeout=120)
    assert len(results(local, "endpoints")) == 1
    with listening(data, "--port", port) as listener:
        (endpoint,) = results(local, "endpoints")
        assert endpoint["endpointId"] == listener.first["endpointId"]


def test_only_the_types_that_were_asked_for_come(local: Command, data: Path) -> None:
    with listening(data, "--types", "telemetry.flushed,entitlement.updated") as listener:
        assert results(local, "trigger", "content.requested")[0]["deliveries"] == []
        results(local, "trigger", "entitlement.updated", "--set", "userId=usr_1")
        assert listener.next("received")["type"] == "reinmaker.entitlement.updated"


def test_a_receiver_that_is_disabled_is_told_so(local: Command, data: Path) -> None:
    with listening(data) as listener:
        endpoint = listener.first["endpointId"]
        assert local("webhooks", "endpoints", "disable", endpoint, "--reason", "pause").code == 0
        assert "pause" in listener.next("disabled")["detail"]
        assert local("webhooks", "endpoints", "enable", endpoint).code == 0
        listener.next("enabled")


def test_what_is_forwarded_arrives_with_its_signature(local: Command, data: Path) -> None:
    with inbox("202") as app, listening(data, "--forward-to", app.url) as listener:
        results(local, "trigger", "content.requested")
        received = listener.next("received")
        assert (received["status"], received["forwarded"]) == (401, {"status": 401, "failure": None})
        # It has another secret, and so refuses; what matters is that it got the three headers.
        assert app.next().message_id == received["messageId"]


# --- theirs accept ours, before, during and after a rotation ---------------------------------------------------------


def through_a_rotation(local: Command, box: Inbox) -> Iterator[tuple[Received, list[str], list[str]]]:
    """Yield a delivery before, during and after a rotation, the secrets that verify it, and those that do not."""
    (endpoint,) = results(local, "endpoints", "add", box.url)
    first = endpoint["signingSecret"]
    (shown,) = results(local, "endpoints", "secret", endpoint["endpointId"], "--next")
    second = shown["signingSecret"]
    for stage, good, bad in (
        ("before", [first], [second]),
        ("during", [first, second], []),
        ("after", [second], [first]),
    ):
        if stage == "during":
            assert local("webhooks", "rotate", endpoint["endpointId"], "--overlap", "1h").code == 0
        if stage == "after":
            assert local("local", "clock", "advance", "2h").code == 0
        (caused,) = results(local, "trigger", "content.requested")
        while (received := box.next()).message_id != caused["eventId"]:
            pass  # retries of those before: this receiver has another secret, and refuses
        yield received, good, bad


def test_standardwebhooks_and_svix_verify_our_deliveries_through_a_rotation(local: Command) -> None:
    with inbox("200") as box:
        for received, good, bad in through_a_rotation(local, box):
            for text in good:
                for theirs in (standardwebhooks.Webhook(text), svix.webhooks.Webhook(text)):
                    theirs.verify(received.body.decode(), dict(received.headers))
            for text in bad:
                with pytest.raises(standardwebhooks.WebhookVerificationError):
                    standardwebhooks.Webhook(text).verify(received.body.decode(), dict(received.headers))


@needs_node
def test_standardwebhooks_of_npm_verifies_our_deliveries_through_a_rotation(local: Command) -> None:
    asked, wanted = [], []
    with inbox("200") as box:
        for received, good, bad in through_a_rotation(local, box):
            for text in good + bad:
                asked.append({"secret": text, "body": received.body.decode(), "headers": dict(received.headers)})
                wanted.append(text in good)
    script = NODE / "webhooks.mjs"
    ended = subprocess.run(["node", str(script)], input=json.dumps(asked), capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout) == wanted == [True, False, True, True, True, False]


# --- endpoints, deliveries, dead letters -----------------------------------------------------------------------------


def test_a_secret_is_shown_once_and_the_next_one_until_it_takes_over(local: Command) -> None:
    (made,) = results(local, "endpoints", "add", "http://localhost:9/x", "--types", "content.requested")
    endpoint = made["endpointId"]
    assert made["types"] == ["reinmaker.content.requested"]
    assert local("webhooks", "endpoints", "secret", endpoint, "--json").document["error"]["code"] == "secret-shown"
    refused = local("webhooks", "rotate", endpoint, "--json")
    assert (refused.code, refused.document["error"]["code"]) == (2, "next-secret-unfetched")
    next_one = local("webhooks", "endpoints", "secret", endpoint, "--next", "-q").out
    assert local("webhooks", "endpoints", "secret", endpoint, "--next").out == next_one
    assert len(base64.b64decode(next_one.strip().removeprefix("whsec_"))) == 32
    assert local("webhooks", "rotate", endpoint).code == 0


def test_a_dead_letter_is_shown_exported_redriven_and_deleted(local: Command) -> None:
    (made,) = results(local, "endpoints", "add", "http://localhost:9/x")
    (caused,) = results(local, "trigger", "content.requested")
    (delivery,) = caused["deliveries"]
    assert local("local", "clock", "advance", "8h").code == 0
    (letter,) = results(local, "dead-letters")
    assert (letter["deliveryId"], letter["attempts"]) == (delivery, 6)
    lines = local("webhooks", "dead-letters").out.splitlines()
    assert "given up after 6 attempts" in lines[0]
    assert lines[1] == f"  delivery {delivery}  endpoint {made['endpointId']}  not forwarded"
    (shown,) = results(local, "dead-letters", "show", delivery)
    assert len(shown["history"]) == 6
    exported = local("webhooks", "dead-letters", "export").out
    assert json.loads(json.loads(exported)["body"]) == json.loads(shown["body"])
    assert local("webhooks", "dead-letters", "export", "-o", "letters.jsonl").code == 0
    assert Path("letters.jsonl").read_text() == exported
    assert results(local, "redrive", "--endpoint", made["endpointId"]) == [redriven(delivery)]
    assert results(local, "dead-letters") == []
    assert local("local", "clock", "advance", "8h").code == 0
    assert results(local, "dead-letters", "purge", delivery) == [{"purged": 1}]


def redriven(*deliveries: str, left: int = 0) -> dict[str, object]:
    """Return what a redrive says of itself."""
    return {"redriven": len(deliveries), "deliveries": list(deliveries), "left": left}


def test_a_dead_letter_of_a_removed_endpoint_is_redriven_to_the_next_of_its_url(local: Command) -> None:
    with inbox("500,200") as box:
        (gone,) = results(local, "endpoints", "add", box.url)
        box.secrets.add(secret_bytes(gone["signingSecret"]))
        (caused,) = results(local, "trigger", "content.requested")
        (delivery,) = caused["deliveries"]
        first = box.next()
        assert local("local", "wait", "--idle").code == 0
        assert local("webhooks", "endpoints", "remove", gone["endpointId"]).code == 0

        listed = local("webhooks", "dead-letters")
        assert f"endpoint {gone['endpointId']} (removed; it was {box.url})  not forwarded" in listed.out
        assert "`reinmaker webhooks endpoints add URL`" in listed.err
        refused = local("webhooks", "redrive", delivery, "--json")
        error = refused.document["error"]
        assert (refused.code, error["code"]) == (2, "receiver-gone")
        assert error["message"] == f"its endpoint was removed: `{gone['endpointId']}`, `{box.url}`"
        assert "`reinmaker webhooks endpoints add URL`" in error["hint"]
        assert results(local, "redrive", "--all") == [redriven(left=1)]
        assert "1 dead letter left" in local("webhooks", "redrive", "--all").err

        (made,) = results(local, "endpoints", "add", box.url)
        box.secrets.add(secret_bytes(made["signingSecret"]))
        assert results(local, "redrive", delivery) == [redriven(delivery)]
        again = box.next()
    assert (again.message_id, again.status) == (first.message_id, 200)


def test_resend_is_one_post_beside_the_schedule(local: Command) -> None:
    with inbox("200") as box:
        results(local, "endpoints", "add", box.url)
        (caused,) = results(local, "trigger", "content.requested")
        first = box.next()
        (attempt,) = results(local, "resend", caused["deliveries"][0])
        again = box.next()
    assert first.message_id == again.message_id
    assert (attempt["kind"], attempt["status"]) == ("resend", 401)  # this receiver has another secret


def test_request_content_tells_every_endpoint(local: Command, data: Path) -> None:
    with listening(data, "--once") as listener:
        words = ("--phase-dna", "volcano", "--locale", "es-ES", "--persona", "6-12", "--json")
        ended = local("local", "request-content", *words)
        assert ended.code == 0
        body = json.loads(listener.next("received")["body"])
        assert listener.document()["exitCode"] == 0
    assert body["data"] == {"phaseDNAId": "volcano", "locale": "es-ES", "agePersona": "6-12"}
    assert ended.document["results"][0]["type"] == body["type"]


def test_redrive_follows_to_the_end(local: Command, data: Path) -> None:
    with inbox("410,500,200") as box:
        (made,) = results(local, "endpoints", "add", box.url)
        box.secrets.add(secret_bytes(made["signingSecret"]))
        (caused,) = results(local, "trigger", "content.requested")
        box.next()
        (delivery,) = caused["deliveries"]
        assert local("local", "wait", "--idle").code == 0
        assert local("webhooks", "endpoints", "enable", made["endpointId"]).code == 0
        words = ("webhooks", "redrive", delivery, "--follow", "--events", "-", "--data", data)
        with subprocess.Popen(command_line(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                telling = Telling(process)
                assert telling.next("attempt")["status"] == 500, "what came before the redrive is not told again"
                assert local("local", "clock", "advance", "30s").code == 0
                assert telling.next("attempt")["status"] == 200
                assert telling.next("delivery")["status"] == "delivered"
                assert process.stdout is not None
                rest = process.stdout.read().splitlines()  # and its end, which comes by itself
                assert json.loads(rest[-1])["results"] == [redriven(delivery)]
                assert process.wait(timeout=120) == 0
            finally:
                process.kill()


def test_follow_tells_of_each_attempt(local: Command, data: Path) -> None:
    words = ("webhooks", "deliveries", "--follow", "--data", data)
    results(local, "endpoints", "add", "http://localhost:9/x")
    with subprocess.Popen(command_line(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as follower:
        try:
            assert follower.stdout is not None
            (caused,) = results(local, "trigger", "content.requested")
            for line in follower.stdout:
                if caused["deliveries"][0].encode() in line:
                    break
            else:
                pytest.fail(follower.communicate()[1].decode())
            assert b"attempt 1" in line
            follower.send_signal(signal.SIGINT)
            assert follower.wait(timeout=120) == 130
        finally:
            follower.kill()


@pytest.mark.parametrize(
    "words",
    [
        ("trigger", "nothing.happened"),
        ("trigger", "content.requested", "--set", "locale"),
        ("trigger", "content.requested", "--set", "a=1", "--set", "a.b=2"),
        ("trigger", "content.requested", "--set", "colour=red"),
        ("trigger", "content.requested", "--set", "phaseDNAId=1e999", "--set", "locale=NaN"),
        ("endpoints", "add"),
        ("endpoints", "list", "ep_1"),
        ("endpoints", "enable", "ep_1", "--next"),
        ("endpoints", "enable", "ep_none"),
        ("endpoints", "add", "nowhere"),
        ("rotate", "ep_none"),
        ("rotate", "ep_none", "--overlap", "soon"),
        ("redrive",),
        ("redrive", "del_1", "--all"),
        ("redrive", "del_none"),
        ("resend", "del_none"),
        ("resend", "\udcff"),
        ("resend", ".."),
        ("deliveries", "--trace-id", "\udcff"),
        ("endpoints", "remove", "\udcff"),
        ("dead-letters", "show"),
        ("dead-letters", "list", "--all"),
        ("dead-letters", "purge"),
        ("dead-letters", "purge", "-o", "x"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_exit_2(local: Command, words: tuple[str, ...]) -> None:
    ended = local("webhooks", *words, "--json")
    assert ended.code == 2
    assert ended.document["error"]["hint"]


def test_another_environment_has_no_control_api(local: Command) -> None:
    ended = local("webhooks", "endpoints", "--env", "staging", "--json")
    assert (ended.code, ended.document["error"]["code"]) == (2, "local-only")


@needs_terminals
def test_on_a_terminal_a_line_says_what_came_last_and_whether_the_server_sees_it(local: Command, data: Path) -> None:
    with Session(["webhooks", "listen", "--data", str(data)], columns=160) as session:
        session.wait_for("no event yet")
        session.wait_for("server sees it: 0 open, 0 dead")
        results(local, "trigger", "content.requested")
        session.wait_for("reinmaker.content.requested")
        session.wait_for("1 event, the last ")
        session.process.send_signal(signal.SIGINT)
        seen = session.end()
    assert seen.code == 130
    assert "1 delivery: 1 event taken, 0 duplicates, 0 not verified" in seen.text

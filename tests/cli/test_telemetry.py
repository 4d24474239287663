"""`telemetry check` and `send`, `entitlements`, `local entitlement` and `local forget`, on a real server."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reinmaker_cli.cli.telemetry import MAX_KEPT
from reinmaker_cli.client.local import LocalControl
from reinmaker_cli.server.running import ServerConfig, Started, running_server
from tests.cli.command import Command, as_process, command_line

PERSONAL = {"note": "write to ana@example.com"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """One server for all tests of this file; each sends events with a prefix of its own."""
    data = tmp_path_factory.mktemp("data")
    with running_server(ServerConfig(port=0, data=data, log="off", limits="off", network=False)) as started:
        yield started


@pytest.fixture
def local(reinmaker: Command, server: Started, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line, with the server as environment `local`."""
    monkeypatch.setenv("REINMAKER_DATA", str(server.data))
    return reinmaker


def event(event_id: str, **properties: object) -> str:
    """Return an event as one line of JSON."""
    document = {"eventId": event_id, "type": "t", "occurredAt": "2026-11-23T07:00:00Z", "userId": "usr_1"}
    return json.dumps(document | ({"properties": properties} if properties else {}))


def lines(prefix: str, count: int) -> str:
    return "".join(event(f"{prefix}-{number}") + "\n" for number in range(count))


def stored(server: Started, prefix: str) -> int:
    with closing(sqlite3.connect(server.data / "reinmaker.sqlite3")) as database:
        query = "SELECT count(*), count(DISTINCT event_id) FROM telemetry_events WHERE event_id LIKE ?"
        rows, ids = database.execute(query, (f"{prefix}-%",)).fetchone()
    assert rows == ids
    return int(rows)


# --- check -----------------------------------------------------------------------------------------------------------


def test_check_needs_no_server_and_finds_nothing_in_what_is_right(reinmaker: Command, work: Path) -> None:
    (work / "events.jsonl").write_text(lines("a", 3))
    assert reinmaker("telemetry", "check", "events.jsonl").out == "events.jsonl: 3 events, nothing to hold back\n"
    (work / "events.json").write_text("[" + ",".join(lines("a", 3).splitlines()) + "]")
    [row] = reinmaker("telemetry", "check", "events.json", "--json").document["results"]
    assert row == {"file": "events.json", "events": 3, "errors": 0, "warnings": 0}


def test_check_names_every_place_with_its_line_and_never_its_value(reinmaker: Command, work: Path) -> None:
    text = lines("a", 2) + event("b", **PERSONAL) + "\n" + '{"eventId": nope}\n' + '{"type": "t"}\n'
    (work / "events.jsonl").write_text(text)
    ended = reinmaker("telemetry", "check", "events.jsonl", "--json")
    assert [(row["code"], row["line"], row.get("pointer")) for row in ended.document["findings"]] == [
        ("personal-email", 3, "/properties/note"),
        ("not-json", 4, None),
        ("event-invalid", 5, "/eventId"),
        ("event-invalid", 5, "/occurredAt"),
    ]
    assert (ended.code, ended.document["error"]["code"]) == (3, "personal-data")
    for_people = reinmaker("telemetry", "check", "events.jsonl")
    assert "line 3, at /properties/note" in for_people.err
    assert "ana@example.com" not in ended.out + ended.err + for_people.out + for_people.err


def test_the_body_of_a_request_is_recognised(reinmaker: Command, work: Path) -> None:
    (work / "body.json").write_text(f'{{"events": [{event("a")}]}}')
    ended = reinmaker("telemetry", "check", "body.json", "--json")
    [finding] = ended.document["findings"]
    assert (ended.code, finding["code"], "jq" in finding["hint"]) == (3, "event-invalid", True)


def test_annotations_have_the_line(reinmaker: Command, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    (work / "events.jsonl").write_text("\n" + event("b", **PERSONAL))
    ended = reinmaker("telemetry", "check", "events.jsonl")
    assert "::error file=events.jsonl,line=2,title=personal-email::" in ended.err


@pytest.mark.parametrize("code", ["personal-email", "personal-data"])
def test_an_allowed_finding_is_a_warning(reinmaker: Command, work: Path, code: str) -> None:
    (work / "events.jsonl").write_text(event("b", **PERSONAL))
    document = reinmaker("telemetry", "check", "events.jsonl", "--allow", code, "--json").document
    assert (document["exitCode"], document["findings"][0]["severity"]) == (0, "warning")


@pytest.mark.parametrize("code", ["not-json", "event-invalid", "nonsense"])
def test_what_cannot_be_sent_cannot_be_allowed(reinmaker: Command, work: Path, code: str) -> None:
    (work / "events.jsonl").write_text("{")
    assert reinmaker("telemetry", "check", "events.jsonl", "--allow", code).code == 2


def test_more_findings_than_anybody_reads_are_counted(reinmaker: Command, work: Path) -> None:
    (work / "events.jsonl").write_text("{}\n" * 1000)
    document = reinmaker("telemetry", "check", "events.jsonl", "--json").document
    assert len(document["findings"]) == MAX_KEPT
    assert document["results"][0]["errors"] == 3000


@pytest.mark.parametrize("name", ["missing.jsonl", ".", "nul\0byte", "x" * 5000])
def test_a_file_that_cannot_be_read_is_a_usage_error(reinmaker: Command, name: str) -> None:
    ended = reinmaker("telemetry", "check", name)
    assert (ended.code, "Traceback" in ended.err) == (2, False)


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file that fails when it is read")
@pytest.mark.parametrize("verb", ["check", "send"])
def test_a_disk_that_fails_while_it_is_read_is_an_error_and_no_bug(local: Command, verb: str) -> None:
    ended = local("telemetry", verb, "/proc/self/mem", "--json")
    assert (ended.code, ended.document["error"]["code"]) == (2, "unreadable")
    assert "Traceback" not in ended.err


# --- send ------------------------------------------------------------------------------------------------------------


def test_events_are_sent_once_however_often_the_command_runs(local: Command, server: Started, work: Path) -> None:
    (work / "events.jsonl").write_text(lines("once", 1200))
    first = local("telemetry", "send", "events.jsonl", "--json").document
    counts = {"batches": 3, "events": 1200, "accepted": 1200, "duplicates": 0}
    assert first["results"][0].items() >= (counts | {"file": "events.jsonl", "complete": True}).items()
    assert first["stats"]["requests"] == 3
    again = local("telemetry", "send", "events.jsonl")
    assert again.out == "events.jsonl: 1,200 events in 3 batches, 0 new, 1,200 there before\n"
    assert stored(server, "once") == 1200


def test_nothing_of_a_file_with_a_finding_is_sent(local: Command, server: Started, work: Path) -> None:
    (work / "events.jsonl").write_text(lines("held", 1500) + event("held-last", **PERSONAL))
    ended = local("telemetry", "send", "events.jsonl", "--json")
    assert (ended.code, ended.document["error"]["code"]) == (3, "personal-data")
    assert ended.document["results"][0]["events"] == 0
    assert stored(server, "held") == 0
    assert local("telemetry", "send", "events.jsonl", "--allow", "personal-email").code == 0
    assert stored(server, "held") == 1501


def test_from_a_pipe_the_batch_with_a_finding_and_all_after_it_are_held_back(
    server: Started, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REINMAKER_DATA", str(server.data))
    text = lines("pipe", 700) + event("pipe-bad", **PERSONAL) + "\n" + lines("pipe-after", 700)
    words = ("telemetry", "send", "-", "--json")
    ended = as_process(*words, stdin=None, input=text.encode())
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["error"]["code"]) == (3, "personal-data")
    assert [(row["code"], row["line"], row["path"]) for row in document["findings"]] == [("personal-email", 701, "-")]
    assert (document["results"][0]["events"], document["results"][0]["complete"]) == (500, False)
    assert stored(server, "pipe") == 500


def test_stdin_that_is_a_file_is_checked_whole(server: Started, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINMAKER_DATA", str(server.data))
    (work / "events.jsonl").write_text(lines("redirected", 700) + "{")
    with (work / "events.jsonl").open("rb") as file:
        assert as_process("telemetry", "send", "-", stdin=file).returncode == 3
    assert stored(server, "redirected") == 0


def test_a_slow_pipe_is_read_as_it_comes(server: Started, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch goes out when it is full, not when the pipe has more."""
    monkeypatch.setenv("REINMAKER_DATA", str(server.data))
    words = command_line("telemetry", "send", "-", "--events", "-")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(lines("slow", 501).encode())
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["accepted"] == 500
        out, _ = process.communicate(timeout=120)
        assert json.loads(out.splitlines()[0])["accepted"] == 1
    assert stored(server, "slow") == 501


def test_a_fifo_is_a_pipe(local: Command, server: Started, work: Path) -> None:
    os.mkfifo(work / "events")
    writer = threading.Thread(target=lambda: (work / "events").write_text(lines("fifo", 3)))
    writer.start()
    assert local("telemetry", "send", "events").code == 0
    writer.join()
    assert stored(server, "fifo") == 3


def test_how_long_the_limits_take_is_said_once_the_first_answer_is_there(
    reinmaker: Command, work: Path, tmp_path: Path
) -> None:
    """Three batches where two fit a minute: an estimate, and no answer 429; --deadline ends it before it waits."""
    config = ServerConfig(port=0, data=tmp_path / "limited", log="off", network=False)
    with running_server(config) as started:
        with LocalControl(started.url, started.client.control_token) as control:
            control.limit_client(started.client.client_id, {"default": 2})
        (work / "events.jsonl").write_text(lines("paced", 1500))
        words = ("telemetry", "send", "events.jsonl", "--data", started.data, "--deadline", "45", "--trace")
        ended = reinmaker(*words)
    assert "2 batches more: at least 1m, by the server's limits" in ended.err
    assert (ended.code, "< 429" in ended.err, ended.err.count("< 202")) == (7, False, 2)


def test_no_events_are_nothing_to_do(local: Command, work: Path) -> None:
    (work / "events.json").write_text("[]")
    document = local("telemetry", "send", "events.json", "--json").document
    assert (document["exitCode"], document["results"][0]["complete"], document["stats"]["requests"]) == (0, True, 0)


def test_a_server_that_is_not_there_is_exit_7_and_says_what_is_in(reinmaker: Command, work: Path) -> None:
    client = {"clientId": "a", "clientSecret": "b", "apiUrl": "http://127.0.0.1:9", "controlToken": "c"}
    (work / "client.json").write_text(json.dumps(client))
    (work / "events.jsonl").write_text(lines("gone", 1))
    ended = reinmaker("telemetry", "send", "events.jsonl", "--data", ".", "--json")
    assert (ended.code, ended.document["error"]["retryable"]) == (7, True)
    assert ended.document["results"][0]["complete"] is False
    assert "nothing was sent" in ended.err


# --- users -----------------------------------------------------------------------------------------------------------


def test_what_is_given_is_shown_and_what_is_revoked_is_not(local: Command) -> None:
    given = local(
        "local", "entitlement", "add", "usr_7", "--plan", "reinmaker.family_pack", "--expires-at", "2999-01-01"
    )
    assert given.code == 0
    local("local", "entitlement", "add", "usr_7", "--plan", "curious_kelly.personal", "--feature", "offline", "--json")
    rows = local("entitlements", "usr_7", "--json").document["results"]
    assert [(row["plan"], row["product"], row["expiresAt"]) for row in rows] == [
        ("curious_kelly.personal", "curious_kelly", None),
        ("reinmaker.family_pack", "reinmaker", "2999-01-01T00:00:00.000Z"),
    ]
    assert local("local", "entitlement", "revoke", "usr_7", "--plan", "reinmaker.family_pack", "--json").document["ok"]
    assert local("entitlements", "usr_7", "--quiet").out == "curious_kelly.personal\n"
    listed = local("local", "entitlement", "list", "usr_7", "--json").document["results"]
    assert [row["status"] for row in listed] == ["active", "revoked"]
    assert len(local("local", "entitlement", "--json").document["results"]) >= 2


def test_a_user_that_nobody_knows_has_nothing_and_that_is_no_error(local: Command) -> None:
    ended = local("entitlements", "nobody", "--json")
    assert (ended.code, ended.document["results"]) == (0, [])


@pytest.mark.parametrize(
    "words",
    [
        ("add", "usr_1"),
        ("add", "--plan", "reinmaker.game_pass"),
        ("add", "usr_1", "--plan", "reinmaker.everything"),
        ("add", "usr_1", "--plan", "reinmaker.game_pass", "--expires-at", "soon"),
        ("revoke", "usr_never", "--plan", "reinmaker.game_pass"),
        ("revoke", "usr_1", "--plan", "reinmaker.game_pass", "--region", "US"),
        ("list", "--plan", "reinmaker.game_pass"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(local: Command, words: tuple[str, ...]) -> None:
    assert local("local", "entitlement", *words).code == 2


def test_a_user_is_forgotten(local: Command, server: Started, work: Path) -> None:
    (work / "events.jsonl").write_text(lines("forgotten", 3).replace("usr_1", "usr_forgotten"))
    assert local("telemetry", "send", "events.jsonl").code == 0
    local("local", "entitlement", "add", "usr_forgotten", "--plan", "reinmaker.game_pass")
    document = local("local", "forget", "usr_forgotten", "--json").document
    assert document["results"] == [{"entitlements": 1, "events": 3, "webhooks": 1}]
    assert local("local", "forget", "usr_forgotten").out == "erased 0 entitlements, 0 events and 0 webhooks\n"
    assert b"usr_forgotten" not in b"".join(file.read_bytes() for file in server.data.glob("*.sqlite3*"))


def test_trace_shows_no_user(local: Command) -> None:
    assert "usr_secretive" not in local("entitlements", "usr_secretive", "--trace").err
    assert "usr_secretive" not in local("local", "entitlement", "list", "usr_secretive", "--trace").err

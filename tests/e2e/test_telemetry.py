"""A sender that is killed at any instant, a server that is killed in the middle: no event lost, none twice."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.test_faults import data_folder_behind
from tests.faults import fault_proxy
from tests.ports import own_port

KILLS = 10 if os.environ.get("REINMAKER_SOAK") else 3
EVENTS = 1_000_000 if os.environ.get("REINMAKER_SOAK") else 20_000


@pytest.fixture
def events(tmp_path):
    """A file of events."""
    file = tmp_path / "events.jsonl"
    with file.open("w") as lines:
        for number in range(EVENTS):
            event = {
                "eventId": f"{number:036}",
                "type": "phase.completed",
                "occurredAt": "2026-11-23T07:00:00Z",
                "userId": f"usr_{number % 1000}",
                "properties": {"phase": "welcome", "durationMs": number},
            }
            lines.write(json.dumps(event) + "\n")
    return file


BATCH = "POST /v1/telemetry/events"


def stored(server):
    """Return how many events and how many different ones the database holds."""
    with closing(sqlite3.connect(Path(server.ready["data"]) / "reinmaker.sqlite3")) as database:
        return database.execute("SELECT count(*), count(DISTINCT event_id) FROM telemetry_events").fetchone()


def test_killed_at_any_instant_the_sender_is_started_again_and_all_is_there_once(reinmaker, serve, events):
    server = serve("--limits", "off", "--log", "off")
    chance = random.Random(7)
    for _ in range(KILLS):
        process = reinmaker.start("telemetry", "send", events, "--events", "-")
        assert process.stdout is not None
        for _ in range(chance.randrange(1, 12)):
            assert json.loads(process.stdout.readline())["event"] == "batch"
        process.send_signal(signal.SIGKILL)
        process.communicate()
    again = reinmaker("telemetry", "send", events, "--json", timeout_s=1000)
    assert again.code == 0, again.err
    [row] = again.document["results"]
    assert (row["events"], row["complete"]) == (EVENTS, True)
    assert row["duplicates"] >= 500 * KILLS // 3
    assert stored(server) == (EVENTS, EVENTS)


def test_interrupted_the_sender_says_what_is_in(reinmaker, serve, events, tmp_path):
    server, was_told = serve("--limits", "off", "--log", "off"), threading.Event()
    with fault_proxy(server.url) as line:
        line.on_request = lambda _: line.requests.count(BATCH) != 2 or was_told.wait(240)
        data = data_folder_behind(server, line, tmp_path)
        process = reinmaker.start("telemetry", "send", events, "--events", "-", "--data", data)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "batch"
        process.send_signal(signal.SIGTERM)
        was_told.set()
        out, err = process.communicate(timeout=240)
    document = json.loads(out.splitlines()[-1])
    assert (process.returncode, document["error"]["code"]) == (143, "interrupted")
    said = document["results"][0]["events"]
    assert f"{said:,} events are at the server" in err
    # The batch on its way when the signal came may be in as well.
    assert stored(server)[0] in (said, said + 500)


def test_a_server_that_is_killed_and_started_again_loses_nothing(reinmaker, serve, events, tmp_path):
    """Killed while it has a batch; the next one comes when it is gone."""
    options = ("--port", str(own_port()), "--limits", "off", "--log", "off")
    server, before_next = serve(*options), EVENTS // 500 // 5
    comes, is_gone = [threading.Semaphore(0) for _ in range(2)]

    def stand_between(request):
        if request == BATCH and line.requests.count(BATCH) <= 3 * before_next:
            place = line.requests.count(BATCH) % before_next
            if place == before_next - 1:
                comes.release()
            elif place == 0:
                assert is_gone.acquire(timeout=240)

    with fault_proxy(server.url, on_request=stand_between) as line:
        data = data_folder_behind(server, line, tmp_path)
        # Nobody reads what it says before its end: a line for each batch would fill the pipe.
        sender = reinmaker.start("telemetry", "send", events, "--json", "--data", data)
        for _ in range(3):
            assert comes.acquire(timeout=240)
            server.stop(signal.SIGKILL)
            is_gone.release()
            server = serve(*options)
        out, err = sender.communicate(timeout=1000)
    assert sender.returncode == 0, err
    document = json.loads(out)
    assert document["stats"]["repeatedBatches"] >= 1
    assert document["results"][0]["events"] == EVENTS
    assert stored(server) == (EVENTS, EVENTS)


def test_the_memory_of_the_sender_does_not_grow_with_the_file(reinmaker, serve, events, tmp_path):
    serve("--limits", "off", "--log", "off")
    small = tmp_path / "small.jsonl"
    with events.open() as lines:
        small.write_text("".join(next(lines) for _ in range(500)))
    peaks = [peak_kib(reinmaker, file) for file in (small, events)]
    assert peaks[1] - peaks[0] < 30 * 1024


def peak_kib(reinmaker, file):
    """Return the largest resident memory of a sender, in KiB."""
    script = (
        "import resource, sys; from reinmaker_cli.cli.app import run_command_line;"
        "code = run_command_line(sys.argv[1:]);"
        "sys.stderr.write(f'peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}'); sys.exit(code)"
    )
    words = [reinmaker.command()[0], "-c", script, "telemetry", "send", str(file), "--quiet"]
    ended = subprocess.run(words, env=reinmaker.environment, capture_output=True, text=True, check=True, timeout=1000)
    return int(ended.stderr.rpartition("peak ")[2])

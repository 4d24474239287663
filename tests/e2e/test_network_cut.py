"""The network between client and server is cut, shorter and longer than the client goes on trying."""

import json
import os
import sys

import pytest

from tests.e2e.test_faults import data_folder_behind, submissions
from tests.e2e.test_telemetry import stored
from tests.faults import fault_proxy
from tests.server.live import event

IS_SOAK = bool(os.environ.get("REINMAKER_SOAK"))
PLACES = range(1, 11) if IS_SOAK else (4, 7)
"""The first request of a publication that is lost: tokens, listings, submissions, waits."""
LOST = 4
"""In a row, with pauses of 0.5, 1, 2 and 4 s between them."""
BATCH_LINES = 1200


def is_once_each(server):
    found = submissions(server)
    return len(found) == len({(name, digest) for name, digest, _ in found}) and {one[2] for one in found} == {"active"}


@pytest.mark.parametrize("place", PLACES)
def test_a_cut_is_waited_for_and_what_cannot_be_is_said_and_safe_to_run_again(
    reinmaker, serve, folder, tmp_path, say, place
):
    server = serve("--limits", "off", "--log", "off")
    with fault_proxy(server.url) as line:
        line.outage = range(place, place + LOST)
        data = data_folder_behind(server, line, tmp_path)
        first = reinmaker("publish", folder, "--data", data, "--json")
        # It is not waited for so long before a manifest was sent: giving that one up costs nothing.
        is_sent = "POST /v1/content/manifests" in line.requests
        assert (first.code, is_sent) in {(0, True), (7, False), (10, True)}, first.err
        line.outage = range(0)
        again = reinmaker("publish", folder, "--data", data, "--json")
    assert (again.code, len(again.outcomes)) == (0, 2), again.err
    server.stop()
    say(f"{LOST} requests from number {place} on reached nobody, exit {first.code}, then {again.outcomes}")
    assert is_once_each(server)


@pytest.mark.parametrize("is_silent", [False, True], ids=["broken", "silent"])
def test_a_cut_that_lasts_is_said_in_the_exit_code_and_the_same_command_goes_on(
    reinmaker, serve, folder, tmp_path, say, is_silent
):
    server = serve("--limits", "off", "--log", "off")
    with fault_proxy(server.url) as line:
        line.is_silent = is_silent
        data = data_folder_behind(server, line, tmp_path)
        line.on_request = lambda request: request.startswith("POST /v1") and cut(line)
        first = reinmaker("publish", folder, "--data", data, "--json", "--timeout", "6")
        assert first.code in (7, 8, 10), first.err
        line.on_request, line.outage = (lambda _: None), range(0)
        again = reinmaker("publish", folder, "--data", data, "--json")
    assert again.code == 0, again.err
    server.stop()
    say(f"cut from the first submission on, {'silent' if is_silent else 'broken'}: exit {first.code}, then 0")
    assert is_once_each(server)


def cut(line):
    """From the next request on."""
    line.outage = line.outage or range(len(line.requests) + 1, sys.maxsize)


def test_a_cut_in_the_middle_of_many_events_doubles_and_loses_none(reinmaker, serve, tmp_path, say):
    server = serve("--limits", "off", "--log", "off")
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(event()) + "\n" for _ in range(BATCH_LINES)))
    with fault_proxy(server.url) as line:
        line.outage = range(3, 3 + LOST)
        data = data_folder_behind(server, line, tmp_path)
        sent = reinmaker("telemetry", "send", file, "--data", data, "--json")
    assert sent.code == 0, sent.err
    server.stop()
    say(f"{LOST} requests reached nobody, {line.requests.count('POST /v1/telemetry/events')} were sent")
    assert stored(server) == (BATCH_LINES, BATCH_LINES)

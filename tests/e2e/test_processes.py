"""Four servers on one PostgreSQL, one of them killed again and again: every manifest one verdict, no event lost."""

import http.client
import itertools
import json
import os
import select
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.ports import own_port
from tests.server.live import manifest
from tests.server.receiver import OK, receiver

IS_SOAK = bool(os.environ.get("REINMAKER_SOAK"))
MANIFESTS = EVENTS = 10_000 if IS_SOAK else 300
KILL_EVERY_S = 5.0 if IS_SOAK else 2.0
PROCESSES, CALLERS = 4, 8
STUCK_S = 60
"""For the next 100 deliveries: long for a busy machine, and those of the killed are due again in a second."""
TO_COMPARE = MANIFESTS // 10
"""Of each kind, for the throughput of one process and of four."""

pytestmark = pytest.mark.timeout(3600 if IS_SOAK else 600)


class Servers:
    """Servers on one database, each with a folder and a port of its own, and who calls them."""

    def __init__(self, serve, folder, url, hook, count):
        self._serve, self._url, self._hook = serve, url, hook
        self._servers, self._access = {}, {}
        self._callers = threading.local()
        for place in range(count):
            self.start(place, folder / str(place), own_port())

    def start(self, place, folder, port):
        options = ("--database", self._url, "--data", folder, "--port", port, "--limits", "off", "--log", "off")
        server = self._serve(*options, "--webhook", self._hook)
        port = int(server.url.rpartition(":")[2])
        self._servers[place] = (server, folder, port)
        self._access[place] = access_to(folder, port)

    def kill(self, place):
        """Kill one and start it again, where it was."""
        server, folder, port = self._servers[place]
        server.stop(signal.SIGKILL)
        self.start(place, folder, port)

    def stop(self):
        for server, _, _ in self._servers.values():
            server.stop()

    def post(self, path, document, turn, among):
        """Send it to one after the other of the first ones until one has taken it; return the status and the answer."""
        for number in itertools.count(turn):
            place = number % among
            try:
                access = self._access[place][0 if path.startswith("/_local/") else 1]
                headers = {"Content-Type": "application/json", "Authorization": access}
                status, answer = ask(self._caller(place), path, json.dumps(document), headers)
            except (OSError, http.client.HTTPException):
                self._callers.by_place.pop(place, None)
                continue
            if status < 500:
                return status, answer
        raise AssertionError("unreachable")

    def _caller(self, place):
        """Return this thread's connection to a server."""
        if not hasattr(self._callers, "by_place"):
            self._callers.by_place = {}
        if place not in self._callers.by_place:
            http_ = http.client.HTTPConnection("127.0.0.1", self._servers[place][2], timeout=120)
            self._callers.by_place[place] = http_
        return self._callers.by_place[place]


def access_to(folder, port):
    """Return the `Authorization` of the control API and of the API."""
    client = json.loads((Path(folder) / "client.json").read_text())
    form = f"grant_type=client_credentials&client_id={client['clientId']}&client_secret={client['clientSecret']}"
    http_ = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    status, answer = ask(http_, "/oauth/token", form, {"Content-Type": "application/x-www-form-urlencoded"})
    assert status == 200, answer
    return "Bearer " + client["controlToken"], "Bearer " + answer["access_token"]


def ask(http_, path, body, headers):
    http_.request("POST", path, body, headers)
    answer = http_.getresponse()
    content = answer.read()
    return answer.status, json.loads(content) if content else None


def answer_in_a_while(_received, connection):
    """Take some time, so that several are on their way at once; whoever was killed is not."""
    select.select([connection], [], [], 0.01)
    return OK


def load(servers, name, count, there, among=PROCESSES):
    """Send manifests and cause events, as fast as they are taken; return the event ids, and the seconds until all of
    them have arrived.
    """
    began = time.monotonic()

    def send(number):
        status, _ = servers.post("/v1/content/manifests", manifest(f"{name}-{number:06}"), number, among)
        assert status in (200, 202), status
        wanted = {"phaseDNAId": f"{name}-{number}", "locale": "fr-FR", "agePersona": "6-12"}
        status, answer = servers.post("/_local/request-content", wanted, number, among)
        assert status == 202, status
        return answer["eventId"]

    with ThreadPoolExecutor(CALLERS) as callers:
        event_ids = set(callers.map(send, range(count)))
    wait_until_all_have_come(event_ids, there)
    return event_ids, time.monotonic() - began


def wait_until_all_have_come(event_ids, there):
    """Return when each event has been delivered, however long that takes while some are."""
    seen, missing = 0, set(event_ids)
    while missing:
        came = there.wait_for(seen + min(100, len(missing)), timeout_s=STUCK_S)
        missing -= {one.id for one in came[seen:]}
        seen = len(came)


def wait_until(is_so, within_s):
    ends_at = time.monotonic() + within_s
    pause = threading.Event()
    while not is_so():
        assert time.monotonic() < ends_at, "it takes too long"
        pause.wait(0.05)


def test_four_processes_of_which_one_is_killed_every_few_seconds(serve, tmp_path, postgres_cluster, capsys):
    with postgres_cluster.database() as url, receiver(answer_in_a_while) as there:
        servers, rates = Servers(serve, tmp_path, url, there.url, PROCESSES), {}
        for among in (1, PROCESSES):
            _, seconds = load(servers, f"compared-{among}", TO_COMPARE, there, among)
            rates[among] = 2 * TO_COMPARE / seconds
        is_done, kills = threading.Event(), itertools.count(1)

        def kill():
            while not is_done.wait(KILL_EVERY_S):
                servers.kill(next(kills) % PROCESSES)

        killing = threading.Thread(target=kill)
        killing.start()
        try:
            event_ids, seconds = load(servers, "killed", MANIFESTS, there)
        finally:
            is_done.set()
            killing.join()
        name = url.partition("@/")[2].partition("?")[0]
        open_ones = "SELECT count(*) FROM submissions WHERE status IN ('pending', 'validating')"
        wait_until(lambda: postgres_cluster.sql(open_ones, name) == [(0,)], 120)
        due = "SELECT count(*) FROM webhook_deliveries WHERE status = 'open'"
        wait_until(lambda: postgres_cluster.sql(due, name) == [(0,)], 120)
        verdicts = postgres_cluster.sql(
            "SELECT status, count(*), count(DISTINCT manifest_id) FROM submissions"
            " WHERE manifest_id LIKE 'killed-%' GROUP BY status",
            name,
        )
        servers.stop()
        arrived = [one.id for one in there.received]
        mine = [one for one in arrived if one in event_ids]
        most = max(there.most_at_once.values())
        with capsys.disabled():
            print(
                f"\n{next(kills) - 1} kills of one of {PROCESSES} processes in {seconds:.0f} s: {MANIFESTS} manifests,"
                f" {verdicts} verdicts; {len(event_ids)} events, {len(event_ids - set(arrived))} lost,"
                f" {len(mine) - len(set(mine))} repeated, at most {most} at once;"
                f" {rates[1]:.0f} requests a second with one process, {rates[PROCESSES]:.0f} with {PROCESSES}"
            )
        assert verdicts == [("active", MANIFESTS, MANIFESTS)]
        assert len(event_ids) == EVENTS
        assert event_ids <= set(arrived)
        assert most <= 5

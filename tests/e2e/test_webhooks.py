"""A server that is killed at any instant tells, after its restart, of every change that it acknowledged."""

import json
import os
import random
import signal
import sqlite3
import threading
import uuid
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.server.live import event
from tests.server.receiver import answer, receiver

KILLS = 200 if os.environ.get("REINMAKER_SOAK") else 20
CALLERS = 3


class Load:
    """Changes of all three kinds, as fast as the server takes them; what was acknowledged is remembered."""

    def __init__(self):
        self.acknowledged = set()
        """What the webhook of each change says of it: user id, batch id, or the event's own id."""
        self._news = threading.Condition()

    def acknowledge(self, what):
        with self._news:
            self.acknowledged.add(what)
            self._news.notify_all()

    def wait_for(self, more):
        """Return when so many more changes than before are acknowledged."""
        with self._news:
            before = len(self.acknowledged)
            assert self._news.wait_for(lambda: len(self.acknowledged) >= before + more, 30)

    def run(self, server, until):
        """Send changes until told to stop or the server is gone."""
        client = json.loads((Path(server.ready["data"]) / "client.json").read_text())
        http = httpx.Client(base_url=server.url, trust_env=False, verify=False, timeout=10)
        with http:
            try:
                secret = (client["clientId"], client["clientSecret"])
                token = http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=secret).json()
                access = {"Authorization": "Bearer " + token["access_token"]}
                control = {"Authorization": "Bearer " + client["controlToken"]}
                while not until.is_set():
                    self._change(http, access, control)
            except httpx.TransportError:
                return  # killed

    def _change(self, http, access, control):
        user_id = f"usr_{uuid.uuid4()}"
        given = {"userId": user_id, "plan": "reinmaker.game_pass"}
        if http.put("/_local/entitlements", json=given, headers=control).status_code == 200:
            self.acknowledge(user_id)
        batch = http.post("/v1/telemetry/events", json={"events": [event()]}, headers=access)
        if batch.status_code == 202:
            self.acknowledge(batch.json()["batchId"])
        wanted = {"phaseDNAId": "water-cycle", "locale": "fr-FR", "agePersona": "6-12"}
        caused = http.post("/_local/request-content", json=wanted, headers=control)
        if caused.status_code == 202:
            self.acknowledge(caused.json()["eventId"])


def told_by(received):
    """Return what a webhook tells of, in the words of `Load.acknowledged`."""
    data = received.document["data"]
    return data.get("userId") or data.get("batchId") or received.id


@pytest.mark.parametrize("failing", [0.0, 0.2], ids=["healthy", "failing-at-times"])
def test_killed_at_any_instant_no_acknowledged_change_goes_untold(serve, say, failing):
    chance, load = random.Random(11), Load()
    kills = KILLS // 2

    def respond(_received, _connection):
        return answer(500) if chance.random() < failing else answer(204)

    with receiver(respond) as there:
        options = ("--webhook", there.url, "--limits", "off", "--log", "off")
        for _ in range(kills):
            server, until = serve(*options), threading.Event()
            callers = [threading.Thread(target=load.run, args=(server, until)) for _ in range(CALLERS)]
            for caller in callers:
                caller.start()
            load.wait_for(chance.randrange(1, 20))
            until.wait(chance.uniform(0, 0.03))
            server.stop(signal.SIGKILL)
            until.set()
            for caller in callers:
                caller.join()
        server, failing = serve(*options), 0.0
        move_clock(server, 12 * 3600)  # until nothing is due any more
        ids = defaultdict(set)
        for one in there.received:
            ids[told_by(one)].add(one.id)
        untold = load.acknowledged - set(ids)
        repeated = len(there.received) - sum(map(len, ids.values()))
        server.stop()
        say(f"{kills} kills, {len(load.acknowledged)} changes, {len(untold)} untold, {repeated} told again")
        assert untold == set()
        assert all(len(found) == 1 for found in ids.values()), "told again under another webhook-id"
        assert statuses(server) == {"delivered"}


def move_clock(server, seconds):
    client = json.loads((Path(server.ready["data"]) / "client.json").read_text())
    headers = {"Authorization": "Bearer " + client["controlToken"]}
    body = {"advanceSeconds": seconds}
    moved = httpx.post(server.url + "/_local/clock", json=body, headers=headers, trust_env=False, timeout=300)
    assert moved.status_code == 200, moved.text


def statuses(server):
    """Return how all deliveries stand, in the stopped server's database."""
    with closing(sqlite3.connect(Path(server.ready["data"]) / "reinmaker.sqlite3")) as database:
        return {status for (status,) in database.execute("SELECT DISTINCT status FROM webhook_deliveries")}

"""A server that is killed at any instant tells, after its restart, of every change that it acknowledged."""

import json
import os
import random
import signal
import threading
from collections import defaultdict
from pathlib import Path

import httpx
import pytest

from tests.e2e.changing import Load
from tests.server.live import run_sql
from tests.server.receiver import answer, receiver

KILLS = 200 if os.environ.get("REINMAKER_SOAK") else 20
CALLERS = 3


def told_by(received):
    """Return what a webhook tells of, in the words of `Load.acknowledged`."""
    data = received.document["data"]
    return data.get("userId") or data.get("batchId") or received.id


@pytest.mark.parametrize("failing", [0.0, 0.2], ids=["healthy", "failing-at-times"])
def test_killed_at_any_instant_no_acknowledged_change_goes_untold(serve, say, database, failing):
    chance, load = random.Random(11), Load()
    kills = KILLS // 2 if database is None else KILLS // 4  # a server on PostgreSQL takes twice as long to start

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
    return {row["status"] for row in run_sql(server.place, "SELECT DISTINCT status FROM webhook_deliveries")}

"""The power goes: of what was written since the last fsync, the disk has any part, or anything at all in its place."""

import itertools
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from reinmaker_cli.server.store import DATABASE_NAME
from tests.e2e.changing import Load

LOSSES = 100 if os.environ.get("REINMAKER_SOAK") else 5
CALLERS = 3
SOURCE = Path(__file__).with_name("synced.c")
LOG_NAME = DATABASE_NAME + "-wal"

HAS_COMPILER = shutil.which("cc") or os.environ.get("CI")  # CI installs one

pytestmark = pytest.mark.skipif(sys.platform != "linux" or not HAS_COMPILER, reason="needs Linux and a C compiler")


@pytest.fixture(scope="session")
def noting(tmp_path_factory):
    """What a server is started with so that it writes down how much of each file is on the disk."""
    library = tmp_path_factory.mktemp("noting") / "synced.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    return str(library)


def on_disk(file, notes):
    """Return how many bytes of a file had reached the disk."""
    lines = (line.split() for line in notes.read_text().splitlines())
    return max(int(size) for inode, size in lines if int(inode) == file.stat().st_ino)


def lose_power(server, load, copy, notes, chance):
    """Stop the server under load and copy its data as the disk has it; return what was acknowledged by then.

    And how many bytes of the log were not on the disk yet. None where so much was written meanwhile that nobody knows.
    """
    data, until = Path(server.ready["data"]), threading.Event()
    callers = [threading.Thread(target=load.run, args=(server, until)) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    load.wait_for(chance.randrange(1, 40))
    until.wait(chance.uniform(0, 0.03))
    with server.standing_still():
        shutil.copytree(data, copy)
        synced = on_disk(data / LOG_NAME, notes)
        (copy / (DATABASE_NAME + "-shm")).unlink()
        # What came until here was sent before the power went; what comes later was not, and is not counted.
        acknowledged = set(load.acknowledged)
    server.stop(signal.SIGKILL)
    until.set()
    for caller in callers:
        caller.join()
    log = copy / LOG_NAME
    written = log.read_bytes()
    if written[12:16] != bytes(4):  # the log began anew, and its length does not say any more what is on the disk
        return None
    cut = chance.randint(synced, len(written))
    # Sectors reach a disk in any order: behind the cut there is nothing, or what was never written.
    rubbish = chance.randbytes(len(written) - cut) if chance.random() < 0.5 else b""
    log.write_bytes(written[:cut] + rubbish)
    return acknowledged, len(written) - synced


def stored(data):
    """Return what a stopped server's whole database holds, in the words of `Load.acknowledged`."""
    with closing(sqlite3.connect(data / DATABASE_NAME)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        found = database.execute(
            "SELECT event_id, user_id, body ->> '$.data.batchId' FROM webhook_events"
            " UNION SELECT user_id, NULL, NULL FROM entitlements"
        )
        return {name for row in found for name in row if name}


def test_the_power_goes_and_no_acknowledged_change_is_missing(serve, noting, tmp_path, say):
    chance, lost, changes, unsure, torn = random.Random(6), set(), 0, 0, 0
    numbers, losses = itertools.count(), 0
    while losses < LOSSES:
        number = next(numbers)
        data, copy, notes = (tmp_path / f"{kind}-{number}" for kind in ("data", "copy", "notes"))
        variables = {"LD_PRELOAD": noting, "SYNCED": str(notes)}
        server = serve("--data", data, "--limits", "off", "--log", "off", variables=variables)
        lost_power = lose_power(server, Load(), copy, notes, chance)
        if lost_power is None:
            continue
        acknowledged, behind = lost_power
        losses += 1
        changes, unsure, torn = changes + len(acknowledged), unsure + behind, torn + bool(behind)
        again = serve("--data", copy, "--limits", "off", "--log", "off")
        assert again.stop().code == 0
        lost |= acknowledged - stored(copy)
    say(f"{LOSSES} losses, {torn} of them within a write ({unsure} bytes); {changes} changes, {len(lost)} lost")
    assert lost == set()

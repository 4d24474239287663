"""The disk under a server is full: it says so, takes nothing that it cannot keep, and goes on when there is room."""

import sqlite3
import subprocess
import threading
import uuid
from collections import Counter
from contextlib import closing, contextmanager

import httpx
import pytest

from reinmaker_cli.server.store import DATABASE_NAME
from tests.disk import small_files
from tests.server.live import MANIFESTS, QUIET, event, live_server, manifest, run_sql

DISK_BYTES = 16 << 20
KEPT = "SELECT manifest_id AS name FROM submissions UNION SELECT batch_id FROM telemetry_batches"
TIMES = 10
"""How often it is full under load."""


@pytest.fixture(params=["a disk of its own", "a limit of this process"])
def disk(request, tmp_path):
    """A folder, and a context in which no file in it grows any more."""
    if request.param == "a limit of this process":
        yield tmp_path, lambda: small_files(64 << 10)
        return
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", tmp_path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount a disk here")
    try:
        yield tmp_path, lambda: filled(tmp_path / "filler")
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)


@contextmanager
def filled(file):
    with file.open("wb", buffering=0) as filler:
        try:
            while filler.write(bytes(4096)):
                pass
        except OSError as error:
            assert error.strerror == "No space left on device"
    try:
        yield
    finally:
        file.unlink()


class Load:
    """Sends manifests and events until told to stop."""

    def __init__(self, caller):
        self.caller = caller
        self.taken, self.statuses = set(), Counter()
        self.is_over = threading.Event()
        self._news = threading.Condition()

    def run(self):
        while not self.is_over.is_set():
            name = f"m-{uuid.uuid4()}"
            self._note(self.caller.submit(manifest(name), wait=None), name)
            batch = self.caller.send([event()])
            self._note(batch, batch.json().get("batchId"))

    @property
    def manifests(self):
        """The ids of those taken."""
        with self._news:
            return {name for name in self.taken if name.startswith("m-")}

    def _note(self, answer: httpx.Response, name):
        with self._news:
            self.statuses[answer.status_code] += 1
            if answer.status_code == 202:
                self.taken.add(name)
            elif answer.status_code == 503:
                assert answer.headers["retry-after"] == "2"
                assert "the disk is full" in answer.json()["detail"]
            self._news.notify_all()

    def wait_for(self, status, more):
        """Return after so many more answers with a status."""
        with self._news:
            before = self.statuses[status]
            assert self._news.wait_for(lambda: self.statuses[status] >= before + more, 120)


@contextmanager
def under(load):
    """Let three callers send within the block."""
    threads = [threading.Thread(target=load.run) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        load.is_over.set()
        for thread in threads:
            thread.join()


def test_a_full_disk_loses_nothing_and_the_server_goes_on_when_there_is_room(disk, say):
    folder, full = disk
    with live_server(QUIET, data=folder) as caller:
        load = Load(caller)
        with under(load):
            for _ in range(TIMES):
                load.wait_for(202, more=3)
                with full():
                    load.wait_for(503, more=3)
                    assert caller.status(next(iter(load.manifests))).status_code == 200
            load.wait_for(202, more=3)
    with live_server(QUIET, data=folder) as again:  # what was being validated goes on
        for name in load.manifests:
            status = "pending"
            while status in ("pending", "validating"):  # a wait ends at any change, also that from one to the other
                answer = again.api.get(f"{MANIFESTS}/{name}", headers={"Prefer": "wait=20"})
                status = answer.json()["status"]
            assert status == "active"
    assert set(load.statuses) == {202, 503}
    kept = {row["name"] for row in run_sql(folder, KEPT)}
    lost = load.taken - kept
    say(f"{TIMES} times full, {load.statuses[503]} refused, {len(load.taken)} taken, {len(lost)} lost")
    assert lost == set()
    with closing(sqlite3.connect(folder / DATABASE_NAME)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

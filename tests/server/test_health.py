"""`/v1/health`: what it says, to whom, and that it never waits for anything."""

from __future__ import annotations

import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from reinmaker_cli.server.store import DATABASE_NAME
from tests.server.live import MANIFESTS, Caller, large_manifest, live_server
from tests.server.test_bodies import held_at_half


def test_health_says_status_version_and_time(live: Caller):
    answer = live.http.get("/v1/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert set(answer.json()) == {"status", "version", "time", "checks"}
    assert answer.json()["checks"]["database"]["status"] == "ok"


def test_checks_are_not_for_everybody_behind_a_proxy(live: Caller):
    forwarded = {"X-Forwarded-For": "192.0.2.1"}
    assert "checks" not in live.http.get("/v1/health", headers=forwarded).json()
    assert "checks" in live.api.get("/v1/health", headers=forwarded).json()


@pytest.mark.usefixtures("hurried_health")
def test_health_does_not_wait_for_a_writer(monkeypatch):
    monkeypatch.setattr("reinmaker_cli.server.probe.FRESH_FOR_S", 0.0)  # each look wants to write
    with live_server() as caller:
        caller.http.get("/v1/health")
        with closing(sqlite3.connect(caller.started.data / DATABASE_NAME, timeout=60, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(3):
                # An answer that waited for the writer could only be 503: he does not let go before the last of them.
                assert caller.http.get("/v1/health").status_code == 200
            other.execute("ROLLBACK")


def test_health_is_failing_when_the_database_cannot_be_written():
    with live_server() as caller:
        with closing(sqlite3.connect(caller.started.data / DATABASE_NAME, timeout=60)) as other, other:
            other.execute("DROP TABLE facts")
        answer = caller.http.get("/v1/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "failing")
        assert answer.json()["checks"]["database"]["status"] == "failing"


@pytest.mark.usefixtures("hurried_health")
def test_health_answers_while_large_manifests_come_in():
    """How quickly is measured by tests/benchmarks/health.py, with 20 manifests of 100,000 assets."""
    bodies = [json.dumps(large_manifest(8_000, f"large-{number}")).encode() for number in range(3)]
    answered = threading.Event()
    with live_server() as caller, ThreadPoolExecutor(2) as pool:
        headers = {"Content-Type": "application/json", "Prefer": "wait=30"}
        held = [held_at_half(body, answered) for body in bodies]
        posts = [pool.submit(caller.api.post, MANIFESTS, content=body, headers=headers) for body in held]
        for _ in range(4):
            assert caller.http.get("/v1/health").status_code == 200
        answered.set()
        while not all(post.done() for post in posts):
            assert caller.http.get("/v1/health").status_code == 200
        assert [post.result().json()["status"] for post in posts] == ["active"] * 3

"""Who runs the tests keeps their clouds to themselves; and what a run says at its end, in however many processes."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import Cluster, cluster

for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "AZURE_"))]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"  # the role of this machine is none of ours either
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

# A busy machine makes no test red: how long an example takes is its business. New examples come in a soak.
settings.register_profile(
    "untimed",
    deadline=None,
    derandomize=not os.environ.get("REINMAKER_SOAK"),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("untimed")

SERVER = "reinmaker_cli.server."
PATIENCE = {
    SERVER + "probe.PATIENCE_S": 60.0,  # of health, which says afterwards what it knew before
    SERVER + "sending.TIME_LIMIT_S": 60.0,  # of an attempt, which fails then
    SERVER + "peers.FOLLOW_WITHIN_S": 60.0,  # of a server for others on its database, which are old news afterwards
    SERVER + "store.session.FOLLOW_WITHIN_S": 60.0,
}
"""Limits of servers in the process of a test that a busy machine would cross, so that something else comes of it."""

_HELD: Counter[str] = Counter()
"""What the processes beside (pytest-xdist) held to each OpenAPI document."""


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Return a function that puts a line under the results: figures that people read, whoever ran the test."""
    return functools.partial(record_property, "said")


@pytest.fixture(autouse=True)
def patient_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let servers wait for what is late; a test of such a limit sets it to what it is."""
    for name, seconds in PATIENCE.items():
        monkeypatch.setattr(name, seconds)


def pytest_configure() -> None:
    """Let ^C be what it is in a terminal: where a shell runs the tests in the background, it has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand over what this process held, where another one writes the summary."""
    if (handed_over := getattr(session.config, "workeroutput", None)) is not None:
        handed_over["held"] = dict(_held_here())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what a process beside has held."""
    _HELD.update(getattr(node, "workeroutput", {}).get("held", {}))


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """A real PostgreSQL, started for the first test that wants it; tests without it are skipped, and fail in CI."""
    with cluster() as started:
        yield started


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say the figures of tests, and how many answers of servers were held to the OpenAPI documents."""
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        for name, value in getattr(report, "user_properties", ()) if getattr(report, "when", "") == "call" else ():
            if name == "said":
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {value}")
    for file, count in sorted((_HELD + _held_here()).items()):
        terminalreporter.write_line(f"openapi-core held {count} answers to {file}")


def _held_here() -> Counter[str]:
    witness = sys.modules.get("tests.server.openapi_witness")
    return witness.HELD if witness else Counter()

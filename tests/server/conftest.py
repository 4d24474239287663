"""One quiet server for tests that leave nothing behind which another could trip over; and both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from reinmaker_cli.server import probe
from reinmaker_cli.server.probe import PATIENCE_S
from reinmaker_cli.server.store import Store, open_store
from tests.postgres import Cluster
from tests.server import live as live_module
from tests.server.live import Caller, Databases, live_server

ON_BOTH = {
    "test_clock",
    "test_control",
    "test_entitlements",
    "test_faults",
    "test_forwarding",
    "test_journal",
    "test_keys",
    "test_limits",
    "test_quota",
    "test_reading",
    "test_store",
    "test_submitting",
    "test_telemetry",
    "test_tokens",
    "test_validations",
    "test_waiting",
    "test_webhook_load",
    "test_webhook_secrets",
    "test_webhooks",
}
"""Modules that run once on SQLite and once on PostgreSQL: what is kept, and what depends on it."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of those modules on both; those marked `sqlite` look into the file."""
    if metafunc.module.__name__.rpartition(".")[2] in ON_BOTH:
        is_bound = metafunc.definition.get_closest_marker("sqlite") is not None
        kinds = ["sqlite"] if is_bound else ["sqlite", "postgresql"]
        metafunc.parametrize("database", kinds, indirect=True)


@pytest.fixture
def hurried_health(patient_servers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let health answer as soon as it does outside of tests."""
    monkeypatch.setattr(probe, "PATIENCE_S", PATIENCE_S)


@pytest.fixture
def url(postgres: Cluster) -> Iterator[str]:
    """A new database on PostgreSQL, for several processes."""
    with postgres.database("made") as made:
        yield made


@pytest.fixture
def stores(url: str) -> Iterator[tuple[Store, Store]]:
    """Two processes, as far as the database can tell."""
    opened = [open_store(url), open_store(url)]
    sessions = [store.begin_session(alone=False) for store in opened]
    yield opened[0], opened[1]
    for one, store in zip(sessions, opened, strict=True):
        assert one is not None
        one.close()
        store.close()


@pytest.fixture(autouse=True)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Let servers and stores of the test be on a database; PostgreSQL is started for the first that wants it."""
    kind: str = getattr(request, "param", "sqlite")
    if kind == "sqlite":
        yield kind
        return
    cluster: Cluster = request.getfixturevalue("postgres")
    with ExitStack() as made:
        live_module.DATABASES = Databases(lambda: made.enter_context(cluster.database("made")))
        try:
            yield kind
        finally:
            live_module.DATABASES = None


@pytest.fixture(scope="session")
def postgres(postgres_cluster: Cluster) -> Cluster:
    """PostgreSQL, with a template of our tables: `made`."""
    postgres_cluster.sql("CREATE DATABASE made")
    open_store(postgres_cluster.url("made")).close()
    return postgres_cluster


@pytest.fixture
def live(database: str, request: pytest.FixtureRequest) -> Caller:
    """A server that validates for real: s3 URLs are out of its reach, so what is submitted becomes active."""
    return request.getfixturevalue(f"live_{database}")


@pytest.fixture
def manual(database: str, request: pytest.FixtureRequest) -> Caller:
    """A server that waits for a decision on every submission."""
    return request.getfixturevalue(f"manual_{database}")


@pytest.fixture(scope="package")
def live_sqlite() -> Iterator[Caller]:
    """The same, on SQLite."""
    with live_server(database=None) as caller:
        yield caller


@pytest.fixture(scope="package")
def manual_sqlite() -> Iterator[Caller]:
    """The same, on SQLite."""
    with live_server(validation="manual", database=None) as caller:
        yield caller


@pytest.fixture(scope="package")
def live_postgresql(postgres: Cluster) -> Iterator[Caller]:
    """The same, on PostgreSQL."""
    with postgres.database("made") as url, live_server(database=url) as caller:
        yield caller


@pytest.fixture(scope="package")
def manual_postgresql(postgres: Cluster) -> Iterator[Caller]:
    """The same, on PostgreSQL."""
    with postgres.database("made") as url, live_server(validation="manual", database=url) as caller:
        yield caller

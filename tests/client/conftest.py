"""A real server beside the tests, and time that passes only when somebody sleeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reinmaker_cli.client.api import Api, open_api
from reinmaker_cli.client.credentials import Credentials
from reinmaker_cli.client.environment import Environment
from reinmaker_cli.client.local import LocalControl
from reinmaker_cli.client.patience import Clockwork
from reinmaker_cli.server.running import ServerConfig, Started, running_server


class FakeTime:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    @property
    def world(self) -> Clockwork:
        return Clockwork(lambda: self.now, self.sleep, lambda: 0.0)


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the server takes for the bucket `s3://bucket/`."""
    return tmp_path_factory.mktemp("bucket")


@pytest.fixture(scope="session")
def server(bucket: Path) -> Iterator[Started]:
    """A local server that looks at the bytes of `s3://bucket/`."""
    with running_server(
        ServerConfig(port=0, maps=(("s3://bucket/", bucket),), log="off", limits="off", network=False)
    ) as started:
        yield started


@pytest.fixture(scope="session")
def manual_server() -> Iterator[Started]:
    """A local server whose verdicts are given by hand."""
    with running_server(ServerConfig(port=0, validation="manual", log="off", limits="off", network=False)) as started:
        yield started


def local_environment(url: str) -> Environment:
    return Environment.checked("local", url, defined_in="local")


def development_credentials(started: Started) -> Credentials:
    return Credentials(started.client.client_id, started.client.client_secret, "local")


OpenedApi = Callable[..., Api]


@pytest.fixture
def open_to() -> Iterator[OpenedApi]:
    """Return a function that opens a server's API, or a proxy's before it; closed after the test."""
    opened: list[Api] = []

    def opening(started: Started, url: str | None = None, trace: Callable[[str], None] | None = None) -> Api:
        api = open_api(local_environment(url or started.url), development_credentials(started), trace=trace)
        opened.append(api)
        return api

    yield opening
    for api in opened:
        api.close()


@pytest.fixture
def manual_control(manual_server: Started) -> Iterator[LocalControl]:
    with LocalControl(manual_server.url, manual_server.client.control_token) as control:
        yield control

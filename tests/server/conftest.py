"""One quiet server for tests that leave nothing behind which another could trip over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.live import Caller, live_server


@pytest.fixture(scope="package")
def live() -> Iterator[Caller]:
    """A server that validates for real: s3 URLs are out of its reach, so what is submitted becomes active."""
    with live_server() as caller:
        yield caller


@pytest.fixture(scope="package")
def manual() -> Iterator[Caller]:
    """A server that waits for a decision on every submission."""
    with live_server(validation="manual") as caller:
        yield caller

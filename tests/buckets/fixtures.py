"""Fixtures of tests that speak to an S3: a live one, and variables that lead there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from reinmaker_cli.buckets import access
from tests.buckets.s3 import S3, aws_variables, live_s3


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3]:
    with live_s3() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3) -> S3:
    """A live S3 with an empty bucket."""
    s3_server.reset()
    return s3_server


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Return a function that makes an endpoint the S3 of this process."""

    def use(endpoint: str) -> None:
        for name, value in aws_variables(endpoint).items():
            monkeypatch.setenv(name, value)
        access.aws.cache_clear()

    access.aws.cache_clear()
    yield use
    access.aws.cache_clear()

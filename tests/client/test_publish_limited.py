"""Publishing to a server that holds the client to its limits, and whose clock is moved: time passes by waiting only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from typing import Any

import pytest

from reinmaker_cli.client.api import Api, open_api
from reinmaker_cli.client.events import Event, Limited, Submitted
from reinmaker_cli.client.journey import Options, Surroundings
from reinmaker_cli.client.local import LocalControl
from reinmaker_cli.client.patience import Clockwork
from reinmaker_cli.client.publish import publish
from reinmaker_cli.client.report import Report
from reinmaker_cli.manifest.assemble import Draft
from reinmaker_cli.server.clock import VirtualClock
from reinmaker_cli.server.running import ServerConfig, Started, running_server
from tests.client.conftest import FakeTime, development_credentials, local_environment
from tests.client.lessons import lesson
from tests.faults import fault_proxy

TODAY = date(2026, 11, 23)
START_S = 1_795_420_800.25
TOKENS = 60
"""How many the contract allows in 60 s."""


class Together:
    """A server whose clock moves as far as the client waits, and the client."""

    def __init__(self, started: Started, clock: VirtualClock, time: FakeTime) -> None:
        self.started, self._clock, self._time = started, clock, time
        self.events: list[Event] = []

    def publish(self, wanted: list[Draft], **around: Any) -> Report:
        """Publish with a client that has no token yet."""
        with self.api() as api:
            surroundings = Surroundings(on_event=self.events.append, world=self.world, **around)
            return publish(wanted, api, Options(today=TODAY), surroundings)

    @contextmanager
    def api(self, url: str | None = None) -> Iterator[Api]:
        api = open_api(local_environment(url or self.started.url), development_credentials(self.started))
        try:
            yield api
        finally:
            api.close()

    @property
    def world(self) -> Clockwork:
        def sleep(seconds: float) -> None:
            self._time.sleep(seconds)
            self._clock.advance(seconds)

        return Clockwork(lambda: self._time.now, sleep, lambda: 0.0)

    @property
    def waits(self) -> list[float]:
        return [event.seconds for event in self.events if isinstance(event, Limited)]


@pytest.fixture
def together(fake_time: FakeTime) -> Iterator[Together]:
    clock = VirtualClock(START_S)
    config = ServerConfig(port=0, log="off", network=False, limits="contract", validation="immediate")
    with running_server(config, clock=clock) as started:
        yield Together(started, clock, fake_time)


def lessons(count: int, content: bytes) -> list[Draft]:
    return [lesson(None, f"lesson-{number:03}", {"a.mp3": content}) for number in range(count)]


def outcomes(report: Report) -> set[str]:
    return {result.outcome for result in report.results}


def test_more_questions_than_the_limit_are_asked_in_time(together: Together) -> None:
    """41 questions what there is, twice, and 41 what is active now: 123 with one client, where 120 are allowed."""
    assert outcomes(together.publish(lessons(41, b"old"))) == {"active"}
    assert together.waits == []
    report = together.publish(lessons(41, b"new"))
    assert (outcomes(report), report.exit_code) == ({"active"}, 0)
    assert together.waits == [60.0]
    assert report.to_json()["stats"] == {"requests": 3 * 41 + 1, "limitedSeconds": 60.0}


def test_more_manifests_than_the_limit_are_submitted_in_time(together: Together) -> None:
    """Waiting for limits is no time of the manifest's own: 7 waits of 60 s, where each manifest may take 300 s."""
    with LocalControl(together.started.url, together.started.client.control_token) as control:
        control.limit_client(together.started.client.client_id, {"manifests": 1})
    report = together.publish(lessons(8, b"many"))
    assert (outcomes(report), report.exit_code) == ({"active"}, 0)
    assert together.waits == [60.0] * 7
    assert report.to_json()["stats"] == {"requests": 8 + 8 + 7, "limitedSeconds": 420.0}


def test_a_token_is_waited_for(together: Together) -> None:
    with together.api() as api, ExitStack() as stack:
        apis = [stack.enter_context(together.api()) for _ in range(TOKENS)]
        for one in (api, *apis[:-1]):
            assert one.manifest("unknown", trace_id="t") is None
    report = together.publish(lessons(1, b"late"))
    assert (outcomes(report), together.waits) == ({"active"}, [60.0])


# --- the end of a token ----------------------------------------------------------------------------------------------


def test_a_token_that_ends_under_way_costs_one_more_token_request(together: Together) -> None:
    """The clock is moved after the first of three submissions."""
    with (
        LocalControl(together.started.url, together.started.client.control_token) as control,
        fault_proxy(together.started.url) as proxy,
        together.api(proxy.url) as api,
    ):

        def advance_once(event: Event) -> None:
            if isinstance(event, Submitted) and event.manifest_id == "lesson-000":
                control.advance_clock(15 * 60)

        around = Surroundings(on_event=advance_once, world=together.world)
        report = publish(lessons(3, b"renewed"), api, Options(today=TODAY), around)
    assert (outcomes(report), report.exit_code) == ({"active"}, 0)
    assert proxy.requests.count("POST /oauth/token") == 2
    assert proxy.requests.count("POST /v1/content/manifests") == 4  # one was refused with 401

"""Publishing to a server that holds the client to its limits, and whose clock is moved: time passes by waiting only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from typing import Any

import pytest

from reinmaker_cli.client.api import Api, Body, open_api
from reinmaker_cli.client.events import Estimated, Event, Limited, Submitted
from reinmaker_cli.client.journey import Options, Surroundings
from reinmaker_cli.client.local import LocalControl
from reinmaker_cli.client.pacing import DRIFT_S
from reinmaker_cli.client.patience import Clockwork
from reinmaker_cli.client.publish import publish
from reinmaker_cli.client.report import Report
from reinmaker_cli.client.turns import Turns
from reinmaker_cli.manifest.assemble import Draft
from reinmaker_cli.server.clock import VirtualClock
from reinmaker_cli.server.running import ServerConfig, Started, running_server
from tests.client.conftest import FakeTime, development_credentials, local_environment
from tests.client.lessons import lesson
from tests.faults import Fault, fault_proxy

TODAY = date(2026, 11, 23)
START_S = 1_795_420_800.25
WINDOW_S = pytest.approx(60, abs=2 * DRIFT_S)
TOKENS = 60
"""How many the contract allows in 60 s."""


class Together:
    """A server whose clock moves as far as the client waits, and the client."""

    def __init__(self, started: Started, clock: VirtualClock, time: FakeTime) -> None:
        self.started, self._clock, self._time = started, clock, time
        self.events: list[Event] = []
        self.trace: list[str] = []

    def publish(self, wanted: list[Draft], **around: Any) -> Report:
        """Publish with a client that has no token yet."""
        with self.api() as api:
            surroundings = Surroundings(on_event=self.events.append, world=self.world, **around)
            return publish(wanted, api, Options(today=TODAY), surroundings)

    @contextmanager
    def api(self, url: str | None = None) -> Iterator[Api]:
        api = open_api(
            local_environment(url or self.started.url),
            development_credentials(self.started),
            trace=self.trace.append,
            clock=self.world.clock,
        )
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
    def refused(self) -> int:
        """How many answers were 429."""
        return sum(line.startswith("< 429") for line in self.trace)

    @property
    def waits(self) -> list[float]:
        return [event.seconds for event in self.events if isinstance(event, Limited)]


@pytest.fixture
def together(fake_time: FakeTime) -> Iterator[Together]:
    clock = VirtualClock(START_S)
    config = ServerConfig(port=0, log="off", network=False, limits="contract", validation="immediate")
    with running_server(config, clock=clock) as started:
        yield Together(started, clock, fake_time)


def slow_turns(seconds: float) -> Callable[..., Turns]:
    """Return turns in which every answer takes so long, on the clock that is moved."""

    class SlowTurns(Turns):
        def apart(self, ask: Callable[[], Any]) -> Any:
            answer = super().apart(ask)
            self.sleep(seconds)
            return answer

    return SlowTurns


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
    assert together.waits == [WINDOW_S]
    assert report.to_json()["stats"] == {"requests": 3 * 41, "limitedSeconds": pytest.approx(60, abs=0.1)}
    assert together.refused == 0


def test_more_manifests_than_the_limit_are_submitted_in_time(together: Together) -> None:
    """Waiting for limits is no time of the manifest's own: 7 waits of 60 s, where each manifest may take 300 s."""
    with LocalControl(together.started.url, together.started.client.control_token) as control:
        control.limit_client(together.started.client.client_id, {"manifests": 1})
    report = together.publish(lessons(8, b"many"))
    assert (outcomes(report), report.exit_code) == ({"active"}, 0)
    assert len(together.waits) == 7
    assert sum(together.waits) == pytest.approx(420, rel=0.02)  # the first is asked for while the answer is to come
    assert report.to_json()["stats"] == {"requests": 8 + 8, "limitedSeconds": pytest.approx(420, rel=0.02)}
    assert together.refused == 0
    assert estimates(together) == []  # nothing was known of the limit of manifests before the first one


def test_a_token_is_waited_for(together: Together) -> None:
    with together.api() as api, ExitStack() as stack:
        apis = [stack.enter_context(together.api()) for _ in range(TOKENS)]
        for one in (api, *apis[:-1]):
            assert one.manifest("unknown", trace_id="t") is None
    report = together.publish(lessons(1, b"late"))
    assert (outcomes(report), together.waits) == ({"active"}, [60.0])


# --- a whole catalogue -----------------------------------------------------------------------------------------------

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
LISTED = 1
"""Requests for the listing, which stands for all questions."""


def estimates(together: Together) -> list[tuple[str, int, float]]:
    return [(one.what, one.requests, one.seconds) for one in together.events if isinstance(one, Estimated)]


def test_320_manifests_go_as_fast_as_the_limits_allow_and_none_is_refused(together: Together) -> None:
    """A minute's quota at once, then one wait: what they need, and not a request or a second more."""
    report = together.publish(lessons(320, b"many"))
    assert (outcomes(report), report.exit_code) == ({"active"}, 0)
    assert together.refused == 0
    assert together.waits == [WINDOW_S]
    assert report.to_json()["stats"] == {"requests": LISTED + 320, "limitedSeconds": pytest.approx(60, abs=0.1)}
    assert estimates(together) == [("manifests", 320, 60.0)]


@pytest.mark.parametrize("seconds", [0.25, 5.0])
def test_answers_that_take_time_are_waited_for_together_and_none_is_refused(together: Together, seconds: float) -> None:
    """60 a minute: the window moves on while we send, and is used to 95 % and more, however long an answer takes."""
    with LocalControl(together.started.url, together.started.client.control_token) as control:
        control.limit_client(together.started.client.client_id, {"manifests": 60})
    began_at = together.world.clock()
    report = together.publish(lessons(180, b"slow"), turns=slow_turns(seconds))
    assert (outcomes(report), together.refused) == ({"active"}, 0)
    # Three windows are needed at least, the last of them for as long as its own requests take.
    assert together.world.clock() - began_at <= (120 + 3 * seconds) / 0.95


def test_130_manifests_without_a_listing_are_asked_for_in_time(together: Together) -> None:
    """130 questions and a clock that stands still: 120, a wait, 10; beside them 130 manifests under their own limit."""
    no_listing = Fault(1, "answer", method="GET", with_answer=NOT_FOUND)
    with fault_proxy(together.started.url, no_listing) as proxy, together.api(proxy.url) as api:
        around = Surroundings(on_event=together.events.append, world=together.world)
        report = publish(lessons(130, b"asked"), api, Options(today=TODAY), around)
    assert (outcomes(report), report.exit_code) == ({"active"}, 0)
    assert (together.refused, together.waits) == (0, [WINDOW_S])
    assert estimates(together) == [("questions", 129, 60.0)]


def test_a_budget_that_somebody_else_uses_up_is_a_429_that_is_waited_for(together: Together) -> None:
    """The same client elsewhere takes the last 20 of 30 while we are under way."""
    with LocalControl(together.started.url, together.started.client.control_token) as control:
        control.limit_client(together.started.client.client_id, {"manifests": 30})
    with together.api() as elsewhere:
        others = [one.at("2026.11.23") for one in lessons(20, b"other")]

        def take(event: Event) -> None:
            together.events.append(event)
            if isinstance(event, Submitted) and event.manifest_id == "lesson-009":
                for one in others:
                    body = Body.json(one.to_bytes().replace(b"lesson-", b"other-"))
                    elsewhere.submit(body, trace_id="t")

        with together.api() as api:
            around = Surroundings(on_event=take, world=together.world)
            report = publish(lessons(45, b"mine"), api, Options(today=TODAY, in_flight=1), around)
    assert (outcomes(report), report.exit_code) == ({"active"}, 0)
    assert together.refused == 1
    assert together.waits == [WINDOW_S, WINDOW_S]


def test_a_server_without_limits_is_not_waited_for(fake_time: FakeTime) -> None:
    clock = VirtualClock(START_S)
    config = ServerConfig(port=0, log="off", network=False, limits="off", validation="immediate")
    with running_server(config, clock=clock) as started:
        together = Together(started, clock, fake_time)
        report = together.publish(lessons(130, b"free"))
    assert (outcomes(report), together.waits, estimates(together)) == ({"active"}, [], [])


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
        report = publish(lessons(3, b"renewed"), api, Options(today=TODAY, in_flight=1), around)
    assert (outcomes(report), report.exit_code) == ({"active"}, 0)
    assert proxy.requests.count("POST /oauth/token") == 2
    assert proxy.requests.count("POST /v1/content/manifests") == 4  # one was refused with 401

"""Mistakes with servers, networks and clocks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.trial.world import World


def test_no_local_server(world: World) -> None:
    """No local server was ever started."""
    world.mistake("reinmaker publish lesson", code="no-local-server")
    world.monkeypatch.setenv("REINMAKER_PORT", "0")
    line = world.next()
    with world.started(line):
        world.cured(line, again=True)


def test_local_server_stopped(world: World) -> None:
    """The local server was stopped."""
    with world.server():
        pass
    world.mistake("reinmaker publish lesson", code="server-unreachable")
    world.monkeypatch.setenv("REINMAKER_PORT", "0")
    line = world.next()
    with world.started(line):
        world.cured(line, again=True)


def test_port_taken(world: World) -> None:
    """The port is taken."""
    with socket.create_server(("localhost", 0)) as other:
        port = other.getsockname()[1]
        world.mistake(f"reinmaker serve --port {port}", code="port-taken")
        line = world.next()
        with world.started(line):
            world.cured(line, again=False)


def test_server_runs_already(world: World) -> None:
    """A second server for the data folder of one that runs."""
    with world.server():
        world.mistake("reinmaker serve", code="data-in-use")
        world.cure(again=False)


def test_another_program_at_the_port(world: World) -> None:
    """Another program listens where the local server was."""
    with world.server() as started:
        port = int(started.url.rpartition(":")[2])
    with HTTPServer(("localhost", port), Quiet) as other, threaded(other):
        world.mistake("reinmaker publish lesson", code="answer-unusable")
        world.not_cured("the other program has to go, or the server to start at another port")


class Quiet(BaseHTTPRequestHandler):
    """Knows no method, and keeps that to itself."""

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def threaded(server: HTTPServer) -> Iterator[None]:
    """Answer in a thread meanwhile."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def test_unknown_name(world: World) -> None:
    """An address with a typing mistake."""
    world.mirror("https://api.reinmaker.invalid")
    world.monkeypatch.setenv("REINMAKER_CLIENT_ID", "me")
    world.monkeypatch.setenv("REINMAKER_CLIENT_SECRET", "secret")
    world.mistake("reinmaker health --env mirror", code="name-unknown")
    world.not_cured("only you know the right address")


def test_dead_proxy(world: World) -> None:
    """A proxy that is not there any more."""
    world.mirror("https://api.reinmaker.invalid")
    world.monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    world.mistake("reinmaker health --env mirror", code="server-unreachable")
    world.not_cured("the proxy is out of the way then, and the address of this test leads nowhere")


def test_certificate_of_its_own(world: World) -> None:
    """A server whose certificate nobody vouches for."""
    with world.server(tls=True) as started:
        assert started.ca_file is not None
        world.mirror(started.url)
        world.mistake("reinmaker health --env mirror", code="tls-failed")
        world.cure(again=False, filled={"FILE": str(started.ca_file)})


def test_clock_off_by_an_hour(world: World) -> None:
    """A clock that is off by an hour.

    The server's answers were dated an hour ahead.
    """
    with world.server() as started:
        world.ready("reinmaker local fault add clock-skew --skew 1h --path /v1/health --times always")
        world.monkeypatch.chdir(world.work / "lesson")
        assert started.url
        world.mistake("reinmaker doctor --online", code="clock-skew")
        world.not_cured("it sets the clock of the machine that runs the tests", types=False)


def test_not_the_api(world: World) -> None:
    """An address of something else."""
    with world.server() as started:
        world.mirror(f"{started.url}/docs")
        world.mistake("reinmaker health --env mirror", code="not-found")
        world.not_cured("only you know the right address")


def test_api_down(world: World) -> None:
    """An API that is down."""
    with world.server():
        world.ready("reinmaker local fault add failure --status 503 --path /v1/health --times always")
        world.mistake("reinmaker health", code="server-failed")
        world.ready("reinmaker local fault clear")  # somebody has started it again
        world.cure(again=False)

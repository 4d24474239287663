"""`local clock`, `local client limit`, and what follows: `serve --clock`, `serve --limits`."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reinmaker_cli.server.running import ServerConfig, running_server
from tests.cli.command import Command, command_line


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a server whose clock stands still."""
    folder = tmp_path_factory.mktemp("data")
    with running_server(ServerConfig(port=0, data=folder, clock="virtual", log="off", network=False)):
        yield folder


@pytest.fixture
def local(reinmaker: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line, with that server as environment `local`."""
    monkeypatch.setenv("REINMAKER_DATA", str(data))
    return reinmaker


def time_of(local: Command) -> str:
    return str(local("local", "clock", "--json").document["clock"]["time"])


def test_the_clock_is_shown_set_and_advanced(local: Command) -> None:
    assert local("local", "clock", "set", "2999-01-01").code == 0
    assert time_of(local) == "2999-01-01T00:00:00.000Z"
    assert local("local", "clock", "advance", "1h30m", "--quiet").out == "2999-01-01T01:30:00.000Z\n"
    assert local("local", "clock", "set", "2999-01-02T03:04:05Z", "--json").document["clock"]["mode"] == "virtual"
    shown = local("local", "clock", "show").out
    assert shown.startswith("2999-01-02T03:04:05.000Z  stands still, ")
    assert shown.endswith(" ahead of real time\n")


@pytest.mark.parametrize(
    "words",
    [
        ("set",),
        ("advance",),
        ("show", "15m"),
        ("follow", "15m"),
        ("advance", "15"),
        ("advance", "-5m"),
        ("advance", "m"),
        ("advance", "1.5h"),
        ("set", "yesterday"),
        ("set", "2999-13-01"),
        ("set", "2999-01-01T00:00:00+01:00"),
    ],
)
def test_what_cannot_be_meant_is_exit_2(local: Command, words: tuple[str, ...]) -> None:
    ended = local("local", "clock", *words, "--json")
    assert (ended.code, ended.document["error"]["code"]) == (2, "usage")


def test_the_clock_does_not_go_back(local: Command) -> None:
    before = time_of(local)
    ended = local("local", "clock", "set", "2000-01-01", "--json")
    assert (ended.code, ended.document["error"]["code"]) == (2, "request-invalid")
    assert "forward only" in ended.document["error"]["message"]
    assert time_of(local) == before


def test_follow_tells_of_each_move_until_it_is_stopped(local: Command, data: Path) -> None:
    before = time_of(local)
    words = ("local", "clock", "follow", "--data", data)
    with subprocess.Popen(command_line(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as follower:
        try:
            assert follower.stdout is not None
            assert follower.stdout.readline().decode().startswith(before)
            for _ in range(2):
                moved = local("local", "clock", "advance", "1d", "--json").document["clock"]["time"]
                assert follower.stdout.readline().decode().startswith(moved)
            follower.send_signal(signal.SIGINT)
            assert follower.wait(timeout=120) == 130
        finally:
            follower.kill()


def test_follow_ends_when_nobody_reads_it(local: Command, data: Path) -> None:
    words = ("local", "clock", "follow", "--data", data)
    with subprocess.Popen(command_line(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as follower:
        try:
            assert follower.stdout is not None
            follower.stdout.readline()
            follower.stdout.close()
            local("local", "clock", "advance", "1s")
            assert follower.wait(timeout=120) == 0
        finally:
            follower.kill()


# --- limits ----------------------------------------------------------------------------------------------------------


def test_a_client_is_given_limits_of_its_own(local: Command) -> None:
    made = local("local", "client", "add", "--limit", "manifests=500", "--json").document["results"][0]["clientId"]
    words = ("local", "client", "limit", made, "--limit", "default=600", "--limit", "tokens=90")
    (limited,) = local(*words, "--json").document["results"]
    assert limited["limits"] == {"default": 600, "manifests": 500, "tokens": 90}
    rows = [line for line in local("local", "client").out.splitlines() if line.startswith(made)]
    assert [row.endswith("default=600 manifests=500 tokens=90") for row in rows] == [True]


def test_without_a_client_id_it_is_the_development_client(local: Command, data: Path) -> None:
    ended = local("local", "client", "limit", "--limit", "default=600", "--quiet")
    assert ended.out.strip() == json.loads((data / "client.json").read_text())["clientId"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("limit",), "usage"),
        (("limit", "--limit", "default"), "usage"),
        (("limit", "--limit", "default=many"), "usage"),
        (("limit", "--limit", "default=0"), "request-invalid"),
        (("limit", "--limit", "other=5"), "request-invalid"),
        (("limit", "nobody", "--limit", "default=5"), "usage"),
        (("rotate", "--limit", "default=5"), "usage"),
        (("list", "--limit", "default=5"), "usage"),
    ],
)
def test_limits_that_cannot_be_meant_are_exit_2(local: Command, words: tuple[str, ...], code: str) -> None:
    ended = local("local", "client", *words, "--json")
    assert (ended.code, ended.document["error"]["code"]) == (2, code)


def test_serve_takes_clock_and_limits(tmp_path: Path, home: Path) -> None:
    words = ("serve", "--port", "0", "--clock", "virtual", "--limits", "off", "--log", "off", "--data", tmp_path / "d")
    with subprocess.Popen(command_line(*words), stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline().startswith(b"ready ")  # said at once, also to a pipe
        finally:
            server.terminate()
            assert server.wait(timeout=120) == 0

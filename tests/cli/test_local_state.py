"""`local snapshot`, `local restore`, `local reset`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reinmaker_cli.server.running import ServerConfig, running_server
from tests.cli.command import Command


@pytest.fixture
def local(reinmaker: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """The command line, with a server whose clock stands still as environment `local`."""
    data = tmp_path / "data"
    monkeypatch.setenv("REINMAKER_DATA", str(data))
    with running_server(ServerConfig(port=0, data=data, clock="virtual", log="off", network=False)):
        yield reinmaker


def time_of(local: Command) -> str:
    return str(local("local", "clock", "-q").out.strip())


def test_a_state_is_kept_and_put_back(local: Command) -> None:
    began = time_of(local)
    local("local", "entitlement", "add", "usr_1", "--plan", "reinmaker.game_pass")
    assert local("local", "snapshot", "with-a-plan").out.startswith(f"with-a-plan  {began}")
    local("local", "clock", "advance", "3h")
    local("local", "entitlement", "revoke", "usr_1", "--plan", "reinmaker.game_pass")
    restored = local("local", "restore", "with-a-plan")
    assert (restored.code, restored.out) == (0, f"restored  with-a-plan  {began}\n")
    assert time_of(local) == began
    (plan,) = local("entitlements", "usr_1", "--json").document["results"]
    assert plan["status"] == "active"


def test_a_reset_leaves_an_empty_server_that_the_command_line_still_knows(local: Command) -> None:
    local("local", "entitlement", "add", "usr_1", "--plan", "reinmaker.game_pass")
    local("local", "snapshot", "before")
    local("local", "clock", "set", "2999-01-01")
    assert local("local", "reset", "--json").document["clock"]["time"] < "2999"
    assert local("entitlements", "usr_1", "--json").document["results"] == []
    assert local("local", "snapshot", "--list", "-q").out == "before\n"


def test_snapshots_are_listed_replaced_and_removed(local: Command) -> None:
    for name in ("b", "a"):
        assert local("local", "snapshot", name, "--json").document["results"][0]["name"] == name
    assert [row["name"] for row in local("local", "snapshot", "--list", "--json").document["results"]] == ["a", "b"]
    again = local("local", "snapshot", "a", "--json")
    assert (again.code, again.document["error"]["code"]) == (2, "snapshot-exists")
    assert "--replace" in again.document["error"]["hint"]
    assert local("local", "snapshot", "a", "--replace").code == 0
    assert local("local", "snapshot", "a", "--remove").out == "removed  a\n"
    assert local("local", "snapshot", "--list", "-q").out == "b\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("snapshot",), "usage"),
        (("snapshot", "a", "--list"), "usage"),
        (("snapshot", "--list", "--remove"), "usage"),
        (("snapshot", "a", "--remove", "--replace"), "usage"),
        (("snapshot", "../a"), "request-invalid"),
        (("snapshot", ""), "request-invalid"),
        (("snapshot", "a" * 65), "request-invalid"),
        (("snapshot", "nothing", "--remove"), "snapshot-not-found"),
        (("restore", "nothing"), "snapshot-not-found"),
        (("restore", "../client"), "not-found"),
    ],
)
def test_what_cannot_be_meant_is_exit_2(local: Command, words: tuple[str, ...], code: str) -> None:
    ended = local("local", *words, "--json")
    assert (ended.code, ended.document["error"]["code"]) == (2, code)
    assert ended.document["error"]["hint"]

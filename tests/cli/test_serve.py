"""`serve` with TLS, and the commands that speak to it."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Command, command_line, hold_to_schema
from tests.cli.folders import make_project


@contextmanager
def serving(*options: object) -> Iterator[dict[str, Any]]:
    """Yield what `serve --json` says when it is ready."""
    words = ("serve", "--port", "0", "--json", "--log", "off", *options)
    with subprocess.Popen(command_line(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            ready = json.loads(server.stdout.readline())
            hold_to_schema(ready)
            yield ready
            server.send_signal(signal.SIGTERM)
            out, err = server.communicate(timeout=120)
            assert (server.returncode, out, err) == (0, b"", b"")
        finally:
            server.kill()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with serving("--tls", "--data", tmp_path_factory.mktemp("data")) as ready:
        yield ready


def test_the_file_that_is_printed_is_all_that_the_other_commands_need(
    reinmaker: Command, secured: dict[str, Any], work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REINMAKER_DATA", secured["data"])
    make_project(work)
    refused = reinmaker("health")
    assert refused.code == 7
    assert "--ca-file" in refused.err
    assert reinmaker("health", "--ca-file", secured["caFile"]).code == 0
    monkeypatch.setenv("REINMAKER_CA_FILE", secured["caFile"])
    assert reinmaker("publish", "--json").document["ok"]
    assert reinmaker("local", "client", "--json").document["ok"]
    assert [one["state"] for one in reinmaker("local", "keys", "--json").document["results"]] == ["signing"]


def test_the_inspector_is_named_with_its_token_but_not_in_a_log_for_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving("--data", tmp_path) as ready:
        token = json.loads((tmp_path / "client.json").read_text())["controlToken"]
        assert ready["inspectorUrl"] == f"{ready['url']}/#token={token}"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with serving("--data", tmp_path) as ready:
        assert ready["inspectorUrl"] == f"{ready['url']}/"


def test_a_person_is_told_of_the_file(work: Path) -> None:
    words = ("serve", "--port", "0", "--log", "off", "--tls", "--data", work / "data folder")
    with subprocess.Popen(command_line(*words), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        lines = [server.stdout.readline().strip() for _ in range(13)]
        server.terminate()
    token = json.loads((work / "data folder" / "client.json").read_text())["controlToken"]
    (inspect,) = (line for line in lines if line.startswith("inspect"))
    assert inspect.endswith(f"/#token={token}")
    file = work / "data folder" / "tls" / "ca.pem"
    assert f"export REINMAKER_CA_FILE='{file}'" in lines


def test_a_server_beyond_this_machine_is_steered_through_its_control_port(
    reinmaker: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving("--tls", "--host", "0.0.0.0", "--control-port", 0, "--data", work.parent / "data") as ready:
        monkeypatch.setenv("REINMAKER_DATA", ready["data"])
        monkeypatch.setenv("REINMAKER_CA_FILE", ready["caFile"])
        assert ready["controlUrl"].startswith("http://localhost:")
        assert reinmaker("local", "clock", "advance", "1m").code == 0
        rotated = reinmaker("local", "keys", "rotate", "--json").document["results"]
        assert [one["state"] for one in rotated] == ["signing", "next"]


def test_without_a_control_port_it_is_not_steered_and_still_published_to(
    reinmaker: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving("--tls", "--host", "0.0.0.0", "--data", work.parent / "data") as ready:
        monkeypatch.setenv("REINMAKER_DATA", ready["data"])
        monkeypatch.setenv("REINMAKER_CA_FILE", ready["caFile"])
        make_project(work)
        published = reinmaker("publish", "--json").document
        assert published["ok"], published["error"]
        refused = reinmaker("local", "clock")
        assert (refused.code, "control API is off" in refused.err) == (2, True)
        assert "--control-port" in refused.err


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (("--host", "0.0.0.0"), "--tls"),
        (("--behind-proxy",), "--public-url"),
        (("--allow-origin", "*"), "--allow-origin"),
    ],
)
def test_what_cannot_be_served_is_a_usage_error(
    reinmaker: Command, work: Path, options: tuple[str, ...], hint: str
) -> None:
    refused = reinmaker("serve", "--port", "0", "--ephemeral", *options)
    assert (refused.code, hint in refused.err) == (2, True)


@pytest.mark.parametrize("options", [("--ephemeral",), ("--data", "my data")])
def test_what_to_type_in_another_terminal_finds_the_server(
    reinmaker: Command, work: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setenv("REINMAKER_DATA", "/nowhere/as an earlier --ephemeral said")
    words = ("serve", "--port", "0", "--log", "off", *options)
    with subprocess.Popen(command_line(*words), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        lines = iter(server.stdout.readline, "")
        typed = next(line for line in lines if line.startswith("  export REINMAKER_DATA="))
        monkeypatch.setenv("REINMAKER_DATA", shlex.split(typed)[1].partition("=")[2])
        assert reinmaker("health").code == 0
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=120)

"""`serve` as a process, and what steers it: `local client`, `local decide`, `status --wait`, `list`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Command, Ended, as_process, command_line, hold_to_schema, in_time
from tests.cli.folders import make_project
from tests.cli.terminals import Session, needs_terminals


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a server whose verdicts are given by hand; its first document is held to its schema."""
    folder = tmp_path_factory.mktemp("data")
    words = ("serve", "--validation", "manual", "--port", "0", "--json", "--log", "off", "--data", folder)
    with subprocess.Popen(command_line(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            ready = json.loads(server.stdout.readline())
            hold_to_schema(ready)
            assert (ready["schema"], ready["data"], ready["pid"]) == ("reinmaker.serve/1", str(folder), server.pid)
            yield folder
            server.send_signal(signal.SIGTERM)
            out, err = server.communicate(timeout=120)
            assert (server.returncode, out, err) == (0, b"", b"")
        finally:
            server.kill()


@pytest.fixture
def local(reinmaker: Command, data: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line, with that server as environment `local`."""
    monkeypatch.setenv("REINMAKER_DATA", str(data))
    return reinmaker


def lesson(work: Path, name: str) -> None:
    """Make a project whose manifests are called `<name>-en-US` and `<name>-fr-FR`."""
    make_project(work)
    toml = work / "reinmaker.toml"
    toml.write_text(toml.read_text().replace("tiny", name))


def version_of(local: Command, manifest_id: str) -> str:
    """Return the newest version, as `list` says it."""
    (item,) = [one for one in local("list", "--json").document["manifests"] if one["manifestId"] == manifest_id]
    return str(item["newest"]["version"])


def test_what_is_not_awaited_is_pending_until_decided(local: Command, work: Path) -> None:
    lesson(work, "decided")
    sent = local("publish", "--no-wait", "--json").document
    assert [row["outcome"] for row in sent["results"]] == ["pending", "pending"]
    assert local("status", "--json").document["exitCode"] == 8
    for name, verdict in (("decided-en-US", "active"), ("decided-fr-FR", "rejected")):
        document = local("local", "decide", name, version_of(local, name), verdict, "--json").document
        assert [(row["manifestId"], row["status"]) for row in document["results"]] == [(name, verdict)]
    assert local("status", "decided-en-US", "--wait", "--quiet").out == "decided-en-US\n"
    assert local("status", "--wait").code == 6
    assert local("publish", "--only", "locale=en-US", "--json").document["results"][0]["outcome"] == "unchanged"


def is_out_of_time(ended: Ended) -> bool:
    """Whether it was the verdict that time ran out for; with less time there was no answer before."""
    return ended.code == 8


def test_time_that_runs_out_is_exit_8(local: Command, work: Path) -> None:
    lesson(work, "slow")
    document = in_time(local, "publish", "--only", "locale=en-US", is_enough=is_out_of_time).document
    assert (document["exitCode"], document["error"]["code"]) == (8, "out-of-time")
    ended = in_time(local, "status", "slow-en-US", "--wait", is_enough=is_out_of_time)
    assert (ended.code, ended.document["error"]["code"]) == (8, "out-of-time")


@needs_terminals
def test_a_person_sees_what_is_waited_for_and_a_clean_end_after_an_interrupt(local: Command, work: Path) -> None:
    lesson(work, "watched")
    with Session(("publish", "--only", "locale=en-US")) as session:
        session.wait_for("waiting for the verdict on watched-en-US")
        session.process.send_signal(signal.SIGINT)
        shown = session.end()
    assert shown.code == 130
    assert re.search(r"\x1b\[2K(\x1b\[[0-9;]*m)*interrupted ", shown.raw), shown.raw
    assert "interrupted  watched-en-US" in shown.text


def test_one_through_and_one_not_is_exit_10(local: Command, work: Path) -> None:
    lesson(work, "partly")
    assert local("publish", "--no-wait", "--quiet").out.split() == ["partly-en-US", "partly-fr-FR"]
    assert local("local", "decide", "partly-en-US", version_of(local, "partly-en-US"), "active").code == 0
    document = in_time(local, "publish", is_enough=lambda ended: ended.code == 10).document
    assert (document["exitCode"], [row["outcome"] for row in document["results"]]) == (10, ["unchanged", "pending"])


def test_a_taken_version_is_a_conflict_until_it_is_sent_as_a_new_one(local: Command, work: Path) -> None:
    lesson(work, "taken")
    only = ("--only", "locale=en-US")
    local("build", *only, "-o", "../m.json")
    version = json.loads((work.parent / "m.json").read_text())["version"]
    local("publish", "../m.json", "--no-wait")
    assert local("local", "decide", "taken-en-US", version, "active").code == 0
    changed = json.loads((work.parent / "m.json").read_text())
    changed["assets"][0] |= {"metadata": {"mood": "calm"}}
    (work.parent / "m.json").write_text(json.dumps(changed))
    ended = local("publish", "../m.json", "--dry-run", "--json")
    assert (ended.code, ended.document["error"]["code"]) == (5, "version-conflict")
    assert "--as-new-version" in ended.document["error"]["hint"]
    fresh = local("publish", "../m.json", "--as-new-version", "--no-wait", "--json").document
    assert (fresh["exitCode"], fresh["results"][0]["outcome"]) == (0, "pending")
    assert fresh["results"][0]["version"] != version


def test_status_takes_the_file_of_a_manifest(local: Command, work: Path) -> None:
    lesson(work, "filed")
    local("build", "--only", "locale=en-US", "-o", "../filed.json")
    local("publish", "../filed.json", "--no-wait")
    document = local("status", "../filed.json", "--json").document
    assert [row["manifestId"] for row in document["results"]] == ["filed-en-US"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nowhere", "2026.01.01", "active"), "manifest-not-found"),
        (("nowhere", "2026.01.01", "maybe"), "usage"),
        (("nowhere", "2026.01.01", "active", "--reason", "why"), "usage"),
    ],
)
def test_a_verdict_that_cannot_be_given_is_refused(local: Command, words: tuple[str, ...], code: str) -> None:
    document = local("local", "decide", *words, "--json").document
    assert (document["exitCode"], document["error"]["code"]) == (2, code)


def test_clients_are_listed_added_and_rotated(local: Command) -> None:
    (development,) = [one for one in local("local", "client", "--json").document["results"] if one["isDevelopment"]]
    scope = "reinmaker.content.write"
    (added,) = local("local", "client", "add", "--name", "ci", "--scope", scope, "--json").document["results"]
    assert added["scopes"] == [scope]
    listed = {one["clientId"]: one for one in local("local", "client", "list", "--json").document["results"]}
    assert listed[added["clientId"]]["name"] == "ci"
    assert all("clientSecret" not in one for one in listed.values())
    (rotated,) = local("local", "client", "rotate", added["clientId"], "--json").document["results"]
    assert rotated["clientSecret"] != added["clientSecret"]
    (mine,) = local("local", "client", "rotate", "--json").document["results"]
    assert mine["clientId"] == development["clientId"]
    assert local("auth", "token").code == 0


def test_a_client_that_is_not_there_is_named_with_those_that_are(local: Command, data: Path) -> None:
    ended = local("local", "client", "rotate", "nobody")
    known = json.loads((data / "client.json").read_text())["clientId"]
    assert (ended.code, known in ended.err) == (2, True)
    assert "'reinmaker.content.write'" in local("local", "client", "add", "--scope", "nonsense").err


def test_a_second_server_in_the_data_folder_is_refused(local: Command, data: Path) -> None:
    ended = as_process("serve", "--port", "0", "--data", data)
    assert (ended.returncode, b"error[data-in-use]" in ended.stderr) == (2, True)
    assert re.search(rb"`kill [0-9]+` stops it", ended.stderr)

"""The verbs that speak to a server, against a real one in this process."""

from __future__ import annotations

import functools
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reinmaker_cli.cli import access
from reinmaker_cli.client.keyring_store import KeyringStore
from reinmaker_cli.server.running import ServerConfig, Started, running_server
from tests.cli.command import Command
from tests.cli.folders import make_project, wav
from tests.client.keyrings import MemoryKeyring


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """One server for all tests of this file; each uses manifests of its own folder name."""
    data = tmp_path_factory.mktemp("data")
    with running_server(ServerConfig(port=0, data=data, log="off", limits="off", network=False)) as started:
        yield started


@pytest.fixture
def local(reinmaker: Command, server: Started, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line, with the server as environment `local`."""
    monkeypatch.setenv("REINMAKER_DATA", str(server.data))
    return reinmaker


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    """A keyring that forgets."""
    backend = MemoryKeyring()
    monkeypatch.setattr(access, "keyring_of", lambda _: KeyringStore(lambda: backend))
    return backend


@pytest.fixture
def mine(reinmaker: Command, server: Started, work: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line, with the server as environment `mine` of the user's own configuration."""
    (work.parent / "config.toml").write_text(f'[env.mine]\napi_url = "{server.url}"\n')
    monkeypatch.setenv("REINMAKER_CONFIG", str(work.parent / "config.toml"))
    monkeypatch.setenv("REINMAKER_ENV", "mine")
    return reinmaker


def lesson(work: Path, name: str) -> None:
    """Make a project in the current folder whose manifests are called `<name>-…`."""
    make_project(work)
    toml = work / "reinmaker.toml"
    toml.write_text(toml.read_text().replace("tiny", name))


def test_health_needs_no_credentials(local: Command) -> None:
    document = local("health", "--json").document
    assert document["health"]["status"] == "ok"
    assert local("health", "--quiet").out == "ok\n"


def test_client_variables_that_the_local_server_does_not_use_are_said(
    local: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REINMAKER_CLIENT_ID", "somebody")
    for words in (("auth", "status"), ("list",)):
        ended = local(*words)
        assert (ended.code, "environment `local` does not use REINMAKER_CLIENT_ID" in ended.err) == (0, True)
        assert "REINMAKER_CLIENT_ID" not in ended.out


def test_status_says_each_version_once(local: Command, work: Path) -> None:
    lesson(work, "once")
    assert local("publish").code == 0
    [line] = [line for line in local("status").out.splitlines() if "once-en-US" in line]
    version = local("status", "--json").document["results"][0]["version"]
    assert line.count(version) == 1


def test_a_server_that_is_not_there_is_exit_7(reinmaker: Command, work: Path) -> None:
    (work / "client.json").write_text('{"apiUrl": "http://127.0.0.1:9"}')
    document = reinmaker("health", "--data", ".", "--json").document
    assert (document["exitCode"], document["error"]["retryable"]) == (7, True)


def test_what_was_published_is_listed_shown_and_the_same(local: Command, work: Path) -> None:
    lesson(work, "listed")
    assert local("diff", "--json").document["exitCode"] == 9
    assert local("status").code == 2
    assert local("publish").code == 0
    assert {"listed-en-US", "listed-fr-FR"} <= set(local("list", "--quiet").out.split())
    rows = local("status", "--json").document["results"]
    assert [(row["manifestId"], row["status"]) for row in rows] == [
        ("listed-en-US", "active"),
        ("listed-fr-FR", "active"),
    ]
    assert local("status", "listed-en-US", "--wait", "--quiet").out == "listed-en-US\n"
    assert local("diff").code == 0
    (work / "hello-en.wav").write_bytes(wav(level=77))
    changed = local("diff", "--json").document
    assert [row["manifestId"] for row in changed["results"] if not row["same"]] == ["listed-en-US"]


def test_the_deadline_ends_the_wait_for_all_verdicts_together(
    reinmaker: Command, work: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path_factory.mktemp("manual")
    config = ServerConfig(port=0, data=data, log="off", limits="off", network=False, validation="manual")
    monkeypatch.setenv("REINMAKER_DATA", str(data))
    lesson(work, "slow")
    with running_server(config):
        assert reinmaker("publish", "--no-wait").code == 0
        for deadline_s in (1, 10, 60):  # a second may be over before anything is known
            ended = reinmaker("status", "--wait", "--deadline", f"{deadline_s}", "--timeout", "3600", "--json")
            if ended.code == 8:
                break
        assert ended.code == 8
    document = ended.document
    assert document["error"]["message"] == "2 manifests without a verdict yet"
    assert {row["status"] for row in document["results"]} <= {"pending", "validating"}
    assert [row["manifestId"] for row in document["results"]] == ["slow-en-US", "slow-fr-FR"]


def test_status_of_what_the_server_rejected_is_exit_6(local: Command, work: Path) -> None:
    lesson(work, "first")
    assert local("publish", "--only", "locale=en-US").code == 0
    local("build", "--only", "locale=en-US", "-o", "../first.json")
    # Other bytes under a published URL, in a manifest of another name: only the server can know.
    manifest = json.loads((work.parent / "first.json").read_text())
    manifest["manifestId"] = "second-en-US"
    manifest["assets"][0]["hash"] = "0" * 64
    (work.parent / "second.json").write_text(json.dumps(manifest))
    assert local("publish", "../second.json").code == 6
    document = local("status", "second-en-US", "--json").document
    assert document["exitCode"] == 6
    assert [row["code"] for row in document["findings"]] == ["asset-immutable"]


def test_status_of_what_the_server_does_not_know(local: Command) -> None:
    document = local("status", "no-such-manifest", "--json").document
    assert (document["results"][0]["status"], document["error"]["code"]) == ("unknown", "manifest-not-found")


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that is served over http, and its address."""
    folder = tmp_path / "bucket"
    folder.mkdir()
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_check_online_reads_every_url(local: Command, work: Path, bucket: tuple[Path, str]) -> None:
    lesson(work, "online")
    folder, url = bucket
    toml = work / "reinmaker.toml"
    toml.write_text(toml.read_text().replace("s3://bucket/online/{dir}{stem}.{sha256:8}{ext}", f"{url}/{{path}}"))
    for file in work.glob("*.wav"):
        shutil.copy(file, folder)
    assert local("check", "--online").code == 0
    (folder / "hello-en.wav").write_bytes(wav(level=99))
    (folder / "bye-fr.wav").unlink()
    document = local("check", "--online", "--json").document
    assert document["exitCode"] == 3
    assert {row["code"] for row in document["findings"]} == {"asset-hash", "asset-unreachable"}


def test_auth_status_shows_the_development_client(local: Command, server: Started) -> None:
    ended = local("auth", "status", "--json")
    assert ended.document["credentials"]["clientId"] == server.client.client_id
    assert server.client.client_secret not in ended.out + ended.err


def test_auth_token_fetches_a_token(local: Command) -> None:
    document = local("auth", "token", "--json").document
    assert document["accessToken"].count(".") == 2
    assert document["expiresIn"] == 900
    assert local("auth", "token", "--scope", "reinmaker.content.write").out.count(".") == 2
    assert local("auth", "token", "--scope", "reinmaker.nonsense").code == 4


def test_a_wrong_secret_is_exit_4_and_shown_nowhere(mine: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINMAKER_CLIENT_ID", "somebody")
    monkeypatch.setenv("REINMAKER_CLIENT_SECRET", "hunter2hunter2")
    ended = mine("auth", "token", "--trace", "-v")
    assert ended.code == 4
    assert "error[credentials-refused]" in ended.err
    assert "hunter2" not in ended.out + ended.err


def test_login_proves_then_keeps_the_secret(
    mine: Command, server: Started, keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(server.client.client_secret + "\n")
    with (tmp_path / "secret").open() as secret:
        monkeypatch.setattr("sys.stdin", secret)
        ended = mine("auth", "login", "--client-id", server.client.client_id, "--secret-stdin", "--json")
    assert ended.document["credentials"]["scopes"]
    assert server.client.client_secret not in ended.out + ended.err
    assert len(keyring.entries) == 1
    assert mine("auth", "status", "--json").document["credentials"]["source"] == "keyring"
    assert mine("auth", "token", "--quiet").code == 0
    assert mine("auth", "logout", "--json").document["removed"] is True
    assert mine("auth", "status").code == 4


def test_login_with_a_wrong_secret_keeps_nothing(
    mine: Command, server: Started, keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("hunter2hunter2\n")
    with (tmp_path / "secret").open() as secret:
        monkeypatch.setattr("sys.stdin", secret)
        ended = mine("auth", "login", "--client-id", server.client.client_id, "--secret-stdin")
    assert ended.code == 4
    assert keyring.entries == {}


@pytest.mark.parametrize("given", [b"", b"\n", b"\xff\xfe", b"x" * 70_000])
def test_what_is_no_secret_is_said_and_kept_nowhere(
    mine: Command, keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: bytes
) -> None:
    (tmp_path / "secret").write_bytes(given)
    with (tmp_path / "secret").open() as secret:
        monkeypatch.setattr("sys.stdin", secret)
        ended = mine("auth", "login", "--client-id", "somebody", "--secret-stdin", "--json")
    assert (ended.code, ended.document["error"]["code"], keyring.entries) == (4, "secret-unusable", {})


def test_nobody_to_ask_is_a_usage_error(mine: Command, keyring: MemoryKeyring) -> None:
    ended = mine("auth", "login", "--client-id", "somebody")
    assert ended.code == 2
    assert "nobody is there" in ended.err


def test_local_needs_no_login(local: Command) -> None:
    assert local("auth", "login").code == 2


def test_without_a_keyring_the_variables_are_named(mine: Command) -> None:
    ended = mine("auth", "status")
    assert ended.code == 4
    assert "REINMAKER_CLIENT_ID" in ended.err


def test_variables_do_not_follow_a_project_file(
    reinmaker: Command, server: Started, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(work, settings=f'\n[env.preview]\napi_url = "{server.url}"\n')
    monkeypatch.setenv("REINMAKER_CLIENT_ID", "somebody")
    monkeypatch.setenv("REINMAKER_CLIENT_SECRET", "hunter2hunter2")
    ended = reinmaker("auth", "token", "--env", "preview", "--json")
    assert ended.document["error"]["code"] == "credentials-unbound"


def test_rotate_makes_a_new_secret_for_the_development_client(local: Command, server: Started) -> None:
    before = (server.data / "client.json").read_text()
    assert local("auth", "rotate").code == 0
    assert (server.data / "client.json").read_text() != before
    assert local("auth", "token").code == 0

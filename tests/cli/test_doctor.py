"""`reinmaker doctor`: each check seen red because somebody really made the mistake."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from reinmaker_cli import __version__
from reinmaker_cli.client import check_machine
from reinmaker_cli.client.check_access import check_keyring, check_secret
from reinmaker_cli.client.checks import Checked, Failed, Passed, Warned
from reinmaker_cli.client.credentials import StoredCredentials, keyring_service
from reinmaker_cli.client.environment import Environment
from reinmaker_cli.client.keyring_store import KeyringStore
from reinmaker_cli.client.local import LocalControl
from reinmaker_cli.contract.names import Scope
from reinmaker_cli.contract.validation import manifest_schema
from reinmaker_cli.server.running import ServerConfig, Started, running_server
from tests.buckets.fixtures import cloud
from tests.buckets.s3 import SECRET
from tests.cli.command import Command, as_process, environment
from tests.cli.folders import make_project
from tests.client.keyrings import LockedUntil, MemoryKeyring

__all__ = ["cloud"]

HEALTHY = {"status": "ok", "version": __version__, "time": "2026-11-23T12:00:00Z"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    data = tmp_path_factory.mktemp("data")
    with running_server(ServerConfig(port=0, data=data, log="off", limits="off", network=False)) as started:
        yield started


@pytest.fixture
def project(work: Path) -> Path:
    """The current folder is a project, so that nothing is wrong with it."""
    make_project(work)
    return work


@pytest.fixture
def bucket_project(project: Path) -> Path:
    """The current folder is a project whose assets lie in S3."""
    file = project / "reinmaker.toml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith(("url =", "base_url ="))]
    place = lines.index("[manifest]") + 1
    file.write_text("\n".join([*lines[:place], 'url = "s3://bucket/{path}"', *lines[place:]]))
    return project


@pytest.fixture
def local(reinmaker: Command, server: Started, project: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line, with the server as environment `local`."""
    monkeypatch.setenv("REINMAKER_DATA", str(server.data))
    return reinmaker


def found(doctor: Command, *words: str | Path) -> dict[str, dict[str, str]]:
    """Run the doctor and return what is not well, by check."""
    document = doctor("doctor", "--json", *words).document
    return {one["check"]: one for one in document["results"] if one["outcome"] != "passed"} | {
        "exit": {"code": str(document["exitCode"])}
    }


def failed(doctor: Command, *words: str | Path) -> dict[str, str]:
    """Run the doctor and return the code of each failed check."""
    results = doctor("doctor", "--json", *words).document["results"]
    return {one["check"]: one["code"] for one in results if one["outcome"] == "failed"}


def uploads(doctor: Command) -> dict[str, str]:
    """Return what is said of uploads."""
    return next(one for one in doctor("doctor", "--json").document["results"] if one["check"] == "uploads")


def test_uploads_are_said_to_be_possible_without_asking_the_store(local: Command, bucket_project: Path, cloud) -> None:
    assert "no AWS credentials were found" in uploads(local)["fact"]
    cloud("http://127.0.0.1:1")
    said = uploads(local)
    assert (said["outcome"], "(env)" in said["fact"]) == ("passed", True)
    assert SECRET not in str(said)


def test_an_endpoint_that_would_hear_requests_in_clear_is_warned_of(
    local: Command, bucket_project: Path, cloud
) -> None:
    cloud("http://192.0.2.1:9000")
    said = uploads(local)
    assert (said["outcome"], said["code"]) == ("warning", "bucket-unusable")


# --- all is well -----------------------------------------------------------------------------------------------------


def test_a_machine_where_all_is_well_passes_every_check(local: Command) -> None:
    document = local("doctor", "--online", "--json").document
    assert [one for one in document["results"] if one["outcome"] != "passed"] == []
    assert {"python", "tls", "proxy", "secret", "connection", "clock", "schema", "token", "scopes"} <= {
        one["check"] for one in document["results"]
    }
    assert (document["exitCode"], document["error"]) == (0, None)


def test_people_read_a_line_for_each_check_and_a_hint_below_what_is_wrong(local: Command, project: Path) -> None:
    (project / "reinmaker.toml").write_text("[manifest\n")
    ended = local("doctor")
    assert "passed  python" in ended.out
    assert "failed  project" in ended.out
    assert "hint: " in ended.out.split("failed  project")[1]
    assert (ended.code, "error[config-invalid]" in ended.err) == (2, True)
    assert local("doctor", "--quiet").out.split() == ["project", "file", "project"]


def test_every_code_is_explained(local: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINMAKER_CLIENT_ID", "somebody")
    for one in found(local).values():
        assert local("explain", one["code"]).code in (0, 2)
        assert one["code"] == "0" or local("explain", one["code"]).code == 0


# --- machine ---------------------------------------------------------------------------------------------------------


def test_an_old_python_is_seen() -> None:
    assert code_of(check_machine.check_python((3, 10, 12))) == "python-too-old"


def test_tls_held_to_1_2_by_the_system_is_seen(work: Path) -> None:
    (work / "openssl.cnf").write_text(
        "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMaxProtocol = TLSv1.2\n"
    )
    ended = as_process("doctor", "--json", env=environment(OPENSSL_CONF=str(work / "openssl.cnf")))
    assert codes_in(json.loads(ended.stdout))["tls"] == "tls-too-old"


def test_a_system_without_certificates_is_seen(work: Path) -> None:
    (work / "none.pem").touch()
    (work / "none").mkdir()
    config(work, "https://127.0.0.1:9")
    variables = {"SSL_CERT_FILE": str(work / "none.pem"), "SSL_CERT_DIR": str(work / "none")}
    ended = as_process("doctor", "--json", "--config", "config.toml", "--env", "mine", env=environment(**variables))
    assert codes_in(json.loads(ended.stdout))["certificates"] == "no-certificates"


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_ca_file_that_is_none_is_seen(local: Command, work: Path, text: str | None) -> None:
    if text is not None:
        (work / "ca.pem").write_text(text)
    assert failed(local, "--ca-file", "ca.pem") == {"ca file": "config-unreadable"}


def test_a_ca_file_that_has_ended_is_seen(local: Command, work: Path) -> None:
    Authority(ends_in=timedelta(days=-1)).write(work)
    assert failed(local, "--ca-file", "ca.pem") == {"ca file": "certificate-ended"}


def test_a_proxy_variable_that_is_no_address_is_seen_and_its_password_is_not(
    reinmaker: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config(project, "https://192.0.2.1")
    words = ("doctor", "--config", "config.toml", "--env", "mine", "--json")
    monkeypatch.setenv("HTTPS_PROXY", "ftp://ana:hidden@proxy.example:3128")
    ended = reinmaker(*words)
    assert codes_in(ended.document)["proxy"] == "config-invalid"
    monkeypatch.setenv("HTTPS_PROXY", "http://ana:hidden@proxy.example:3128")
    good = reinmaker(*words)
    assert fact(good.document, "proxy") == "http://proxy.example:3128, from HTTPS_PROXY"
    monkeypatch.setenv("NO_PROXY", "192.0.2.1")
    assert fact(reinmaker(*words).document, "proxy") == "none: NO_PROXY has 192.0.2.1"
    assert "hidden" not in ended.out + ended.err + good.out + good.err


def test_loopback_passes_by_the_proxy(local: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://ana:hidden@127.0.0.1:9")
    document = local("doctor", "--online", "--json").document
    assert fact(document, "proxy") == "none: this machine is asked directly; HTTP_PROXY is passed by"
    assert document["exitCode"] == 0


def test_too_few_descriptors_are_seen(work: Path) -> None:
    ended = subprocess.run(
        ["sh", "-c", 'ulimit -n 64; exec "$0" -m reinmaker_cli doctor --json', sys.executable],
        capture_output=True,
        check=False,
        timeout=240,
    )
    assert codes_in(json.loads(ended.stdout))["descriptors"] == "few-descriptors"


def test_a_disk_with_less_room_than_needed_is_seen(tmp_path: Path) -> None:
    assert code_of(check_machine.check_disk(tmp_path / "not" / "there", needed_bytes=2**60)) == "disk-full"


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc").exists(), reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_seen(local: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc")  # not even root makes files there
    one = found(local)["cache folder"]
    assert (one["outcome"], one["code"]) == ("warning", "output-failed")
    assert code_of(check_machine.check_writable("data folder", Path("/proc/here"), hint="name another")) is not None


# --- configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[settings\n", "config-invalid"),
        ("[settings]\ntimeout = 'soon'\n", "config-invalid"),
        ("[settings]\nclient_secret = 'x'\n", "secret-in-file"),
    ],
)
def test_a_broken_user_file_is_seen_and_the_rest_goes_on(local: Command, work: Path, text: str, code: str) -> None:
    (work.parent / "config.toml").write_text(text)
    assert failed(local, "--config", work.parent / "config.toml") == {"user file": code}


def test_a_user_file_that_is_not_there_is_seen(local: Command) -> None:
    assert failed(local, "--config", "nowhere.toml") == {"user file": "config-unreadable"}


def test_a_broken_project_file_is_seen(local: Command, project: Path) -> None:
    (project / "reinmaker.toml").write_text('[manifest]\nid = "a"\n')
    assert set(failed(local)) == {"project"}
    (project / "reinmaker.toml").write_text("[settings]\nca_file = 'x'\n")
    assert failed(local)["project file"] == "config-invalid"


def test_a_folder_without_a_project_is_only_warned_of(local: Command, project: Path) -> None:
    (project / "reinmaker.toml").unlink()
    assert found(local)["project"]["outcome"] == "warning"
    assert local("doctor").code == 0


def test_settings_are_shown_with_their_origin_and_what_they_beat(
    local: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "reinmaker.toml").open("a").write("\n[settings]\ntimeout = 9\n")
    monkeypatch.setenv("REINMAKER_TIMEOUT", "60")
    document = local("doctor", "--json").document
    facts = [one["fact"] for one in document["results"] if one["check"] == "setting"]
    assert "timeout `60.0` from REINMAKER_TIMEOUT, which beats reinmaker.toml" in facts


def test_a_misspelt_variable_is_seen(local: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINMAKER_CLIENT_SERCET", "hidden")
    one = found(local)["variables"]
    hint = "did you mean REINMAKER_CLIENT_SECRET? `unset REINMAKER_CLIENT_SERCET` and set that"
    assert (one["code"], one["hint"]) == ("unknown-variable", hint)


@pytest.mark.parametrize(
    "name",
    [
        "REINMAKER_LISTEN_PORT",
        *("REINMAKER_WEBHOOK_SECRET", "REINMAKER_WEBHOOK_SECRET_FILE"),
        *("REINMAKER_DEAD_LETTERS_CONNECTION", "REINMAKER_DEAD_LETTERS_CONNECTION_FILE"),
    ],
)
def test_a_variable_that_has_not_the_name_of_an_option_is_known(
    local: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "0")
    assert found(local).get("variables", {}).get("code") != "unknown-variable"


def test_an_unknown_environment_is_seen(local: Command) -> None:
    assert failed(local, "--env", "stagging") == {"environment": "unknown-environment"}


# --- folder ----------------------------------------------------------------------------------------------------------

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"


def test_a_pointer_in_the_folder_and_a_missing_git_lfs_are_seen(
    local: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".gitattributes").write_text("*.png filter=lfs diff=lfs merge=lfs -text\n")
    (project / "overlays").mkdir(exist_ok=True)
    (project / "overlays" / "a.png").write_text(POINTER)
    monkeypatch.setenv("PATH", str(project))
    assert failed(local) == {"git lfs": "git-lfs-missing", "lfs files": "lfs-pointer"}
    tools = project.parent / "tools"
    tools.mkdir()
    (tools / "git").write_text("#!/bin/sh\nexit 0\n")
    (tools / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    assert failed(local) == {"lfs files": "lfs-pointer"}
    assert local("doctor").code == 3


def test_attributes_without_lfs_ask_for_nothing(local: Command, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".gitattributes").write_text("# *.png filter=lfs\n*.txt text\n")
    monkeypatch.setenv("PATH", str(project))
    assert failed(local) == {}


# --- credentials -----------------------------------------------------------------------------------------------------

MINE = Environment.checked("mine", "https://api.example.com", defined_in="user")
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def code_of(checked: Checked | None) -> str | None:
    assert checked is not None
    return None if isinstance(checked, Passed) else str(checked.code)


def kept_since(days: int) -> KeyringStore:
    """Return a keyring with a secret that was stored so many days before NOW."""
    backend = MemoryKeyring()
    stored = StoredCredentials(client_id="c", client_secret="hidden", created_at=NOW - timedelta(days=days))
    backend.set_password(keyring_service(MINE), "client", stored.model_dump_json(by_alias=True))
    return KeyringStore(lambda: backend)


@pytest.mark.parametrize(("days", "kind"), [(74, Passed), (75, Warned), (89, Warned), (90, Failed)])
def test_an_old_secret_is_warned_of_and_then_refused(days: int, kind: type[Any]) -> None:
    checked = check_secret(MINE, variables={}, keyring=kept_since(days), local=None, now=NOW)
    assert isinstance(checked, kind)
    assert f"{days} days old" in checked.fact
    assert "hidden" not in repr(checked)


def test_a_session_without_a_keyring_is_seen(reinmaker: Command, project: Path) -> None:
    config(project, "https://192.0.2.1")
    assert failed(reinmaker, "--config", "config.toml", "--env", "mine") == {"keyring": "keyring-unavailable"}


@pytest.mark.parametrize("name", ["keyrings.alt.file.PlaintextKeyring", "keyring.backends.null.Keyring"])
def test_a_keyring_in_plain_text_is_refused_and_named(
    reinmaker: Command, project: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
    config(project, "https://192.0.2.1")
    one = found(reinmaker, "--config", "config.toml", "--env", "mine")["keyring"]
    assert (one["outcome"], name in one["fact"]) == ("failed", True)
    chosen = check_keyring(MINE, {"PYTHON_KEYRING_BACKEND": name}, KeyringStore(MemoryKeyring))
    assert code_of(chosen) == "keyring-ignored"


def test_a_keyring_that_does_not_answer_is_seen() -> None:
    class Silent(LockedUntil):
        def __init__(self) -> None:
            super().__init__()
            self.unlocked.wait()

    assert code_of(check_keyring(MINE, {}, KeyringStore(Silent, limit_s=0.05))) == "keyring-locked"


def test_client_variables_make_the_keyring_needless(
    reinmaker: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config(project.parent, "https://192.0.2.1")
    monkeypatch.setenv("REINMAKER_CLIENT_ID", "somebody")
    words = ("--config", project.parent / "config.toml", "--env", "mine")
    assert failed(reinmaker, *words) == {"secret": "secret-unusable"}
    monkeypatch.setenv("REINMAKER_CLIENT_SECRET", "hidden")
    ended = reinmaker("doctor", *words)
    assert (ended.code, "hidden" in ended.out + ended.err) == (0, False)
    assert "client `somebody` from variables" in ended.out


def test_client_variables_do_nothing_for_the_local_server(local: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINMAKER_CLIENT_ID", "somebody")
    assert found(local)["variables"]["code"] == "variables-ignored"


# --- local server ----------------------------------------------------------------------------------------------------


def test_a_data_folder_that_no_server_ever_used_is_seen(reinmaker: Command, project: Path) -> None:
    assert failed(reinmaker, "--data", "nowhere")["client file"] == "no-local-server"


def test_a_client_file_without_a_client_is_seen_and_counted_beside_a_server_that_answers(
    local: Command, server: Started, work: Path
) -> None:
    (work / "half").mkdir()
    (work / "half" / "client.json").write_text(json.dumps({"apiUrl": server.url}))
    ended = local("doctor", "--online", "--data", "half", "--json")
    checks = {one["check"]: one["outcome"] for one in ended.document["results"]}
    assert (checks["client file"], checks["schema"], "token" in checks) == ("failed", "passed", False)
    assert ended.document["error"]["message"].startswith(f"1 of {len(ended.document['results'])} checks failed: ")


def test_secrets_that_others_can_read_are_seen(local: Command, server: Started) -> None:
    path = server.data / "client.json"
    path.chmod(0o644)
    try:
        assert failed(local) == {"client file": "file-too-open"}
    finally:
        path.chmod(0o600)


def test_a_server_that_is_not_running_is_seen_without_online(reinmaker: Command, project: Path) -> None:
    client = {"clientId": "a", "clientSecret": "b", "apiUrl": "http://127.0.0.1:9", "controlToken": "c"}
    (project.parent / "data").mkdir()
    (project.parent / "data" / "client.json").write_text(json.dumps(client))
    (project.parent / "data" / "client.json").chmod(0o600)
    assert failed(reinmaker, "--data", "../data") == {"connection": "server-unreachable"}
    assert reinmaker("doctor", "--data", "../data").code == 7


def test_a_secret_that_got_too_old_by_the_clock_is_refused(reinmaker: Command, project: Path) -> None:
    data = project.parent / "data"
    with running_server(ServerConfig(port=0, data=data, log="off", limits="off", network=False)) as started:
        assert failed(reinmaker, "--data", data, "--online") == {}
        with LocalControl(started.url, started.client.control_token) as control:
            control.advance_clock(91 * 86400)
        assert "the server's own was moved to" in fact(reinmaker("doctor", "--data", data, "--json").document, "clock")
        assert failed(reinmaker, "--data", data, "--online") == {"token": "credentials-refused"}
        assert reinmaker("doctor", "--data", data, "--online").code == 4


def test_a_client_without_the_scope_to_publish_is_seen(
    reinmaker: Command, server: Started, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalControl(server.url, server.client.control_token) as control:
        made = control.add_client("sender", [Scope.TELEMETRY_WRITE])
    config(project.parent, server.url)
    monkeypatch.setenv("REINMAKER_CLIENT_ID", made.client_id)
    monkeypatch.setenv("REINMAKER_CLIENT_SECRET", made.client_secret)
    words = ("--config", project.parent / "config.toml", "--env", "mine", "--online")
    assert failed(reinmaker, *words) == {"scopes": "scope-refused"}


# --- the other side --------------------------------------------------------------------------------------------------


class Authority:
    """A certificate of localhost that signed itself."""

    def __init__(self, *, ends_in: timedelta = timedelta(days=30)) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        ends = datetime.now(UTC) + ends_in
        signed = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(ends - timedelta(days=60))
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self._certificate = signed.public_bytes(serialization.Encoding.PEM)
        self._key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def write(self, folder: Path) -> Path:
        """Write `ca.pem`, and `both.pem` for a server."""
        (folder / "ca.pem").write_bytes(self._certificate)
        (folder / "both.pem").write_bytes(self._key + self._certificate)
        return folder / "ca.pem"


Answers = Callable[..., str]


@pytest.fixture
def answering() -> Iterator[Answers]:
    """Return a function that starts a server which answers as it is told, and returns its URL."""
    started: list[ThreadingHTTPServer] = []

    def start(
        *, health: Any = HEALTHY, schema: Any = None, status: int = 200, late_s: float = 0, pem: Path | None = None,
        highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ) -> str:  # fmt: skip
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = health if self.path == "/v1/health" else schema or manifest_schema()
                body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return format_datetime(datetime.now(UTC) + timedelta(seconds=late_s), usegmt=True)

            def log_message(self, *_: Any) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # refused handshakes are the point
        if pem is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            context.maximum_version = highest
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        started.append(server)
        return f"{'https' if pem else 'http'}://localhost:{server.server_port}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def config(folder: Path, url: str) -> None:
    """Make a user's file whose environment `mine` is there."""
    (folder / "config.toml").write_text(f'[env.mine]\napi_url = "{url}"\n')


@pytest.fixture
def mine(reinmaker: Command, project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Return a function that runs the doctor on a server and returns the code of what is not well."""
    monkeypatch.setenv("REINMAKER_CLIENT_ID", "somebody")
    monkeypatch.setenv("REINMAKER_CLIENT_SECRET", "hidden")

    def run(url: str, *words: str | Path) -> dict[str, str]:
        config(project.parent, url)
        place = project.parent / "config.toml"
        results = reinmaker("doctor", "--json", "--online", "--config", place, "--env", "mine", *words).document
        return {one["check"]: one["code"] for one in results["results"] if one["outcome"] != "passed"}

    return run


NO_TOKEN = {"token": "answer-unusable"}
"""The answering server is no issuer."""


def test_a_certificate_of_a_stranger_is_seen_and_a_known_one_is_not(
    mine: Callable[..., dict[str, str]], answering: Answers, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    known = Authority().write(tmp_path)
    other = Authority().write(tmp_path / "other")
    url = answering(pem=tmp_path / "both.pem")
    assert mine(url)["connection"] == "tls-failed"
    assert mine(url, "--ca-file", other)["connection"] == "tls-failed"
    assert mine(url, "--ca-file", known) == NO_TOKEN


def test_a_server_without_tls_1_3_is_seen(
    mine: Callable[..., dict[str, str]], answering: Answers, tmp_path: Path
) -> None:
    known = Authority().write(tmp_path)
    url = answering(pem=tmp_path / "both.pem", highest=ssl.TLSVersion.TLSv1_2)
    assert mine(url, "--ca-file", known)["connection"] == "tls-failed"


def test_a_closed_port_is_seen(mine: Callable[..., dict[str, str]]) -> None:
    assert mine("http://127.0.0.1:9")["connection"] == "server-unreachable"


def test_a_name_that_leads_nowhere_is_seen(mine: Callable[..., dict[str, str]]) -> None:
    # RFC 6761 section 6.4: `invalid` never has an address; a label of 64 letters is refused without asking anybody.
    assert mine(f"https://{'a' * 64}.invalid")["name"] == "name-unknown"


@pytest.mark.parametrize(
    ("late_s", "code"), [(0, None), (-40, "clock-skew"), (40, "clock-skew"), (-400, "clock-skew"), (400, "clock-skew")]
)
def test_a_clock_that_is_wrong_is_seen(
    mine: Callable[..., dict[str, str]], answering: Answers, late_s: float, code: str | None
) -> None:
    assert mine(answering(late_s=late_s)).get("clock") == code


@pytest.mark.parametrize(
    ("health", "status", "code"),
    [
        ({**HEALTHY, "status": "failing"}, 503, "server-failed"),
        ({**HEALTHY, "status": "degraded"}, 200, "server-failed"),
        ("<html>", 200, "answer-unusable"),
        ({}, 404, "answer-unusable"),
    ],
)
def test_a_server_that_is_not_well_is_seen(
    mine: Callable[..., dict[str, str]], answering: Answers, health: Any, status: int, code: str
) -> None:
    assert mine(answering(health=health, status=status))["health"] == code


@pytest.mark.parametrize("schema", [{"type": "object"}, "<html>"])
def test_another_schema_is_seen(mine: Callable[..., dict[str, str]], answering: Answers, schema: Any) -> None:
    assert mine(answering(schema=schema)) == NO_TOKEN | {"schema": "schema-differs"}


def test_a_local_server_of_another_version_is_seen(reinmaker: Command, project: Path, answering: Answers) -> None:
    data = project.parent / "data"
    data.mkdir()
    client = {"clientId": "a", "clientSecret": "b", "controlToken": "c"}
    client["apiUrl"] = answering(health={**HEALTHY, "version": "0.0.9"})
    (data / "client.json").write_text(json.dumps(client))
    (data / "client.json").chmod(0o600)
    assert found(reinmaker, "--data", data)["version"]["code"] == "version-differs"


def fact(document: dict[str, Any], check: str) -> str:
    return next(one["fact"] for one in document["results"] if one["check"] == check)


def codes_in(document: dict[str, Any]) -> dict[str, str]:
    return {one["check"]: one["code"] for one in document["results"] if one["outcome"] != "passed"}

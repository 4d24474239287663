"""`--tls`, `--behind-proxy`, `--control-port`, `--allow-origin`: how a server is reached beyond plain loopback."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from reinmaker_cli.errors import UsageError
from reinmaker_cli.server.clock import VirtualClock
from reinmaker_cli.server.listening import listen
from reinmaker_cli.server.running import ServerConfig, Started, running_server
from reinmaker_cli.server.tls import prepare_tls
from tests.ports import own_port
from tests.server.live import MANIFESTS, QUIET, problem_code

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@contextlib.contextmanager
def trusting(started: Started, **more: Any) -> Iterator[httpx.Client]:
    """Yield a client of a server with TLS that trusts its authority and nobody else."""
    context = ssl.create_default_context(cafile=started.ca_file)
    with httpx.Client(base_url=started.url, verify=context, trust_env=False, timeout=120, **more) as client:
        yield client


@pytest.fixture(scope="module")
def secured() -> Iterator[Started]:
    with running_server(replace(QUIET, tls=True)) as started:
        yield started


def port_of(started: Started) -> str:
    return started.url.rpartition(":")[2]


# --- certificates ----------------------------------------------------------------------------------------------------


def certificate_of(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_a_client_that_trusts_the_authority_is_answered(secured: Started):
    with trusting(secured) as client:
        answer = client.get("/v1/health")
    assert (answer.status_code, secured.url.startswith("https://localhost:")) == (200, True)


def test_a_client_that_trusts_only_the_world_is_not_fooled(secured: Started):
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(secured.url + "/v1/health", trust_env=False, timeout=120)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_the_certificate_is_for_every_loopback_name(secured: Started, host):
    context = ssl.create_default_context(cafile=secured.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 does by itself
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as plain:
        plain.settimeout(120)
        plain.connect((host, int(port_of(secured))))
        with context.wrap_socket(plain, server_hostname=host) as connection:
            assert connection.version() == "TLSv1.3"


def test_keys_are_for_their_owner_alone(secured: Started):
    files = list((secured.data / "tls").iterdir())
    assert {file.name for file in files} == {"ca.pem", "ca-key.pem", "server.pem"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert b"PRIVATE KEY" not in (secured.data / "tls" / "ca.pem").read_bytes()


def test_the_authority_vouches_for_this_server_and_no_other_name(tmp_path):
    prepare_tls(tmp_path, ["twin.test", "192.0.2.7"])
    authority = certificate_of(tmp_path / "tls" / "ca.pem")
    basic = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    permitted = {str(name.value) for name in constraints.value.permitted_subtrees}
    assert permitted == {"localhost", "twin.test", "127.0.0.0/8", "::1/128", "192.0.2.7/32"}


def test_a_stolen_authority_is_believed_for_no_other_name(tmp_path):
    """Judged by OpenSSL: a certificate for another name, signed with the key of the authority."""
    prepare_tls(tmp_path, ["localhost"])
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    folder = tmp_path / "tls"
    authority_key = load_pem_private_key((folder / "ca-key.pem").read_bytes(), None)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    authority, now = certificate_of(folder / "ca.pem"), datetime.now(UTC)
    for name in ("bank.example", "localhost"):
        builder = x509.CertificateBuilder(
            authority.subject, subject, ec.generate_private_key(ec.SECP256R1()).public_key()
        )
        builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        file = tmp_path / f"{name}.pem"
        file.write_bytes(builder.sign(authority_key, SHA256()).public_bytes(x509_pem()))
    verify = ["openssl", "verify", "-CAfile", str(folder / "ca.pem")]
    refused = subprocess.run([*verify, str(tmp_path / "bank.example.pem")], check=False, capture_output=True, text=True)
    believed = subprocess.run([*verify, str(tmp_path / "localhost.pem")], check=False, capture_output=True, text=True)
    assert (refused.returncode != 0, "permitted subtree" in refused.stderr) == (True, True)
    assert believed.returncode == 0, believed.stderr


def x509_pem() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.PEM


def serials(folder: Path) -> tuple[int, int]:
    return certificate_of(folder / "ca.pem").serial_number, certificate_of(folder / "server.pem").serial_number


@pytest.mark.parametrize(
    ("days", "hosts", "same"),
    [
        pytest.param(1, ["twin.test"], (True, True), id="kept"),
        pytest.param(119, ["twin.test"], (True, True), id="kept until 60 days before the end"),
        pytest.param(121, ["twin.test"], (True, False), id="renewed under the same authority"),
        pytest.param(5 * 365 - 179, ["twin.test"], (False, False), id="authority that would not outlive it"),
        pytest.param(1, ["other.test"], (False, False), id="a name that the authority may not vouch for"),
    ],
)
def test_certificates_are_renewed_in_time(tmp_path, days, hosts, same):
    prepare_tls(tmp_path, ["twin.test"], now=NOW)
    before = serials(tmp_path / "tls")
    prepare_tls(tmp_path, hosts, now=NOW + timedelta(days=days))
    assert tuple(one == other for one, other in zip(before, serials(tmp_path / "tls"), strict=True)) == same


@pytest.mark.parametrize("file", ["ca.pem", "ca-key.pem", "server.pem"])
@pytest.mark.parametrize("content", [None, b"", b"junk"])
def test_a_lost_or_damaged_file_is_made_again(tmp_path, file, content):
    prepare_tls(tmp_path, ["localhost"])
    damaged = tmp_path / "tls" / file
    damaged.unlink() if content is None else damaged.write_bytes(content)
    ready = prepare_tls(tmp_path, ["localhost"])
    assert certificate_of(tmp_path / "tls" / "server.pem").issuer == certificate_of(ready.ca_file).subject


@pytest.mark.parametrize("host", ["no name", "*.example", "ä.test", "-x.test"])
def test_a_host_that_no_certificate_can_name_is_a_clear_error(tmp_path, host):
    with pytest.raises(UsageError, match="no certificate can name the host"):
        prepare_tls(tmp_path, [host])


def test_certificates_are_of_real_time_whatever_the_servers_clock_says():
    with running_server(replace(QUIET, tls=True), clock=VirtualClock(4_102_444_800)) as started:  # the year 2100
        assert certificate_of(started.data / "tls" / "server.pem").not_valid_before_utc < datetime.now(UTC)
        with trusting(started) as client:
            assert client.get("/v1/health").json()["time"].startswith("2100")


def test_a_server_without_tls_does_not_wait_for_the_library_of_certificates():
    script = (
        "import sys\n"
        "from reinmaker_cli.server.running import ServerConfig, running_server\n"
        "with running_server(ServerConfig(port=0, log='off')):\n"
        "    print('reinmaker_cli.server.tls' in sys.modules)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"


# --- versions of TLS, judged by OpenSSL ------------------------------------------------------------------------------


def s_client(port: str, version: str) -> int:
    """Return the exit status: what s_client prints says "Verify return code: 0" even where nothing was connected."""
    command = ["openssl", "s_client", f"-{version}", "-connect", f"127.0.0.1:{port}"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False, capture_output=True, timeout=120).returncode


@pytest.fixture
def old_server(secured: Started) -> Iterator[str]:
    """A server of TLS 1.2 with the same certificate, to show that the client could."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(secured.data / "tls" / "server.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield str(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_tls_1_2_is_refused(secured: Started, old_server: str, capfd):
    assert s_client(old_server, "tls1_2") == 0
    assert s_client(port_of(secured), "tls1_2") != 0
    assert s_client(port_of(secured), "tls1_3") == 0
    assert capfd.readouterr().err == ""  # a failed handshake is no news


def test_a_foreign_host_name_is_refused_over_tls(secured: Started):
    command = [
        "curl",
        "--silent",
        "--fail",
        "--noproxy",
        "*",
        "--cacert",
        str(secured.ca_file),
        secured.url + "/v1/health",
    ]
    assert subprocess.run(command, check=False, capture_output=True, timeout=120).returncode == 0
    ended = subprocess.run([*command, "-H", "Host: evil.example"], check=False, capture_output=True, timeout=120)
    assert ended.returncode == 22  # an HTTP error


def test_plain_http_on_the_port_of_tls_gets_no_answer(secured: Started):
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):  # a reset, where the end was not told in time
        httpx.get(f"http://localhost:{port_of(secured)}/v1/health", trust_env=False, timeout=120)


# --- beyond loopback -------------------------------------------------------------------------------------------------

PROXIED = replace(QUIET, behind_proxy=True, public_url="https://twin.test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"host": "0.0.0.0"}, "without TLS"),
        ({"host": "192.0.2.1"}, "without TLS"),
        ({"host": "::"}, "without TLS"),
        ({"behind_proxy": True}, "without --public-url"),
        ({"public_url": "https://twin.test"}, "without --behind-proxy"),
        ({"behind_proxy": True, "tls": True, "public_url": "https://twin.test"}, "in front of here"),
        ({"behind_proxy": True, "public_url": "http://twin.test"}, "plain http"),
        ({"tls": True, "public_url": "http://localhost"}, "plain http"),
        ({"behind_proxy": True, "public_url": "https://twin.test/api"}, "has a path"),
        ({"behind_proxy": True, "public_url": "twin.test"}, "no address"),
        ({"behind_proxy": True, "public_url": "https://a@twin.test"}, "no address"),
        ({"behind_proxy": True, "public_url": "https://twin.test:x"}, "no address"),
        ({"tls": True, "host": "example.com"}, "is no address"),
        ({"behind_proxy": True, "public_url": "https://zwölf.test"}, "no address"),
        ({"allow_hosts": ("zwölf.test",)}, "not in ASCII"),
        ({"allow_origins": ("play.example",)}, "no origin"),
        ({"allow_origins": ("*",)}, "no origin"),
    ],
)
def test_what_would_leave_this_machine_in_clear_or_makes_no_sense_is_refused(changes, message):
    with pytest.raises(UsageError, match=message) as caught, running_server(replace(QUIET, **changes)):
        pass
    assert caught.value.hint


@pytest.mark.parametrize(
    "changes", [{"host": "0.0.0.0", "tls": True}, {"behind_proxy": True, "public_url": "http://localhost:8080"}]
)
def test_the_control_api_is_off_on_a_port_that_others_reach(changes):
    with running_server(replace(QUIET, **changes)) as started:
        assert started.client.control_url is None
        assert json.loads((started.data / "client.json").read_text())["controlUrl"] is None
        bearer = {"Authorization": f"Bearer {started.client.control_token}"}
        with own_client(started, changes) as client:
            answer = client.get("/_local/clients", headers=bearer)
            assert (answer.status_code, problem_code(answer)) == (404, "not-found")
            assert "checks" not in client.get("/v1/health").json() or "tls" in changes


@contextlib.contextmanager
def own_client(started: Started, changes: dict[str, Any]) -> Iterator[httpx.Client]:
    """Yield a client past the proxy that the public URL may tell of."""
    if "tls" in changes:
        with trusting(started) as client:
            yield client
    else:
        with httpx.Client(base_url=f"http://127.0.0.1:{bound_port(started)}", trust_env=False, timeout=120) as client:
            yield client


def bound_port(started: Started) -> int:
    assert started.address is not None
    return started.address[1]


def test_the_control_port_has_the_control_api_and_nothing_else():
    with running_server(replace(PROXIED, control_port=0)) as started:
        control_url = started.client.control_url
        assert control_url is not None
        assert control_url.startswith("http://localhost:")
        assert json.loads((started.data / "client.json").read_text())["controlUrl"] == control_url
        with httpx.Client(base_url=control_url, trust_env=False, timeout=120) as control:
            control.headers["Authorization"] = f"Bearer {started.client.control_token}"
            assert control.get("/_local/clients").status_code == 200
            assert control.get("/_local/clients", headers={"Origin": control_url}).status_code == 200
            assert control.get("/_local/clients", headers={"Origin": "https://twin.test"}).status_code == 403
            assert control.get("/_local/clients", headers={"Host": "twin.test"}).status_code == 421
            assert control.get("/_local/clients", headers={"Authorization": ""}).status_code == 403
            assert control.get("/v1/health").status_code == 404


def test_a_control_port_serves_a_loopback_server_too():
    with running_server(replace(QUIET, control_port=0)) as started:
        bearer = {"Authorization": f"Bearer {started.client.control_token}"}
        assert httpx.get(
            f"{started.client.control_url}/_local/clients", headers=bearer, trust_env=False, timeout=120
        ).is_success
        assert (
            httpx.get(f"{started.url}/_local/clients", headers=bearer, trust_env=False, timeout=120).status_code == 404
        )


def test_the_control_port_is_closed_with_the_server():
    port = own_port()
    with running_server(replace(QUIET, control_port=port)):
        pass
    with running_server(replace(QUIET, control_port=port)) as again:
        assert (again.client.control_url or "").endswith(f":{port}")


# --- behind a proxy --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proxied() -> Iterator[tuple[Started, httpx.Client]]:
    with (
        running_server(PROXIED) as started,
        httpx.Client(base_url=f"http://127.0.0.1:{bound_port(started)}", trust_env=False, timeout=120) as client,
    ):
        yield started, client


def test_the_public_url_is_issuer_audience_and_link(proxied):
    started, client = proxied
    assert started.url == started.client.api_url == "https://twin.test"
    metadata = client.get("/.well-known/oauth-authorization-server", headers={"Host": "twin.test"}).json()
    assert (metadata["issuer"], metadata["token_endpoint"]) == ("https://twin.test", "https://twin.test/oauth/token")
    secret = (started.client.client_id, started.client.client_secret)
    token = client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=secret).json()["access_token"]
    assert client.get(MANIFESTS, headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize(("host", "status"), [("twin.test", 200), ("twin.test:8443", 200), ("evil.example", 421)])
def test_the_public_name_is_one_of_the_expected_hosts(proxied, host, status):
    assert proxied[1].get("/v1/health", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("field", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"])
def test_what_a_proxy_says_of_whom_it_asks_for_changes_nothing(proxied, field):
    """Nobody behind a proxy counts as this machine, and nobody gets a new limit by a new X-Forwarded-For."""
    _, client = proxied
    value = "for=127.0.0.1" if field == "Forwarded" else "127.0.0.1"
    assert "checks" not in client.get("/v1/health", headers={field: value}).json()
    assert "checks" not in client.get("/v1/health").json()


def test_the_limit_of_the_token_endpoint_does_not_believe_x_forwarded_for():
    with (
        running_server(replace(PROXIED, limits="contract"), clock=VirtualClock(1_767_225_600)) as started,
        httpx.Client(base_url=f"http://127.0.0.1:{bound_port(started)}", trust_env=False, timeout=120) as client,
    ):
        form = {"grant_type": "client_credentials", "client_id": "guessed", "client_secret": "x"}
        statuses = {
            client.post("/oauth/token", data=form, headers={"X-Forwarded-For": f"192.0.2.{n % 250}"}).status_code
            for n in range(300)
        }
    assert statuses == {401, 429}


def test_the_wildcard_address_is_no_host_name():
    """A web page may ask http://0.0.0.0:7040 of its visitor's machine, and many browsers let it."""
    with running_server(replace(QUIET, host="0.0.0.0", tls=True)) as started, trusting(started) as client:
        assert started.url.startswith("https://localhost:")
        assert client.get("/v1/health", headers={"Host": "0.0.0.0"}).status_code == 421


def test_the_certificate_is_for_the_names_that_are_allowed():
    listening = listen(replace(QUIET, host="0.0.0.0", tls=True, allow_hosts=("Twin.test",)))
    for bound in listening.all:
        bound.close()
    assert listening.hosts == {"localhost", "127.0.0.1", "::1", "twin.test"}
    assert listening.public_url.startswith("https://Twin.test:")


# --- pages of others -------------------------------------------------------------------------------------------------

PAGE = "https://play.example"


@pytest.fixture(scope="module")
def with_page() -> Iterator[Started]:
    with running_server(replace(QUIET, allow_origins=(PAGE,))) as started:
        yield started


def cors(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control")}


def test_a_page_that_was_named_may_read_answers_and_errors(with_page: Started):
    for path, status in (("/v1/health", 200), (MANIFESTS, 401), ("/nothing", 404)):
        answer = httpx.get(with_page.url + path, headers={"Origin": PAGE}, trust_env=False, timeout=120)
        assert (answer.status_code, cors(answer)["access-control-allow-origin"]) == (status, PAGE)
        assert "ETag" in cors(answer)["access-control-expose-headers"]
        assert answer.headers["vary"] == "Origin"


def test_a_page_that_was_named_may_ask_before_it_posts(with_page: Started):
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = httpx.options(with_page.url + MANIFESTS, headers=asked, trust_env=False, timeout=120)
    assert answer.status_code == 204
    assert "POST" in cors(answer)["access-control-allow-methods"]
    assert "Authorization" in cors(answer)["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in cors(answer)


@pytest.mark.parametrize("origin", ["https://evil.example", "https://play.example.evil.example", "null", None])
def test_other_pages_may_not(with_page: Started, origin):
    headers = {} if origin is None else {"Origin": origin}
    answer = httpx.get(with_page.url + "/v1/health", headers=headers, trust_env=False, timeout=120)
    assert (cors(answer), answer.headers["vary"]) == ({}, "Origin")


def test_no_page_may_read_the_control_api(with_page: Started):
    headers = {"Origin": PAGE, "Authorization": f"Bearer {with_page.client.control_token}"}
    answer = httpx.get(with_page.url + "/_local/clients", headers=headers, trust_env=False, timeout=120)
    assert (answer.status_code, cors(answer)) == (403, {})


def test_a_server_that_was_not_asked_has_no_fields_of_cors():
    assert ServerConfig().allow_origins == ()  # and test_edge.py looks at its answers

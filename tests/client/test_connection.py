"""The one HTTP client: what leaves the machine, through what, and how much comes back."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from reinmaker_cli.client.connection import GZIP_FROM_BYTES, Body, Connection, open_http
from reinmaker_cli.errors import ConfigError, ReinmakerError, ServerUnreachable, UsageError
from reinmaker_cli.server.running import Started
from tests import ports

Give = Callable[[socket.socket], None]
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@contextmanager
def listening(give: Give, context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """Yield a port, and the first bytes of each connection that came; `give` answers."""
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                try:
                    spoken = context.wrap_socket(client, server_side=True) if context else client
                    heard.append(spoken.recv(65536))
                    give(spoken)
                except OSError:
                    continue  # the client went away, which some tests want

    with ports.listening() as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1], heard


def saying(answer: bytes) -> Give:
    return lambda client: client.sendall(answer)


def connection(port: int, scheme: str = "http", ca_file: Path | None = None) -> Connection:
    url = f"{scheme}://127.0.0.1:{port}"
    return Connection(open_http(url, ca_file=ca_file), url)


def failure(connecting: Connection, **options: int) -> ReinmakerError:
    with pytest.raises(ServerUnreachable) as caught:
        connecting.ask("GET", "/", trace_id="t", **options)
    connecting.close()
    return caught.value


EMPTY_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def test_a_proxy_hears_nothing_of_this_machine(server: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(saying(b"")) as (port, heard):
        for name in PROXY_VARIABLES:
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        connecting = Connection(open_http(server.url), server.url)
        assert connecting.ask("GET", "/v1/health", trace_id="t").status == 200
        connecting.close()
    assert heard == []


def test_a_proxy_is_used_beyond_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(saying(b"HTTP/1.1 403 Forbidden\r\n\r\n")) as (port, heard):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        url = "https://api.example"
        assert failure(Connection(open_http(url), url)).code == "server-unreachable"
    assert heard[0].startswith(b"CONNECT api.example:443 ")


def test_a_proxy_variable_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(ConfigError) as caught:
        open_http("https://api.example")
    assert "ALL_PROXY" in caught.value.hint


def test_plain_http_beyond_this_machine_is_never_opened() -> None:
    with pytest.raises(UsageError):
        open_http("http://api.example")


def test_a_redirect_is_not_followed() -> None:
    with listening(saying(EMPTY_JSON)) as (other, heard):
        answer = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{other}/\r\nContent-Length: 0\r\n\r\n"
        with listening(saying(answer.encode())) as (port, _):
            connecting = connection(port)
            assert connecting.ask("GET", "/", trace_id="t").status == 307
            connecting.close()
    assert heard == []


def test_an_endless_answer_ends_at_the_limit() -> None:
    def pour(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while True:
            client.sendall(b" " * 65536)

    with listening(pour) as (port, _):
        assert failure(connection(port), max_answer_bytes=1_000_000).code == "answer-unusable"


def test_an_answer_in_an_encoding_that_nobody_asked_for_is_not_inflated() -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    with listening(saying(head + bomb)) as (port, heard):
        assert failure(connection(port)).code == "answer-unusable"
    assert b"accept-encoding: identity" in heard[0].lower()


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", EMPTY_JSON[:-1]])
def test_an_answer_that_breaks_off_is_no_answer(answer: bytes) -> None:
    with listening(saying(answer)) as (port, _):
        error = failure(connection(port))
    assert (error.code, error.exit_code, error.retryable) == ("server-unreachable", 7, True)


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example"])
def test_what_can_be_no_name_is_unknown_and_no_bug(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert failure(Connection(open_http(f"https://{host}"), f"https://{host}")).code == "name-unknown"


def test_no_server_on_this_machine_names_serve() -> None:
    with socket.socket() as bound:  # so that nobody else listens there; it does not listen itself
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        error = failure(connection(port))
    assert (error.code, error.hint) == ("server-unreachable", f"start one: `reinmaker serve --port {port}`")


def test_a_silent_server_ends_at_the_time_limit() -> None:
    done = threading.Event()
    with listening(lambda _: done.wait(240) and None) as (port, _):
        error = failure(connection(port), limit_s=1)
        done.set()
    assert "no answer in time" in error.message
    assert error.hint.startswith("a server is there and slow: ")


def test_an_answer_that_drips_ends_at_the_time_limit() -> None:
    done = threading.Event()

    def drip(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not done.wait(0.02):
            client.sendall(b" ")

    with listening(drip) as (port, _):
        error = failure(connection(port), limit_s=1)
        done.set()
    assert (error.code, "no answer in time" in error.message) == ("server-unreachable", True)


def test_a_large_body_is_compressed_and_a_small_one_is_not() -> None:
    large = b"[" + b" " * GZIP_FROM_BYTES + b"]"
    assert Body.json(b"{}") == Body(b"{}", {"Content-Type": "application/json"})
    assert Body.json(large).headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(Body.json(large).content) == large


def test_each_request_carries_trace_id_and_user_agent() -> None:
    with listening(saying(EMPTY_JSON)) as (port, heard):
        connecting = connection(port)
        assert connecting.ask("GET", "/", trace_id="trace-1", wait_s=7).trace_id == "trace-1"
        connecting.close()
    head = heard[0].lower()
    assert b"x-lesson-trace-id: trace-1" in head
    assert b"user-agent: reinmaker/" in head
    assert b"prefer: wait=7" in head


def test_a_trace_id_that_the_server_made_is_taken_and_a_malformed_one_is_not() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"X-Lesson-Trace-Id": request.url.path[1:]})

    connecting = Connection(open_http("http://localhost", transport=httpx.MockTransport(handler)), "http://localhost")
    assert connecting.ask("GET", "/theirs", trace_id="ours").trace_id == "theirs"
    assert connecting.ask("GET", "/not%20one", trace_id="ours").trace_id == "ours"
    connecting.close()


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return file


def tls_server(certificate: Path, newest: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.maximum_version = newest
    return context


def test_tls_1_3_with_a_certificate_of_ones_own(certificate: Path) -> None:
    with listening(saying(EMPTY_JSON), tls_server(certificate, ssl.TLSVersion.TLSv1_3)) as (port, _):
        connecting = connection(port, "https", certificate)
        assert connecting.ask("GET", "/", trace_id="t").status == 200
        connecting.close()


def test_tls_1_2_is_refused(certificate: Path) -> None:
    with listening(saying(EMPTY_JSON), tls_server(certificate, ssl.TLSVersion.TLSv1_2)) as (port, heard):
        assert failure(connection(port, "https", certificate)).code == "tls-failed"
    assert heard == []


def test_a_certificate_that_nobody_trusts_is_refused_and_the_cure_named(certificate: Path) -> None:
    with listening(saying(EMPTY_JSON), tls_server(certificate, ssl.TLSVersion.TLSv1_3)) as (port, heard):
        error = failure(connection(port, "https"))
    assert (error.code, error.exit_code) == ("tls-failed", 7)
    assert "--ca-file" in error.hint
    assert heard == []


@pytest.mark.parametrize("content", [None, b"not a certificate"])
def test_a_certificate_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        open_http("https://api.example", ca_file=file)

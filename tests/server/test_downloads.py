"""Bytes over http(s), from real servers on loopback."""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import socket
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from reinmaker_cli.server.addresses import AddressPolicy
from reinmaker_cli.server.downloads import (
    ASK_HEAD_FROM_BYTES,
    MAX_FAILURES_IN_A_ROW,
    Downloader,
    DownloadFailed,
    stated_sha256,
)
from reinmaker_cli.server.folders import Content
from reinmaker_cli.server.sources import Sources
from reinmaker_cli.server.verifier import AssetRef, verify

AT_HOME = AddressPolicy(allow_private=True)
BODY = b"the bytes of a lesson"
TRUE = Content(len(BODY), hashlib.sha256(BODY).hexdigest())
DIGEST = base64.b64encode(hashlib.sha256(BODY).digest()).decode()


class Handler(BaseHTTPRequestHandler):
    """Answers as `server.answers` says for the path; remembers every request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests.append((self.command, self.path, dict(self.headers)))
        answer = self.server.answers[self.path.partition("?")[0]]
        answer(self)

    do_HEAD = do_GET

    def reply(self, status=200, body=BODY, **headers):
        self.send_response(status)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # the other end went away on purpose


@contextmanager
def serving(context=None):
    with Server(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.requests, server.answers = [], {"/a": Handler.reply}
        server.origin = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server():
    with serving() as server:
        yield server


@contextmanager
def downloading(policy=AT_HOME, **rest):
    downloader = Downloader(policy, **rest)
    try:
        yield downloader
    finally:
        downloader.close()


def failure(url, policy=AT_HOME, **rest):
    with downloading(policy, **rest) as downloader, pytest.raises(DownloadFailed) as failed:
        downloader.read(url, len(BODY))
    return str(failed.value)


def redirect(location, status=302):
    return lambda handler: handler.reply(status, b"", Location=location)


def to_loopback(host, port):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def test_bytes_are_read_with_identity_encoding_and_without_credentials(server, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with downloading() as downloader:
        assert downloader.read(server.origin + "/a", len(BODY)) == TRUE
    ((method, path, headers),) = server.requests
    assert (method, path) == ("GET", "/a")
    assert headers["Accept-Encoding"] == "identity"
    assert headers["Host"] == server.origin.removeprefix("http://")
    assert not {"Authorization", "Cookie"} & set(headers)


def test_the_name_is_sent_as_host_and_the_connection_goes_to_the_checked_address(server):
    port = server.server_port
    with downloading(lookup=to_loopback) as downloader:
        assert downloader.read(f"http://assets.localhost:{port}/a", len(BODY)) == TRUE
    assert server.requests[0][2]["Host"] == f"assets.localhost:{port}"


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"])
def test_loopback_in_any_spelling_is_private(server, host):
    url = f"http://{host}:{server.server_port}/a"
    assert "private address" in failure(url, policy=AddressPolicy())
    assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/",
        "http://[fe80::1%25eth0]/",
        "http://0xa9fea9fe/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
    ],
)
def test_metadata_and_link_local_are_never_asked(url):
    text = failure(url)
    assert "never asked" in text or "zone" in text or "not an http(s) URL" in text


def test_plain_http_beyond_this_machine_is_refused():
    assert failure("http://93.184.216.34/a") == "plain http beyond this machine: `93.184.216.34`"


def test_credentials_in_a_url_are_refused_and_not_repeated(server):
    text = failure(server.origin.replace("//", "//user:geheim@") + "/a")
    assert "credentials" in text
    assert "geheim" not in text
    assert server.requests == []


def test_a_query_is_sent_and_not_repeated_in_the_error(server):
    server.answers["/signed"] = lambda handler: handler.reply(403)
    text = failure(server.origin + "/signed?signature=geheim")
    assert text == f"answered 403: `{server.origin}/signed`"
    assert server.requests[0][1] == "/signed?signature=geheim"


@pytest.mark.parametrize("url", ["http://[bad/a", "http://127.0.0.1:99999/a", "http://h:x/", "http://", "https:///a"])
def test_what_is_no_url_fails_as_one(url):
    assert failure(url)


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_a_longer_answer_is_not_read(server):
    with downloading() as downloader:
        assert downloader.read(server.origin + "/a", 3) == Content(len(BODY), None)


def test_an_endless_answer_without_length_ends_one_byte_late(server):
    def endless(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while True:
            handler.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    server.answers["/endless"] = endless
    with downloading() as downloader:
        assert downloader.read(server.origin + "/endless", 5000) == Content(5001, None, is_whole=False)


def test_a_shorter_answer_is_read_whole(server):
    with downloading() as downloader:
        assert downloader.read(server.origin + "/a", 1000) == TRUE


def test_an_answer_cut_short_is_a_failure_and_not_a_size(server):
    def cut(handler):
        handler.reply(200, BODY[:5], Content_Length=str(len(BODY)))
        handler.close_connection = True

    server.answers["/cut"] = cut
    assert "the connection broke" in failure(server.origin + "/cut")


def test_an_encoded_answer_is_a_failure(server):
    server.answers["/gzip"] = lambda handler: handler.reply(Content_Encoding="gzip")
    assert "Content-Encoding `gzip`" in failure(server.origin + "/gzip")


# --- checksums -------------------------------------------------------------------------------------------------------


def test_a_stated_checksum_of_the_whole_object_saves_the_download(server):
    server.answers["/big"] = lambda handler: handler.reply(Repr_Digest=f"sha-256=:{DIGEST}:")
    with downloading() as downloader:
        assert downloader.read(server.origin + "/big", ASK_HEAD_FROM_BYTES) == TRUE
    assert [method for method, _, _ in server.requests] == ["HEAD"]


@pytest.mark.parametrize("status", [403, 405, 501])
def test_head_refused_means_get(server, status):
    server.answers["/big"] = lambda handler: handler.reply(status if handler.command == "HEAD" else 200)
    with downloading() as downloader:
        assert downloader.read(server.origin + "/big", ASK_HEAD_FROM_BYTES) == TRUE
    assert [method for method, _, _ in server.requests] == ["HEAD", "GET"]


@pytest.mark.parametrize(
    ("headers", "counts"),
    [
        ({"repr-digest": f"sha-256=:{DIGEST}:"}, True),
        ({"repr-digest": f"sha-512=:AAAA:, sha-256=:{DIGEST}:"}, True),
        ({"repr-digest": f"sha-512=:{DIGEST}:"}, False),
        ({"repr-digest": "sha-256=:AAAA:"}, False),
        ({"content-digest": f"sha-256=:{DIGEST}:"}, False),
        ({"x-amz-checksum-sha256": DIGEST}, True),
        ({"x-amz-checksum-sha256": DIGEST, "x-amz-checksum-type": "FULL_OBJECT"}, True),
        ({"x-amz-checksum-sha256": DIGEST, "x-amz-checksum-type": "COMPOSITE"}, False),
        ({"x-amz-checksum-sha256": DIGEST + "-3"}, False),
        ({"etag": hashlib.sha256(BODY).hexdigest()}, False),
        ({}, False),
    ],
)
def test_a_checksum_counts_if_it_is_sha256_of_the_whole(headers, counts):
    assert stated_sha256(headers) == (TRUE.sha256 if counts else None)


# --- redirects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_three_redirects_are_followed(server, status):
    for number in (1, 2, 3):
        server.answers[f"/{number}"] = redirect(f"/{number - 1}" if number > 1 else "a", status)
    with downloading() as downloader:
        assert downloader.read(server.origin + "/3", len(BODY)) == TRUE


def test_the_fourth_redirect_is_one_too_many(server):
    server.answers["/loop"] = redirect("/loop")
    assert "more than 3 redirects" in failure(server.origin + "/loop")
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("http://169.254.169.254/", "never asked"),
        ("http://93.184.216.34/", "plain http"),
        ("file:///etc/passwd", "not an http(s) URL"),
        ("http://user:geheim@127.0.0.1/", "credentials"),
        ("http://host:x/", "no URL"),
        ("http://127.0.0.1:99999/", "not an http(s) URL"),
    ],
)
def test_a_redirect_is_checked_like_the_first_url(server, location, text):
    server.answers["/away"] = redirect(location)
    assert text in failure(server.origin + "/away")


def test_a_redirect_without_location_is_an_answer(server):
    server.answers["/nowhere"] = lambda handler: handler.reply(302)
    assert failure(server.origin + "/nowhere").startswith("answered 302")


# --- time and failure ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["silence", "headers", "body"])
def test_a_drip_of_bytes_ends_at_the_time_limit(server, part):
    gone = threading.Event()

    def drip(handler):
        if part == "body":
            handler.reply(200, b"", Content_Length=str(len(BODY)))
        line = b"HTTP/1.1 200 OK\r\nX-Drip: " if part == "headers" else b""
        handler.wfile.write(line)
        while not gone.wait(0.02):
            if part != "silence":
                handler.wfile.write(b"x" if part == "headers" else b"")

    server.answers["/drip"] = drip
    assert "in time" in failure(server.origin + "/drip", time_limit_s=0.2)  # the drip itself never ends
    gone.set()


def test_an_origin_that_fails_is_not_asked_a_thousand_times():
    asked = []

    def refusing(host, port):
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with downloading(lookup=refusing) as downloader:
        for _ in range(1000):
            with pytest.raises(DownloadFailed, match=r"cannot connect \(name does not resolve"):
                downloader.read("https://cdn.example/a", 1)
    assert len(asked) == MAX_FAILURES_IN_A_ROW


def test_an_answer_of_any_status_clears_the_failures(server):
    server.answers["/drop"] = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)
    with downloading() as downloader:
        for _ in range(MAX_FAILURES_IN_A_ROW):
            with pytest.raises(DownloadFailed):
                downloader.read(server.origin + "/drop", 1)
            assert downloader.read(server.origin + "/a", len(BODY)) == TRUE


def test_an_idle_connection_that_the_server_closed_is_replaced(server):
    def last(handler):
        handler.reply()
        handler.close_connection = True

    server.answers["/last"] = last
    with downloading() as downloader:
        for _ in range(5):
            assert downloader.read(server.origin + "/last", len(BODY)) == TRUE


def test_a_closed_port_cannot_be_connected():
    with socket.socket() as bound:  # so that nobody else listens there; it does not listen itself
        bound.bind(("127.0.0.1", 0))
        assert failure(f"http://127.0.0.1:{bound.getsockname()[1]}/a").startswith("cannot connect")


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate for cdn.test and 127.0.0.1, signed by itself, in one file with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cdn.test")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("cdn.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "cdn.pem"
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + pem)
    return path


@contextmanager
def serving_tls(authority, version=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    context.maximum_version = version
    with serving(context) as server:
        yield server


def test_https_checks_the_certificate_for_the_name(authority, monkeypatch):
    with serving_tls(authority) as server:
        port = server.server_port
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        with downloading(lookup=to_loopback) as downloader:
            assert downloader.read(f"https://cdn.test:{port}/a", len(BODY)) == TRUE
            assert downloader.read(f"https://127.0.0.1:{port}/a", len(BODY)) == TRUE
        assert [headers["Host"] for _, _, headers in server.requests] == [f"cdn.test:{port}", f"127.0.0.1:{port}"]
        assert "cannot connect" in failure(f"https://other.test:{port}/a", lookup=to_loopback)


def test_a_certificate_that_nobody_trusts_is_refused(authority):
    with serving_tls(authority) as server:
        text = failure(f"https://cdn.test:{server.server_port}/a", lookup=to_loopback)
    assert "certificate" in text.lower()


def test_tls_1_2_is_refused(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with serving_tls(authority, ssl.TLSVersion.TLSv1_2) as server:
        assert "cannot connect" in failure(f"https://cdn.test:{server.server_port}/a", lookup=to_loopback)
        assert server.requests == []


def test_https_is_not_left_for_http(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with serving_tls(authority) as server, serving() as plain:
        server.answers["/down"] = redirect(plain.origin + "/a")
        text = failure(f"https://cdn.test:{server.server_port}/down", lookup=to_loopback)
        assert "from https to http" in text
        assert plain.requests == []


# --- as a whole ------------------------------------------------------------------------------------------------------


def test_assets_on_the_web_are_verified_side_by_side(server):
    files = {f"/{index}": f"asset {index}".encode() * 50 for index in range(40)}
    for path, data in files.items():
        server.answers[path] = lambda handler, data=data: handler.reply(200, data)
    server.answers["/7"] = lambda handler: handler.reply(404)
    assets = [
        AssetRef(index, path, server.origin + path, hashlib.sha256(data).hexdigest(), len(data))
        for index, (path, data) in enumerate(files.items())
    ]
    assets[9] = assets[9]._replace(sha256="0" * 64)
    assets[11] = assets[11]._replace(bytes=5)
    validation = verify(assets, Sources(), strict=True, immutable=dict)
    assert [(error.code, error.pointer, error.found) for error in validation.errors] == [
        ("asset-unreachable", "/assets/7/url", None),
        ("asset-hash", "/assets/9/hash", hashlib.sha256(files["/9"]).hexdigest()),
        ("asset-bytes", "/assets/11/bytes", str(len(files["/11"]))),
    ]
    assert {check.source for check in validation.checks} == {"http", "none"}

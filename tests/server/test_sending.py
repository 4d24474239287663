"""One attempt, against receivers that are slow, endless, gone, somewhere else, or not who they say."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from reinmaker_cli.contract import signing
from reinmaker_cli.contract.names import EventType
from reinmaker_cli.server.addresses import AddressPolicy
from reinmaker_cli.server.clock import VirtualClock
from reinmaker_cli.server.kept_connections import MAX_AGE_S
from reinmaker_cli.server.retries import Answered, Failed, Outcome
from reinmaker_cli.server.sending import TIME_LIMIT_S, Sender
from reinmaker_cli.server.store.webhook_records import Claimed, Sent
from tests.ports import listening
from tests.server.receiver import OK, always, answer, receiver
from tests.server.test_addresses import ADDRESSES, Reach

AT_HOME = AddressPolicy(allow_private=True)
STRICT = AddressPolicy()


def claimed(url: str, body: str = '{"type":"t"}') -> Claimed:
    return Claimed(
        no=1,
        delivery_id="del_1",
        event_id="msg_1",
        type=EventType.CONTENT_REQUESTED,
        trace_id="trace-1",
        endpoint_no=1,
        url=url,
        body=body,
        secrets=(signing.new_secret(),),
        attempt=1,
        kind="scheduled",
        fence=1,
    )


def send(*urls: str, policy: AddressPolicy = AT_HOME, at_once: bool = True, **more) -> list[Sent]:
    """Make one attempt at each URL."""

    async def run() -> list[Sent]:
        sender = Sender(policy, VirtualClock(0.0), **more)
        try:
            if at_once:
                return list(await asyncio.gather(*(sender.send(claimed(url)) for url in urls)))
            return [await sender.send(claimed(url)) for url in urls]
        finally:
            await sender.close()

    return asyncio.run(run())


def outcome(url: str, **more) -> Outcome:
    [sent] = send(url, **more)
    return sent.outcome


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 299, 301, 307, 400, 410, 500])
def test_the_status_is_the_outcome_and_redirects_are_not_followed(status):
    with receiver(always(answer(status, Location="http://169.254.169.254/latest/meta-data/"))) as there:
        assert outcome(there.url) == Answered(status)
    assert len(there.received) == 1


def drip(connection, over):
    """Answer at once, with a body of one byte a second."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not over.wait(1):
        connection.sendall(b".")


def drip_of_header_fields(connection, over):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not over.wait(1):
        connection.sendall(b"X-1: 1\r\n")


def silence(_connection, over):
    over.wait()


@pytest.fixture
def strict_limit(patient_servers, monkeypatch):
    monkeypatch.setattr("reinmaker_cli.server.sending.TIME_LIMIT_S", TIME_LIMIT_S)


@pytest.mark.usefixtures("strict_limit")
def test_an_answer_that_is_not_complete_within_5_s_is_none():
    """Not one of them ends by itself; how late a busy machine notices the limit is not for a test to say."""
    ways, over = {"/drip": drip, "/fields": drip_of_header_fields, "/silence": silence}, threading.Event()
    with receiver(lambda received, connection: ways[received.target](connection, over)) as there:
        sent = send(*(there.url + path for path in ways))
        over.set()
    assert {one.outcome for one in sent} == {Failed("timeout", "no complete answer within 5 s")}
    assert all(one.duration_ms >= TIME_LIMIT_S * 1000 - 1 for one in sent)


def test_of_a_body_of_a_gigabyte_64_kib_are_read():
    sent_bytes = []

    def gigabyte(_received, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        with pytest.raises(OSError):
            while True:
                sent_bytes.append(connection.send(b"." * 65536))

    with receiver(gigabyte) as there:
        assert outcome(there.url) == Answered(200)
    assert sum(sent_bytes) < 16 << 20  # what the buffers of two sockets take


def cut_short(_received, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")


@pytest.mark.parametrize(
    "respond", [lambda _received, _connection: None, always(b"not HTTP at all\r\n\r\n"), cut_short]
)
def test_a_connection_that_breaks_is_no_answer(respond):
    with receiver(respond) as there:
        found = outcome(there.url)
    assert isinstance(found, Failed)
    assert found.failure == "connection-broken"


def test_nobody_there_is_no_answer():
    with socket.socket() as bound:  # so that nobody else listens there; it does not listen itself
        bound.bind(("127.0.0.1", 0))
        found = outcome(f"http://127.0.0.1:{bound.getsockname()[1]}/")
    assert isinstance(found, Failed)
    assert found.failure == "connect"


@pytest.fixture
def kept_for_long(monkeypatch):
    monkeypatch.setattr("reinmaker_cli.server.kept_connections.IDLE_S", 3600.0)


@pytest.mark.usefixtures("kept_for_long")
def test_connections_are_kept_for_the_next_attempt():
    peers = []

    def note_peer(_received, connection):
        peers.append(connection.getpeername())
        return OK

    with receiver(note_peer) as there:
        send(there.url + "/a", there.url + "/b", there.url + "/c", at_once=False)
    assert len(peers) == 3
    assert len(set(peers)) == 1


@pytest.mark.usefixtures("kept_for_long")
def test_a_connection_is_not_kept_for_another_name_of_the_same_address():
    asked, peers = [], []

    def lookup(host, port):
        asked.append(host)
        return resolver("127.0.0.1")(host, port)

    def note_peer(_received, connection):
        peers.append(connection.getpeername())
        return OK

    with receiver(note_peer) as there:
        port = there.url.rpartition(":")[2]
        send(*(f"http://{name}:{port}/" for name in ("one.test", "two.test", "one.test")), at_once=False, lookup=lookup)
    assert asked == ["one.test", "two.test"]
    assert [peers[0] == peers[1], peers[0] == peers[2]] == [False, True]
    assert [one.headers["host"] for one in there.received] == [
        f"{name}:{port}" for name in ("one.test", "two.test", "one.test")
    ]


@pytest.mark.usefixtures("kept_for_long")
def test_a_connection_that_the_receiver_closed_is_not_used_again():
    has_ended = threading.Event()
    has_ended.set()

    def answer_and_close(_received, connection):
        has_ended.clear()
        connection.sendall(OK)
        connection.shutdown(socket.SHUT_RDWR)  # told, from here on, to whoever has read the answer
        has_ended.set()

    async def once_that_was_told(_url, _event_type):
        assert await asyncio.to_thread(has_ended.wait, 120)

    with receiver(answer_and_close) as there:
        sent = send(there.url, there.url, at_once=False, fault=once_that_was_told)
    assert [one.outcome for one in sent] == [Answered(200), Answered(200)]


def test_a_connection_whose_answer_was_not_read_to_its_end_is_not_used_again():
    longer = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"." * 100_000

    with receiver(always(longer)) as there:
        sent = send(there.url, there.url, at_once=False)
    assert [one.outcome for one in sent] == [Answered(200), Answered(200)]


def test_variables_for_proxies_are_not_heeded(monkeypatch):
    with receiver() as there, receiver() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert outcome(there.url) == Answered(200)
    assert proxy.received == []


@pytest.mark.parametrize("failure", ["dns", "tls", "timeout"])
def test_a_fault_is_told_as_the_failure_that_it_stands_for(failure):
    async def fault(_url, _event_type):
        return failure

    with receiver() as there:
        found = outcome(there.url, fault=fault)
    assert isinstance(found, Failed)
    assert found.failure == failure
    assert there.received == []


# --- addresses -------------------------------------------------------------------------------------------------------


def resolver(*answers: str):
    """Give one address after the other, the last one for ever."""
    addresses = itertools.chain(answers, itertools.repeat(answers[-1]))

    def lookup(_host, port):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(addresses), port))]

    return lookup


NOT_PUBLIC = [literal for literal, reach in ADDRESSES if reach is not Reach.PUBLIC and "%" not in literal]


def test_the_table_of_addresses_is_long_enough():
    assert len(NOT_PUBLIC) >= 36


@pytest.mark.parametrize("literal", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_not_asked(literal):
    found = outcome(f"https://[{literal.strip('[]')}]/" if ":" in literal else f"https://{literal}/", policy=STRICT)
    assert isinstance(found, Failed)
    assert found.failure == "address-refused"


def test_a_name_that_is_private_at_its_second_lookup_is_refused_then():
    with receiver(always(answer(200, Connection="close"))) as there:
        port = there.url.rpartition(":")[2]
        url, lookup = f"http://rebound.example:{port}/", resolver("127.0.0.1", "10.0.0.1")
        policy = AddressPolicy.from_ranges(allow_private=False, allow_targets=("127.0.0.0/8",))
        first, second = send(url, url, policy=policy, lookup=lookup, at_once=False)
    assert first.outcome == Answered(200)
    assert second.outcome == Failed("address-refused", "private address: `10.0.0.1`")
    assert there.received[0].headers["host"] == f"rebound.example:{port}"


@pytest.mark.parametrize(
    ("age_s", "second"),
    [
        (MAX_AGE_S - 1, Answered(200)),
        (MAX_AGE_S, Failed("address-refused", "private address: `10.0.0.1`")),
    ],
)
def test_a_name_is_looked_up_again_however_busy_its_connection_is(age_s, second):
    times = iter([0.0, age_s])  # of making the connection, and of looking whether it is good still

    with receiver() as there:
        url = f"http://rebound.example:{there.url.rpartition(':')[2]}/"
        lookup = resolver("127.0.0.1", "10.0.0.1")
        policy = AddressPolicy.from_ranges(allow_private=False, allow_targets=("127.0.0.0/8",))
        clock = lambda: next(times, age_s)  # noqa: E731
        found = send(url, url, policy=policy, lookup=lookup, at_once=False, monotonic=clock)
    assert [one.outcome for one in found] == [Answered(200), second]


def test_plain_http_stays_on_this_machine():
    found = outcome("http://receiver.example/", lookup=resolver("10.0.0.1"))
    assert found == Failed("address-refused", "plain http beyond this machine: `receiver.example`")


def test_a_name_without_address_is_a_failure_of_dns():
    def lookup(_host, _port):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    found = outcome("https://receiver.example/", lookup=lookup)
    assert found == Failed("dns", "name does not resolve (Name or service not known)")


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example"])
def test_what_can_be_no_name_does_not_resolve(host):
    assert outcome(f"https://{host}/") == Failed("dns", "name does not resolve (not a name of DNS)")


@pytest.mark.usefixtures("strict_limit")
def test_a_resolver_that_hangs_costs_five_seconds_of_its_own_attempt_only():
    asked, over, was_asked_meanwhile = threading.Event(), threading.Event(), []

    def lookup(_host, _port):
        was_asked_meanwhile.append(asked.wait(120))
        over.wait()
        return []

    def respond(_received, _connection):
        asked.set()
        return OK

    with receiver(respond) as there:
        slow, fast = send("https://slow.example/", there.url, lookup=lookup)
    over.set()
    assert slow.outcome == Failed("timeout", "no complete answer within 5 s")
    assert fast.outcome == Answered(200)
    assert was_asked_meanwhile == [True]


# --- TLS -------------------------------------------------------------------------------------------------------------


@contextmanager
def tls_receiver(folder, version=ssl.TLSVersion.TLSv1_3, name="receiver.example"):
    """Yield the port of a receiver with a certificate of its own, and a context that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now, day = datetime.now(UTC), timedelta(days=1)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "receiver.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.maximum_version = version
    serving.load_cert_chain(pem)

    def trusting():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())
        return context

    asked_for = []
    serving.sni_callback = lambda _socket, server_name, _context: asked_for.append(server_name)

    def serve(listener):
        while True:
            try:
                connection, _ = listener.accept()
                with serving.wrap_socket(connection, server_side=True) as secure:
                    received = b""
                    while not received.endswith(b"}"):  # closed with unread bytes, TCP would reset the connection
                        if not (piece := secure.recv(65536)):
                            raise ConnectionResetError
                        received += piece
                    secure.sendall(OK)
            except (ssl.SSLError, ConnectionError):
                continue
            except OSError:
                return

    with listening() as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1], trusting, asked_for


def test_tls_is_checked_for_the_name_and_not_for_the_address(tmp_path):
    with tls_receiver(tmp_path) as (port, trusting, asked_for):
        url, lookup = f"https://receiver.example:{port}/", resolver("127.0.0.1")
        assert outcome(url, tls=trusting, lookup=lookup) == Answered(200)
        other = outcome(f"https://other.example:{port}/", tls=trusting, lookup=lookup)
    assert asked_for == ["receiver.example", "other.example"]
    assert isinstance(other, Failed)
    assert other.failure == "tls"


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path):
    with tls_receiver(tmp_path) as (port, _trusting, _asked_for):
        found = outcome(f"https://receiver.example:{port}/", lookup=resolver("127.0.0.1"))
    assert isinstance(found, Failed)
    assert found.failure == "tls"


def test_tls_older_than_1_3_is_refused(tmp_path):
    with tls_receiver(tmp_path, ssl.TLSVersion.TLSv1_2) as (port, trusting, _asked_for):
        found = outcome(f"https://receiver.example:{port}/", tls=trusting, lookup=resolver("127.0.0.1"))
    assert isinstance(found, Failed)
    assert found.failure == "tls"

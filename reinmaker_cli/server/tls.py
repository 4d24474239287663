"""`--tls`: a certificate authority of this data folder, the server's certificate, and TLS 1.3.

Loaded only with `--tls`: the library of certificates takes 30 ms, which are not in the way of other starts.

All times here are real ones, not those of the server's clock: certificates are judged by the TLS library of whoever
connects, and it asks its own system's clock. One made on a clock that was moved a year ahead would be valid for nobody.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.host_names import hint_for_host
from reinmaker_cli.errors import UsageError
from reinmaker_cli.server.listening import LOOPBACK_NAMES

FOLDER = "tls"
CA_FILE = "ca.pem"
"""The authority's certificate: public, what `--ca-file` names."""
CA_KEY_FILE = "ca-key.pem"
SERVER_FILE = "server.pem"
"""The server's certificate and key, in one file so that they are replaced in one step."""

CA_LIFETIME = timedelta(days=5 * 365)  # who trusted it by hand is not to do so twice a year
SERVER_LIFETIME = timedelta(days=180)  # browsers take at most 825 days from an authority that was added by hand
RENEW_BEFORE = timedelta(days=60)
CLOCKS_DIFFER = timedelta(hours=1)  # a machine whose clock is behind would find a new certificate not valid yet

_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_LOOPBACK_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))

_Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What a server with TLS has."""

    ca_file: Path
    """For `--ca-file`."""
    context: ssl.SSLContext


def prepare_tls(data: Path, hosts: Collection[str], *, now: datetime | None = None) -> ServerTls:
    """Return the certificate for these names and addresses, made or renewed where that is due.

    The files lie in `tls/` of the data folder, the keys readable by their owner alone. UsageError for a host that
    no certificate can name. `now` is real time, see above.
    """
    now = now or datetime.now(UTC)
    folder = data / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    names = _subject_names({*LOOPBACK_NAMES, *hosts})
    authority = _kept_authority(folder, names, now) or _new_authority(folder, names, now)
    if not _is_kept_certificate_usable(folder, authority, names, now):
        _make_certificate(folder, authority, names, now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3  # contract.md, "Security"
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(folder / SERVER_FILE)
    return ServerTls((folder / CA_FILE).absolute(), context)


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: _Key


def _subject_names(hosts: Collection[str]) -> list[x509.GeneralName]:
    return [_subject_name(host.lower().strip("[]").removesuffix(".")) for host in sorted(hosts)]


def _subject_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if _HOST_NAME.fullmatch(host):
            return x509.DNSName(host)
    raise UsageError(
        f"no certificate can name the host: `{host}`",
        code=codes.USAGE,
        hint=hint_for_host(host) or "write a host name as in DNS, or an address",
    )


def _constraints(names: Collection[x509.GeneralName]) -> x509.NameConstraints:
    """Return what the authority may vouch for: should its key be stolen, it opens this server's names and no others."""
    networks = list(_LOOPBACK_NETWORKS)
    hosts: list[x509.GeneralName] = []
    for name in names:
        if isinstance(name, x509.IPAddress):
            network = ipaddress.ip_network(name.value)
            if not any(network.version == known.version and network.subnet_of(known) for known in _LOOPBACK_NETWORKS):  # type: ignore[arg-type]
                networks.append(network)
        else:
            hosts.append(name)
    return x509.NameConstraints([*hosts, *map(x509.IPAddress, networks)], None)


def _kept_authority(folder: Path, names: Collection[x509.GeneralName], now: datetime) -> _Authority | None:
    """Return the authority of an earlier start; None where it is lost, ends soon, or may not vouch for all names."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / CA_FILE).read_bytes())
        key = load_pem_private_key((folder / CA_KEY_FILE).read_bytes(), None)
        constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return None
    if not isinstance(key, _Key) or key.public_key() != certificate.public_key():
        return None  # a crash between writing the two
    if constraints != _constraints(names) or certificate.not_valid_after_utc - now < SERVER_LIFETIME:
        return None
    return _Authority(certificate, key)


def _new_authority(folder: Path, names: Collection[x509.GeneralName], now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(f"Reinmaker local server, made {now:%Y-%m-%d}")
    builder = _builder(subject, subject, key.public_key(), key.public_key(), now, CA_LIFETIME)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_constraints(names), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
    certificate = builder.sign(key, SHA256())
    _put(folder / CA_KEY_FILE, _pem(key))
    _put(folder / CA_FILE, certificate.public_bytes(Encoding.PEM))
    return _Authority(certificate, key)


def _is_kept_certificate_usable(
    folder: Path, authority: _Authority, names: Collection[x509.GeneralName], now: datetime
) -> bool:
    """Return whether there is one of an earlier start, by this authority for these names, that does not end soon."""
    try:
        content = (folder / SERVER_FILE).read_bytes()
        certificate = x509.load_pem_x509_certificate(content)
        load_pem_private_key(content, None)
        known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        issuer = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    lasts = certificate.not_valid_after_utc - now >= RENEW_BEFORE
    return lasts and list(known) == list(names) and issuer == issued_by


def _make_certificate(folder: Path, authority: _Authority, names: Collection[x509.GeneralName], now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject, issuer = _name("Reinmaker local server"), authority.certificate.subject
    builder = _builder(subject, issuer, key.public_key(), authority.key.public_key(), now, SERVER_LIFETIME)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    certificate = builder.sign(authority.key, SHA256())
    _put(folder / SERVER_FILE, certificate.public_bytes(Encoding.PEM) + _pem(key))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    """Return what both certificates have. The key identifiers are what strict clients (Python 3.13) insist on."""
    builder = x509.CertificateBuilder(issuer, subject, public_key, x509.random_serial_number())
    builder = builder.not_valid_before(now - CLOCKS_DIFFER).not_valid_after(now + lifetime)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: _Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _put(file: Path, content: bytes) -> None:
    """Put a file in place in one step, readable by its owner alone from its first byte."""
    handle, name = tempfile.mkstemp(prefix=file.name, dir=file.parent)
    with os.fdopen(handle, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    Path(name).replace(file)

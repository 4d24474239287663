"""The machine: Python, TLS, certificates, proxies, descriptors, disk. Each check looks at one thing and asks nobody."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import ssl
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from reinmaker_cli.client.checks import Checked, Failed, Passed, Warned, failed_by
from reinmaker_cli.client.connection import open_http, tls_context
from reinmaker_cli.client.environment import stays_here
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ReinmakerError, ServerUnreachable, UsageError

OLDEST_PYTHON: Final = (3, 11)
MIN_DESCRIPTORS: Final = 128  # 32 connections, a file for each hashing thread, the interpreter's own; and as many again
MIN_FREE_BYTES: Final = 256 * 1024 * 1024  # four manifests of the largest size, and a database that grows by them

BUNDLES: Final = (  # where truststore looks when OpenSSL's own paths lead nowhere
    *("/etc/ssl/cert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/pki/tls/cert.pem"),
    *("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/ca-bundle.pem"),
)

USAGE_EXIT, NETWORK_EXIT = UsageError.exit_code, ServerUnreachable.exit_code


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Checked:
    """Return whether this Python is one that the tool is tested with."""
    shown = ".".join(map(str, version))
    if version >= OLDEST_PYTHON:
        return Passed("python", f"{platform.python_implementation()} {shown}")
    code = codes.PYTHON_TOO_OLD
    return Failed("python", f"{shown} is older than 3.11", code, code.cure, USAGE_EXIT)


def check_tls() -> Checked:
    """Return whether TLS 1.3 can be spoken: the library may be too old, or a policy of the system forbid it."""
    most = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).maximum_version
    if ssl.HAS_TLSv1_3 and most in (ssl.TLSVersion.MAXIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_3):
        return Passed("tls", f"TLS 1.3, {ssl.OPENSSL_VERSION}")
    fact = f"TLS 1.3 cannot be spoken: {ssl.OPENSSL_VERSION}"
    if ssl.HAS_TLSv1_3:
        fact += f" is held to {most.name} by its configuration"
    code = codes.TLS_TOO_OLD
    return Failed("tls", fact, code, code.cure, NETWORK_EXIT)


def check_certificates(url: str) -> Checked:
    """Return whether the system has certificates to know the server by. A look on Linux; elsewhere the system's own."""
    if url.startswith("http:"):
        return Passed("certificates", "not needed: plain http on this machine")
    if sys.platform in ("win32", "darwin"):
        return Passed("certificates", "the system's own store")
    paths = ssl.get_default_verify_paths()
    places = [place for place in (paths.cafile, paths.capath) if place] or list(BUNDLES)
    found = next((place for place in places if _holds_certificates(Path(place))), None)
    if found is not None:
        return Passed("certificates", f"the system's, in {found}")
    fact = f"the system has none in {' or '.join(places[:2])}"
    code = codes.NO_CERTIFICATES
    return Failed("certificates", fact, code, code.cure, NETWORK_EXIT)


def _holds_certificates(place: Path) -> bool:
    if place.is_dir():
        return any(place.iterdir())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=str(place))
    except OSError:  # not there, not readable, or without a certificate
        return False
    return context.cert_store_stats()["x509"] > 0


def check_ca_file(ca_file: Path | None, *, now: datetime | None = None) -> Checked:
    """Return whether --ca-file can be read, holds certificates, and none of them has ended."""
    if ca_file is None:
        return Passed("ca file", "none named; the system's certificates only")
    try:
        tls_context(ca_file)
    except ReinmakerError as error:
        return failed_by("ca file", error)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=str(ca_file))
    ends = [ssl.cert_time_to_seconds(str(one["notAfter"])) for one in context.get_ca_certs()]
    if ends and min(ends) < (now or datetime.now(UTC)).timestamp():
        fact = f"`{ca_file}` holds a certificate that ended on {datetime.fromtimestamp(min(ends), UTC):%Y-%m-%d}"
        code = codes.CERTIFICATE_ENDED
        return Failed("ca file", fact, code, code.cure, NETWORK_EXIT)
    return Passed("ca file", f"{context.cert_store_stats()['x509']} in `{ca_file}`, beside the system's")


def check_proxy(url: str, *, local_host: str | None = None) -> Checked:
    """Return by which proxy the address is reached. Credentials in a variable are never shown."""
    known = getproxies()
    if stays_here(url, local_host=local_host):
        ignored = f"; {_variables(known)} is passed by" if _variables(known) else ""
        return Passed("proxy", f"none: this machine is asked directly{ignored}")
    try:
        open_http(url, local_host=local_host).close()
    except ReinmakerError as error:
        failure = failed_by("proxy", error)
        return Failed("proxy", f"{_variables(known)} cannot be used", failure.code, failure.hint, failure.exit_code)
    parts = urlsplit(url)
    scheme = next((name for name in (parts.scheme, "all") if name in known), None)
    if scheme is None:
        return Passed("proxy", "none")
    if proxy_bypass(parts.netloc):
        return Passed("proxy", f"none: NO_PROXY has {parts.hostname}")
    return Passed("proxy", f"{_without_credentials(known[scheme])}, from {scheme.upper()}_PROXY")


def has_proxy(url: str, *, local_host: str | None = None) -> bool:
    """Return whether requests to the address go through a proxy."""
    if stays_here(url, local_host=local_host) or proxy_bypass(urlsplit(url).netloc):
        return False
    return not {urlsplit(url).scheme, "all"}.isdisjoint(getproxies())


def _variables(known: Mapping[str, str]) -> str:
    return ", ".join(f"{name.upper()}_PROXY" for name in ("https", "http", "all") if name in known)


def _without_credentials(proxy: str) -> str:
    return proxy[: proxy.find("://") + 3] * ("://" in proxy) + proxy.rpartition("@")[2].rpartition("://")[2]


def check_descriptors(*, needed: int = MIN_DESCRIPTORS) -> Checked:
    """Return whether the process may open as many files and connections as a large publication does."""
    if sys.platform == "win32":
        return Passed("descriptors", "no limit on this system")
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= needed:
        return Passed("descriptors", "no limit" if limit == resource.RLIM_INFINITY else f"up to {limit} open files")
    code = codes.FEW_DESCRIPTORS
    return Failed("descriptors", f"at most {limit} open files, and {needed} are needed", code, code.cure, USAGE_EXIT)


def check_disk(folder: Path, *, needed_bytes: int = MIN_FREE_BYTES) -> Checked:
    """Return whether there is room where the folder is, or would be."""
    there = _nearest(folder)
    free = shutil.disk_usage(there).free
    if free >= needed_bytes:
        return Passed("disk", f"{free / 1024**3:.1f} GiB free at `{there}`")
    code = codes.DISK_FULL
    fact = f"{free // 1024**2} MiB free at `{there}`, and {needed_bytes // 1024**2} MiB are needed"
    return Failed("disk", fact, code, code.cure, USAGE_EXIT)


def check_writable(check: str, folder: Path, *, hint: str) -> Checked:
    """Return whether files can be made in the folder, or the folder be made; by making one, which is removed."""
    there = _nearest(folder)
    try:
        handle, name = tempfile.mkstemp(prefix=".reinmaker-doctor-", dir=there)
    except OSError as error:
        fact = f"cannot write in `{there}`: {(error.strerror or str(error)).lower()}"
        return Failed(check, fact, codes.OUTPUT_FAILED, hint, USAGE_EXIT)
    os.close(handle)
    with contextlib.suppress(FileNotFoundError):  # somebody tidies up
        os.unlink(name)  # noqa: PTH108
    return Passed(check, f"`{folder}`" + ("" if folder == there else ", made when it is needed"))


def check_configured_keyring(variables: Mapping[str, str]) -> Checked | None:
    """Return the warning for a keyring that somebody chose and that is not used; None where nobody chose one."""
    chosen = variables.get("PYTHON_KEYRING_BACKEND", "")
    if not chosen:
        return None
    code = codes.KEYRING_IGNORED
    return Warned("keyring", f"PYTHON_KEYRING_BACKEND is passed by: `{chosen}`", code, code.cure)


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above that exists."""
    there = folder.absolute()
    while not there.is_dir() and there != there.parent:
        there = there.parent
    return there

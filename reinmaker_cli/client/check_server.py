"""The other side: its name, a safe connection, its health, clock, schema and version, and a token from its issuer."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from reinmaker_cli import __version__
from reinmaker_cli.client.answers import Answer, error_of, http_date
from reinmaker_cli.client.check_machine import NETWORK_EXIT, USAGE_EXIT, has_proxy
from reinmaker_cli.client.checks import Checked, Failed, Passed, Warned, failed_by, warned_by
from reinmaker_cli.client.connection import Connection
from reinmaker_cli.client.environment import Environment
from reinmaker_cli.client.tokens import TokenSource
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.models import Health
from reinmaker_cli.contract.names import HEALTH_PATH, SCHEMA_PATH, Scope
from reinmaker_cli.contract.validation import manifest_schema
from reinmaker_cli.errors import ReinmakerError

NAME_LIMIT_S: Final = 5.0  # resolvers try several servers, and the system has no limit of its own
WARN_SKEW_S: Final = 30.0  # more than a slow answer explains; a day's version can be off by one around midnight UTC
MAX_SKEW_S: Final = 300.0  # contract.md, "Webhooks": receivers refuse signatures that are further from their clock


def resolve_name(host: str, port: int) -> object:
    """Ask the system for addresses. OSError where there are none."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # an empty label, or one of more than 63 letters, is refused before anybody is asked
        raise OSError("not a name") from error


def check_name(url: str, *, local_host: str | None = None, limit_s: float = NAME_LIMIT_S) -> Checked:
    """Return whether the name of the server leads anywhere; a proxy looks it up by itself."""
    host = urlsplit(url).hostname or ""
    if has_proxy(url, local_host=local_host):
        return Passed("name", f"`{host}` is looked up by the proxy")
    found: queue.Queue[object] = queue.Queue()

    def ask() -> None:
        try:
            found.put(resolve_name(host, urlsplit(url).port or 443))
        except OSError as error:
            found.put(error)

    threading.Thread(target=ask, name="resolver", daemon=True).start()  # it cannot be interrupted
    try:
        answer = found.get(timeout=limit_s)
    except queue.Empty:
        answer = TimeoutError(f"no answer within {limit_s:g} s")
    if isinstance(answer, OSError):
        code = codes.NAME_UNKNOWN
        fact = f"`{host}`: {(answer.strerror or str(answer)).lower()}"
        return Failed("name", fact, code, code.cure, NETWORK_EXIT)
    return Passed("name", f"`{host}` has an address")


def check_server(connection: Connection, env: Environment, *, trace_id: str) -> Iterator[Checked]:
    """Yield what one question for its health says of the server: connection, health, version, clock."""
    try:
        sent_at = datetime.now(UTC)
        answer = connection.ask("GET", HEALTH_PATH, trace_id=trace_id, with_token=False)
        received_at = datetime.now(UTC)
    except ReinmakerError as error:
        yield failed_by("connection", error)
        return
    how = "TLS 1.3, certificate trusted" if env.api_url.startswith("https:") else "plain http on this machine"
    yield Passed("connection", f"`{env.api_url}`, {how}")
    yield from _check_health(answer, env)
    yield _with_moved_clock(check_clock(answer, sent_at=sent_at, received_at=received_at), answer)


def _check_health(answer: Answer, env: Environment) -> Iterator[Checked]:
    try:
        if answer.status not in (200, 503):
            raise error_of(answer)
        health = answer.read(Health)
    except ReinmakerError as error:
        yield failed_by("health", error)
        return
    fact = f"{health.status}, version {health.version}"
    if health.status == "failing":
        yield Failed("health", fact, codes.SERVER_FAILED, codes.SERVER_FAILED.cure, NETWORK_EXIT)
    elif health.status == "degraded":
        yield Warned("health", fact, codes.SERVER_FAILED, "`reinmaker health` says what is not well")
    else:
        yield Passed("health", fact)
    if not env.is_local:
        yield Passed("version", f"reinmaker {__version__}")
    elif health.version == __version__:
        yield Passed("version", f"reinmaker {__version__}, as the server")
    else:
        code = codes.VERSION_DIFFERS
        yield Warned("version", f"reinmaker {__version__}, and the server {health.version}", code, code.cure)


def check_clock(answer: Answer, *, sent_at: datetime, received_at: datetime) -> Checked:
    """Return whether this machine's clock agrees with the server's Date.

    Date has whole seconds and is from some instant of the exchange, so both are in the server's favour.
    """
    date = http_date(answer.headers.get("date", ""))
    if date is None:
        code = codes.ANSWER_UNUSABLE
        return Warned("clock", "the server's answer has no Date to compare with", code, code.cure)
    early_s, late_s = (sent_at - date).total_seconds() - 1, (date - received_at).total_seconds()
    skew_s = max(early_s, late_s, 0.0)
    if skew_s < WARN_SKEW_S:
        return Passed("clock", "agrees with the server's")
    fact = f"{skew_s:.0f} s {'ahead of' if early_s > late_s else 'behind'} the server's"
    code = codes.CLOCK_SKEW
    if skew_s < MAX_SKEW_S:
        return Warned("clock", fact, code, code.cure)
    return Failed("clock", f"{fact}; beyond {MAX_SKEW_S:.0f} s signatures are refused", code, code.cure, USAGE_EXIT)


def _with_moved_clock(found: Checked, answer: Answer) -> Checked:
    """Return what was found of the clock; of a local server's whose clock was moved, that too.

    Date is real time. Tokens, secrets and versions go by the clock, which health tells.
    """
    try:
        told = datetime.fromisoformat(str(answer.read(Health).time))
    except (ReinmakerError, ValueError):  # said of its health
        return found
    date = http_date(answer.headers.get("date", ""))
    if not isinstance(found, Passed) or date is None or abs((told - date).total_seconds()) < WARN_SKEW_S:
        return found
    return Passed("clock", f"agrees with the server's machine; the server's own was moved to {told:%Y-%m-%d %H:%M} UTC")


def check_schema(connection: Connection, *, trace_id: str) -> Checked:
    """Return whether the server holds manifests to the schema that we hold them to."""
    try:
        answer = connection.ask("GET", SCHEMA_PATH, trace_id=trace_id, with_token=False)
        if answer.status != 200:
            raise error_of(answer)
        theirs = _document(answer)
    except ReinmakerError as error:
        return warned_by("schema", error)
    if theirs == manifest_schema():
        return Passed("schema", "the server's is ours")
    code = codes.SCHEMA_DIFFERS
    return Warned("schema", f"the server's is another than that of reinmaker {__version__}", code, code.cure)


def _document(answer: Answer) -> Mapping[str, Any] | None:
    try:
        document = json.loads(answer.body)
    except ValueError:
        return None
    return document if isinstance(document, Mapping) else None


def check_token(source: TokenSource) -> Iterator[Checked]:
    """Yield whether the issuer gives a token for the client, and whether it may be used to publish."""
    try:
        answer = source.fetch()
    except ReinmakerError as error:
        yield failed_by("token", error)
        return
    life = f", for {answer.expires_in} s" if answer.expires_in else ""
    yield Passed("token", f"the issuer gave one{life}")
    granted = (answer.scope or "").split()
    if answer.scope is not None and Scope.CONTENT_WRITE not in granted:
        fact = f"`{Scope.CONTENT_WRITE}` is not granted, only {', '.join(granted) or 'nothing'}"
        yield Failed("scopes", fact, codes.SCOPE_REFUSED, codes.SCOPE_REFUSED.cure, 4)
    else:
        yield Passed("scopes", ", ".join(granted) or "not said; what was asked for is granted")

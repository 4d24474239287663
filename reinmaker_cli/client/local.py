"""The control API of the local server (`reinmaker serve`): what production has no counterpart for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from reinmaker_cli.client.answers import Answer, error_of
from reinmaker_cli.client.api import new_trace_id
from reinmaker_cli.client.connection import Body, Connection, TraceLog, open_http
from reinmaker_cli.client.entitlements import path_segment
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.canonical import canonical_json
from reinmaker_cli.contract.models import Entitlement, LocalClient, Submission, Wire
from reinmaker_cli.contract.names import CONTROL_PATH, MAX_PREFER_WAIT_S
from reinmaker_cli.errors import ConfigError, UsageError

CLIENT_FILE: Final = "client.json"


class Clock(Wire):
    """The clock of the local server."""

    mode: str
    """`wall` passes as real time does, `virtual` stands still until it is moved."""
    time: str
    ahead_seconds: float
    """How far it is ahead of real time; below 0 it is behind."""


class ClientSecret(Wire):
    """A client of the local server with a secret that was just made; shown this once."""

    client_id: str
    client_secret: str
    scopes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ClientSecret(client_id={self.client_id!r})"

    __str__ = __repr__


class ListedClient(Wire):
    """A client of the local server, without its secrets."""

    client_id: str
    name: str = ""
    scopes: tuple[str, ...] = ()
    is_development: bool = False
    created_at: str = ""
    limits: Mapping[str, int] | None = None
    """Requests in a window, by policy; None from a server that says nothing of limits."""


class ListedEntitlements(Wire):
    """Entitlements at the local server, whatever their status."""

    items: tuple[Entitlement, ...]


class Forgotten(Wire):
    """How much of a user there was."""

    entitlements: int
    events: int
    webhooks: int = 0


class ClientList(Wire):
    """The clients of the local server."""

    items: tuple[ListedClient, ...]


def read_local_client(data: Path) -> LocalClient | None:
    """Return what `client.json` in a data folder says; None where no server was ever started with the folder."""
    path = data / CLIENT_FILE
    try:
        return LocalClient.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"file cannot be read: `{path}`", code=codes.CONFIG_UNREADABLE, hint="check its permissions with `ls -l`"
        ) from error
    except ValueError:
        # `from None`: the parser quotes what it read, the secret included.
        hint = "start the server again with this data folder, it writes the file anew: `reinmaker serve`"
        raise ConfigError(f"not a client file: `{path}`", code=codes.CONFIG_INVALID, hint=hint) from None


class LocalControl:
    """One local server, as its owner."""

    def __init__(
        self,
        api_url: str,
        control_token: str,
        *,
        ca_file: Path | None = None,
        local_host: str | None = None,
        trace: TraceLog | None = None,
    ) -> None:
        http = open_http(api_url, ca_file=ca_file, local_host=local_host, trace=trace)
        self._connection = Connection(http, api_url, trace=trace)
        self._authorization = {"Authorization": f"Bearer {control_token}"}

    def __enter__(self) -> LocalControl:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def register_sources(self, manifest_id: str, version: str | None, root: Path, files: Mapping[str, str]) -> None:
        """Tell the server where the bytes of a manifest lie. `files`: URL to path below `root`, `/` between parts."""
        self.post(
            "/sources",
            {"manifestId": manifest_id, "version": version, "root": str(root.resolve()), "files": dict(files)},
        )

    def decide(
        self, manifest_id: str, version: str, status: Literal["active", "rejected"], reason: str | None = None
    ) -> Submission | None:
        """Give a verdict by hand (`serve --validation manual`); returns the submission where the server shows it."""
        decision = {"manifestId": manifest_id, "version": version, "status": status}
        answer = self.post("/decide", decision | ({"reason": reason} if reason else {}))
        return answer.read(Submission) if answer.body else None

    def add_client(
        self, name: str = "", scopes: Sequence[str] = (), limits: Mapping[str, int] | None = None
    ) -> ClientSecret:
        """Make a client; `name` is for people, without scopes it gets all, without limits those of the contract."""
        more = ({"scopes": list(scopes)} if scopes else {}) | ({"limits": dict(limits)} if limits else {})
        return self.post("/clients", {"name": name} | more).read(ClientSecret)

    def limit_client(self, client_id: str, limits: Mapping[str, int]) -> ListedClient:
        """Give a client limits of its own, by name of the policy; those that are not named stay."""
        return self.post(path_of("/clients", client_id, "limits"), {"limits": dict(limits)}).read(ListedClient)

    def clients(self) -> tuple[ListedClient, ...]:
        """Return the clients that the server knows."""
        return self.ask("GET", "/clients").read(ClientList).items

    def rotate_client(self, client_id: str) -> ClientSecret:
        """Make a new secret for a client; the server writes that of the development client to `client.json`."""
        return self.post(path_of("/clients", client_id, "rotate"), {}).read(ClientSecret)

    def clock(self) -> Clock:
        """Return the clock as it is now."""
        return self.ask("GET", "/clock").read(Clock)

    def set_clock(self, time: str) -> Clock:
        """Move the clock forward to a time, RFC 3339 with `Z`."""
        return self.post("/clock", {"time": time}).read(Clock)

    def advance_clock(self, seconds: float) -> Clock:
        """Move the clock forward."""
        return self.post("/clock", {"advanceSeconds": seconds}).read(Clock)

    def follow_clock(self) -> Iterator[Clock]:
        """Yield the clock as it is now, and again each time that somebody has moved it; ends with the server only."""
        answer = self.ask("GET", "/clock")
        while True:
            if answer.status != 304:
                yield answer.read(Clock)
            known = {"If-None-Match": answer.etag or ""}
            answer = self.ask("GET", "/clock", headers=known, wait_s=MAX_PREFER_WAIT_S)

    def entitlements(self, user_id: str | None = None) -> tuple[Entitlement, ...]:
        """Return the entitlements of one user or of all, expired and revoked ones too."""
        query = None if user_id is None else {"userId": user_id}
        return self.ask("GET", "/entitlements", query=query).read(ListedEntitlements).items

    def give_entitlement(
        self,
        user_id: str,
        plan: str,
        *,
        expires_at: str | None = None,
        features: Sequence[str] = (),
        region: str | None = None,
    ) -> Entitlement:
        """Give a user a plan, in place of what the user had of it. `expires_at` is RFC 3339 with `Z`; None: never."""
        document = {
            "userId": user_id,
            "plan": plan,
            "expiresAt": expires_at,
            "features": list(features),
            "region": region,
        }
        return self.ask("PUT", "/entitlements", _body(document)).read(Entitlement)

    def revoke_entitlement(self, user_id: str, plan: str) -> Entitlement:
        """Take a plan from a user."""
        return self.post("/entitlements/revoke", {"userId": user_id, "plan": plan}).read(Entitlement)

    def forget(self, user_id: str) -> Forgotten:
        """Erase a user from the store of the server."""
        return self.post("/forget", {"userId": user_id}).read(Forgotten)

    def post(self, path: str, document: Mapping[str, Any]) -> Answer:
        """POST a document to a path below `/_local`, and return the answer; raises as `ask`."""
        return self.ask("POST", path, _body(document))

    def ask(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        wait_s: int = 0,
    ) -> Answer:
        """Send a request to a path below `/_local`; UsageError for what cannot be done, or what else stopped it."""
        if query is not None:
            _require_text(*query.values())
        answer = self._connection.ask(
            method,
            CONTROL_PATH + path,
            trace_id=new_trace_id(),
            query=query,
            body=body,
            headers={**self._authorization, **(headers or {})},
            wait_s=wait_s,
        )
        if 200 <= answer.status < 300 or answer.status == 304:
            return answer
        error = error_of(answer)
        if answer.status in (400, 404, 409, 422) and error.code != codes.ANSWER_UNUSABLE:
            # What was asked of the server cannot be done: no content is invalid, and no server is out of reach.
            raise UsageError(error.message, code=error.code, hint=error.hint) from error
        raise error


def path_of(*parts: str) -> str:
    """Return the path below `/_local` of a list, or of what it has under an id; UsageError where an id is no text."""
    _require_text(*parts)
    first, *rest = parts
    return "/".join([first, *map(path_segment, rest)])


def _require_text(*words: str) -> None:
    try:
        "".join(words).encode()
    except UnicodeEncodeError as error:  # bytes of the command line that are no UTF-8
        raise UsageError("an id or a filter that is not UTF-8", code=codes.USAGE, hint="copy it whole") from error


def _body(document: Mapping[str, Any]) -> Body:
    try:
        return Body.json(canonical_json(document))
    except ValueError as error:  # a word with bytes that are no UTF-8, or a number that no reader keeps
        raise UsageError(
            "a text that is not UTF-8, or a number beyond ±(2^53-1)",
            code=codes.USAGE,
            hint="the server takes I-JSON: RFC 7493",
        ) from error

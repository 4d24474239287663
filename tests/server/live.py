"""A live server and a caller of it, for tests: a real port, a real database, plain httpx."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from reinmaker_cli.contract.names import EVENTS_PATH
from reinmaker_cli.server.clock import MovableClock
from reinmaker_cli.server.running import ServerConfig, Started, running_server
from reinmaker_cli.server.store import DATABASE_NAME, Store, StorePlace, open_store
from tests.server.openapi_document import CONTROL
from tests.server.openapi_witness import Witness

QUIET = ServerConfig(port=0, log="off", limits="off", network=False)
MANIFESTS = "/v1/content/manifests"


class Databases:
    """The databases of one test on PostgreSQL: one for each data folder, and one for each server without."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make
        self._urls: dict[Path, str] = {}

    def url_for(self, data: Path | None) -> str:
        """Return the URL of the database that goes with a data folder."""
        if data is None:
            return self._make()
        if data not in self._urls:
            self._urls[data] = self._make()
        return self._urls[data]


DATABASES: Databases | None = None
"""Where servers and stores of the test under way are: None is SQLite, in the data folder."""


def place(data: Path) -> StorePlace:
    """Return what opens the store that goes with a data folder, on the database of the test under way."""
    return data if DATABASES is None else DATABASES.url_for(data)


class Caller:
    """Speaks to one server: `http` without a token, `api` with one for all scopes, `control` with the control token.

    The witness holds every answer to the OpenAPI document, and one of its own those of the control API to theirs.
    """

    def __init__(self, started: Started, witness: Witness, place: StorePlace | None = None) -> None:
        self.started = started
        self.place = place or started.data
        """Where its store is."""
        self.http = _client(started, witness)
        self.api = _client(started, witness)
        self.api.headers["Authorization"] = "Bearer " + self.token()
        self.control = _client(started, Witness(CONTROL))
        self.control.headers["Authorization"] = "Bearer " + started.client.control_token

    def token(self, **form: str) -> str:
        """Return a new access token."""
        answer = self.ask_token(**form)
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    def ask_token(self, **form: str) -> httpx.Response:
        """Ask for a token with the development client, by HTTP Basic."""
        client = self.started.client
        form = {"grant_type": "client_credentials", **form}
        return self.http.post("/oauth/token", data=form, auth=(client.client_id, client.client_secret))

    def submit(self, document: dict[str, Any], *, wait: int | None = 20) -> httpx.Response:
        """POST a manifest; by default wait for its verdict."""
        headers = {} if wait is None else {"Prefer": f"wait={wait}"}
        return self.api.post(MANIFESTS, json=document, headers=headers)

    def status(self, manifest_id: str, version: str | None = None, **more: str) -> httpx.Response:
        """GET where a manifest stands."""
        query = {**({"version": version} if version else {}), **more}
        return self.api.get(f"{MANIFESTS}/{manifest_id}", params=query)

    def send(self, events: list[Any]) -> httpx.Response:
        """POST a batch of events."""
        return self.api.post(EVENTS_PATH, json={"events": events})

    def decide(self, manifest_id: str, version: str, status: str, reason: str | None = None) -> httpx.Response:
        """Give the verdict by hand, under `--validation manual`."""
        body = {"manifestId": manifest_id, "version": version, "status": status, "reason": reason}
        return self.control.post("/_local/decide", json=body)

    def close(self) -> None:
        """Close the connections."""
        for client in (self.http, self.api, self.control):
            client.close()


def one_answer(connection: socket.socket) -> bytes:
    """Return one answer with its JSON body, from a connection of the test's own."""
    answer = b""
    while not answer.endswith(b"}"):
        answer += some(connection)
    return answer


def some(connection: socket.socket, most: int = 65536) -> bytes:
    """Return what comes next; AssertionError where the server has ended the connection."""
    piece = connection.recv(most)
    assert piece, "the server has ended the connection"
    return piece


def _client(started: Started, *hooks: Callable[[httpx.Response], None]) -> httpx.Client:
    # `verify`: reading the certificates of the world for a connection without TLS takes 30 ms.
    return httpx.Client(
        base_url=started.url, timeout=120, trust_env=False, verify=False, event_hooks={"response": list(hooks)}
    )


@contextmanager
def live_server(
    config: ServerConfig = QUIET, *, clock: MovableClock | None = None, witness: Witness | None = None, **changes: Any
) -> Iterator[Caller]:
    """Yield a caller of a server that runs until the block is left."""
    wanted = replace(config, **changes)
    if DATABASES is not None and "database" not in changes:
        wanted = replace(wanted, database=DATABASES.url_for(wanted.data))
    with running_server(wanted, clock=clock) as started:
        caller = Caller(started, witness or Witness(), wanted.database)
        try:
            yield caller
        finally:
            caller.close()


def opened(data: Path) -> Store:
    """Return the store that goes with a data folder, as a server has it; a new process as far as others can tell."""
    store = open_store(place(data))
    session = store.begin_session(alone=False)
    if session is not None:
        close = store.close
        store.close = lambda: (session.close(), close())  # type: ignore[method-assign]
    return store


def run_sql(place: StorePlace, *statements: str) -> list[dict[str, Any]]:
    """Run statements in a connection of their own; return the rows of the last one."""
    if isinstance(place, str):
        import psycopg
        from psycopg.rows import dict_row

        with psycopg.connect(place, row_factory=dict_row) as connection:
            cursors = [connection.execute(statement) for statement in statements]
            return cursors[-1].fetchall() if cursors[-1].description else []
    with closing(sqlite3.connect(place / DATABASE_NAME, timeout=60)) as database, database:
        database.row_factory = sqlite3.Row
        found = [database.execute(statement).fetchall() for statement in statements]
        return [dict(row) for row in found[-1]]


def manifest(manifest_id: str = "water-cycle", version: str = "2026.11.23", **changes: Any) -> dict[str, Any]:
    """Return a valid manifest of one asset; `sha256`, `url` and `size` change the asset, all else the document."""
    asset = {
        "id": "welcome",
        "type": "audio",
        "url": changes.pop("url", f"s3://bucket/{manifest_id}/{version}/welcome.mp3"),
        "hash": changes.pop("sha256", "0" * 64),
        "bytes": changes.pop("size", 3),
    }
    document = {
        "manifestId": manifest_id,
        "version": version,
        "product": "reinmaker",
        "source": {"phaseDNAId": "water-cycle", "locale": "en-US", "agePersona": "2-5"},
        "assets": [asset],
    }
    return document | changes


def event(event_id: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a valid event; without an id it has a new one."""
    return {
        "eventId": event_id or str(uuid.uuid4()),
        "type": "phase.completed",
        "occurredAt": "2026-11-23T07:00:00.123Z",
        **more,
    }


def large_manifest(assets: int, manifest_id: str = "large", version: str = "2026.11.23") -> dict[str, Any]:
    """Return a valid manifest of many assets, about 280 bytes each."""
    document = manifest(manifest_id, version)
    document["assets"] = [
        {
            "id": f"overlays-water-cycle-{number:06}-png",
            "type": "overlay",
            "url": f"s3://lotd-reinmaker-assets/water-cycle/overlays/{manifest_id}/{number:06}.{version}.png",
            "hash": f"{number:064x}",
            "bytes": 1000 + number,
            "metadata": {"resolution": "1920x1080", "format": "png", "safeZone": "center"},
        }
        for number in range(assets)
    ]
    return document


def gzipped(document: Any) -> bytes:
    """Return the gzip of a document's JSON."""
    return gzip.compress(json.dumps(document).encode(), 1)


def token_part(token: str, number: int) -> dict[str, Any]:
    """Return the header (0) or the claims (1) of a JWT, unverified."""
    part = token.split(".")[number]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def problem_code(answer: httpx.Response) -> str:
    """Return the code of a problem document, after a look at its form."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"].endswith("/problems/" + problem["code"])
    assert problem["instance"].endswith("/traces/" + answer.headers["x-lesson-trace-id"])
    assert "Traceback" not in answer.text
    return problem["code"]

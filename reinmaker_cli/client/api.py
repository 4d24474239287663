"""The Reinmaker API, one method for each thing it can be asked. Prints nothing, repeats nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

from reinmaker_cli.client.answers import Answer, error_of
from reinmaker_cli.client.connection import Apart, Body, Connection, TraceLog, open_http
from reinmaker_cli.client.credentials import Credentials
from reinmaker_cli.client.entitlements import entitlements_path
from reinmaker_cli.client.environment import Environment
from reinmaker_cli.client.pacing import Pacing
from reinmaker_cli.client.tokens import ClientCredentialsAuth, OnToken, TokenSource
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.models import BatchTaken, EntitlementList, Health, ManifestPage, Submission, Wire
from reinmaker_cli.contract.names import (
    EVENTS_PATH,
    HEALTH_PATH,
    MANIFESTS_PATH,
    MAX_MANIFEST_BYTES,
    PROBLEM_MEDIA_TYPE,
    REPLAYED_HEADER,
    Scope,
)
from reinmaker_cli.contract.rules import MANIFEST_ID_PATTERN
from reinmaker_cli.errors import ContentInvalid

__all__ = ["Api", "Body", "NotModified", "Seen", "new_trace_id", "open_api", "open_http", "open_token_source"]

PAGE_SIZE: Final = 1000
# A stored manifest of the largest size that may be submitted, and its submission around it.
MAX_DOCUMENT_ANSWER_BYTES: Final = 2 * MAX_MANIFEST_BYTES


@dataclass(frozen=True, slots=True)
class Seen:
    """A submission as the server showed it, with what it said around it."""

    submission: Submission
    etag: str | None = None
    retry_after_s: float | None = None
    waited: bool = False
    """The server applied `Prefer: wait`."""
    replayed: bool = False
    """An earlier POST of the same content made this submission."""


@dataclass(frozen=True, slots=True)
class NotModified:
    """The submission is as it was when its ETag was read."""

    retry_after_s: float | None
    waited: bool


class BatchTooLarge(ContentInvalid):
    """The server takes fewer bytes at once: half of the batch may pass."""


class StoredManifest(Wire):
    """An answer to `?include=manifest`; only the document is of interest."""

    manifest: dict[str, Any]


def new_trace_id() -> str:
    """Return a fresh `X-Lesson-Trace-Id`: 32 hex digits."""
    return uuid4().hex


class Api:
    """One environment's API. Every method makes one request and returns or raises; repeating is up to the caller."""

    def __init__(
        self,
        connection: Connection,
        *,
        pacing: Pacing | None = None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection, self._on_close = connection, on_close
        self.pacing = pacing or Pacing()
        """What the server said of its limits."""

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, the one to the issuer included."""
        self._connection.close()
        self._on_close()

    @property
    def requests(self) -> int:
        """How many requests were sent, those for tokens not counted."""
        return self._connection.requests

    @contextmanager
    def turn_by_turn(self, apart: Apart) -> Iterator[None]:
        """Wait for answers as those do who take turns, inside."""
        before, self._connection.apart = self._connection.apart, apart
        try:
            yield
        finally:
            self._connection.apart = before

    def submit(self, body: Body, *, trace_id: str, wait_s: int = 0, limit_s: float | None = None) -> Seen:
        """POST a manifest; VersionConflict, ContentInvalid and the others where it was not taken."""
        answer = self._connection.ask(
            "POST", MANIFESTS_PATH, body=body, trace_id=trace_id, wait_s=wait_s, limit_s=limit_s
        )
        if answer.status not in (200, 202):
            raise error_of(answer)
        return _seen(answer)

    def manifest(
        self,
        manifest_id: str,
        *,
        trace_id: str,
        version: str | None = None,
        etag: str | None = None,
        wait_s: int = 0,
        limit_s: float | None = None,
    ) -> Seen | NotModified | None:
        """Return the newest submission, or that of `version`; None where the server knows none."""
        answer = self._connection.ask(
            "GET",
            _path(manifest_id),
            query={"version": version} if version else None,
            headers={"If-None-Match": etag} if etag else None,
            trace_id=trace_id,
            wait_s=wait_s,
            limit_s=limit_s,
        )
        if answer.status == 304 and etag:
            return NotModified(answer.retry_after_s(), answer.waited)
        if answer.status == 200:
            return _seen(answer)
        if _is_unknown_manifest(answer):
            return None
        raise error_of(answer)

    def submission(self, manifest_id: str, version: str, *, trace_id: str) -> Submission | None:
        """Return the submission of a version as it stands now; None where the server knows none."""
        seen = self.manifest(manifest_id, version=version, trace_id=trace_id)
        return seen.submission if isinstance(seen, Seen) else None

    def manifest_document(
        self, manifest_id: str, version: str, *, trace_id: str, limit_s: float | None = None
    ) -> Mapping[str, Any] | None:
        """Return a submitted manifest as the server received it, or None."""
        answer = self._connection.ask(
            "GET",
            _path(manifest_id),
            query={"version": version, "include": "manifest"},
            trace_id=trace_id,
            limit_s=limit_s,
            max_answer_bytes=MAX_DOCUMENT_ANSWER_BYTES,
        )
        if answer.status == 200:
            return answer.read(StoredManifest).manifest
        if _is_unknown_manifest(answer):
            return None
        raise error_of(answer)

    def manifest_page(
        self, cursor: str | None = None, *, trace_id: str, limit_s: float | None = None
    ) -> ManifestPage | None:
        """Return one page of the listing; None where the server has no listing."""
        query = {"limit": str(PAGE_SIZE)} | ({"cursor": cursor} if cursor else {})
        answer = self._connection.ask("GET", MANIFESTS_PATH, query=query, trace_id=trace_id, limit_s=limit_s)
        if answer.status == 200:
            return answer.read(ManifestPage)
        if answer.status in (404, 405):
            return None
        raise error_of(answer)

    def entitlements(self, user_id: str, *, trace_id: str, limit_s: float | None = None) -> EntitlementList:
        """Return what a user may use now; an empty list for an unknown one."""
        answer = self._connection.ask("GET", entitlements_path(user_id), trace_id=trace_id, limit_s=limit_s)
        if answer.status != 200:
            raise error_of(answer)
        return answer.read(EntitlementList)

    def send_events(self, body: Body, *, trace_id: str, limit_s: float | None = None) -> BatchTaken:
        """POST a batch of events; ContentInvalid where it was not taken. To send one again does no harm.

        BatchTooLarge on 413, also one of a proxy, which says nothing in the API's form.
        """
        answer = self._connection.ask("POST", EVENTS_PATH, body=body, trace_id=trace_id, limit_s=limit_s)
        if answer.status == 413:
            too_large = BatchTooLarge(
                "the server takes fewer bytes at once",
                code=codes.BODY_TOO_LARGE,
                hint="leave something out of the event",
            )
            too_large.trace_id = answer.trace_id
            raise too_large
        if answer.status != 202:
            raise error_of(answer)
        return answer.read(BatchTaken)

    def health(self, *, trace_id: str) -> Health:
        """Return what the server says of itself, without a token; also where it says that it is not well (503)."""
        answer = self._connection.ask("GET", HEALTH_PATH, trace_id=trace_id, with_token=False)
        if answer.status == 200 or (answer.status == 503 and answer.media_type == "application/json"):
            return answer.read(Health)
        raise error_of(answer)


def open_api(
    env: Environment,
    credentials: Credentials | None,
    *,
    scope: str | None = Scope.CONTENT_WRITE,
    ca_file: Path | None = None,
    trace: TraceLog | None = None,
    on_token: OnToken | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Api:
    """Return the API of an environment; without credentials only `health` can be asked. Sends nothing yet.

    `clock` is for the limits and the age of a token: that of whoever waits.
    """
    http = open_http(env.api_url, ca_file=ca_file, local_host=env.local_host, trace=trace)
    if credentials is None:
        return Api(Connection(http, env.api_url, trace=trace))
    source = open_token_source(env, credentials, ca_file=ca_file, trace=trace, on_token=on_token)
    auth, pacing = ClientCredentialsAuth(source, scope=scope, clock=clock), Pacing(clock)
    connection = Connection(http, env.api_url, auth=auth, trace=trace, pacing=pacing)
    return Api(connection, pacing=pacing, on_close=source.close)


def open_token_source(
    env: Environment,
    credentials: Credentials,
    *,
    ca_file: Path | None = None,
    trace: TraceLog | None = None,
    on_token: OnToken | None = None,
) -> TokenSource:
    """Return where the tokens of an environment come from. Sends nothing yet."""
    http = open_http(env.token_origin, ca_file=ca_file, local_host=env.local_host, trace=trace)
    connection = Connection(http, env.token_origin, trace=trace)
    return TokenSource(connection, env, credentials, trace_id=new_trace_id(), on_token=on_token)


def _path(manifest_id: str) -> str:
    if not MANIFEST_ID_PATTERN.fullmatch(manifest_id):  # `..` would be another route
        raise ContentInvalid(
            f"not a manifestId: `{manifest_id}`", code=codes.MANIFEST_ID, hint=codes.MANIFEST_ID.meaning
        )
    return f"{MANIFESTS_PATH}/{quote(manifest_id, safe='')}"


def _seen(answer: Answer) -> Seen:
    return Seen(
        answer.read(Submission),
        etag=answer.etag,
        retry_after_s=answer.retry_after_s(),
        waited=answer.waited,
        replayed=answer.headers.get(REPLAYED_HEADER.lower(), "").lower() == "true",
    )


def _is_unknown_manifest(answer: Answer) -> bool:
    """A 404 in the API's own form; another one, of a proxy or of a wrong address, says nothing about manifests."""
    if answer.status != 404 or answer.media_type != PROBLEM_MEDIA_TYPE:
        return False
    return error_of(answer).code == codes.MANIFEST_NOT_FOUND

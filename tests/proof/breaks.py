"""What is broken on purpose, one thing at a time, to see which tool goes red: never in the product, only around it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import (
    EVENTS_PATH,
    HEALTH_PATH,
    MANIFESTS_PATH,
    METADATA_PATH,
    PROBLEM_MEDIA_TYPE,
    TOKEN_PATH,
    Scope,
)
from reinmaker_cli.server.problems import ApiProblem
from reinmaker_cli.server.routes import edge, oauth, resource
from reinmaker_cli.server.tokens import EXPIRED, Grant, TokenRefused, Tokens
from tests.server.live import token_part


@dataclass(frozen=True)
class Break:
    """One thing that a server does wrong."""

    name: str
    what: str
    do: Callable[[], None]
    """Breaks this process for good."""


@dataclass
class Answer:
    """An answer before it leaves, to be changed in place."""

    method: str
    path: str
    status: int
    headers: dict[str, str]
    body: bytes
    document: Any = field(init=False)
    """The body as JSON; None where it is none. What is changed here is sent."""

    def __post_init__(self) -> None:
        is_json = self.headers.get("content-type", "").partition(";")[0].endswith("json")
        self.document = json.loads(self.body) if is_json and self.body else None


def answers(change: Callable[[Answer], None]) -> Callable[[], None]:
    """Return what makes every answer go through `change`."""

    def do() -> None:
        whole = edge.Edge.__call__

        async def call(self: edge.Edge, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await whole(self, scope, receive, send)
                return
            begun: dict[str, Any] = {}
            body = bytearray()

            async def hold(message: Any) -> None:
                if message["type"] == "http.response.start":
                    begun.update(message)
                    return
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    await _send_changed(scope, begun, bytes(body), change, send)

            await whole(self, scope, receive, hold)

        edge.Edge.__call__ = call  # type: ignore[method-assign]

    return do


async def _send_changed(scope: Any, begun: Any, body: bytes, change: Callable[[Answer], None], send: Any) -> None:
    headers = {name.decode().lower(): value.decode() for name, value in begun["headers"]}
    answer = Answer(scope["method"], scope["path"], begun["status"], headers, body)
    change(answer)
    if answer.document is not None:
        answer.body = json.dumps(answer.document).encode()
    if answer.body:
        answer.headers["content-length"] = str(len(answer.body))
    fields = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": fields})
    await send({"type": "http.response.body", "body": answer.body})


def _is_submission(answer: Answer) -> bool:
    return isinstance(answer.document, dict) and "submissionId" in answer.document


def _ignore_token() -> None:
    resource.bearer_token = lambda _: "anything"  # type: ignore[assignment]
    Tokens.check = lambda *_: Grant("anybody", frozenset(map(str, Scope)))  # type: ignore[method-assign]


def _ignore_scope() -> None:
    check = Tokens.check

    def check_all(self: Tokens, token: str) -> Grant:
        return Grant(check(self, token).client_id, frozenset(map(str, Scope)))

    Tokens.check = check_all  # type: ignore[method-assign]


def _ignore_end() -> None:
    check = Tokens.check

    def check_without_time(self: Tokens, token: str) -> Grant:
        try:
            return check(self, token)
        except TokenRefused as refusal:
            if str(refusal) != EXPIRED:
                raise
            claims = token_part(token, 1)
            return Grant(claims["client_id"], frozenset(claims["scope"].split()))

    Tokens.check = check_without_time  # type: ignore[method-assign]


def _ignore_limit() -> None:
    count = resource.count_request

    async def count_only(*words: Any) -> None:
        try:
            await count(*words)
        except ApiProblem as problem:
            if problem.code != codes.QUOTA_EXCEEDED:
                raise

    resource.count_request = oauth.count_request = count_only  # type: ignore[assignment]


def _ignore_encoding_of_credentials() -> None:
    oauth.unquote_plus = lambda text: text  # type: ignore[assignment]


def _forbid_instead(answer: Answer) -> None:
    if answer.status == 401 and answer.path.startswith("/v1/"):
        answer.status = 403
        answer.document["status"] = 403


def _created(answer: Answer) -> None:
    if answer.status == 202 and answer.path == EVENTS_PATH:
        answer.status = 201


def _html(answer: Answer) -> None:
    if _is_submission(answer):
        answer.headers["content-type"] = "text/html"


def _text_for_number(answer: Answer) -> None:
    if _is_submission(answer):
        answer.document["validation"]["errorCount"] = str(answer.document["validation"]["errorCount"])


def _without_member(answer: Answer) -> None:
    if _is_submission(answer):
        del answer.document["active"]


def _without_etag(answer: Answer) -> None:
    answer.headers.pop("etag", None)


def _new_status(answer: Answer) -> None:
    if _is_submission(answer) and answer.document["status"] == "active":
        answer.document["status"] = "published"


def _cacheable_token(answer: Answer) -> None:
    if answer.path == TOKEN_PATH:
        answer.headers.pop("cache-control", None)
        answer.headers.pop("pragma", None)


def _no_problem(answer: Answer) -> None:
    if answer.headers.get("content-type") == PROBLEM_MEDIA_TYPE:
        answer.headers["content-type"] = "application/json"
        answer.document = {"error": answer.document["detail"]}


def _without_challenge(answer: Answer) -> None:
    answer.headers.pop("www-authenticate", None)


def _crash(answer: Answer) -> None:
    if answer.path == MANIFESTS_PATH and answer.method == "GET" and answer.status == 400:
        answer.status = 500
        answer.document |= {"status": 500, "code": "server-error"}


def _seconds_as_text(answer: Answer) -> None:
    if answer.path == TOKEN_PATH and answer.status == 200:
        answer.document["expires_in"] = str(answer.document["expires_in"])


def _other_issuer(answer: Answer) -> None:
    if answer.path == METADATA_PATH and answer.document:
        answer.document["issuer"] = "https://auth.lessonoftheday.com"


def _unwell(answer: Answer) -> None:
    if answer.path == HEALTH_PATH and answer.document and answer.status == 200:
        answer.document["status"] = "excellent"


def _secret_member(answer: Answer) -> None:
    if answer.path.startswith(MANIFESTS_PATH) and isinstance(answer.document, dict) and "items" in answer.document:
        answer.document["total"] = len(answer.document["items"])


BREAKS = {
    one.name: one
    for one in (
        Break("token-ignored", "routes answer without a token, and to any", _ignore_token),
        Break("scope-ignored", "any valid token has every scope", _ignore_scope),
        Break("expired-token-accepted", "a token lives for ever", _ignore_end),
        Break("limit-not-enforced", "the fields say that nothing is left, and all is answered", _ignore_limit),
        Break("wrong-status", "403 where 401 is due; both are documented", answers(_forbid_instead)),
        Break("undocumented-status", "201 for a batch of events, not 202", answers(_created)),
        Break("wrong-media-type", "a submission as text/html", answers(_html)),
        Break("wrong-type", "`errorCount` is text", answers(_text_for_number)),
        Break("missing-member", "a submission without `active`", answers(_without_member)),
        Break("missing-header", "no `ETag`", answers(_without_etag)),
        Break("extra-enum-value", "the status is `published`", answers(_new_status)),
        Break("undocumented-member", "pages say their `total`", answers(_secret_member)),
        Break("no-store-missing", "a token that caches may keep", answers(_cacheable_token)),
        Break("not-a-problem", 'errors are `{"error": ...}`', answers(_no_problem)),
        Break("no-challenge", "no `WWW-Authenticate`", answers(_without_challenge)),
        Break("crash", "a cursor that cannot be read is a 500", answers(_crash)),
        Break("health-says-excellent", "a word for health that nobody knows", answers(_unwell)),
        Break("expires-in-is-text", 'the token has `"expires_in": "900"`', answers(_seconds_as_text)),
        Break("other-issuer", "the metadata names another issuer", answers(_other_issuer)),
        Break("credentials-not-decoded", "Basic credentials are taken as they stand", _ignore_encoding_of_credentials),
    )
}

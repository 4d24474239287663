"""The matrix that no tool has: every operation × every kind of token, from the document's `security`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from reinmaker_cli.contract.names import TOKEN_LIFETIME_S, Scope
from tests.proof.target import KNOWN_MANIFEST, KNOWN_USER, Target
from tests.proof.verdict import Peer, Verdict
from tests.server.openapi_document import API, CONTROL

Wrong = str | None
"""What is wrong with an answer, None where nothing is."""

SCOPES = frozenset(map(str, Scope))


def judge(target: Target, _: Path) -> Verdict:
    """Ask every operation with every kind of token."""
    found: list[tuple[str, Wrong]] = []
    tokens = {scope: target.token(scope) for scope in SCOPES}
    with target.http() as client:
        for method, path, scope in _protected():
            for kind, token, expected in _cases(target, tokens, scope):
                answer = _ask(client, method, path, token)
                found.append((f"{method} {path} with {kind}", expected(answer)))
        for method, path in _public():
            for kind, token in (("no token", None), ("junk", "Bearer junk"), ("Basic", _basic("a", "b"))):
                answer = _ask(client, method, path, token)
                wrong = f"{answer.status_code}" if answer.status_code in (401, 403) else None
                found.append((f"{method} {path} with {kind}", wrong))
        found += _token_endpoint(target, client)
        found += _control(target, client, tokens)
        target.control("POST", "/clock", advanceSeconds=TOKEN_LIFETIME_S)
        for method, path, scope in _protected():
            answer = _ask(client, method, path, f"Bearer {tokens[scope]}")
            found.append(
                (f"{method} {path} with an expired token", _is_challenge(answer, 'Bearer error="invalid_token"'))
            )
    return Verdict(len(found), tuple(f"{name}: {wrong}" for name, wrong in found if wrong is not None))


def _operations(one: Any = API) -> Iterator[tuple[str, str, list[dict[str, list[str]]]]]:
    for path, method, operation in one.operations():
        concrete = path.replace("{manifestId}", KNOWN_MANIFEST).replace("{userId}", KNOWN_USER)
        yield method.upper(), concrete, operation.get("security", one.document()["security"])


def _protected() -> Iterator[tuple[str, str, str]]:
    for method, path, security in _operations():
        if {} not in security and any("oauth2" in one for one in security):
            ((scope,),) = (one["oauth2"] for one in security)
            yield method, path, scope


def _public() -> Iterator[tuple[str, str]]:
    return ((method, path) for method, path, security in _operations() if security == [] or security[0] == {})


def _cases(target: Target, tokens: dict[str, str], scope: str) -> Iterator[tuple[str, str | None, Any]]:
    def without_code(answer: httpx.Response) -> Wrong:
        return _is_challenge(answer, "Bearer")

    def invalid(answer: httpx.Response) -> Wrong:
        return _is_challenge(answer, 'Bearer error="invalid_token"')

    def insufficient(answer: httpx.Response) -> Wrong:
        return _is_challenge(answer, f'Bearer error="insufficient_scope", scope="{scope}"', 403)

    def let_in(answer: httpx.Response) -> Wrong:
        return f"{answer.status_code}" if answer.status_code in (401, 403) else None

    head, claims, signature = tokens[scope].split(".")
    yield "no token", None, without_code
    yield "Basic", _basic(target.client_id, target.client_secret), without_code
    yield "junk", "Bearer junk", invalid
    yield "an empty Bearer", "Bearer", invalid
    yield "a changed signature", f"Bearer {head}.{claims}.{signature[:-8]}AAAAAAAA", invalid
    yield "algorithm none", f"Bearer {_unsigned(claims)}", invalid
    yield "the right scope", f"Bearer {tokens[scope]}", let_in
    for other in sorted(SCOPES - {scope}):
        yield f"only {other}", f"Bearer {tokens[other]}", insufficient
    yield "all scopes but this", "Bearer " + target.token(*sorted(SCOPES - {scope})), insufficient


def _is_challenge(answer: httpx.Response, challenge: str, status: int = 401) -> Wrong:
    seen = (answer.status_code, answer.headers.get("www-authenticate"))
    return None if seen == (status, challenge) else f"{seen}, not {(status, challenge)}"


def _ask(client: httpx.Client, method: str, path: str, authorization: str | None) -> httpx.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    return client.request(method, path, headers=headers, json={} if method == "POST" else None)


def _token_endpoint(target: Target, client: httpx.Client) -> Iterator[tuple[str, Wrong]]:
    form = {"grant_type": "client_credentials"}
    right, wrong = _basic(target.client_id, target.client_secret), _basic(target.client_id, "wrong")
    in_body = form | {"client_id": target.client_id, "client_secret": target.client_secret}
    for kind, authorization, body, status, error in (
        ("nothing", None, form, 401, "invalid_client"),
        ("a Bearer token", f"Bearer {target.token()}", form, 401, "invalid_client"),
        ("Basic and a wrong secret", wrong, form, 401, "invalid_client"),
        ("Basic and an unknown client", _basic("nobody", "wrong"), form, 401, "invalid_client"),
        ("a wrong secret in the body", None, in_body | {"client_secret": "wrong"}, 401, "invalid_client"),
        ("both ways at once", right, in_body, 400, "invalid_request"),
        ("Basic", right, form, 200, None),
        ("the body", None, in_body, 200, None),
    ):
        headers = {} if authorization is None else {"Authorization": authorization}
        answer = client.post("/oauth/token", data=body, headers=headers)
        seen = (answer.status_code, answer.json().get("error"))
        yield f"POST /oauth/token with {kind}", None if seen == (status, error) else f"{seen}, not {(status, error)}"


def _control(target: Target, client: httpx.Client, tokens: dict[str, str]) -> Iterator[tuple[str, Wrong]]:
    refused = {"no token": None, "junk": "Bearer junk", "an access token": f"Bearer {tokens[Scope.CONTENT_WRITE]}"}
    for path, method, _ in CONTROL.operations():
        concrete = path.replace("{clientId}", target.client_id).replace("{endpointId}", "none")
        for kind, authorization in refused.items():
            status = _ask(client, method.upper(), concrete, authorization).status_code
            yield f"{method.upper()} {path} with {kind}", None if status in (401, 403) else f"{status}"
        if method == "get" and "{" not in concrete:
            status = _ask(client, "GET", concrete, f"Bearer {target.control_token}").status_code
            yield f"GET {path} with the control token", None if status not in (401, 403) else f"{status}"


def _basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def _unsigned(claims: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    return f"{header}.{claims}."


ACCESS = Peer("access matrix", judge, at_least=100)

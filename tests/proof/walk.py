"""A walk through the API, its errors included: 50 requests that two judges listen to, openapi-core and Prism."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator

import httpx

from reinmaker_cli.contract.names import ENTITLEMENTS_PATH, EVENTS_PATH, TOKEN_PATH
from tests.proof.target import KNOWN_MANIFEST, KNOWN_USER, Target
from tests.server.live import MANIFESTS, event, manifest

Ask = Callable[..., httpx.Response]
JSON = {"Content-Type": "application/json"}


def walk(target: Target, client: httpx.Client, *, reads_bodies: bool = False) -> Iterator[str]:
    """Take the walk with a client whose hooks listen; yield each status that is not the expected one.

    `client` may lead through a proxy; one that reads bodies and sends its own text gets no gzip, and no JSON that
    readers disagree about.
    """
    token = target.token()
    bearer = {"Authorization": f"Bearer {token}"}
    steps = (*_issuer(target), *_documents(), *_manifests(bearer), *_players(bearer))
    steps += () if reads_bodies else tuple(_exact_bodies(bearer))
    for method, path, more, expected in steps:
        answer = client.request(method, path, **more)
        if answer.status_code != expected:
            yield f"{method} {path}: {answer.status_code}, not {expected}"


Step = tuple[str, str, dict[str, object], int]


def _issuer(target: Target) -> Iterator[Step]:
    form = {"grant_type": "client_credentials"}
    in_body = form | {"client_id": target.client_id, "client_secret": target.client_secret}
    # RFC 6749 section 2.3.1 allows every character to be encoded, the harmless ones too.
    encoded = ":".join("".join(f"%{ord(one):02X}" for one in text) for text in (target.client_id, target.client_secret))
    basic = {"Authorization": "Basic " + base64.b64encode(encoded.encode()).decode()}
    yield "POST", TOKEN_PATH, {"data": form, "headers": basic}, 200
    yield "POST", TOKEN_PATH, {"data": in_body}, 200
    yield "POST", TOKEN_PATH, {"data": in_body | {"scope": "reinmaker.telemetry.write"}}, 200
    yield "POST", TOKEN_PATH, {"data": in_body | {"scope": "admin"}}, 400
    yield "POST", TOKEN_PATH, {"data": in_body | {"grant_type": "password"}}, 400
    yield "POST", TOKEN_PATH, {"data": in_body, "headers": basic}, 400
    yield "POST", TOKEN_PATH, {"data": in_body | {"client_secret": "wrong"}}, 401
    yield "POST", TOKEN_PATH, {"data": form, "auth": ("nobody", "wrong")}, 401


def _documents() -> Iterator[Step]:
    yield "GET", "/.well-known/jwks.json", {}, 200
    yield "GET", "/.well-known/oauth-authorization-server", {}, 200
    yield "GET", "/v1/schemas/content-manifest.json", {}, 200
    yield "GET", "/openapi.json", {}, 200
    yield "GET", "/v1/health", {}, 200


def _manifests(bearer: dict[str, str]) -> Iterator[Step]:
    first = manifest("walk")
    known = f"{MANIFESTS}/{KNOWN_MANIFEST}"
    for name, path in (("POST", MANIFESTS), ("GET", MANIFESTS), ("GET", known)):
        body = {"json": first} if name == "POST" else {}
        yield name, path, body, 401
        yield name, path, body | {"headers": {"Authorization": "Bearer junk"}}, 401
    yield "POST", MANIFESTS, {"json": first, "headers": bearer}, 202
    yield "POST", MANIFESTS, {"json": first, "headers": bearer | {"Prefer": "wait=20"}}, 200
    yield "POST", MANIFESTS, {"json": first | {"product": "daily_lesson"}, "headers": bearer}, 409
    yield "POST", MANIFESTS, {"json": manifest("walk", "2026.11.22"), "headers": bearer}, 409
    yield "POST", MANIFESTS, {"json": manifest("walk-2", assets=[]), "headers": bearer}, 422
    yield "POST", MANIFESTS, {"json": {}, "headers": bearer}, 422
    yield "POST", MANIFESTS, {"content": b"{", "headers": bearer | JSON}, 400
    yield "POST", MANIFESTS, {"content": b"<a/>", "headers": bearer | {"Content-Type": "text/xml"}}, 415
    yield "GET", known, {"headers": bearer}, 200
    yield "GET", f"{known}?include=manifest", {"headers": bearer}, 200
    yield "GET", f"{known}?version=2000.01.01", {"headers": bearer}, 404
    yield "GET", f"{MANIFESTS}/nothing", {"headers": bearer}, 404
    yield "GET", MANIFESTS, {"headers": bearer}, 200
    yield "GET", f"{MANIFESTS}?limit=1", {"headers": bearer}, 200
    yield "GET", f"{MANIFESTS}?limit=many", {"headers": bearer}, 400
    yield "GET", f"{MANIFESTS}?cursor=%3F", {"headers": bearer}, 400


def _exact_bodies(bearer: dict[str, str]) -> Iterator[Step]:
    zipped = gzip.compress(json.dumps(manifest("walk-zipped")).encode())
    gzip_fields = {"Content-Encoding": "gzip", "Prefer": "wait=20"}
    yield "POST", MANIFESTS, {"content": zipped, "headers": bearer | JSON | gzip_fields}, 200
    yield "POST", MANIFESTS, {"content": zipped[:-4], "headers": bearer | JSON | gzip_fields}, 400
    yield "POST", MANIFESTS, {"content": b'{"a":1,"a":2}', "headers": bearer | JSON}, 400


def _players(bearer: dict[str, str]) -> Iterator[Step]:
    user = f"{ENTITLEMENTS_PATH}/{KNOWN_USER}"
    yield "GET", user, {}, 401
    yield "GET", user, {"headers": bearer}, 200
    yield "GET", f"{ENTITLEMENTS_PATH}/nobody", {"headers": bearer}, 200
    yield "GET", f"{ENTITLEMENTS_PATH}/{'u' * 257}", {"headers": bearer}, 400
    known = event("walk-1")
    yield "POST", EVENTS_PATH, {"json": {"events": [known]}}, 401
    yield "POST", EVENTS_PATH, {"json": {"events": [known, event()]}, "headers": bearer}, 202
    yield "POST", EVENTS_PATH, {"json": {"events": [known]}, "headers": bearer}, 202
    yield "POST", EVENTS_PATH, {"json": {"events": []}, "headers": bearer}, 422
    yield "POST", EVENTS_PATH, {"json": {"events": [{}]}, "headers": bearer}, 422
    yield "POST", EVENTS_PATH, {"content": b"{", "headers": bearer | JSON}, 400
    yield "POST", EVENTS_PATH, {"content": b"a", "headers": bearer | {"Content-Type": "text/csv"}}, 415

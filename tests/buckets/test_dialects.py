"""Google's and Azure's ways to say the same: what obstore sends to each, and that nothing is replaced there either.

The store is ours, a few lines of HTTP in memory that know both conditions; it proves what is sent, not what the real
ones answer.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from reinmaker_cli.buckets.access import obstacle
from reinmaker_cli.buckets.objects import Found, Objects
from reinmaker_cli.contract.object_urls import object_url
from reinmaker_cli.errors import ReinmakerError
from tests.buckets.s3 import DEAD_PROXY

CONTENT = bytearray(b"bytes")
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = base64.b64encode(b"a key of an account").decode()


class _Store(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.puts: list[dict[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_PUT(self) -> None:
        name, headers = self._name(), {key.lower(): value for key, value in self.headers.items()}
        content = self.rfile.read(int(headers["content-length"]))
        self.server.puts.append(headers)
        conditional = headers.get("if-none-match") == "*" or headers.get("x-goog-if-generation-match") == "0"
        if conditional and name in self.server.objects:
            self._answer(409 if "x-ms-version" in headers else 412)
            return
        kept = {key: value for key, value in headers.items() if re.match(r"x-(ms|goog)-meta-|content-type", key)}
        self.server.objects[name] = content, kept
        self._answer(201)

    def do_GET(self) -> None:
        content, kept = self.server.objects.get(self._name(), (None, {}))
        self._answer(200 if content is not None else 404, content or b"", kept)

    do_HEAD = do_GET

    def _name(self) -> str:
        return unquote(urlsplit(self.path).path)

    def _answer(self, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        dated = {"Last-Modified": "Sat, 28 Nov 2026 12:00:00 GMT", "ETag": '"1"', "x-goog-generation": "1"}
        for name, value in {**dated, **(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


@pytest.fixture
def store() -> Iterator[_Store]:
    with _Store() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(params=["gs", "az"])
def scheme(request: pytest.FixtureRequest, store: _Store, monkeypatch: pytest.MonkeyPatch) -> str:
    """The store of ours is the Google or Azure of this process."""
    variables = {
        "gs": {"GOOGLE_BASE_URL": store.url, "GOOGLE_BEARER_TOKEN": "a-token"},
        "az": {
            "AZURE_STORAGE_ENDPOINT": store.url,
            "AZURE_STORAGE_ACCOUNT_NAME": "account",
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        },
    }[request.param]
    for name, value in {**variables, "HTTP_PROXY": DEAD_PROXY, "http_proxy": DEAD_PROXY, "NO_PROXY": ""}.items():
        monkeypatch.setenv(name, value)
    return str(request.param)


def test_an_object_is_put_looked_at_read_and_never_replaced(scheme: str, store: _Store) -> None:
    objects, target = Objects(os.environ), object_url(f"{scheme}://bucket/a%20b.mp3")

    async def go() -> None:
        assert await objects.look(target) is None
        assert await objects.create(target, CONTENT, SHA256, "audio/mpeg")
        assert await objects.look(target) == Found(len(CONTENT), SHA256)
        assert await objects.hash(target, len(CONTENT)) == SHA256
        assert not await objects.create(target, bytearray(b"other"), SHA256, "audio/mpeg")

    asyncio.run(go())
    ((name, (content, kept)),) = store.objects.items()
    assert name.endswith("/bucket/a b.mp3")
    assert content == CONTENT
    assert "audio/mpeg" in kept.values() or store.puts[0].get("x-ms-blob-content-type") == "audio/mpeg"
    for put in store.puts:
        assert (put.get("if-none-match"), put.get("x-goog-if-generation-match")) in {("*", None), (None, "0")}


def test_credentials_in_variables_are_seen(scheme: str, store: _Store) -> None:
    assert obstacle(scheme, os.environ) == ""
    assert obstacle(scheme, {"HOME": "/nonexistent"}) != ""


@pytest.mark.parametrize("secret", ["a-token", KEY])
def test_nothing_of_the_credentials_is_in_an_error(scheme: str, store: _Store, secret: str, monkeypatch) -> None:
    monkeypatch.setenv("GOOGLE_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(ReinmakerError) as caught:
        asyncio.run(Objects(os.environ).look(object_url(f"{scheme}://bucket/a")))
    assert caught.value.code == "bucket-unreachable"
    assert secret not in caught.value.message + caught.value.hint


def test_plain_http_beyond_this_machine_is_refused(scheme: str, store: _Store, monkeypatch) -> None:
    for name in ("GOOGLE_BASE_URL", "AZURE_STORAGE_ENDPOINT"):
        monkeypatch.setenv(name, "http://192.0.2.1")
    with pytest.raises(ReinmakerError) as caught:
        asyncio.run(Objects(os.environ).look(object_url(f"{scheme}://bucket/a")))
    assert caught.value.code == "bucket-unusable"

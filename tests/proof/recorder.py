"""A proxy of thirty lines before the proxy: passes requests on and keeps what the answers say in one header field."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "date", "server"}


@contextmanager
def recording(upstream: str, field: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield a URL and what was seen there: `METHOD path status`, and the value of the field or ""."""
    seen: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = [
                (name, value)
                for name, value in self.headers.items()
                if name.lower() not in HOP_BY_HOP - {"content-encoding"}
            ]
            answer = client.request(self.command, self.path, content=body, headers=headers)
            seen.append((f"{self.command} {self.path} {answer.status_code}", answer.headers.get(field, "")))
            self.send_response_only(answer.status_code)
            for name, value in answer.headers.multi_items():
                if name not in HOP_BY_HOP:
                    self.send_header(name, value)
            if answer.status_code not in (204, 304):
                self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = do_HEAD = do_OPTIONS = _pass_on

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with (
        httpx.Client(base_url=upstream, timeout=60, trust_env=False, headers={"Accept-Encoding": "identity"}) as client,
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
    ):
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()

"""An API that answers from a script: for what a healthy server never says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import httpx

from reinmaker_cli.client.api import Api
from reinmaker_cli.client.connection import Connection, open_http
from reinmaker_cli.manifest.assemble import Manifest

URL = "http://localhost:7040"

Step = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Script:
    """Answers in order; a request beyond the last answer is an error of the test."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps = list(steps)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, httpx.Response) else step(request)

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]

    def api(self) -> Api:
        return Api(Connection(open_http(URL, transport=httpx.MockTransport(self)), URL))


def shown(manifest: Manifest, status: str = "pending", submission_id: str = "sub_1", **more: Any) -> dict[str, Any]:
    """Return a submission as the API shows it."""
    return {
        "submissionId": submission_id,
        "manifestId": manifest.manifest_id,
        "version": manifest.version,
        "digest": manifest.digest,
        "contentDigest": manifest.content_digest,
        "status": status,
        "active": None,
        "submittedAt": "2026-11-23T12:00:00Z",
        "updatedAt": "2026-11-23T12:00:00Z",
        "traceId": "trace-1",
        "validation": {"checks": [], "errors": [], "errorCount": 0, "warnings": []},
    } | more


def answer(document: dict[str, Any], status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, json=document, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    document = {"type": f"https://api.reinmaker.com/problems/{code}", "title": code, "status": status, "code": code}
    sent = {"Content-Type": "application/problem+json"} | {n.replace("_", "-"): text for n, text in headers.items()}
    return httpx.Response(status, json=document, headers=sent)


NOT_FOUND = problem(404, "manifest-not-found")

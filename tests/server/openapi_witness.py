"""Looks at real answers and says where they differ from the OpenAPI document; remembers what it has seen."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from tests.server.openapi_document import API, ApiDocument

# What every HTTP answer may have without the document saying so.
_COMMON_HEADERS = {"date", "server", "content-length", "content-type", "transfer-encoding", "connection", "pragma"}

HELD: Counter[str] = Counter()
"""How many answers were held to each document; said at the end of a test run."""


@dataclass
class Witness:
    """An event hook for httpx: `httpx.Client(event_hooks={"response": [witness]})`."""

    one: ApiDocument = API
    """The document that the answers are held to."""
    seen: set[tuple[str, int]] = field(default_factory=set)
    """Operation ids and statuses of the answers so far; HEAD and OPTIONS do not count."""

    def __call__(self, response: httpx.Response) -> None:
        """Read an answer; AssertionError where it differs."""
        response.read()
        HELD[self.one.file] += 1
        problems = differences(response, self.one)
        assert problems == [], "\n".join(problems)
        found = operation_for(response.request.method, response.request.url.path, self.one)
        if found is not None:
            self.seen.add((found[1]["operationId"], response.status_code))


def operation_for(method: str, path: str, one: ApiDocument = API) -> tuple[str, dict[str, Any]] | None:
    """Return path template and operation; a path written out wins over a template."""
    fitting = [
        (template, operation)
        for template, name, operation in one.operations()
        if name == method.lower() and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), path)
    ]
    return min(fitting, key=lambda entry: "{" in entry[0], default=None)


def differences(response: httpx.Response, one: ApiDocument = API) -> list[str]:
    """Return where an answer differs from the document; [] for HEAD, OPTIONS and what is no operation."""
    request = response.request
    found = operation_for(request.method, request.url.path, one)
    if found is None:
        return []
    template, operation = found
    name = f"{operation['operationId']} {response.status_code}"
    documented = one.follow(operation["responses"].get(str(response.status_code)))
    if documented is None:
        return [f"{name}: status not documented: {response.text[:300]}"]
    problems = [f"{name}: {_explained(error)}" for error in _openapi_errors(response, template, one)]
    known = {header.lower() for header in documented.get("headers", {})} | _COMMON_HEADERS
    problems += [f"{name}: header not documented: {header}" for header in response.headers if header not in known]
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if "content" not in documented:
        problems += [f"{name}: a body where none is documented"] if response.content else []
    elif media_type.endswith("json"):
        schema = documented["content"].get(media_type, {}).get("schema", {})
        problems += [
            f"{name}: member not documented: {place}" for place in one.undocumented_members(schema, response.json())
        ]
    return problems


def _openapi_errors(response: httpx.Response, template: str, one: ApiDocument) -> list[Exception]:
    request = MockRequest("http://localhost:7040", response.request.method, response.request.url.path, template)
    answer = MockResponse(
        response.content,
        response.status_code,
        dict(response.headers),
        response.headers.get("content-type", ""),
    )
    return list(_openapi(one).iter_response_errors(request, answer))


@functools.cache
def _openapi(one: ApiDocument) -> OpenAPI:
    more = dict.fromkeys(("application/problem+json", "application/schema+json"), lambda body, **_: json.loads(body))
    return OpenAPI.from_dict(one.document(), Config(extra_media_type_deserializers=more))


def _explained(error: BaseException) -> str:
    """Return the innermost reasons: the outer ones quote the whole body."""
    if inner := getattr(error, "schema_errors", ()):
        return "; ".join(f"{found.json_path}: {found.message[:300]}" for found in inner)
    return _explained(error.__cause__) if error.__cause__ is not None else f"{type(error).__name__}: {str(error)[:300]}"

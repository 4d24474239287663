"""The reference pages that are written from documents: what the API answers, and what `--json` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

import yaml

NOTE = "<!-- Written by `make generated` from the code. -->"
_METHODS = ("get", "post", "put", "patch", "delete")


def api_page() -> Iterator[str]:
    """Yield the lines of docs/api.md, from `contract/openapi.yaml`."""
    document: dict[str, Any] = yaml.safe_load(_contract("openapi.yaml"))
    yield from ("# The API", "", NOTE, "")
    yield "Every operation and webhook of [openapi.yaml](../reinmaker_cli/contract/openapi.yaml), which has an example"
    yield "of each request and answer. [contract.md](contract.md) says what they mean."
    yield from ("", "| operation | scope | what it does |", "| --- | --- | --- |")
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in _METHODS
    ]
    for name, operation in operations:
        scopes = [
            f"`{scope}`"
            for one in operation.get("security", document["security"])
            for names in one.values()
            for scope in names
        ]
        link = f"[`{name}`](#{operation['operationId'].lower()})"
        yield f"| {link} | {', '.join(scopes) or 'none'} | {operation['summary']} |"
    for name, operation in operations:
        yield from _operation(document, name, operation)
    yield from ("", "## Webhooks", "", "| event | what it tells |", "| --- | --- |")
    yield from (f"| `{name}` | {item['post']['summary']} |" for name, item in document["webhooks"].items())


def _operation(document: dict[str, Any], name: str, operation: dict[str, Any]) -> Iterator[str]:
    yield from ("", f"## {operation['operationId']}", "", f"`{name}`", "", operation.get("description", "").strip(), "")
    parameters = [_followed(document, one) for one in operation.get("parameters", [])]
    if parameters:
        yield from ("| parameter | in | what |", "| --- | --- | --- |")
        yield from (f"| `{one['name']}` | {one['in']} | {_cell(one.get('description', ''))} |" for one in parameters)
        yield ""
    yield from ("| status | what | media type | header fields |", "| ---: | --- | --- | --- |")
    for status, reference in operation["responses"].items():
        answer = _followed(document, reference)
        media = ", ".join(f"`{one}`" for one in answer.get("content", {}))
        fields = ", ".join(f"`{one}`" for one in answer.get("headers", {}))
        yield f"| {status} | {_cell(answer['description'])} | {media} | {fields} |"


def schemas_page() -> Iterator[str]:
    """Yield the lines of docs/schemas.md, from the JSON Schemas that ship in the package."""
    yield from ("# What --json prints", "", NOTE, "")
    yield "Every command prints one document, on failure too; `reinmaker spec schema NAME` prints its JSON Schema."
    yield "All have `schema`, `ok`, `exitCode`, `environment`, `findings`, `stats`, `error` and `tool`; below is"
    yield "what each has beside."
    folder = resources.files("reinmaker_cli") / "cli" / "schemas"
    documents = [json.loads(file.read_text("utf-8")) for file in sorted(folder.iterdir(), key=lambda one: one.name)]
    common = set.intersection(*(set(one["properties"]) for one in documents))
    yield from ("", "| schema | what | its own members |", "| --- | --- | --- |")
    for one in documents:
        own = [f"`{name}`" for name in one["properties"] if name not in common]
        what = one["title"].partition(": ")[2] or one["title"]
        yield f"| `{one['properties']['schema']['const']}` | {_cell(what)} | {', '.join(own)} |"


def _followed(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in value:
        found: Any = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def _contract(name: str) -> str:
    return (resources.files("reinmaker_cli") / "contract" / name).read_text("utf-8")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

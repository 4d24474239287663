"""The OpenAPI document as tests read it: references followed, values judged by its schemas."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from importlib import resources
from typing import Any

import jsonschema
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT202012

METHODS = ("get", "post", "put", "patch", "delete")
_URI = "urn:openapi"


@functools.cache
def document() -> dict[str, Any]:
    """Return the document as it ships. Not to be changed."""
    text = resources.files("reinmaker_cli.contract").joinpath("openapi.yaml").read_text("utf-8")
    return yaml.safe_load(text)


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, method and operation."""
    for path, item in document()["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def follow(node: Any) -> Any:
    """Return what a reference points to, or the node itself."""
    while isinstance(node, dict) and "$ref" in node and isinstance(node["$ref"], str):
        node = at_pointer(node["$ref"])
    return node


def at_pointer(reference: str) -> Any:
    """Return the place that a local reference names; KeyError where there is none."""
    assert reference.startswith("#/"), reference
    node: Any = document()
    for part in reference[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        node = node[int(name)] if isinstance(node, list) else node[name]
    return node


def nodes(node: Any, pointer: str = "#") -> Iterator[tuple[str, Any]]:
    """Yield every node below, with its place."""
    yield pointer, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        yield from nodes(child, f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}")


@functools.cache
def _registry() -> Registry:
    return Registry().with_resource(_URI, DRAFT202012.create_resource(document()))


def schema_errors(schema_pointer: str, value: Any) -> list[str]:
    """Return what the schema at this place of the document says against a value."""
    validator = jsonschema.Draft202012Validator(
        {"$ref": f"{_URI}{schema_pointer}"}, registry=_registry(), format_checker=jsonschema.FormatChecker()
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def undocumented_members(schema: Any, value: Any, place: str = "$") -> list[str]:
    """Return the members of a value that its schema does not name: an answer may grow only with the document."""
    schema = follow(schema)
    if schema is at_pointer("#/components/schemas/Manifest"):
        return []  # additional properties of a manifest travel untouched
    for choice in schema.get("oneOf", ()):
        if (follow(choice).get("type") == "null") == (value is None):
            return undocumented_members(choice, value, place)
    if isinstance(value, list):
        return [
            problem
            for index, item in enumerate(value)
            for problem in undocumented_members(schema.get("items", {}), item, f"{place}[{index}]")
        ]
    if isinstance(value, dict) and "properties" in schema:
        unknown = [f"{place}.{name}" for name in value if name not in schema["properties"]]
        return unknown + [
            problem
            for name, member in value.items()
            if name in schema["properties"]
            for problem in undocumented_members(schema["properties"][name], member, f"{place}.{name}")
        ]
    return []

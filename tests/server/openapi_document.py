"""The OpenAPI documents as tests read them: references followed, values judged by their schemas."""

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


class ApiDocument:
    """An OpenAPI document as it ships."""

    def __init__(self, file: str) -> None:
        self.file = file

    @functools.cache  # noqa: B019  (there are two of them, and they live as long as the tests)
    def document(self) -> dict[str, Any]:
        """Return the document. Not to be changed."""
        text = resources.files("reinmaker_cli.contract").joinpath(self.file).read_text("utf-8")
        return yaml.safe_load(text)

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield path, method and operation."""
        for path, item in self.document()["paths"].items():
            for method in METHODS:
                if method in item:
                    yield path, method, item[method]

    def follow(self, node: Any) -> Any:
        """Return what a reference points to, or the node itself."""
        while isinstance(node, dict) and "$ref" in node and isinstance(node["$ref"], str):
            node = self.at_pointer(node["$ref"])
        return node

    def at_pointer(self, reference: str) -> Any:
        """Return the place that a local reference names; KeyError where there is none."""
        assert reference.startswith("#/"), reference
        node: Any = self.document()
        for part in reference[2:].split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            node = node[int(name)] if isinstance(node, list) else node[name]
        return node

    @functools.cache  # noqa: B019
    def _registry(self) -> Registry:
        return Registry().with_resource(_URI, DRAFT202012.create_resource(self.document()))

    def schema_errors(self, schema_pointer: str, value: Any) -> list[str]:
        """Return what the schema at this place of the document says against a value."""
        validator = jsonschema.Draft202012Validator(
            {"$ref": f"{_URI}{schema_pointer}"}, registry=self._registry(), format_checker=jsonschema.FormatChecker()
        )
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def undocumented_members(self, schema: Any, value: Any, place: str = "$") -> list[str]:
        """Return the members of a value that its schema does not name: an answer may grow only with the document."""
        schema = self.follow(schema)
        if schema is self.document()["components"]["schemas"].get("Manifest"):
            return []  # additional properties of a manifest travel untouched
        for choice in schema.get("oneOf", ()):
            if (self.follow(choice).get("type") == "null") == (value is None):
                return self.undocumented_members(choice, value, place)
        if isinstance(value, list):
            return [
                problem
                for index, item in enumerate(value)
                for problem in self.undocumented_members(schema.get("items", {}), item, f"{place}[{index}]")
            ]
        if isinstance(value, dict) and "properties" in schema:
            unknown = [f"{place}.{name}" for name in value if name not in schema["properties"]]
            return unknown + [
                problem
                for name, member in value.items()
                if name in schema["properties"]
                for problem in self.undocumented_members(schema["properties"][name], member, f"{place}.{name}")
            ]
        return []

    def contents(self) -> dict[str, Any]:
        """Return everything that has a media type, by its place."""
        found: dict[str, Any] = {}
        for below in ("paths", *(["webhooks"] if "webhooks" in self.document() else []), "components/responses"):
            for pointer, node in nodes(self.at_pointer(f"#/{below}"), f"#/{below}"):
                # An example may have that name too.
                if isinstance(node, dict) and "content" in node and not pointer.endswith("/examples"):
                    for media, content in node["content"].items():
                        found[f"{pointer}/content/{media.replace('/', '~1')}"] = content
        return found

    def examples(self) -> Iterator[tuple[str, str, Any]]:
        """Yield a name, the place of the schema and the value of every example."""
        for pointer, content in self.contents().items():
            for name, example in content.get("examples", {}).items():
                yield f"{pointer}#{name}", f"{pointer}/schema", self.follow(example)["value"]
        for pointer, node in nodes(self.document()):  # those of parameters and header fields
            if isinstance(node, dict) and "schema" in node and "example" in node:
                yield pointer, f"{pointer}/schema", node["example"]


def nodes(node: Any, pointer: str = "#") -> Iterator[tuple[str, Any]]:
    """Yield every node below, with its place."""
    yield pointer, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        yield from nodes(child, f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}")


API = ApiDocument("openapi.yaml")
CONTROL = ApiDocument("control-openapi.yaml")

document, operations, follow, at_pointer = API.document, API.operations, API.follow, API.at_pointer
schema_errors, undocumented_members = API.schema_errors, API.undocumented_members

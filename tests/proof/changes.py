"""What of an OpenAPI document would break those who built on an earlier one: python -m tests.proof.changes OLD NEW.

No ready tool saw a tightened constraint, a changed scope or a removed webhook. A schema is compared in the direction in
which it travels: what clients send may not be narrowed, what they get may not be widened. A webhook goes the other way:
its body is what they get.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
Direction = Literal["sent", "got"]
"""By those who built on the document."""

LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
ALL_OR_NOTHING = ("pattern", "format", "multipleOf", "uniqueItems")
TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})


@dataclass
class Comparison:
    """Two documents, and what was found so far."""

    old: Mapping[str, Any]
    new: Mapping[str, Any]
    checks: int = 0
    found: list[str] = field(default_factory=list)
    _under_way: set[tuple[int, int]] = field(default_factory=set)

    def run(self) -> list[str]:
        """Compare all of it and return what breaks."""
        servers = {one["url"] for one in self.new.get("servers", ())}
        for one in self.old.get("servers", ()):
            self._holds(one["url"] in servers, f"server removed: {one['url']}")
        for kind in ("paths", "webhooks"):
            for path, item in self.old.get(kind, {}).items():
                for method in (method for method in METHODS if method in item):
                    now = self.new.get(kind, {}).get(path, {}).get(method)
                    name = f"{method.upper()} {path}" if kind == "paths" else f"webhook {path}"
                    if self._holds(now is not None, f"{name}: removed"):
                        self._operation(name, item[method], now, is_webhook=kind == "webhooks")
        return self.found

    def _holds(self, is_kept: bool, what: str) -> bool:
        self.checks += 1
        if not is_kept:
            self.found.append(what)
        return is_kept

    def _operation(self, name: str, old: Any, new: Any, *, is_webhook: bool) -> None:
        self._security(
            name, old.get("security", self.old.get("security", [])), new.get("security", self.new.get("security", []))
        )
        sent, got = ("got", "sent") if is_webhook else ("sent", "got")
        self._parameters(name, old, new, sent)  # type: ignore[arg-type]
        self._request(name, _at(self.old, old.get("requestBody")), _at(self.new, new.get("requestBody")), sent)  # type: ignore[arg-type]
        for status, response in old.get("responses", {}).items():
            now = new.get("responses", {}).get(status)
            if self._holds(now is not None, f"{name}: status {status} removed"):
                self._response(f"{name} {status}", _at(self.old, response), _at(self.new, now), got)  # type: ignore[arg-type]

    def _security(self, name: str, old: list[Any], new: list[Any]) -> None:
        """Each way in is there still, and asks for no more scopes."""
        for way in old or [{}]:
            same = [now for now in new or [{}] if now.keys() == way.keys()]
            is_kept = any(all(set(now[scheme]) <= set(way[scheme]) for scheme in way) for now in same)
            self._holds(is_kept, f"{name}: no longer allowed with {way or 'nothing'}")

    def _parameters(self, name: str, old: Any, new: Any, direction: Direction) -> None:
        before = {(one["in"], one["name"].lower()): one for one in _all(self.old, old.get("parameters", ()))}
        after = {(one["in"], one["name"].lower()): one for one in _all(self.new, new.get("parameters", ()))}
        for key, one in before.items():
            now = after.get(key)
            where = f"{name}: {key[0]} parameter {one['name']}"
            if not self._holds(now is not None, f"{where}: removed"):
                continue
            assert now is not None
            was, is_now = one.get("required", False), now.get("required", False)
            self._holds(was or not is_now if direction == "sent" else is_now or not was, f"{where}: required was {was}")
            self._schema(where, one.get("schema", {}), now.get("schema", {}), direction)
        for key, one in after.items():
            is_news = direction == "sent" and key not in before and one.get("required", False)
            self._holds(not is_news, f"{name}: new required {key[0]} parameter {one['name']}")

    def _request(self, name: str, old: Any, new: Any, direction: Direction) -> None:
        if new is not None:
            was = old is not None and old.get("required", False)
            self._holds(direction == "got" or was or not new.get("required", False), f"{name}: a body is required now")
        if old is not None:
            self._contents(f"{name}: body", old, new or {}, direction)

    def _response(self, name: str, old: Any, new: Any, direction: Direction) -> None:
        for header, one in old.get("headers", {}).items():
            now = new.get("headers", {}).get(header)
            if self._holds(now is not None or direction == "sent", f"{name}: header {header} removed") and now:
                before, after = _at(self.old, one), _at(self.new, now)
                is_kept = after.get("required", False) or not before.get("required", False)
                self._holds(is_kept, f"{name}: header {header} is no longer always there")
                self._schema(f"{name}: header {header}", before.get("schema", {}), after.get("schema", {}), direction)
        self._contents(name, old, new, direction)

    def _contents(self, name: str, old: Any, new: Any, direction: Direction) -> None:
        for media_type, content in old.get("content", {}).items():
            now = new.get("content", {}).get(media_type)
            if self._holds(now is not None, f"{name}: {media_type} removed"):
                self._schema(name, content.get("schema", {}), now.get("schema", {}), direction)

    def _schema(self, name: str, old: Any, new: Any, direction: Direction) -> None:
        old, new = _at(self.old, old), _at(self.new, new)
        if (id(old), id(new)) in self._under_way:
            return
        self._under_way.add((id(old), id(new)))
        for what in _constraints(old, new, direction):
            self._holds(what is None, f"{name}: {what}")
        for member in old.get("properties", {}):
            now = new.get("properties", {}).get(member)
            if self._holds(now is not None, f"{name}: {member} removed"):
                self._schema(f"{name}/{member}", old["properties"][member], now, direction)
        if "items" in old and "items" in new:
            self._schema(f"{name}/*", old["items"], new["items"], direction)
        for kind in ("oneOf", "anyOf"):
            if kind in old or kind in new:
                self._alternatives(f"{name}: {kind}", old.get(kind), new.get(kind), direction)
        self._under_way.discard((id(old), id(new)))

    def _alternatives(self, name: str, old: list[Any] | None, new: list[Any] | None, direction: Direction) -> None:
        if old is None or new is None:
            appeared = old is None
            self._holds(appeared == (direction == "got"), f"{name} {'appeared' if appeared else 'removed'}")
            return
        for one in old if direction == "sent" else new:
            is_kept = any(
                not (Comparison(self.old, self.new)._found_in(one, other) if direction == "sent" else
                     Comparison(self.old, self.new)._found_in(other, one, "got"))
                for other in (new if direction == "sent" else old)
            )  # fmt: skip
            self._holds(is_kept, f"{name}: {'an alternative removed' if direction == 'sent' else 'a new alternative'}")

    def _found_in(self, old: Any, new: Any, direction: Direction = "sent") -> list[str]:
        self._schema("", old, new, direction)
        return self.found


def _constraints(old: Any, new: Any, direction: Direction) -> Iterator[str | None]:
    """Yield what is narrower (sent) or wider (got) now, None for each constraint that is not."""
    narrow = direction == "sent"
    before, after = (old, new) if narrow else (new, old)  # `after` must allow all that `before` allows
    yield _unless(_types(before) <= _types(after), f"type was {old.get('type')}, is {new.get('type')}")
    was, now = _values(before), _values(after)
    yield _unless(now is None or (was is not None and was <= now), f"values were {_values(old)}, are {_values(new)}")
    for bound in LOWER_BOUNDS:
        yield _unless(after.get(bound, float("-inf")) <= before.get(bound, float("-inf")), _changed(bound, old, new))
    for bound in UPPER_BOUNDS:
        yield _unless(after.get(bound, float("inf")) >= before.get(bound, float("inf")), _changed(bound, old, new))
    for name in ALL_OR_NOTHING:
        yield _unless(name not in after or after[name] == before.get(name), _changed(name, old, new))
    was_required, now_required = set(before.get("required", ())), set(after.get("required", ()))
    word = "required now" if narrow else "no longer always there"
    yield _unless(now_required <= was_required, f"{word}: {', '.join(sorted(now_required - was_required))}")
    if narrow:
        is_closed = new.get("additionalProperties") is False and old.get("additionalProperties") is not False
        yield _unless(not is_closed, "additional members are refused now")


def _unless(is_kept: bool, what: str) -> str | None:
    return None if is_kept else what


def _changed(name: str, old: Any, new: Any) -> str:
    return f"{name} was {old.get(name)}, is {new.get(name)}"


def _types(schema: Any) -> frozenset[str]:
    given = schema.get("type")
    found = TYPES if given is None else frozenset([given] if isinstance(given, str) else given)
    return found | {"integer"} if "number" in found else found


def _values(schema: Any) -> frozenset[str] | None:
    if "const" in schema:
        return frozenset([repr(schema["const"])])
    return frozenset(map(repr, schema["enum"])) if "enum" in schema else None


def _at(document: Mapping[str, Any], node: Any) -> Any:
    while isinstance(node, dict) and "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def _all(document: Mapping[str, Any], nodes: Any) -> list[Any]:
    return [_at(document, node) for node in nodes]


def main() -> int:
    """Print what breaks between two files."""
    old, new = (yaml.safe_load(Path(name).read_text("utf-8")) for name in sys.argv[1:3])
    found = Comparison(old, new).run()
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

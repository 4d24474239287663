"""Manifest document to findings: the schema first, then the rules beyond it. The same code on both sides.

The schema is applied to the whole document at native speed (jsonschema-rs, 0.07 s for 100,000 assets). Where that says
no, its instance paths name the places, and `jsonschema` explains those places alone.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import jsonschema_rs

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.contract.names import MAX_ERRORS_LISTED
from reinmaker_cli.contract.rules import broken_rules

_MAX_MESSAGE: Final = 240  # a value that is quoted whole can be the whole document


@dataclass(frozen=True, slots=True)
class Examination:
    """What is wrong with a manifest."""

    findings: tuple[Finding, ...]
    """The first 100 errors, then the first 100 warnings."""
    error_count: int
    """All errors, listed or not."""
    warning_count: int

    @property
    def is_valid(self) -> bool:
        """True where nothing stops the manifest."""
        return self.error_count == 0


@functools.cache
def manifest_schema_text() -> bytes:
    """Return the manifest schema as it ships, byte for byte."""
    # Not importlib.resources: what it loads is a third of the time that `check` takes to start.
    return Path(__file__).with_name("content-manifest.schema.json").read_bytes()


@functools.cache
def manifest_schema() -> dict[str, Any]:
    """Return the manifest schema as a JSON object."""
    return cast(dict[str, Any], json.loads(manifest_schema_text()))


def check_manifest(document: Any, *, local: bool = False) -> Examination:
    """Return what is wrong with a manifest document.

    `document` is what `read_ijson` returned. `local` allows http to loopback and file URLs: the local server only.
    """
    tally = _Tally()
    for violation in schema_violations(document):
        tally.add(violation)
    if isinstance(document, Mapping):
        for finding in broken_rules(document, local=local):
            tally.add(finding)
    return tally.examination()


def schema_violations(document: Any) -> Iterator[Finding]:
    """Yield a finding for each place where the document does not fit the schema; none at all where it fits."""
    validator = _native_validator()
    if validator.is_valid(document):
        return
    explained: set[tuple[tuple[str | int, ...], str]] = set()
    for violation in validator.iter_errors(document):
        path = tuple(violation.instance_path)
        keyword = str(violation.schema_path[-1]) if violation.schema_path else ""
        if (path, keyword) in explained:
            continue
        explained.add((path, keyword))
        found_any = False
        if len(explained) <= MAX_ERRORS_LISTED:  # beyond, violations are only counted
            for message in _explanations(document, path, list(violation.schema_path)):
                found_any = True
                yield _violation(document, path, message)
        if not found_any:
            # jsonschema sees nothing there: Python's `$` matches before a final newline, the schema's does not.
            yield _violation(document, path, violation.message)


def json_pointer(path: tuple[str | int, ...]) -> str:
    """Return the RFC 6901 JSON Pointer of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


@functools.cache
def _native_validator() -> Any:
    return jsonschema_rs.validator_for(manifest_schema())


def _explanations(document: Any, path: tuple[str | int, ...], schema_path: list[Any]) -> Iterator[str]:
    """Yield what `jsonschema` says of the one keyword that failed at the one place: never of the places below it."""
    import jsonschema  # slower to load than the rest of a check, and only needed where something is wrong

    subschema: Any = manifest_schema()
    for step in schema_path[:-1]:
        subschema = subschema[step]
    keyword = schema_path[-1]
    instance: Any = document
    for part in path:
        instance = instance[part]
    for error in jsonschema.Draft202012Validator({keyword: subschema[keyword]}).iter_errors(instance):
        yield error.message


def _violation(document: Any, path: tuple[str | int, ...], message: str) -> Finding:
    shortened = message if len(message) <= _MAX_MESSAGE else message[: _MAX_MESSAGE // 2] + " … " + message[-100:]
    asset_id = None
    if len(path) >= 2 and path[0] == "assets":
        asset = document["assets"][path[1]]
        named = asset.get("id") if isinstance(asset, Mapping) else None
        asset_id = named if isinstance(named, str) else None
    return codes.SCHEMA_VIOLATION.finding(shortened, pointer=json_pointer(path), asset_id=asset_id)


@dataclass
class _Tally:
    """Keeps the first of each severity and counts the rest."""

    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    error_count: int = 0
    warning_count: int = 0

    def add(self, finding: Finding) -> None:
        if finding.is_error:
            self.error_count += 1
            kept = self.errors
        else:
            self.warning_count += 1
            kept = self.warnings
        if len(kept) < MAX_ERRORS_LISTED:
            kept.append(finding)

    def examination(self) -> Examination:
        return Examination((*self.errors, *self.warnings), self.error_count, self.warning_count)

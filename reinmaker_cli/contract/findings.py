"""A finding: one thing that is wrong, where it is, and what to do about it.

The codes themselves, with summary, meaning and cure, are in `codes.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem in a folder or a manifest. A slotted dataclass: a scan makes none or very many of them."""

    code: str
    """A name from `codes.py`, such as `lfs-pointer`."""
    message: str
    """The fact, lower case, without a full stop."""
    hint: str
    """What to do next; a command where there is one."""
    severity: Severity = "error"
    path: str | None = None
    """File relative to the asset root, `/` between parts."""
    pointer: str | None = None
    """Place in the manifest, an RFC 6901 JSON Pointer."""
    asset_id: str | None = None
    manifest_id: str | None = None
    expected: str | None = None
    found: str | None = None
    line: int | None = None
    """Line of the file, from 1, where a place in it has one."""

    @property
    def is_error(self) -> bool:
        """True where the finding stops a publication."""
        return self.severity == "error"

    def as_warning(self) -> Finding:
        """Return the same finding as a warning, as `--allow CODE` asks."""
        return replace(self, severity="warning")

    def to_json(self) -> dict[str, Any]:
        """Return the finding as a JSON object with camelCase names, without the members that are absent."""
        return {
            _CAMEL.get(field.name, field.name): value
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        }


_CAMEL = {"asset_id": "assetId", "manifest_id": "manifestId"}


def places_wrong(count: int) -> str:
    """Return the sentence of a problem document that names several places."""
    return "1 place is wrong" if count == 1 else f"{count} places are wrong"


def count_errors(findings: Iterable[Finding]) -> int:
    """Return how many of the findings stop a publication."""
    return sum(finding.is_error for finding in findings)

"""Which file is what: path -> type, captured fields, asset id, metadata.

The first rule whose pattern matches decides. A name that this rule can read in two ways is a finding, not a case for
the next rule. Without rules, the folder decides, then the extension. What nothing decides is a finding.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from reinmaker_cli.assets.patterns import Pattern, compile_pattern
from reinmaker_cli.assets.project import PROJECT_FILE, Project, Rule
from reinmaker_cli.assets.splits import TooManySplits
from reinmaker_cli.assets.templates import FILE_PLACEHOLDERS, UnknownCapture, expand, file_fields, placeholders
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding

__all__ = ["Match", "Matcher", "UnknownCapture", "asset_id_for", "default_type", "expand", "expand_deep"]

FOLDER_TYPES: Final = {"overlays": "overlay", "fx": "fx", "audio": "audio", "animation": "animation"}
EXTENSION_TYPES: Final = {
    ".mp3": "audio",
    ".wav": "audio",
    ".ogg": "audio",
    ".m4a": "audio",
    ".fbx": "animation",
    ".glb": "animation",
    ".anim": "animation",
    ".json": "animation",
}
# Letters stay, all other ASCII becomes `-`: a third of the time of a regular expression.
_DASHED: Final = bytes(code if chr(code).isalnum() and code < 128 else ord("-") for code in range(256))


class Match(NamedTuple):
    """What the rules say about one file."""

    type: str
    """One of `names.ASSET_TYPES`."""
    captures: Mapping[str, str]
    """Capture -> value, after [values]."""
    asset_id: str
    metadata: Mapping[str, Any]
    needs_look: bool = False
    """True for a `.json` that is an animation by its extension alone: only if it holds Audio2Face frames."""


class _CompiledRule(NamedTuple):
    rule: Rule
    pattern: Pattern
    metadata_varies: bool
    wants_file_fields: bool


class Matcher:
    """The rules of a project, compiled once for many files."""

    def __init__(self, project: Project) -> None:
        """Compile the rules; `patterns.PatternInvalid` only where the project was made without its checks."""
        self._values = project.values
        self._rules = tuple(
            _CompiledRule(
                rule,
                compile_pattern(_nfc(rule.match), project.values),
                bool(used := templates_within(rule.metadata)),
                any(
                    name in FILE_PLACEHOLDERS for template in (rule.id or "", *used) for name in placeholders(template)
                ),
            )
            for rule in project.rules
        )

    def match(self, path: str) -> Match | Finding:
        """Return what the file is, or the finding that says why that cannot be known.

        `path` is below the asset root, `/` between its parts.
        """
        match = self._read(path, path if path.isascii() else _nfc(path))
        if type(match) is Match and not match.asset_id:
            return codes.UNMATCHED_FILE.finding(
                "the name has no letter or digit that an asset id could be made of",
                hint="rename the file, or set `id` in a [[rule]]",
                path=path,
            )
        return match

    def _read(self, path: str, normal: str) -> Match | Finding:
        for compiled in self._rules:
            try:
                readings = compiled.pattern.readings(normal)
            except TooManySplits:
                return _ambiguous(path, compiled, "in too many ways to count")
            if len(readings) > 1:
                ways = " or as ".join(_shown(reading) for reading in readings)
                return _ambiguous(path, compiled, f"as {ways}")
            if readings:
                return self._matched(path, normal, compiled, readings[0])
        if self._rules:
            return self._unmatched(path, normal)
        return _by_place(path, normal)

    def _matched(self, path: str, normal: str, compiled: _CompiledRule, reading: dict[str, str]) -> Match | Finding:
        rule = compiled.rule
        captures = {name: self._value(name, text) for name, text in reading.items()} if reading else reading
        asset_type, needs_look = (rule.type, False) if rule.type is not None else default_type(normal)
        if asset_type is None:
            return codes.UNMATCHED_FILE.finding(
                f"the rule `{rule.match}` matches and gives no type; neither does the folder or the extension",
                hint=f"add `type` to the rule in {PROJECT_FILE}",
                path=path,
            )
        if rule.id is None and not compiled.metadata_varies:
            # Not Match(...): the __new__ of a NamedTuple is Python code.
            return tuple.__new__(Match, (asset_type, captures, asset_id_for(normal), rule.metadata, needs_look))
        fields = file_fields(normal) | captures if compiled.wants_file_fields else captures
        asset_id = asset_id_for(normal) if rule.id is None else expand(rule.id, fields)
        metadata = expand_deep(rule.metadata, fields) if compiled.metadata_varies else rule.metadata
        return Match(asset_type, captures, asset_id, metadata, needs_look)

    def _value(self, name: str, text: str) -> str:
        mapped = self._values.get(name)
        return text if mapped is None else mapped[text]

    def _unmatched(self, path: str, normal: str) -> Finding:
        hint = ""
        for compiled in self._rules:
            if missing := self._missing_value(compiled, normal):
                name, text = missing
                hint = f"is `{text}` a `{name}`? then add it under [values]; if not, add a [[rule]] or ignore the file"
                break
        return codes.UNMATCHED_FILE.finding(
            "no [[rule]] matches the file; where there are rules, folder and extension do not decide",
            hint=hint,
            path=path,
        )

    def _missing_value(self, compiled: _CompiledRule, normal: str) -> tuple[str, str] | None:
        """Return the one capture and text that the lists under [values] would have to allow for the rule to match."""
        for name in compiled.pattern.captures:
            if name in self._values:
                opened = {other: texts for other, texts in self._values.items() if other != name}
                try:
                    readings = compile_pattern(compiled.pattern.text, opened).readings(normal)
                except TooManySplits:
                    continue
                if len(readings) == 1:
                    return name, readings[0][name]
        return None


def default_type(path: str) -> tuple[str | None, bool]:
    """Return the type by the innermost folder with a meaning, else by extension; True where a look inside decides."""
    for folder in reversed(path.split("/")[:-1]):
        if folder.lower() in FOLDER_TYPES:  # `Audio` is one folder with `audio` on Windows and macOS
            return FOLDER_TYPES[folder.lower()], False
    extension = file_fields(path)["ext"].lower()
    return EXTENSION_TYPES.get(extension), extension == ".json"


def _by_place(path: str, normal: str) -> Match | Finding:
    asset_type, needs_look = default_type(normal)
    if asset_type is None:
        extension = file_fields(normal)["ext"]
        named = f"the extension `{extension}`" if extension else "a name without extension"
        return codes.UNMATCHED_FILE.finding(
            f"nothing says what this file is: {named}, in none of the folders {', '.join(FOLDER_TYPES)}",
            path=path,
        )
    return Match(asset_type, {}, asset_id_for(normal), {}, needs_look)


def asset_id_for(path: str) -> str:
    """Return the id of an asset by its path: `audio/2-5 Welcome.mp3` -> `audio-2-5-welcome-mp3`.

    NFC, lower case; each run of characters that are not Unicode letters or decimal digits becomes one `-`.
    """
    lowered = (path if path.isascii() else _nfc(path)).lower()
    if lowered.isascii():
        dashed = lowered.encode().translate(_DASHED).decode()
        while "--" in dashed:
            dashed = dashed.replace("--", "-")
        return dashed.strip("-")
    kept = "".join(char if _is_letter_or_digit(char) else "-" for char in lowered)
    return re.sub(r"-+", "-", kept).strip("-")


def expand_deep(value: Any, fields: Mapping[str, str]) -> Any:
    """Return the value with the templates in all its strings expanded, in nested tables and lists too."""
    if isinstance(value, str):
        return expand(value, fields)
    if isinstance(value, Mapping):
        return {key: expand_deep(item, fields) for key, item in value.items()}
    if isinstance(value, list):
        return [expand_deep(item, fields) for item in value]
    return value


def templates_within(value: Any) -> tuple[str, ...]:
    """Return the strings with braces in a value, in nested tables and lists too."""
    if isinstance(value, str):
        return (value,) if "{" in value or "}" in value else ()
    if isinstance(value, Mapping):
        return tuple(template for item in value.values() for template in templates_within(item))
    if isinstance(value, list):
        return tuple(template for item in value for template in templates_within(item))
    return ()


def _is_letter_or_digit(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] == "L" or category == "Nd"


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _ambiguous(path: str, compiled: _CompiledRule, ways: str) -> Finding:
    names = " and ".join(f"`{name}`" for name in compiled.pattern.captures)
    return codes.AMBIGUOUS_MATCH.finding(
        f"the rule `{compiled.rule.match}` can read the name {ways}",
        hint=f"list the allowed texts of {names} under [values], or separate them otherwise",
        path=path,
    )


def _shown(reading: Mapping[str, str]) -> str:
    return ", ".join(f"{name}=`{text}`" for name, text in reading.items())

"""The text of a proposed `reinmaker.toml`, with a comment wherever its reader has to decide."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reinmaker_cli.contract.names import LOCALES, PERSONAS, PRODUCTS

MAX_LISTED: Final = 200  # leftovers in a comment; beyond that a list helps nobody


@dataclass(frozen=True, slots=True)
class ProposedRule:
    """One `[[rule]]`."""

    match: str
    type: str | None
    is_guess: bool
    """True where the type follows from nothing but the extension; nobody said it."""
    metadata: Mapping[str, str]
    example: str
    """One of the files that it is for."""
    count: int


@dataclass(frozen=True, slots=True)
class Outline:
    """What the file says, before it is text."""

    slug: str
    id: str
    locale: str
    """A placeholder; empty where the names do not say it."""
    persona: str
    """Likewise."""
    values: Mapping[str, Mapping[str, str]]
    rules: tuple[ProposedRule, ...]
    coverage: Mapping[str, tuple[str, ...]]
    parts: tuple[str, ...]
    """Captures whose meaning nobody said: `part1` and so on."""


def write_outline(outline: Outline, *, leftovers: Sequence[str], ignore_leftovers: bool) -> str:
    """Return the file's text."""
    sections = (
        _manifest(outline),
        _source(outline),
        _values(outline),
        _rules(outline),
        _ignore(leftovers, ignore_leftovers=ignore_leftovers),
        _coverage(outline),
    )
    written = ("\n".join(section) for section in map(list, sections) if section)
    return "\n\n".join(written) + "\n"


def _manifest(outline: Outline) -> Iterator[str]:
    place = f"{outline.slug}/{{dir}}{{stem}}.{{sha256:8}}{{ext}}"
    yield "# Written by `reinmaker init`; change what is not right. `reinmaker check` says what does not fit."
    yield ""
    yield "[manifest]"
    if outline.parts:
        shown = " and ".join(f"{{{name}}}" for name in outline.parts)
        yield f"# check this: if each {shown} is a lesson of its own, it belongs into id and phaseDNAId."
    yield f"id = {toml_text(outline.id)}"
    yield 'version = "auto"'
    yield f'product = "reinmaker"  # check this: {" | ".join(PRODUCTS)}'
    yield "# {sha256:8} gives changed bytes a new URL: what is published under a URL never changes."
    yield f"url = {toml_text(f's3://lotd-reinmaker-assets/{place}')}"
    yield ""
    yield "[manifest.url_for]  # environments with other buckets"
    yield f"staging = {toml_text(f's3://lotd-reinmaker-assets-staging/{place}')}"


def _source(outline: Outline) -> Iterator[str]:
    yield "[source]"
    yield f"phaseDNAId = {toml_text(outline.slug)}  # check this: taken from the folder's name"
    yield f"locale = {toml_text(outline.locale)}{_to_complete(outline.locale, LOCALES)}"
    yield f"agePersona = {toml_text(outline.persona)}{_to_complete(outline.persona, PERSONAS)}"


def _to_complete(value: str, known: Sequence[str]) -> str:
    return "" if value else f"  # complete: {' | '.join(known)}"


def _values(outline: Outline) -> Iterator[str]:
    if not outline.values:
        return
    yield "[values]  # a capture with a list matches nothing else"
    for name, texts in outline.values.items():
        if all(text == value for text, value in texts.items()):
            yield f"{name} = {_toml_list(tuple(texts))}"
        else:
            pairs = ", ".join(f"{_toml_key(text)} = {toml_text(value)}" for text, value in texts.items())
            yield f"{name} = {{ {pairs} }}"


def _rules(outline: Outline) -> Iterator[str]:
    if not outline.rules:
        yield "# No [[rule]]: the folders overlays/ fx/ audio/ animation/ say the type, then the extension."
        return
    for number, rule in enumerate(outline.rules):
        if number:
            yield ""
        yield "[[rule]]"
        yield f"match = {toml_text(rule.match)}  # {_counted(rule.count)} such as {toml_text(rule.example)}"
        if rule.type is not None:
            yield f"type = {toml_text(rule.type)}" + (
                "  # check this: a guess by the extension" if rule.is_guess else ""
            )
        else:
            yield "# without a type: the folders overlays/ fx/ audio/ animation/ say it, then the extension"
        if rule.metadata:
            pairs = ", ".join(f"{_toml_key(name)} = {toml_text(value)}" for name, value in rule.metadata.items())
            yield f"metadata = {{ {pairs} }}"


def _counted(count: int) -> str:
    return f"{count} files," if count > 1 else "1 file,"


def _ignore(leftovers: Sequence[str], *, ignore_leftovers: bool) -> Iterator[str]:
    yield "[ignore]  # gitignore syntax"
    if not leftovers:
        yield "patterns = []"
        return
    if ignore_leftovers:
        yield f"# {len(leftovers)} files that nothing above reads."
        yield "patterns = ["
        yield from (f"  {toml_text(ignore_pattern(path))}," for path in leftovers if _is_writable(path))
        yield "]"
        return
    yield "patterns = ["
    yield f"  # {len(leftovers)} files that nothing above reads. Each needs a [[rule]], or its line here without the #."
    yield from (f"  # {toml_text(ignore_pattern(path))}," for path in leftovers[:MAX_LISTED])
    if len(leftovers) > MAX_LISTED:
        yield f"  # and {len(leftovers) - MAX_LISTED} more: `reinmaker check` names them"
    yield "]"


def _coverage(outline: Outline) -> Iterator[str]:
    if outline.coverage:
        yield "[coverage]  # a lesson that lacks one of these is not published"
        for name, texts in outline.coverage.items():
            yield f"{name} = {_toml_list(texts)}"


def ignore_pattern(path: str) -> str:
    """Return the gitignore pattern that means this one file."""
    escaped = re.sub(r"([\\*?\[\]])", r"\\\1", path)
    trailing = len(escaped) - len(escaped.rstrip(" "))
    return "/" + escaped.rstrip(" ") + "\\ " * trailing


def toml_text(text: str) -> str:
    """Return a TOML basic string; what UTF-8 cannot hold is shown as `\\udcXX`, doubly escaped."""
    shown = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return re.sub(r"[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(shown, ensure_ascii=False))


def _is_writable(path: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in path)


def _toml_key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else toml_text(text)


def _toml_list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(toml_text, texts))}]"

"""The document of a `reinmaker.toml`, checked member by member, as a `Project`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from reinmaker_cli.assets.patterns import PatternInvalid, compile_pattern
from reinmaker_cli.assets.project import AUTO_VERSION, PROJECT_FILE, Project, Rule
from reinmaker_cli.assets.rules import templates_within
from reinmaker_cli.assets.secret_shapes import secret_in_value
from reinmaker_cli.assets.tables import Table, choice_of, did_you_mean, refuse_not_json
from reinmaker_cli.assets.templates import (
    FILE_PLACEHOLDERS,
    HASH_PLACEHOLDER,
    NAME_PATTERN,
    VERSION_PLACEHOLDER,
    TemplateInvalid,
    parse_template,
    placeholders,
)
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import ASSET_TYPES, LOCALES, PERSONAS, PRODUCTS
from reinmaker_cli.contract.versions import VERSION_PATTERN
from reinmaker_cli.errors import ConfigError

CONTENT_TABLES: Final = ("manifest", "source", "values", "rule", "ignore", "extra", "coverage")
SETTINGS_TABLES: Final = ("env", "settings")
"""Read by the settings, not here."""
BUILT_IN_ENVIRONMENTS: Final = ("local", "staging", "production")
REQUIRED_SOURCE: Final = ("phaseDNAId", "locale", "agePersona")
_KNOWN_SOURCE: Final = {"locale": LOCALES, "agePersona": PERSONAS}
MANIFEST_MEMBERS: Final = ("manifestId", "version", "product", "source", "assets")

# contract.md, "Security": a project file may not choose the environment, nor set a CA file or proxy.
_REFUSED_NAMES: Final = re.compile(
    r"env|environment|defaultenv(ironment)?|ca(file|bundle|path|cert)?|(https?|all|no)?proxy|proxies|trustenv"
    r"|insecure|verify(tls|ssl)?|clientid|datafolder|data|config"
)


def read_project(document: Mapping[str, Any], *, root: Path, path: Path | None) -> Project:
    """Return the project that the document describes; ConfigError names the first place that cannot be meant."""
    top = Table(document, str(path) if path is not None else "the flags", "")
    _refuse_secrets(top)
    _refuse_steering(top)
    top.allow((*CONTENT_TABLES, *SETTINGS_TABLES))
    values = _values(top.table("values"))
    rules = tuple(_rule(table, values) for table in top.tables("rule"))
    captures = _captures(rules)
    _check_used(top.table("values"), captures)
    source = _source(top.table("source"), captures)
    manifest = top.table("manifest")
    manifest.allow(("id", "version", "product", "url", "base_url", "url_for"))
    version = _version(manifest)
    known_in_url = (*FILE_PLACEHOLDERS, HASH_PLACEHOLDER, VERSION_PLACEHOLDER, *captures)
    return Project(
        root=root,
        path=path,
        id=_template(manifest, "id", manifest.required_text("id"), (*source, *captures)),
        product=_one_of(manifest, "product", manifest.required_text("product", known=PRODUCTS), PRODUCTS),
        url=_url(manifest, "url", _url_text(manifest), known_in_url, version),
        version=version,
        url_for={
            name: _url(manifest.table("url_for"), name, url, known_in_url, version)
            for name, url in _url_texts(manifest, top.table("env").content).items()
        },
        source=source,
        values=values,
        rules=rules,
        ignore=_ignore(top.table("ignore")),
        extra=_extra(top.table("extra")),
        coverage=_coverage(top.table("coverage"), source),
    )


def _refuse_secrets(top: Table) -> None:
    if found := secret_in_value(top.content):
        place, kind = found
        raise ConfigError(
            f"{top.file}: `{place}` holds what looks like {kind}",
            code=codes.SECRET_IN_FILE,
            hint=codes.SECRET_IN_FILE.cure,
        )


def _refuse_steering(top: Table) -> None:
    """Refuse what would let a project file choose where a publication goes, or what is trusted on the way."""
    steerable = [(name, "") for name, value in top.content.items() if name != "env" or not isinstance(value, Mapping)]
    for table in ("manifest", *SETTINGS_TABLES):
        inner = top.content.get(table)
        if isinstance(inner, Mapping):
            steerable += [(name, table) for name in inner if table != "env"]
            if table == "env":
                steerable += [
                    (name, f"env.{env}") for env, one in inner.items() if isinstance(one, Mapping) for name in one
                ]
    for name, table in steerable:
        if _REFUSED_NAMES.fullmatch(re.sub(r"[^a-z]", "", name.lower())):
            raise ConfigError(
                f"{top.file}: a project file cannot set `{f'{table}.{name}' if table else name}`",
                code=codes.CONFIG_INVALID,
                hint="use a flag or a variable, or your own config.toml: `reinmaker config path`",
            )


def _values(table: Table) -> dict[str, dict[str, str]]:
    values: dict[str, dict[str, str]] = {}
    for name, given in table.content.items():
        if isinstance(given, Mapping):
            mapped = table.text_table(name)
        else:
            mapped = {text: text for text in table.texts(name)}
        if not mapped:
            raise table.refuse(name, "is empty, so its capture would match nothing", "list its texts, or remove it")
        for text in mapped:
            if not text or "/" in text:
                raise table.refuse(name, f"holds `{text}`: a capture is a piece of one path part", "remove the `/`")
        values[name] = {unicodedata.normalize("NFC", text): value for text, value in mapped.items()}
    return values


def _rule(table: Table, values: Mapping[str, Mapping[str, str]]) -> Rule:
    table.allow(("match", "type", "id", "metadata"))
    match = table.required_text("match")
    try:
        captures = compile_pattern(unicodedata.normalize("NFC", match), values).captures
    except PatternInvalid as error:
        raise table.refuse("match", f"cannot be read: {error}", error.hint) from error
    known = (*FILE_PLACEHOLDERS, *captures)
    asset_type, asset_id = table.text("type"), table.text("id")
    if asset_type is not None:
        _one_of(table, "type", asset_type, ASSET_TYPES)
    if asset_id is not None:
        _template(table, "id", asset_id, known)
    metadata = table.table("metadata").content
    refuse_not_json(metadata, lambda fact, hint: table.refuse("metadata", fact, hint))
    for template in templates_within(metadata):
        _template(table, "metadata", template, known)
    return Rule(match, asset_type, asset_id, metadata)


def _captures(rules: tuple[Rule, ...]) -> tuple[str, ...]:
    found = (name for rule in rules for name in compile_pattern(rule.match, {}).captures)
    return tuple(dict.fromkeys(found))


def _check_used(values: Table, captures: Collection[str]) -> None:
    for name in values.content:
        if name not in captures:
            raise values.refuse(name, "is a list for a capture that no [[rule]] has", did_you_mean(name, captures))


def _source(table: Table, captures: tuple[str, ...]) -> dict[str, str]:
    if len(empty := [name for name in REQUIRED_SOURCE if table.content.get(name) == ""]) > 1:
        wanted = ", and ".join(choice_of(name, _KNOWN_SOURCE.get(name, ())) for name in empty)
        raise table.refuse(", ".join(empty), "are empty", f"write {wanted}")
    for name in REQUIRED_SOURCE:
        table.required_text(name, known=_KNOWN_SOURCE.get(name, ()))
    source = {name: _template(table, name, table.required_text(name), captures) for name in table.content}
    for name in source:
        if not NAME_PATTERN.fullmatch(name):
            raise table.refuse(name, "is not a name that a template can use", "letters, digits and `_`")
    if not placeholders(source["locale"]):
        _one_of(table, "locale", source["locale"], LOCALES)
    return source


def _version(manifest: Table) -> str:
    version = manifest.text("version")
    if version is None or version == AUTO_VERSION:
        return AUTO_VERSION
    if VERSION_PATTERN.match(version) is None:
        raise manifest.refuse(
            "version", f"is not a version: `{version}`", 'write YYYY.MM.DD, with -2 and so on, or "auto"'
        )
    return version


def _url_text(manifest: Table) -> str:
    base, url = manifest.text("base_url"), manifest.text("url")
    if base is not None and url is not None:
        raise manifest.refuse("base_url", "and `url` are both there", 'keep one: base_url = "X/" is url = "X/{path}"')
    if base is not None:
        return base + ("" if base.endswith("/") else "/") + "{path}"
    return manifest.required_text("url")


def _url_texts(manifest: Table, environments: Collection[str]) -> dict[str, str]:
    """Return the URLs under [manifest.url_for]; a misspelt environment would get the URLs of another one."""
    urls = manifest.text_table("url_for")
    for name in urls:
        known = (*BUILT_IN_ENVIRONMENTS, *environments)
        if name not in known and get_close_matches(name.lower(), known, n=1, cutoff=0.8):
            raise manifest.table("url_for").refuse(name, "is no environment", did_you_mean(name, known))
    return urls


def _url(table: Table, name: str, url: str, known: Collection[str], version: str) -> str:
    if VERSION_PLACEHOLDER in _placeholders(table, name, url) and version == AUTO_VERSION:
        raise table.refuse(
            name,
            'uses {version}, which is not known while version is "auto"',
            "use {sha256:8}: the URL then changes with the bytes; or fix the version",
        )
    if any("#" in piece.literal for piece in parse_template(url)):
        raise table.refuse(name, "holds `#`, and no server is told what follows it", "write it as %23")
    return _template(table, name, url, known)


def _template(table: Table, name: str, template: str, known: Collection[str]) -> str:
    for used in _placeholders(table, name, template):
        if used not in known:
            raise table.refuse(name, f"uses an unknown placeholder `{{{used}}}`", did_you_mean(used, tuple(known)))
    return template


def _placeholders(table: Table, name: str, template: str) -> tuple[str, ...]:
    try:
        return placeholders(template)
    except TemplateInvalid as error:
        raise table.refuse(
            name, f"cannot be read: {error}", "a placeholder is {name}; a literal brace {{ or }}"
        ) from error


def _one_of(table: Table, name: str, value: str, known: Collection[str]) -> str:
    if value not in known:
        raise table.refuse(name, f"cannot be `{value}`", did_you_mean(value, known))
    return value


def _ignore(table: Table) -> tuple[str, ...]:
    table.allow(("patterns",))
    return table.texts("patterns")


def _extra(table: Table) -> Mapping[str, Any]:
    for name in table.content:
        if name in MANIFEST_MEMBERS:
            raise table.refuse(name, "is a member that the manifest has already", f"set it elsewhere in {PROJECT_FILE}")
    refuse_not_json(table.content, lambda fact, hint: table.refuse("", fact, hint))
    return table.content


def _coverage(table: Table, source: Collection[str]) -> dict[str, tuple[str, ...]]:
    for name in table.content:
        if name not in source:
            raise table.refuse(name, "is not a field of [source]", did_you_mean(name, source))
    return {name: table.texts(name) for name in table.content}

"""Every knob once: name, unit, default, variable, flag, and which files may set it.

Precedence: flag, variable, project `reinmaker.toml`, user `config.toml`, default. Both files keep settings in a table
`[settings]` and environments in `[env.NAME]`. Pure: flags, variables and documents come in, nothing is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ConfigError, UsageError

Kind = Literal["switch", "text", "path", "choice", "count", "seconds", "secret"]
Files = Literal["both", "user", "none"]

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


@dataclass(frozen=True)
class Knob:
    """One setting."""

    name: str
    kind: Kind
    help: str
    default: Any = None
    short: str = ""
    choices: tuple[str, ...] = ()
    files: Files = "none"
    """Which files may set it. What chooses the environment or how far TLS trusts is never a project's to say."""
    has_flag: bool = True
    metavar: str = ""

    @property
    def variable(self) -> str:
        """Return the environment variable, `REINMAKER_CA_FILE`."""
        return f"REINMAKER_{self.name.upper()}"

    @property
    def flag(self) -> str:
        """Return the long flag, `--ca-file`, or "" where there is none."""
        return f"--{self.name.replace('_', '-')}" if self.has_flag else ""


KNOBS: Final = (
    Knob("env", "text", "environment: local, staging, production or one of [env.NAME]", "local", "-e", metavar="NAME"),
    Knob("data", "path", "data folder of the local server", files="user", metavar="DIR"),
    Knob("json", "switch", "print exactly one JSON document on stdout", False),
    Knob("events", "text", "write what happens as lines of JSON, ending in the document of --json", metavar="FILE|-"),
    Knob("quiet", "switch", "print ids only", False, "-q"),
    Knob("verbose", "switch", "say more on stderr", False, "-v"),
    Knob("trace", "switch", "log HTTP on stderr, secrets left out", False),
    Knob("no_input", "switch", "never ask; fail where an answer would be needed", False),
    Knob("color", "choice", "colours", "auto", choices=("auto", "always", "never"), files="both"),
    Knob("ca_file", "path", "certificates to trust beside the system's, PEM", files="user", metavar="FILE"),
    Knob("config", "path", "the user's configuration file, instead of its usual place", metavar="FILE"),
    Knob("jobs", "count", "files hashed at the same time; without it, the number of cores", files="both", metavar="N"),
    Knob("no_cache", "switch", "read every file again, and keep nothing for the next run", False, files="both"),
    Knob("trust_cache", "switch", "send the digests of earlier runs, without reading the files again", False),
    Knob("timeout", "seconds", "seconds to wait for one manifest's verdict", 300.0, files="both", metavar="SECONDS"),
    Knob("deadline", "seconds", "seconds for the whole command; without it, no end", files="both", metavar="SECONDS"),
    Knob("id", "text", "manifest id, for a folder without reinmaker.toml", metavar="ID"),
    Knob("product", "text", "product, for a folder without reinmaker.toml"),
    Knob("phase_dna", "text", "source.phaseDNAId, for a folder without reinmaker.toml", metavar="ID"),
    Knob("locale", "text", "source.locale, for a folder without reinmaker.toml", metavar="LOCALE"),
    Knob("persona", "text", "source.agePersona, for a folder without reinmaker.toml", metavar="AGES"),
    Knob("base_url", "text", "URL of the asset root, for a folder without reinmaker.toml", metavar="URL"),
    Knob("local_host", "text", "the one other host that env local may use with plain http", has_flag=False),
    Knob("client_id", "text", "client id, with client_secret or client_secret_file", has_flag=False),
    Knob("client_secret", "secret", "client secret; there is no flag and no file for it", has_flag=False),
    Knob("client_secret_file", "path", "file that holds the client secret", has_flag=False),
    Knob("client_origin", "text", "API origin that the client variables are meant for", has_flag=False),
)

PROJECT_FLAGS: Final = ("id", "product", "phase_dna", "locale", "persona", "base_url")
"""What stands in for a reinmaker.toml."""

BY_NAME: Final = {knob.name: knob for knob in KNOBS}


@dataclass(frozen=True)
class Claim:
    """One source's say on a setting."""

    source: str
    """`flag`, the variable's name, the path of a file, or `default`."""
    value: Any


@dataclass(frozen=True)
class Document:
    """A parsed configuration file and where it came from."""

    path: str
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """The settings that apply; `claims` has every source of each, the winner first."""

    env: str = "local"
    data: str | None = None
    """Data folder; None: the user's data folder."""
    json: bool = False
    events: str | None = None
    quiet: bool = False
    verbose: bool = False
    trace: bool = False
    no_input: bool = False
    color: str = "auto"
    ca_file: str | None = None
    config: str | None = None
    jobs: int | None = None
    """Files hashed at a time; None: as many as cores."""
    no_cache: bool = False
    trust_cache: bool = False
    timeout: float = 300.0
    """Seconds for one manifest."""
    deadline: float | None = None
    """Seconds for the whole command; None: no end."""
    id: str | None = None
    product: str | None = None
    phase_dna: str | None = None
    locale: str | None = None
    persona: str | None = None
    base_url: str | None = None
    local_host: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    client_secret_file: str | None = None
    client_origin: str | None = None
    claims: Mapping[str, tuple[Claim, ...]] = field(default_factory=dict, repr=False)


def resolve_settings(
    flags: Mapping[str, Any], variables: Mapping[str, str], project: Document | None, user: Document | None
) -> Settings:
    """Return the settings; `flags` has only what was typed. Raises UsageError, ConfigError."""
    for document, is_project in ((project, True), (user, False)):
        if document is not None:
            check_settings_table(document, is_project=is_project)
    claims = {knob.name: tuple(_claims(knob, flags, variables, project, user)) for knob in KNOBS}
    return Settings(**{name: sources[0].value for name, sources in claims.items()}, claims=claims)


def _claims(
    knob: Knob, flags: Mapping[str, Any], variables: Mapping[str, str], project: Document | None, user: Document | None
) -> list[Claim]:
    claims = []
    if knob.name in flags:
        claims.append(Claim("flag", _checked(knob, flags[knob.name], knob.flag)))
    if variables.get(knob.variable):
        claims.append(Claim(knob.variable, _from_text(knob, variables[knob.variable])))
    for document, allowed in ((project, knob.files == "both"), (user, knob.files != "none")):
        if document is not None and allowed and knob.name in document.content.get("settings", {}):
            value = document.content["settings"][knob.name]
            claims.append(Claim(document.path, _checked(knob, value, f"`{document.path}`: settings.{knob.name}")))
    claims.append(Claim("default", knob.default))
    return claims


def _from_text(knob: Knob, text: str) -> Any:
    value: Any = text
    if knob.kind == "switch":
        word = text.lower()
        if word not in _TRUE + _FALSE:
            raise _bad_value(knob.variable, f"`{text}` is not yes or no", "1 or 0")
        value = word in _TRUE
    elif knob.kind in ("count", "seconds"):
        try:
            value = int(text) if knob.kind == "count" else float(text)
        except ValueError as error:
            raise _bad_value(knob.variable, f"`{text}` is no number", "a number") from error
    return _checked(knob, value, knob.variable)


def _checked(knob: Knob, value: Any, where: str) -> Any:
    """Return the value where it fits the knob, as the type that Settings has."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if knob.kind == "switch" and not isinstance(value, bool):
        raise _bad_value(where, f"`{value}` is not true or false", "true or false")
    if knob.kind == "count" and not (isinstance(value, int) and number and value >= 1):
        raise _bad_value(where, f"`{value}` is not a whole number from 1", "a whole number, such as 4")
    if knob.kind == "seconds":
        if not (number and 0 < value < 1e9):
            raise _bad_value(where, f"`{value}` is no number of seconds", "seconds, such as 300")
        return float(value)
    if knob.kind in ("text", "path", "choice", "secret") and not isinstance(value, str):
        raise _bad_value(where, f"`{value}` is not text", "text in quotes")
    if knob.choices and value not in knob.choices:
        raise _bad_value(where, f"`{value}` is none of {', '.join(knob.choices)}", " | ".join(knob.choices))
    return value


def _bad_value(where: str, fact: str, wanted: str) -> UsageError:
    if where.startswith("`"):
        return ConfigError(f"{where}: {fact}", code=codes.CONFIG_INVALID, hint=f"give it {wanted}")
    is_variable = where.isupper()
    hint = f"give it {wanted}, or `unset {where}`" if is_variable else f"give it {wanted}"
    return UsageError(f"{where}: {fact}", code=codes.USAGE, hint=hint)


def check_settings_table(document: Document, *, is_project: bool) -> None:
    """Refuse names under [settings] that no knob has, or that this file may not set. Raises ConfigError."""
    table = document.content.get("settings", {})
    place = f"`{document.path}`: settings"
    if not isinstance(table, Mapping):
        raise ConfigError(f"{place} is no table", code=codes.CONFIG_INVALID, hint="write [settings] and lines below it")
    for name in table:
        knob = BY_NAME.get(name)
        if knob is not None and (knob.files == "both" or (knob.files == "user" and not is_project)):
            continue
        raise _refused_setting(document, name, knob, is_project=is_project)


def _refused_setting(document: Document, name: str, knob: Knob | None, *, is_project: bool) -> ConfigError:
    from reinmaker_cli.assets.secret_shapes import names_secret

    message = f"`{document.path}`: settings.{name}"
    if names_secret(name):
        return ConfigError(f"{message} is a secret", code=codes.SECRET_IN_FILE, hint=codes.SECRET_IN_FILE.cure)
    if knob is None:
        allowed = [one.name for one in KNOBS if one.files == "both" or (one.files == "user" and not is_project)]
        import difflib

        near = difflib.get_close_matches(name, allowed, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(allowed)}"
        return ConfigError(f"{message} is no setting", code=codes.CONFIG_INVALID, hint=hint)
    kind = "a project file" if is_project else "a file"
    hint = f"use {' or '.join(filter(None, (knob.flag, knob.variable)))}"
    if knob.files == "user":
        hint += ", or your own config.toml"
    return ConfigError(f"{message} cannot be set by {kind}", code=codes.CONFIG_INVALID, hint=hint)

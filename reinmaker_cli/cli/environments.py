"""The environments: three built in, more under `[env.NAME]`. Which one applies is said by flag or variable only."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from reinmaker_cli.assets.secret_shapes import names_secret
from reinmaker_cli.client.environment import DefinedIn, Environment
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import LOCAL_PORT
from reinmaker_cli.errors import ConfigError, UsageError
from reinmaker_cli.settings import Document, Settings

ISSUER: Final = "https://auth.lessonoftheday.com"
BUILT_IN: Final = {
    "staging": "https://staging.api.reinmaker.lessonoftheday.com",
    "production": "https://api.reinmaker.com",
}
LOCAL_API_URL: Final = f"http://localhost:{LOCAL_PORT}"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_MEMBERS = ("api_url", "issuer", "token_url")


def is_production(environment: Environment) -> bool:
    """Return whether players are there; by the address, because a file of settings can give it another name."""
    return environment.api_origin == BUILT_IN["production"]


def find_environment(
    settings: Settings,
    project: Document | None,
    user: Document | None,
    data_folder: Path,
    *,
    instead: Callable[[str], str] = "--env {}".format,
) -> Environment:
    """Return the environment that the settings name. Raises UsageError, ConfigError.

    `instead` gives the command line with another environment, for the hint.
    """
    name = settings.env
    if name == "local":
        return _local(data_folder, settings.local_host)
    if name in BUILT_IN:
        return Environment.checked(name, BUILT_IN[name], issuer=ISSUER)
    defined = environment_tables(project, user)
    if name not in defined:
        raise _unknown(name, ["local", *BUILT_IN, *defined], instead)
    table, document, defined_in = defined[name]
    return _from_table(name, table, document, defined_in)


def _unknown(name: str, known: Sequence[str], instead: Callable[[str], str]) -> UsageError:
    near = [one for one in known if one.startswith(name)] or difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{instead(near[0])}`?" if near else f"known here: {', '.join(known)}"
    return UsageError(f"no such environment: `{name}`", code=codes.UNKNOWN_ENVIRONMENT, hint=hint)


def environment_tables(
    project: Document | None, user: Document | None
) -> dict[str, tuple[Mapping[str, Any], Document, DefinedIn]]:
    """Return the environments that the files define. ConfigError where the project redirects one that exists."""
    defined: dict[str, tuple[Mapping[str, Any], Document, DefinedIn]] = {}
    documents: tuple[tuple[Document | None, DefinedIn], ...] = ((user, "user"), (project, "project"))
    for document, defined_in in documents:
        tables = document.content.get("env") if document is not None else None
        if document is None or not isinstance(tables, Mapping):
            continue
        for name, table in tables.items():
            _refuse_redirection(document, name, name in defined)
            if not _NAME.match(name) or not isinstance(table, Mapping):
                raise _invalid(document, name, "is no environment", "write [env.NAME] with api_url and issuer below it")
            defined[name] = (table, document, defined_in)
    return defined


def _refuse_redirection(document: Document, name: str, is_users: bool) -> None:
    if name == "local" or name in BUILT_IN:
        raise _invalid(document, name, "is built in and cannot be changed", "give it another name")
    if is_users:
        # contract.md, "Security": a project file must not draw a stored secret to an address of its own.
        raise _invalid(document, name, "is defined in your own config.toml already", "remove it here")


def _from_table(name: str, table: Mapping[str, Any], document: Document, defined_in: DefinedIn) -> Environment:
    for member, value in table.items():
        if names_secret(member):
            where = f"`{document.path}`: env.{name}.{member}"
            raise ConfigError(f"{where} is a secret", code=codes.SECRET_IN_FILE, hint=codes.SECRET_IN_FILE.cure)
        if member not in _MEMBERS:
            raise _invalid(document, f"{name}.{member}", "is no setting of one", f"known: {', '.join(_MEMBERS)}")
        if not isinstance(value, str):
            raise _invalid(document, f"{name}.{member}", "is not text", "write an address in quotes")
    if "api_url" not in table:
        raise _invalid(document, name, "has no api_url", 'add `api_url = "https://…"`')
    return Environment.checked(
        name,
        table["api_url"],
        issuer=table.get("issuer"),
        token_url=table.get("token_url"),
        defined_in=defined_in,
    )


def _invalid(document: Document, name: str, fact: str, hint: str) -> ConfigError:
    return ConfigError(f"`{document.path}`: env.{name} {fact}", code=codes.CONFIG_INVALID, hint=hint)


def _local(data_folder: Path, local_host: str | None) -> Environment:
    path = data_folder / "client.json"
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Environment.checked("local", LOCAL_API_URL, local_host=local_host)
    except OSError as error:
        raise ConfigError(
            f"cannot read `{path}`: {error.strerror}", code=codes.CONFIG_UNREADABLE, hint=codes.CONFIG_UNREADABLE.cure
        ) from error
    try:
        api_url = json.loads(raw)["apiUrl"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"`{path}` is not what `reinmaker serve` writes",
            code=codes.CONFIG_INVALID,
            hint="remove it and start again",
        ) from error
    return Environment.checked("local", str(api_url), defined_in="local", local_host=local_host)

"""The project: what `reinmaker.toml`, or the flags that stand in for it, say about a folder of assets."""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from reinmaker_cli.assets.secret_shapes import secret_in_text
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ConfigError

PROJECT_FILE: Final = "reinmaker.toml"
AUTO_VERSION: Final = "auto"


@dataclass(frozen=True, slots=True)
class Rule:
    """One `[[rule]]`: which files, and what they are."""

    match: str
    """Pattern with `{name}` captures, `*`, `**` and `?`."""
    type: str | None = None
    """None: by folder, then by extension."""
    id: str | None = None
    """Template of the asset id; None: made from the path."""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """What one folder of assets is to become."""

    root: Path
    """The asset root: the folder that holds `reinmaker.toml`."""
    path: Path | None
    """The file itself; None where flags stand in for it."""
    id: str
    product: str
    url: str
    """Template of an asset's URL."""
    version: str = AUTO_VERSION
    url_for: Mapping[str, str] = field(default_factory=dict)
    """Environment name -> URL template, where it differs from `url`."""
    source: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Capture -> captured text -> value. A list in the file maps each text to itself."""
    rules: tuple[Rule, ...] = ()
    ignore: tuple[str, ...] = ()
    """Patterns in gitignore syntax."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    coverage: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Field of [source] -> the values that every lesson must have."""


def load_project(folder: Path) -> Project:
    """Return the project of a folder that holds a `reinmaker.toml`. ConfigError names the file and the place in it."""
    path = folder / PROJECT_FILE
    text = _read_text(path)
    if found := secret_in_text(text):
        line, kind = found
        raise ConfigError(
            f"{path}: line {line} holds what looks like {kind}",
            code=codes.SECRET_IN_FILE,
            hint=codes.SECRET_IN_FILE.cure,
        )
    return project_from_document(_parse(text, path), root=folder, path=path)


def project_from_document(document: Mapping[str, Any], *, root: Path, path: Path | None) -> Project:
    """Return the project that a TOML document describes. ConfigError names file and place of what cannot be meant."""
    from reinmaker_cli.assets.project_document import read_project  # it needs the shapes above

    return read_project(document, root=root, path=path)


def project_from_flags(
    root: Path,
    *,
    id: str | None,
    product: str | None,
    phase_dna: str | None,
    locale: str | None,
    persona: str | None,
    base_url: str | None = None,
    url: str | None = None,
    version: str | None = None,
) -> Project:
    """Return the project of a folder without `reinmaker.toml`. ConfigError lists the flags that are missing."""
    flags = {
        "--id": id,
        "--product": product,
        "--phase-dna": phase_dna,
        "--locale": locale,
        "--persona": persona,
        "--base-url": base_url or url,
    }
    missing = [flag for flag, value in flags.items() if value is None]
    if missing:
        raise ConfigError(
            f"no {PROJECT_FILE} in `{root}`, and the flags lack {', '.join(missing)}",
            code=codes.CONFIG_MISSING,
            hint=f"`{_init(root)}` looks at the files and writes one; or add the flags",
        )
    manifest = {"id": id, "product": product, "base_url": base_url, "url": url, "version": version}
    source = {"phaseDNAId": phase_dna, "locale": locale, "agePersona": persona}
    document = {"manifest": {name: value for name, value in manifest.items() if value is not None}, "source": source}
    return project_from_document(document, root=root, path=None)


def _init(root: Path) -> str:
    return shlex.join(["reinmaker", "init", *([] if root == Path() else [str(root)])])


def bare_project(root: Path) -> Project:
    """Return a project that says nothing: enough to scan a folder, not to build a manifest."""
    return Project(root=root, path=None, id="", product="", url="")


def find_project_root(start: Path) -> Path | None:
    """Return the nearest folder with a `reinmaker.toml`, from `start` upward; None where there is none."""
    # A `..` is the folder above, not below: as the system has it, so the one above a link's target.
    absolute = Path(os.path.realpath(start)) if ".." in start.parts else start.absolute()
    for folder in (absolute, *absolute.parents):
        # Path.is_file() raises for a folder that must not be looked into, and for a name that is too long.
        if os.path.isfile(folder / PROJECT_FILE):  # noqa: PTH113
            return folder
    return None


def find_catalogue(folder: Path) -> tuple[Path, ...]:
    """Return the folders below that have a `reinmaker.toml`, sorted; none inside another, no hidden ones."""
    found: list[Path] = []
    for parent, folders, files in os.walk(folder, onerror=_refuse_folder):
        if PROJECT_FILE in files and Path(parent) != folder:
            found.append(Path(parent))
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith(".")]
    return tuple(sorted(found))


def read_toml(path: Path) -> dict[str, Any]:
    """Return the document of a TOML file. ConfigError where it cannot be read, is not UTF-8 or is not TOML."""
    return _parse(_read_text(path), path)


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"cannot read `{path}`: {(error.strerror or str(error)).lower()}",
            code=codes.CONFIG_UNREADABLE,
            hint=codes.CONFIG_UNREADABLE.cure,
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: not UTF-8 text, at byte {error.start}", code=codes.CONFIG_UNREADABLE, hint="save it as UTF-8"
        ) from error


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}", code=codes.CONFIG_INVALID, hint="correct the place") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply", code=codes.CONFIG_INVALID, hint="flatten it") from error


def _refuse_folder(error: OSError) -> None:
    raise ConfigError(
        f"cannot read folder `{error.filename}`: {(error.strerror or str(error)).lower()}",
        code=codes.CONFIG_UNREADABLE,
        hint=codes.CONFIG_UNREADABLE.cure,
    ) from error

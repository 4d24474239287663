"""Where an asset's bytes are: a registered folder, a mapped prefix, http(s), a bucket, or nowhere that can be read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reinmaker_cli.buckets.access import obstacle
from reinmaker_cli.contract.object_urls import (
    OBJECT_SCHEMES,
    NotAnObject,
    ObjectUrl,
    object_url,
    path_parts,
    rest_after,
    without_query,
)
from reinmaker_cli.contract.rules import normalized_url
from reinmaker_cli.server.addresses import AddressPolicy


@dataclass(frozen=True, slots=True)
class RegisteredFolder:
    """A folder that a client named through the control API."""

    root: Path
    files: Mapping[str, str] = field(repr=False)
    """URL -> path relative to `root`, `/` between parts."""


@dataclass(frozen=True, slots=True)
class Sources:
    """All that a verification may read, in this order; picklable, so that it can go to a worker process."""

    folders: tuple[RegisteredFolder, ...] = ()
    """What the client said for this manifest."""
    maps: tuple[tuple[str, Path], ...] = ()
    """`--map PREFIX=DIR`; the longest prefix that fits wins."""
    network: bool = True
    """False: http(s) URLs and buckets count as unverified."""
    policy: AddressPolicy = field(default_factory=lambda: AddressPolicy(allow_private=True))
    """Which addresses http(s) URLs may lead to."""
    buckets: tuple[str, ...] | None = None
    """How the texts of objects begin that may be read; None: any may."""


@dataclass(frozen=True, slots=True)
class InFolder:
    """The bytes are a file: `parts` below `root`, free of anything that could leave it by name."""

    root: Path
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OnTheWeb:
    """The bytes come over http or https."""

    url: str


@dataclass(frozen=True, slots=True)
class InBucket:
    """The bytes are an object, in a store that this server has library and credentials for."""

    target: ObjectUrl


@dataclass(frozen=True, slots=True)
class BadPlace:
    """A source claims the URL, and the path in it is refused; `reason` is for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Nowhere:
    """No source of this server reads such a URL."""


Place = InFolder | OnTheWeb | InBucket | BadPlace | Nowhere

_NOWHERE = Nowhere()
_BEHIND_HOST = re.compile("[/?#]")


class Locator:
    """URL -> place, for many URLs: what can be worked out once is."""

    def __init__(self, sources: Sources) -> None:
        self._network, self._buckets = sources.network, sources.buckets
        self._readable: dict[str, bool] = {}
        self._registered = [
            (folder.root, {normalized_url(url): path for url, path in folder.files.items()})
            for folder in sources.folders
        ]
        prefixes = [(normalized_url(prefix), root) for prefix, root in sources.maps]
        self._maps = sorted(prefixes, key=lambda entry: len(entry[0]), reverse=True)

    def place_of(self, url: str) -> Place:
        """Return where the bytes of a URL are; the first source that claims it is asked, and no other."""
        url = normalized_url(url)
        for root, files in self._registered:
            path = files.get(url)
            if path is not None:
                return _below(root, path.split("/"))
        for prefix, root in self._maps:
            rest = rest_after(prefix, url)
            if rest is not None:
                return _below_mapped(root, rest)
        if self._network and url.startswith(("https://", "http://")):
            return OnTheWeb(url)
        scheme = url.partition("://")[0]
        if self._network and scheme in OBJECT_SCHEMES and self._can_read(scheme):
            return self._in_bucket(url)
        return _NOWHERE

    def _in_bucket(self, url: str) -> Place:
        try:
            target = object_url(url)
        except NotAnObject as error:
            return BadPlace(str(error))
        if self._buckets is not None and not target.text.startswith(self._buckets):
            return BadPlace(f"this server may not read there for others (`serve --allow-bucket`): `{target.store}`")
        return InBucket(target)

    def _can_read(self, scheme: str) -> bool:
        if scheme not in self._readable:
            self._readable[scheme] = not obstacle(scheme, os.environ)
        return self._readable[scheme]


def _below_mapped(root: Path, rest: str) -> Place:
    """Return the file for the part of a URL after its prefix, without query and fragment."""
    try:
        return _below(root, path_parts(without_query(rest)))
    except NotAnObject as error:
        return BadPlace(str(error))


def _below(root: Path, parts: list[str]) -> Place:
    for part in parts:
        if part in ("", ".", "..") or "\\" in part or "\0" in part or (os.name == "nt" and ":" in part):
            return BadPlace(f"path that could leave the folder: `{'/'.join(parts)}`")
    return InFolder(root, tuple(parts))


def origin_of(url: str) -> str:
    """Return scheme and host of a URL without credentials, for people and for grouping; takes any text."""
    scheme, separator, rest = url.partition("://")
    host = _BEHIND_HOST.split(rest, maxsplit=1)[0]
    return scheme + separator + host.rpartition("@")[2]

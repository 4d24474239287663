"""JSON document to RFC 8785 bytes, and to the digests that name a manifest.

Two documents with the same digest are the same manifest: spelling, order of members and white space do not count.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, Final, NamedTuple

import rfc8785

from reinmaker_cli.contract.ijson import MAX_INTEGER

_PLAIN: Final = frozenset({str, int, bool, type(None), dict, list})
_BEYOND_BMP: Final = re.compile("[\U00010000-\U0010ffff]")
_VALUES_AT_ONCE: Final = 500
_encode: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


class Digests(NamedTuple):
    """What names a manifest. Each is `sha256:` and 64 lower-case hex digits."""

    digest: str
    content_digest: str
    """The same without the member `version`: equal content under two versions has one content digest."""


def canonical_json(document: Any) -> bytes:
    """Return the RFC 8785 (JCS) bytes of an I-JSON value; ValueError where it is none.

    The standard encoder, written in C, makes the same bytes except for floats (ECMAScript has its own notation),
    and for names beyond the BMP (JCS sorts by UTF-16 code unit). Where neither can occur it is used, six times as fast.
    """
    if type(document) is str or _is_plain(document):
        text = _encode_list(document) if type(document) is list else _encode(document)
        if text.isascii() or not _BEYOND_BMP.search(text):
            return text.encode("utf-8")
    return rfc8785.dumps(document)


def _encode_list(values: list[Any]) -> str:
    # In one call, the pieces of 100,000 assets would no longer fit the processor's cache: a third more time.
    some = (values[start : start + _VALUES_AT_ONCE] for start in range(0, len(values), _VALUES_AT_ONCE))
    return f"[{','.join([_encode(few)[1:-1] for few in some])}]"


def digests(manifest: Mapping[str, Any]) -> Digests:
    """Return digest and content digest of a manifest, canonicalising and hashing what both have in common once."""
    content = ContentDigest(manifest)
    named = str(content)
    return Digests(content.under(manifest["version"]) if "version" in manifest else named, named)


class ContentDigest:
    """The content digest of a manifest without a version, and the digest that it has under each.

    The members before `version`, the assets among them, are canonicalised and hashed once for all versions, when a
    digest is first asked for.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content

    def __str__(self) -> str:
        return self._with(())

    def under(self, version: Any) -> str:
        """Return the digest that the manifest has with this version."""
        return self._with((b'"version":' + canonical_json(version),))

    def _with(self, between: Iterable[bytes]) -> str:
        before, is_first, after = self._members
        hasher = before.copy()
        for member in chain(between, after):
            hasher.update(member if is_first else b"," + member)
            is_first = False
        hasher.update(b"}")
        return "sha256:" + hasher.hexdigest()

    @functools.cached_property
    def _members(self) -> tuple[hashlib._Hash, bool, list[bytes]]:
        """The hash up to where `version` belongs, whether nothing stands before it, and the members after it."""
        before, is_first, after = hashlib.sha256(b"{"), True, []
        for place, name in sorted((_utf16(name), name) for name in self._content if name != "version"):
            member = canonical_json(name) + b":" + canonical_json(self._content[name])
            if place < _VERSION:
                before.update(member if is_first else b"," + member)
                is_first = False
            else:
                after.append(member)
        return before, is_first, after


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be")


_VERSION: Final = _utf16("version")


def digest(manifest: Mapping[str, Any]) -> str:
    """Return `sha256:` and the hex SHA-256 of the manifest's RFC 8785 form."""
    return digests(manifest).digest


def content_digest(manifest: Mapping[str, Any]) -> str:
    """Return the digest of the manifest without its member `version`."""
    return digests(manifest).content_digest


def _is_plain(document: Any) -> bool:
    """Return whether the value holds only strings, exact integers, booleans, null, and lists and objects of them."""
    level = [document]
    while level:
        types = set(map(type, level))
        if not types <= _PLAIN:
            return False
        integers = [value for value in level if type(value) is int] if int in types else []
        if integers and not -MAX_INTEGER <= min(integers) <= max(integers) <= MAX_INTEGER:
            return False
        lists = [value for value in level if type(value) is list] if list in types else []
        objects = [value for value in level if type(value) is dict] if dict in types else []
        if not set(map(type, chain.from_iterable(objects))) <= {str}:
            return False
        level = [*chain.from_iterable(lists), *chain.from_iterable(map(dict.values, objects))]
    return True

"""A manifest, ready to travel: its document, its digests, and the bytes that a file of it has."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from reinmaker_cli.assets.reading import NotRegular, open_regular, read_fully
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.canonical import ContentDigest
from reinmaker_cli.contract.ijson import NotIJson, read_ijson
from reinmaker_cli.contract.names import MAX_MANIFEST_BYTES
from reinmaker_cli.errors import ContentInvalid, UsageError

MAX_DOCUMENT_BYTES: Final = 4 * MAX_MANIFEST_BYTES  # a receipt says of each asset what its manifest says, and more
_ASSET_POINTER: Final = re.compile(r"/assets/([0-9]{1,9})(?:/|\Z)")
_ASSET_MEMBERS: Final = ("id", "type", "url", "hash", "bytes", "metadata")
_ASSETS_AT_ONCE: Final = 250  # more, and their pieces no longer fit the processor's cache
_NEED_NO_ESCAPE: Final = bytes(byte for byte in range(0x20, 0x100) if byte not in b'"\\')
_encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version of a manifest."""

    manifest_id: str
    """Empty where the document has none that is text; `contract.validation` says so."""
    version: str
    document: Mapping[str, Any] = field(repr=False)
    content: ContentDigest = field(repr=False, compare=False)
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Asset URL -> path below the asset root; empty where the manifest was read from a file."""

    @property
    def digest(self) -> str:
        """Return `sha256:` and 64 hex digits of the document's RFC 8785 form."""
        return self.content.under(self.document["version"]) if "version" in self.document else self.content_digest

    @property
    def content_digest(self) -> str:
        """Return the same without the member `version`."""
        return str(self.content)

    @property
    def source(self) -> Mapping[str, Any]:
        """Return the member `source`, empty where it is no object."""
        source = self.document.get("source")
        return source if isinstance(source, Mapping) else {}

    def path_at(self, pointer: str) -> str | None:
        """Return the file of the asset that a JSON Pointer leads to or into; None where no file is known."""
        found = _ASSET_POINTER.match(pointer)
        assets = self.document.get("assets")
        if found is None or not isinstance(assets, list) or int(found[1]) >= len(assets):
            return None
        asset = assets[int(found[1])]
        url = asset.get("url") if isinstance(asset, Mapping) else None
        return self.files.get(url) if isinstance(url, str) else None

    def to_bytes(self) -> bytes:
        """Return the document as a file: one member a line, one asset a line, the same bytes for the same document."""
        return b"".join(self.to_pieces())

    def to_pieces(self) -> Iterator[bytes]:
        """Yield the same piece by piece, so that the whole need not be in memory to be written."""
        return map(str.encode, _lines(self.document))


def manifest_from_document(
    document: Mapping[str, Any], *, files: Mapping[str, str] | None = None, content: ContentDigest | None = None
) -> Manifest:
    """Return the manifest that an I-JSON document is; whether it is valid is asked elsewhere.

    `content` is what digests it, where somebody has that already.
    """
    return Manifest(
        manifest_id=_text(document, "manifestId"),
        version=_text(document, "version"),
        document=document,
        content=ContentDigest(document) if content is None else content,
        files={} if files is None else files,
    )


def load_manifest(path: Path) -> Manifest:
    """Return the manifest in a file. UsageError where there is no such file, ContentInvalid where it is not I-JSON."""
    document = load_document(path)
    if not isinstance(document, Mapping):
        finding = codes.SCHEMA_VIOLATION.finding("a manifest is a JSON object", path=path.name, pointer="")
        raise ContentInvalid(
            f"`{path}`: not a JSON object", code=codes.CONTENT_INVALID, hint=finding.hint, findings=[finding]
        )
    return manifest_from_document(document)


def load_document(path: Path) -> Any:
    """Return the JSON value in a file. UsageError where it cannot be read, ContentInvalid where it is not I-JSON."""
    try:
        return read_ijson(_read_bounded(path))
    except FileNotFoundError as error:
        raise UsageError(f"no such file: `{path}`", code=codes.FILE_NOT_FOUND, hint="check the path") from error
    except NotRegular as error:
        if path.is_dir():
            raise UsageError(
                f"a folder where a file is needed: `{path}`", code=codes.UNREADABLE, hint="name a file in it"
            ) from error
        hint = "write what it gives into a file, and name that"
        raise UsageError(f"not a regular file: `{path}`", code=codes.SPECIAL_FILE, hint=hint) from error
    except OSError as error:
        fact = f"cannot read `{path}`: {(error.strerror or str(error)).lower()}"
        raise UsageError(fact, code=codes.UNREADABLE, hint=codes.UNREADABLE.cure) from error
    except NotIJson as error:
        hint = error.code.cure.replace("FILE", shlex.quote(str(path)))
        finding = error.code.finding(error.detail, path=path.name, hint=hint)
        raise ContentInvalid(f"`{path}`: {error.detail}", code=error.code, hint=hint, findings=[finding]) from error


def _read_bounded(path: Path) -> bytes:
    descriptor, status = open_regular(os.fspath(path), follows_link=True)
    try:
        if status.st_size > MAX_DOCUMENT_BYTES:
            raise UsageError(
                f"{status.st_size:,} bytes, more than a manifest or receipt can have: `{path}`",
                code=codes.FILE_TOO_LARGE,
                hint=codes.FILE_TOO_LARGE.cure,
            )
        return read_fully(descriptor, status.st_size + 1)  # one more: where it grows, what is read is no JSON
    finally:
        os.close(descriptor)


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield "{"
    for number, (name, value) in enumerate(document.items()):
        yield f"{',' if number else ''}\n  {_encode(name)}: "
        if name == "assets" and isinstance(value, list) and value:
            yield from _one_a_line(value)
        else:
            yield _encode(value)
    yield "\n}\n"


def _one_a_line(assets: Sequence[Any]) -> Iterator[str]:
    separator = "[\n    "
    for start in range(0, len(assets), _ASSETS_AT_ONCE):
        some = assets[start : start + _ASSETS_AT_ONCE]
        yield separator + ",\n    ".join(_usual_texts(some) or _encode_each(some))
        separator = ",\n    "
    yield "\n  ]"


def _usual_texts(assets: Sequence[Any]) -> list[str]:
    """Return what the encoder makes of each asset, in half its time; nothing where one is not as nearly all are.

    That is: with all members in the usual order and of their types, and without a text that needs an escape.
    """
    if set(map(type, assets)) != {dict} or set(map(tuple, assets)) != {_ASSET_MEMBERS}:
        return []
    ids, types, urls, hashes, sizes, metadata = zip(*map(dict.values, assets), strict=True)
    if set(map(type, sizes)) != {int} or set(map(type, metadata)) != {dict}:
        return []
    try:
        if "".join(ids + types + urls + hashes).encode().translate(None, _NEED_NO_ESCAPE):
            return []
    except (TypeError, UnicodeEncodeError):  # no text, or none that UTF-8 has; the encoder says so
        return []
    distinct = dict(zip(map(id, metadata), metadata, strict=True))  # many files share theirs
    said = dict(zip(distinct, _encode_each(list(distinct.values())), strict=True))
    rows = zip(ids, types, urls, hashes, sizes, map(id, metadata), strict=True)
    return [
        f'{{"id": "{asset_id}", "type": "{asset_type}", "url": "{url}", "hash": "{sha256}", "bytes": {size},'
        f' "metadata": {said[key]}}}'
        for asset_id, asset_type, url, sha256, size, key in rows
    ]


def _encode_each(values: Sequence[Any]) -> list[str]:
    # An encoder is set up for each call, which costs more than an asset. A quotation mark within a text is escaped, so
    # what is split at stands between objects, and where there are as many as values, between those.
    pieces = _encode(values)[2:-2].split("}, {")
    if len(pieces) == len(values) and set(map(type, values)) == {dict}:
        return [f"{{{piece}}}" for piece in pieces]
    return list(map(_encode, values))

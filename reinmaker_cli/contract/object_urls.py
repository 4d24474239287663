"""Asset URL -> the object that it means: store, bucket and key.

The path of a URL is percent-encoded (RFC 3986 section 2.1), the key of an object is plain text: the key is the path,
percent-decoded once, as UTF-8. `push`, the server's validation, `--map` and `build --copy-plan` all read it here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from reinmaker_cli.contract.rules import normalized_url

OBJECT_SCHEMES: Final = ("s3", "gs", "az")
"""Amazon S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage."""
FOLDER: Final = "folder"
"""Stands for the scheme where `--map` lets a folder stand for a bucket."""
MAX_KEY_BYTES: Final = 1024  # all three stores have this limit

# The rules of the three stores differ; what is common to them keeps host, port, credentials and paths out.
_BUCKET: Final = re.compile(r"[a-z0-9$][a-z0-9._-]{1,254}")
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f\\]")  # `\` parts folders on Windows


class NotAnObject(ValueError):
    """The URL means no object; the text says why."""


class ObjectUrl(NamedTuple):
    """One object."""

    scheme: str
    """One of OBJECT_SCHEMES, or FOLDER."""
    bucket: str
    """Bucket or container; for FOLDER its path."""
    key: str
    """Plain text, `/` between parts that are neither empty nor dots."""

    @property
    def store(self) -> str:
        """Return the bucket as people write it."""
        return self.bucket if self.scheme == FOLDER else f"{self.scheme}://{self.bucket}"

    @property
    def text(self) -> str:
        """Return the object as tools are told of it that take a key as it is, such as `aws s3 cp`."""
        return f"{self.store}/{self.key}"


def object_url(url: str, maps: Iterable[tuple[str, Path]] = ()) -> ObjectUrl:
    """Return the object that a URL means; NotAnObject where it means none.

    `maps` are URL prefixes and the folders that stand for what lies below them; the longest that fits is taken.
    """
    url = normalized_url(url)
    for prefix, root in sorted(maps, key=lambda one: len(one[0]), reverse=True):
        rest = rest_after(normalized_url(prefix), url)
        if rest is not None:
            return ObjectUrl(FOLDER, str(root), _key(without_query(rest)))
    scheme, _, rest = url.partition("://")
    if scheme not in OBJECT_SCHEMES:
        raise NotAnObject(f"`{scheme}` is the scheme of no object store")
    bucket, _, path = rest.partition("/")
    if path != without_query(path):
        raise NotAnObject("query or fragment in the URL of an object")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise NotAnObject(f"no bucket has the name `{bucket.rpartition('@')[2][:80]}`")
    return ObjectUrl(scheme, bucket, _key(path))


def object_prefix(url: str) -> str:
    """Return how the texts of all objects begin that are in the bucket, or the folder of one, that a URL names.

    NotAnObject where it names none.
    """
    below = object_url(url.rstrip("/") + "/x")
    return below.text.removesuffix("x")


def literal_url(url: str) -> str:
    """Return a URL as tools take it that know keys and no percent-encoding; one that means no object as it is."""
    try:
        return object_url(url).text
    except NotAnObject:
        return url


def without_query(url: str) -> str:
    """Return a URL, or the end of one, without query and fragment; a query may hold a signature."""
    return url.partition("#")[0].partition("?")[0]


def rest_after(prefix: str, url: str) -> str | None:
    """Return what follows the prefix, only where it ends at a `/`: `s3://bucket` is no prefix of `s3://bucket-2/x`."""
    if not url.startswith(prefix):
        return None
    rest = url[len(prefix) :]
    if prefix.endswith("/"):
        return rest
    return rest[1:] if rest.startswith("/") else None


def path_parts(path: str) -> list[str]:
    """Return the parts of a path in a URL, percent-decoded once; NotAnObject where they could mean another place."""
    parts = []
    for raw in path.split("/"):
        try:
            part = unquote_to_bytes(raw).decode("utf-8")
        except UnicodeError as error:
            raise NotAnObject(f"not UTF-8 in the path: `{path}`") from error
        if "/" in part:
            raise NotAnObject(f"encoded slash in the path: `{path}`")
        if part in ("", ".", "..") or _UNSAFE.search(part):
            raise NotAnObject(f"empty part, dots, backslash or control character in the path: `{path}`")
        parts.append(part)
    return parts


def _key(path: str) -> str:
    key = "/".join(path_parts(path))
    if len(key.encode()) > MAX_KEY_BYTES:
        raise NotAnObject(f"key of more than {MAX_KEY_BYTES} bytes")
    return key

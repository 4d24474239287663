"""The rules that a manifest must keep beyond its schema, each with a finding code of its own.

They take documents that break the schema too: a member of another type is the schema's business and passed over here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.contract.host_names import hint_for_host_of
from reinmaker_cli.contract.loopback import is_loopback
from reinmaker_cli.contract.versions import VERSION_PATTERN, version_date

MANIFEST_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

# RFC 3986: scheme, authority, and the rest, in the characters that a URI may hold.
_URL: Final = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://([A-Za-z0-9\-._~!$&'()*+,;=:@%\[\]]*)((?:[/?#][A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]*)?)"
)
_NORMALIZED: Final = re.compile(r"[a-z][a-z0-9+.-]*://[\x00-@\[-\x7f]*?(?:[/?#]|\Z)")  # no capital before the path
_CLEAN_URL: Final = re.compile(
    r"(?:https|s3|gs|az)://[a-z0-9\-._~!$&'()*+,;=:@%\[\]]+(?:[/?#][A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]*)?"
)
"""A URL that breaks no rule and is its own `normalized_url`."""
_CLEAN_HEAD: Final = re.compile(r"(?:https|s3|gs|az)://[a-z0-9\-._~!$&'()*+,;=:@%]+/")
_AFTER_HEAD: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#@!$&'()*+,;=%"
_SCHEMES: Final = frozenset({"https", "s3", "gs", "az"})
_LOCAL_SCHEMES: Final = frozenset({"http", "file"})

_MANIFEST_NAMES: Final = frozenset({"manifestId", "version", "product", "source", "assets"})
_SOURCE_NAMES: Final = frozenset({"phaseDNAId", "locale", "agePersona"})
_ASSET_NAMES: Final = frozenset({"id", "type", "url", "hash", "bytes", "metadata"})


def broken_rules(document: Mapping[str, Any], *, local: bool) -> Iterator[Finding]:
    """Yield a finding for each rule beyond the schema that the manifest breaks."""
    yield from _manifest_id(document.get("manifestId"))
    yield from _version(document.get("version"))
    yield from _likely_typos(document, _MANIFEST_NAMES, "")
    if isinstance(source := document.get("source"), Mapping):
        yield from _likely_typos(source, _SOURCE_NAMES, "/source")
    if isinstance(assets := document.get("assets"), list):
        if not assets:
            yield codes.NO_ASSETS.finding("the manifest has no assets", pointer="/assets")
        yield from _assets(assets, local=local)


@functools.lru_cache(maxsize=4)
def _is_on_this_machine(host: str) -> bool:
    name = host.rpartition(":")[0] if re.search(r"(?<!:):[0-9]*$", host) else host
    # RFC 6761 section 6.3. Whoever reads the bytes looks at the address that the name has.
    return is_loopback(name) or name.rstrip(".").lower().endswith(".localhost")


def normalized_url(url: str) -> str:
    """Return the URL for comparing: scheme and host in lower case, all else as written."""
    if _NORMALIZED.match(url):
        return url
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    end = next((index for index, char in enumerate(rest) if char in "/?#"), len(rest))
    return scheme.lower() + separator + rest[:end].lower() + rest[end:]


def _manifest_id(manifest_id: Any) -> Iterator[Finding]:
    if isinstance(manifest_id, str) and not MANIFEST_ID_PATTERN.fullmatch(manifest_id):
        yield codes.MANIFEST_ID.finding(f"not a manifestId: `{manifest_id[:140]}`", pointer="/manifestId")


def _version(version: Any) -> Iterator[Finding]:
    if isinstance(version, str) and VERSION_PATTERN.match(version) and version_date(version) is None:
        yield codes.VERSION_NOT_A_DATE.finding(f"no calendar has the date of `{version}`", pointer="/version")


def _are_clean(assets: list[Any]) -> bool:
    """Return whether `_assets` has nothing to say, found out in a third of its time: nearly always, and at once."""
    if set(map(type, assets)) != {dict}:
        return False
    try:
        ids, urls, hashes = ([asset[name] for asset in assets] for name in ("id", "url", "hash"))
        are_lower = all((text := "".join(few)) == text.lower() for few in _in_pieces(hashes))
        lowered = hashes if are_lower else map(str.lower, hashes)
        distinct = len(set(ids)) + len(set(urls)) + len(set(lowered))
        return (
            distinct == 3 * len(assets)
            and all(map(_are_clean_urls, _in_pieces(urls)))
            and set(map(type, ids)) == {str}
            and set().union(*assets) <= _ASSET_NAMES
        )
    except (KeyError, TypeError, AttributeError):  # a member that is missing, or of another type
        return False


def _in_pieces(texts: list[str]) -> Iterator[list[str]]:
    # Each is looked at as one text: faster than one by one, and than all at once, which takes new memory.
    return (texts[start : start + 500] for start in range(0, len(texts), 500))


def _are_clean_urls(urls: list[str]) -> bool:
    text = "\n".join(urls)
    head = _CLEAN_HEAD.match(text)
    if head is not None and text.isascii() and text.count("\n" + head[0]) == len(urls) - 1:
        # All begin alike. Where nothing is left but what was put between, they hold nothing else, and no line break.
        return text.encode().translate(None, _AFTER_HEAD) == b"\n" * (len(urls) - 1)
    return all(map(_CLEAN_URL.fullmatch, urls))


def _assets(assets: list[Any], *, local: bool) -> Iterator[Finding]:
    if _are_clean(assets):
        return
    first_with_id: dict[str, int] = {}
    first_with_url: dict[str, int] = {}
    first_with_hash: dict[str, int] = {}
    for index, asset in enumerate(assets):
        if not isinstance(asset, Mapping):
            continue
        asset_id, url, sha256 = asset.get("id"), asset.get("url"), asset.get("hash")
        named = asset_id if isinstance(asset_id, str) else None
        if len(asset) > len(_ASSET_NAMES) or not asset.keys() <= _ASSET_NAMES:
            yield from _likely_typos(asset, _ASSET_NAMES, f"/assets/{index}", named)
        if named is not None and (other := first_with_id.setdefault(named, index)) != index:
            message = f"the id of /assets/{other} again: `{named}`"
            yield codes.DUPLICATE_ASSET_ID.finding(message, pointer=f"/assets/{index}/id", asset_id=named)
        if isinstance(url, str):
            yield from _url(url, index, named, local=local)
            if (other := first_with_url.setdefault(normalized_url(url), index)) != index:
                message = f"the URL of /assets/{other} again: `{url}`"
                yield codes.DUPLICATE_ASSET_URL.finding(message, pointer=f"/assets/{index}/url", asset_id=named)
                continue  # one URL twice is that finding, and not also the same bytes under two URLs
        if isinstance(sha256, str) and (other := first_with_hash.setdefault(sha256.lower(), index)) != index:
            message = f"the same bytes as /assets/{other}"
            yield codes.DUPLICATE_CONTENT.finding(message, pointer=f"/assets/{index}/hash", asset_id=named)


def _url(url: str, index: int, asset_id: str | None, *, local: bool) -> Iterator[Finding]:
    match = _URL.fullmatch(url)
    scheme = match[1].lower() if match else ""
    if match is None or (not match[2] and scheme != "file"):
        message, place = f"not an absolute URL: `{url[:200]}`", f"/assets/{index}/url"
        yield codes.URL_NOT_ABSOLUTE.finding(message, hint=hint_for_host_of(url), pointer=place, asset_id=asset_id)
    elif scheme not in _SCHEMES and not (local and scheme in _LOCAL_SCHEMES and _stays_here(scheme, match[2])):
        message = f"the scheme `{scheme}` is not allowed here: `{url[:200]}`"
        yield codes.URL_SCHEME.finding(message, pointer=f"/assets/{index}/url", asset_id=asset_id)


def _stays_here(scheme: str, host: str) -> bool:
    return _is_on_this_machine(host) or (scheme == "file" and not host)


def _likely_typos(
    members: Mapping[str, Any], known: frozenset[str], pointer: str, asset_id: str | None = None
) -> Iterator[Finding]:
    for name in members.keys() - known:
        if (meant := _meant_name(name, known)) is not None:
            message = f"unknown property `{name}`; the schema has `{meant}`"
            place = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            yield codes.UNKNOWN_PROPERTY.finding(message, pointer=place, asset_id=asset_id)


@functools.lru_cache(maxsize=1024)
def _meant_name(name: str, known: frozenset[str]) -> str | None:
    """Return the known name within edit distance 2, or None. Short names tolerate less: `by` is no typo of `id`."""
    candidates = [(distance, other) for other in known if (distance := _edit_distance(name, other)) <= 2]
    distance, meant = min(candidates, default=(0, ""))
    return meant if meant and distance * 2 < len(meant) else None


def _edit_distance(left: str, right: str) -> int:
    """Return the Levenshtein distance, or 3 where the lengths alone put it beyond 2."""
    if abs(len(left) - len(right)) > 2:
        return 3
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]

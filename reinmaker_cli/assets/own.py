"""What reinmaker itself wrote, known by content: manifests, receipts and saved output are never assets."""

from __future__ import annotations

import os
import re

from reinmaker_cli.assets.reading import Place, open_regular, read_fully

# The members that every manifest has beside `assets`; in RFC 8785 order they come after the assets, so both ends count.
_MANIFEST_MEMBERS = tuple(
    re.compile(rb'"%s"\s*:' % name) for name in (b"manifestId", b"version", b"product", b"source")
)
_ENVELOPE = re.compile(rb'\A\{\s*"schema"\s*:\s*"reinmaker\.[a-z-]+/[0-9]+"')
_STATEMENT = b"https://in-toto.io/Statement/v1"

_END_BYTES = 4096


def own_document(os_path: str, *, seen: Place | None = None) -> str | None:
    """Return what a `.json` file is, if reinmaker wrote it, else None; OSError where it cannot be read.

    `seen`: where it was when its name was read.

    Only the first and the last 4 KiB are looked at, so that a manifest of 28 MB costs no more than a small one.
    """
    descriptor, status = open_regular(os_path, seen=seen)
    try:
        head = read_fully(descriptor, _END_BYTES)
        if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            return None
        tail = b""
        if status.st_size > _END_BYTES and b'"assets"' in head:
            os.lseek(descriptor, max(_END_BYTES, status.st_size - _END_BYTES), os.SEEK_SET)
            tail = read_fully(descriptor, _END_BYTES)
    finally:
        os.close(descriptor)
    return _recognised(head, head + b"\n" + tail)


def _recognised(head: bytes, both_ends: bytes) -> str | None:
    if _STATEMENT in head and b"reinmaker" in head:
        return "receipt of reinmaker"
    if _ENVELOPE.match(head.lstrip(b"\xef\xbb\xbf \t\r\n")):
        return "output of reinmaker"
    if b'"assets"' in both_ends and all(member.search(both_ends) for member in _MANIFEST_MEMBERS):
        return "manifest"
    return None

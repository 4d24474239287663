"""A file's bytes -> what they say about themselves: `resolution` of images, `durationMs` of audio, `format`."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO, Final, cast

OpenFile = Callable[[], BinaryIO]

_IMAGES: Final = frozenset([".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic"])
_AUDIO: Final = frozenset([".mp3", ".wav", ".ogg", ".oga", ".opus", ".flac", ".m4a", ".mp4", ".aif", ".aiff"])
_SAME_FORMAT: Final = {"jpeg": "jpg", "tif": "tiff", "aif": "aiff"}

MAX_READ_BYTES = 16 * 1024 * 1024
MAX_READS = 5_000  # 30 s of frames, from which tinytag estimates a VBR file, are 1,200
_UNLIMITED_BYTES = 64 * 1024  # even four bytes at a time that is a few milliseconds


class ProbeTooLong(OSError):
    """A library asked for more than a look at a file may cost."""


def probe(open_file: OpenFile, extension: str, head: bytes, size: int) -> dict[str, Any]:
    """Return the metadata that the bytes give; nothing where a library cannot read them.

    `extension` is lower case with its dot; `open_file` is called only where the `head` is not enough.
    """
    if extension in _IMAGES:
        measured = _resolution(open_file, head, size)
    elif extension in _AUDIO:
        measured = _duration(open_file, head, size)
    else:
        measured = {}
    if measured is None:
        return {}
    name = extension[1:]
    return {**measured, "format": _SAME_FORMAT.get(name, name)} if name else measured


def _resolution(open_file: OpenFile, head: bytes, size: int) -> dict[str, Any] | None:
    import imagesize

    # PNG, GIF and WebP say it in their first 30 bytes; the others may have it anywhere.
    is_early = head[:4] in (b"\x89PNG", b"GIF8", b"RIFF")
    source = io.BytesIO(head) if is_early else _limited(open_file, head, size)
    width, height = imagesize.get(source)  # never raises, (-1, -1) where it cannot say
    return {"resolution": f"{width}x{height}"} if width > 0 and height > 0 else None


def _duration(open_file: OpenFile, head: bytes, size: int) -> dict[str, Any] | None:
    from tinytag import TinyTag, TinyTagException

    try:
        tag = TinyTag.get(file_obj=_limited(open_file, head, size), tags=False)
    except (TinyTagException, OSError):
        return None
    if tag.duration is None or not 0 < tag.duration < float("inf"):
        return None
    # A recorder that was cut off leaves a length in its header that the file does not have.
    if head[:4] == b"RIFF" and tag.bitrate and tag.duration * tag.bitrate * 125 > size:
        return None
    return {"durationMs": round(tag.duration * 1000)}


def _limited(open_file: OpenFile, head: bytes, size: int) -> BinaryIO:
    source = io.BytesIO(head) if size <= len(head) else open_file()
    if size <= _UNLIMITED_BYTES:
        return source
    # An Ogg file is read page by page to its end; garbage in an MP3 would be read four bytes at a time.
    pages = size // 1024 if head[:4] == b"OggS" else 0
    return cast(BinaryIO, _Limited(source, reads_left=MAX_READS + pages))


class _Limited:
    """A file that refuses to be read in very many or in very large pieces: tinytag looks for a frame to the end."""

    def __init__(self, source: BinaryIO, *, reads_left: int) -> None:
        self._source = source
        self._reads_left = reads_left
        self.seek = source.seek
        self.tell = source.tell
        self.close = source.close

    def read(self, count: int = -1) -> bytes:
        self._reads_left -= 1
        if self._reads_left < 0 or count < 0 or count > MAX_READ_BYTES:
            raise ProbeTooLong(f"read of {count} bytes")
        return self._source.read(count)

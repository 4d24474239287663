"""The first bytes of a file -> what they are: the formats by name, and the words for what was found instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_BLANK = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"

# WHATWG MIME Sniffing, section 7.1: tags that make bytes HTML, wherever they come from.
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body|script|title|h1|div|p|!--)[\s>/-]", re.IGNORECASE)
_XML = re.compile(rb"<(?:\?xml\s|[A-Za-z][\w:.-]*[\s/>])")
_XML_ERROR = re.compile(rb"<(?:Error|Code|Message)>")  # what S3 and its kin answer: <Error><Code>AccessDenied</Code>


def _text_of(head: bytes) -> bytes:
    return head.removeprefix(_BOM).lstrip(_BLANK)


def is_html(head: bytes) -> bool:
    return _HTML.match(_text_of(head)) is not None


def is_xml(head: bytes) -> bool:
    return _XML.match(_text_of(head)) is not None and not is_html(head)


def is_json(head: bytes) -> bool:
    """Return whether a JSON object or array begins here; a head of nothing but blanks may still become one."""
    text = _text_of(head)
    return text[:1] in (b"{", b"[") or (not text and bool(head))


def is_mp3(head: bytes) -> bool:
    # Some encoders put zeros before the first frame, and some programs an APE tag.
    return head[:3] == b"ID3" or head[:8] == b"APETAGEX" or _is_mpeg_frame(head.lstrip(b"\0"))


def _is_mpeg_frame(head: bytes) -> bool:
    """Return whether an MPEG audio frame header of layer II or III begins here (ISO 11172-3, 2.4.1.3)."""
    if len(head) < 3 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer, bitrate, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    # Layer I is left out: nobody names it .mp3, and FF FE is how UTF-16 text begins.
    return version != 1 and layer in (1, 2) and bitrate != 15 and rate != 3


def is_aac(head: bytes) -> bool:
    return len(head) >= 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0


def is_wav(head: bytes) -> bool:
    return head[:4] in (b"RIFF", b"RF64", b"RIFX", b"BW64") and head[8:12] == b"WAVE"


def is_ogg(head: bytes) -> bool:
    return head[:4] == b"OggS"


def is_mp4(head: bytes) -> bool:
    # A QuickTime file may begin with another box than ftyp.
    return head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def is_flac(head: bytes) -> bool:
    return head[:4] == b"fLaC" or head[:3] == b"ID3"


def is_png(head: bytes) -> bool:
    return head[:8] == b"\x89PNG\r\n\x1a\n"


def is_jpeg(head: bytes) -> bool:
    return head[:3] == b"\xff\xd8\xff"


def is_gif(head: bytes) -> bool:
    return head[:6] in (b"GIF87a", b"GIF89a")


def is_webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def is_glb(head: bytes) -> bool:
    return head[:4] == b"glTF"


def is_fbx(head: bytes) -> bool:
    return head[:18] == b"Kaydara FBX Binary" or _text_of(head)[:5] == b"; FBX"


FORMATS: Final[dict[str, tuple[str, Callable[[bytes], bool]]]] = {
    ".mp3": ("an MP3", is_mp3),
    ".wav": ("a WAV", is_wav),
    ".ogg": ("an Ogg file", is_ogg),
    ".oga": ("an Ogg file", is_ogg),
    ".opus": ("an Ogg file", is_ogg),
    ".flac": ("a FLAC file", is_flac),
    ".m4a": ("an MPEG-4 file", is_mp4),
    ".mp4": ("an MPEG-4 file", is_mp4),
    ".m4v": ("an MPEG-4 file", is_mp4),
    ".mov": ("a QuickTime file", is_mp4),
    ".png": ("a PNG image", is_png),
    ".jpg": ("a JPEG image", is_jpeg),
    ".jpeg": ("a JPEG image", is_jpeg),
    ".gif": ("a GIF image", is_gif),
    ".webp": ("a WebP image", is_webp),
    ".glb": ("a glTF binary", is_glb),
    ".fbx": ("an FBX model", is_fbx),
    ".json": ("a JSON document", is_json),
}
"""Extension -> what its files are called, and whether the first bytes are that."""

OTHER_MEDIA: Final = frozenset(
    [
        ".aac",
        ".aif",
        ".aiff",
        ".anim",
        ".avif",
        ".bmp",
        ".dds",
        ".exr",
        ".hdr",
        ".heic",
        ".ktx",
        ".ktx2",
        ".mkv",
        ".psd",
        ".tga",
        ".tif",
        ".tiff",
        ".webm",
    ]
)
"""Extensions whose bytes are not known here, but which are never a page that a web server sent."""

_DESCRIPTIONS: Final[tuple[tuple[Callable[[bytes], bool], str], ...]] = (
    (is_png, "a PNG image"),
    (is_jpeg, "a JPEG image"),
    (is_gif, "a GIF image"),
    (is_webp, "a WebP image"),
    (is_wav, "a WAV"),
    (is_ogg, "an Ogg file"),
    (lambda head: head[:4] == b"fLaC", "a FLAC file"),
    (is_glb, "a glTF binary"),
    (is_fbx, "an FBX model"),
    (lambda head: head[4:8] == b"ftyp", "an MPEG-4 file"),
    (lambda head: head[:2] == b"PK", "a ZIP archive"),
    (lambda head: head[:2] == b"\x1f\x8b", "gzip data"),
    (lambda head: head[:5] == b"%PDF-", "a PDF"),
    (lambda head: head[:5] == b"%YAML", "a YAML document"),
    (is_aac, "raw AAC audio"),
    (lambda head: head[:3] == b"ID3" or _is_mpeg_frame(head), "an MP3"),
    (lambda head: head[:2] in (b"\xff\xfe", b"\xfe\xff"), "UTF-16 text"),
    (is_html, "an HTML page"),
    (lambda head: is_xml(head) and _XML_ERROR.search(head) is not None, "an XML error answer"),
    (is_xml, "an XML document"),
    (lambda head: _text_of(head)[:1] in (b"{", b"["), "a JSON document"),
    (lambda head: not head.strip(b"\0"), "nothing but zero bytes"),
)


def describe(head: bytes) -> str:
    """Return in words what the bytes look like: `an HTML page`, `a PNG image`, `plain text`, …"""
    for is_it, words in _DESCRIPTIONS:
        if is_it(head):
            return words
    if _is_text(head):
        return "plain text"
    return f"binary data that begins with {head[:4].hex(' ')}"


def _is_text(head: bytes) -> bool:
    if any(byte < 0x20 and byte not in b"\t\n\r\f\x1b" for byte in head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3  # a letter cut at the end of the head
    return True

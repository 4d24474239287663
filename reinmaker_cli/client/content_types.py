"""File name -> Content-Type, the same everywhere: `mimetypes` asks the system, and knows few game assets."""

from __future__ import annotations

from typing import Final

from reinmaker_cli.assets.guards import extension_of

UNKNOWN: Final = "application/octet-stream"

_TYPES: Final = {
    ".aac": "audio/aac",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".flac": "audio/flac",
    ".gif": "image/gif",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".heic": "image/heic",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".ktx2": "image/ktx2",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".mkv": "video/matroska",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".txt": "text/plain; charset=utf-8",
    ".vtt": "text/vtt; charset=utf-8",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webp": "image/webp",
}


def content_type(path: str) -> str:
    """Return the media type of a file by its name (IANA's registry); UNKNOWN for what has none, such as FBX."""
    return _TYPES.get(extension_of(path), UNKNOWN)

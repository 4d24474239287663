"""Lesson folders of the shapes that exist: real file formats, made anew for each test."""

from __future__ import annotations

import struct
import wave
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest

REAL_ASSETS = Path(__file__).parents[2] / "shared" / "real-assets"

needs_real_assets = pytest.mark.skipif(
    not REAL_ASSETS.is_dir(), reason="the real assets do not lie beside this checkout"
)

AGES = ("2-5", "6-12")
LANGUAGES = ("en", "es", "fr")
PHASES = ("welcome", "mainContent", "wisdomMoment")


def mp3(seed: str, frames: int = 20) -> bytes:
    """Return a valid MPEG-1 layer III stream; the seed makes the bytes differ, in an ID3v2 comment."""
    text = b"\0" + seed.encode("latin-1")
    frame = b"TIT2" + struct.pack(">I", len(text)) + b"\0\0" + text
    size = len(frame)
    tag = b"ID3\x03\0\0" + bytes(((size >> shift) & 0x7F) for shift in (21, 14, 7, 0)) + frame
    return tag + (b"\xff\xfb\x90\x64" + bytes(413)) * frames  # 128 kbit/s, 44.1 kHz: 417 bytes a frame


def wav(path: Path, seed: str, *, samples: int = 800) -> None:
    """Write a valid WAV file, 8 kHz mono; the seed chooses the pitch."""
    step = 20 + zlib.crc32(seed.encode()) % 10_000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"".join(struct.pack("<h", (index * step) % 8000) for index in range(samples)))


def png(seed: str, *, width: int = 4, height: int = 3) -> bytes:
    """Return a valid grey PNG image."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row = b"\0" + bytes(zlib.crc32(f"{seed}{column}".encode()) % 256 for column in range(width))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(row * height))
        + chunk(b"IEND", b"")
    )


def lfs_pointer(size: int, digit: str = "a") -> bytes:
    """Return what Git LFS leaves in the place of a file that was never downloaded."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digit * 64}\nsize {size}\n".encode()


def lesson(
    folder: Path,
    layout: str = "{age}-{phase}-{lang}.mp3",
    *,
    ages: Iterable[str] = AGES,
    phases: Iterable[str] = PHASES,
    languages: Iterable[str] = LANGUAGES,
) -> Path:
    """Make a lesson of one file for each age, phase and language, named by the layout; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    languages = tuple(languages)
    phases = tuple(phases)
    for age in ages:
        for phase in phases:
            for lang in languages:
                path = folder / layout.format(age=age, phase=phase, lang=lang)
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.suffix == ".wav":
                    wav(path, f"{age} {phase} {lang}")
                else:
                    path.write_bytes(mp3(f"{age} {phase} {lang}"))
    return folder


def change_one_byte(path: Path) -> None:
    """Change the last byte of a file, so that its format and size stay."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF
    path.write_bytes(content)

"""Write the files of `first-lesson`: tones, title cards and mouth movements, the same bytes on every machine.

    python examples/make_first_lesson.py [FOLDER]

Integers only, and PNGs without compression: sines and zlib differ from one machine to the next in the last bit.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from itertools import product
from pathlib import Path

PERSONAS = ("2-5", "6-12")
LANGUAGES = ("en", "es", "fr")
PHASES = ("welcome", "main-content")

SAMPLES_PER_S = 8000
TONE_SAMPLES = 2000  # a quarter of a second
CARD_WIDTH, CARD_HEIGHT = 48, 27  # pixels
FRAMES_PER_S = 30


def write_lesson(folder: Path) -> None:
    """Write 24 files: for each persona and language two tones, a title card and an Audio2Face animation."""
    for (row, persona), (column, language) in product(enumerate(PERSONAS), enumerate(LANGUAGES)):
        for step, phase in enumerate(PHASES):
            pitch_hz = 220 + 110 * column + 60 * row + 25 * step
            _write(folder / "audio" / f"{persona}-{phase}-{language}.wav", tone(pitch_hz))
        _write(folder / "overlays" / f"{persona}-title-{language}.png", title_card(row, column))
        _write(folder / "animation" / f"{persona}-welcome-{language}.json", mouth_movements(row, column))


def tone(pitch_hz: int) -> bytes:
    """Return a WAV file, 16 bit mono, with a triangle wave that fades out."""
    samples = (
        _triangle(number * pitch_hz * 4 // SAMPLES_PER_S, number * pitch_hz * 4 % SAMPLES_PER_S)
        * (TONE_SAMPLES - number)
        // TONE_SAMPLES
        for number in range(TONE_SAMPLES)
    )
    data = struct.pack(f"<{TONE_SAMPLES}h", *samples)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SAMPLES_PER_S, SAMPLES_PER_S * 2, 2, 16)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def _triangle(quarter: int, part: int) -> int:
    """Return the height of a triangle wave, ±8,000, after so many quarters of a period and parts of SAMPLES_PER_S."""
    rising = 8000 * part // SAMPLES_PER_S
    return (rising, 8000 - rising, -rising, rising - 8000)[quarter % 4]


def title_card(row: int, column: int) -> bytes:
    """Return a PNG file: three bands of colour and a marker for the persona."""
    palette = bytes((240, 244, 248, 40 + 80 * column, 110, 200 - 60 * column, 20, 30, 50))
    lines = b""
    for y in range(CARD_HEIGHT):
        colours = (_colour(x, y, row, column) for x in range(CARD_WIDTH))
        lines += b"\0" + bytes(colours)  # filter 0: the line as it is
    header = struct.pack(">IIBBBBB", CARD_WIDTH, CARD_HEIGHT, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", _stored(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _colour(x: int, y: int, row: int, column: int) -> int:
    if 4 <= y < 9 and 4 <= x < 10 + 8 * row:
        return 2
    return 1 if (x // 16 == column) or y >= CARD_HEIGHT - 4 else 0


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _stored(raw: bytes) -> bytes:
    """Return a zlib stream with one stored block, at most 65,535 bytes (RFC 1951 section 3.2.4)."""
    block = struct.pack("<BHH", 1, len(raw), len(raw) ^ 0xFFFF) + raw
    return b"\x78\x01" + block + struct.pack(">I", zlib.adler32(raw))


def mouth_movements(row: int, column: int) -> bytes:
    """Return Audio2Face frames: blendshape weights, thirty a second."""
    frames = []
    for number in range(12):
        hundredths = (number * (7 + 3 * column) + 20 * row) % 60
        frames.append({"jawOpen": hundredths / 100, "eyeBlink_L": 0.0, "eyeBlink_R": 0.0})
    return (json.dumps({"fps": FRAMES_PER_S, "frames": frames}, indent=1) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    write_lesson(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "first-lesson")

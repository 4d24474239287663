"""What files say about themselves, and what happens with files that lie."""

import io
import struct
import wave
import zlib
from pathlib import Path
from typing import Any

import pytest

from reinmaker_cli.assets.probes import MAX_READS, probe

REAL = Path(__file__).parents[3] / "shared" / "real-assets"


def measured(content: bytes, extension: str) -> dict[str, Any]:
    return probe(lambda: io.BytesIO(content), extension, content[:1024], len(content))


def wav(frames: int, rate: int = 8000) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(b"\0\0" * frames)
    return target.getvalue()


def png(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def jpeg(width: int, height: int, before: bytes = b"") -> bytes:
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)
    filler = b"\xff\xe2" + struct.pack(">H", 2 + len(before)) + before if before else b""
    return b"\xff\xd8" + filler + frame + b"\xff\xd9"


def test_a_png_has_its_resolution() -> None:
    assert measured(png(1920, 1080), ".png") == {"resolution": "1920x1080", "format": "png"}


def test_a_png_is_measured_by_its_head_alone() -> None:
    def never() -> io.BytesIO:
        raise AssertionError("opened")

    assert probe(never, ".png", png(64, 32)[:1024], 10_000_000)["resolution"] == "64x32"


@pytest.mark.parametrize("extension", [".jpg", ".jpeg"])
def test_a_jpeg_has_its_resolution_and_one_name(extension: str) -> None:
    expected = {"resolution": "640x480", "format": "jpg"}
    assert measured(jpeg(640, 480), extension) == expected
    assert measured(jpeg(640, 480, before=bytes(60_000)), extension) == expected


def test_a_gif_and_a_webp_have_their_resolution() -> None:
    assert measured(b"GIF89a" + struct.pack("<HH", 30, 20) + bytes(20), ".gif")["resolution"] == "30x20"
    vp8x = b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\x0f\0\0\x07\0\0"
    assert measured(vp8x + bytes(20), ".webp")["resolution"] == "16x8"


def test_a_wav_has_its_duration_in_milliseconds() -> None:
    assert measured(wav(12_000), ".wav") == {"durationMs": 1500, "format": "wav"}
    assert measured(wav(8), ".wav")["durationMs"] == 1


def test_a_wav_whose_header_promises_more_than_there_is_has_no_duration() -> None:
    cut_off = bytearray(wav(8000))
    cut_off[40:44] = b"\xff\xff\xff\xff"  # what a recorder leaves that never came back to write the length
    assert measured(bytes(cut_off), ".wav") == {}


@pytest.mark.skipif(not REAL.is_dir(), reason="the real assets are not beside this checkout")
def test_the_real_assets_say_what_they_are() -> None:
    image = (REAL / "runner/kelly-overlay-5.png").read_bytes()
    assert measured(image, ".png") == {"resolution": "923x519", "format": "png"}
    for path in (REAL / "water-cycle").glob("*.mp3"):
        content = path.read_bytes()
        told = measured(content, ".mp3")
        assert told["format"] == "mp3"
        kilobits_a_second = len(content) * 8 / told["durationMs"]
        assert 30 < kilobits_a_second < 330  # the range of bit rates that MP3 has


@pytest.mark.parametrize("extension", [".fbx", ".glb", ".json", ".anim"])
def test_other_formats_are_named_by_their_extension(extension: str) -> None:
    assert measured(b"whatever", extension) == {"format": extension[1:]}


def test_without_an_extension_nothing_is_claimed() -> None:
    assert measured(b"whatever", "") == {}


@pytest.mark.parametrize(
    "extension", [".png", ".jpg", ".gif", ".webp", ".mp3", ".wav", ".ogg", ".m4a", ".flac", ".aiff"]
)
@pytest.mark.parametrize(
    "content",
    [
        b"x",
        bytes(5000),
        b"\xff" * 5000,
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0" + bytes(100),
        b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"OggS" + bytes(100),
        b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(100),
        b"\0\0\0\x08ftyp\0\0\0\x01moov",
        b"fLaC" + b"\xff" * 50,
    ],
)
def test_odd_files_give_nothing_and_raise_nothing(extension: str, content: bytes) -> None:
    assert measured(content, extension) == {}


def test_a_long_file_of_garbage_is_given_up_soon() -> None:
    content = b"ID3\x04\0\0\0\0\0\0" + bytes(32_000_000)  # four bytes at a time, tinytag would read it for seconds
    reads = 0

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            nonlocal reads
            reads += 1
            return super().read(size)

    assert probe(lambda: Counted(content), ".mp3", content[:1024], len(content)) == {}
    assert reads <= MAX_READS

"""Small folders of assets for tests of the command line: real WAV files, a few bytes each."""

from __future__ import annotations

import io
import wave
from pathlib import Path

PROJECT = """\
[manifest]
id = "tiny-{locale}"
product = "reinmaker"
url = "s3://bucket/tiny/{dir}{stem}.{sha256:8}{ext}"

[source]
phaseDNAId = "tiny"
locale = "{lang}"
agePersona = "2-5"

[values]
lang = { en = "en-US", fr = "fr-FR" }

[[rule]]
match = "{phase}-{lang}.wav"
type = "audio"
"""


def wav(seconds: float = 0.01, level: int = 0) -> bytes:
    """Return a mono WAV; another level, other bytes."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(bytes([level]) * int(8000 * seconds))
    return buffer.getvalue()


def make_project(folder: Path, *, settings: str = "") -> Path:
    """Write a project of two manifests, `tiny-en-US` and `tiny-fr-FR`, with two assets each."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reinmaker.toml").write_text(PROJECT + settings)
    for level, name in enumerate(("hello-en", "bye-en", "hello-fr", "bye-fr")):
        (folder / f"{name}.wav").write_bytes(wav(level=level))
    return folder

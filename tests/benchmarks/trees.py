"""The trees that benchmarks run on: built anew each time, never committed."""

from __future__ import annotations

import json
import random
from pathlib import Path

MIB = 1024 * 1024

TOML = """\
[manifest]
id = "bench-{locale}"
version = "2026.11.23"
product = "curious_kelly"
url = "s3://lotd-reinmaker-assets/bench/{path}"

[source]
phaseDNAId = "bench"
locale = "en-US"
agePersona = "2-5"

[[rule]]
match = "**/*.bin"
type = "fx"
"""


def large_files(root: Path, *, files: int = 64, size: int = 32 * MIB) -> Path:
    """Make a folder of equal large files of random bytes, with a reinmaker.toml."""
    folder = root / "large"
    (folder / "fx").mkdir(parents=True)
    (folder / "reinmaker.toml").write_text(TOML)
    generator = random.Random(1)
    for number in range(files):
        (folder / "fx" / f"{number:03}.bin").write_bytes(generator.randbytes(size))
    return folder


def manifest_of(root: Path, *, assets: int) -> Path:
    """Make a manifest file of so many assets."""
    document = {
        "manifestId": "bench",
        "version": "2026.11.23",
        "product": "reinmaker",
        "source": {"phaseDNAId": "bench", "locale": "en-US", "agePersona": "2-5"},
        "assets": [
            {
                "id": f"overlays-file-{number:06}-png",
                "type": "overlay",
                "url": f"s3://lotd-reinmaker-assets/bench/overlays/file-{number:06}.{number:08x}.png",
                "hash": f"{number:064x}",
                "bytes": number + 1,
                "metadata": {"resolution": "1920x1080", "format": "png"},
            }
            for number in range(assets)
        ],
    }
    path = root / f"manifest-{assets}.json"
    path.write_text(json.dumps(document, indent=1))
    return path

"""The trees that benchmarks run on: built anew each time, never committed."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

MIB = 1024 * 1024

LARGE = "large"
MANIFEST = "manifest.json"

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


def large_files(folder: Path, *, files: int, size_bytes: int) -> None:
    """Make a folder of equal large files of random bytes, with a reinmaker.toml."""
    (folder / "fx").mkdir(parents=True)
    (folder / "reinmaker.toml").write_text(TOML)
    generator = random.Random(1)
    for number in range(files):
        (folder / "fx" / f"{number:03}.bin").write_bytes(generator.randbytes(size_bytes))


def large_manifest(path: Path, *, assets: int) -> None:
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
    path.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    large_files(Path(sys.argv[1]) / LARGE, files=64, size_bytes=32 * MIB)
    large_manifest(Path(sys.argv[1]) / MANIFEST, assets=100_000)

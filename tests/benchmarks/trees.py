"""The trees that benchmarks run on: built anew each time, never committed."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

MIB = 1024 * 1024

LARGE = "large"
MANIFEST = "manifest.json"
MILLION = "million"

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


def small_name(files: int) -> str:
    """Return the name of the tree of so many small files."""
    return f"small-{files}"


def small_files(folder: Path, *, files: int, name: str = "bench-{locale}") -> None:
    """Make a folder of random files of 2 KiB, a thousand in each folder below, with a reinmaker.toml."""
    generator = random.Random(name + str(files))
    for number in range(files):
        if number % 1000 == 0:
            below = folder / "fx" / f"{number // 1000:04}"
            below.mkdir(parents=True)
        (below / f"{number:07}.bin").write_bytes(generator.randbytes(2048))
    (folder / "reinmaker.toml").write_text(TOML.replace("bench-{locale}", name))


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


def main(folder: Path, which: str) -> None:
    """Make the trees of one group."""
    if which == "small":
        for files in (1_000, 10_000, 100_000):
            small_files(folder / small_name(files), files=files)
    elif which == "million":
        for number in range(20):
            small_files(folder / MILLION / f"{number:02}", files=50_000, name=f"bench-{number:02}")
    else:
        large_files(folder / LARGE, files=64, size_bytes=32 * MIB)
        large_manifest(folder / MANIFEST, assets=100_000)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "large")

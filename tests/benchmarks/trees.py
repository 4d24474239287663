"""The trees that benchmarks run on: built anew each time, never committed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

MIB = 1024 * 1024

LARGE = "large"
LESSON = "lesson"
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


def sized_files(folder: Path, sizes: Sequence[int]) -> None:
    """Make a folder of files of random bytes, at most a thousand in each folder below, with a reinmaker.toml."""
    generator = random.Random(1)
    for number, size_bytes in enumerate(sizes):
        below = folder / "fx" / f"{number // 1000:02}"
        if number % 1000 == 0:
            below.mkdir(parents=True)
        (below / f"{number:05}.bin").write_bytes(generator.randbytes(size_bytes))
    (folder / "reinmaker.toml").write_text(TOML)


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
    (folder / "reinmaker.toml").write_text(
        TOML.replace("bench-{locale}", name).replace("/bench/", f"/bench-{folder.name}/")
    )


LESSON_TOML = """\
[manifest]
id = "{day}-{{locale}}-{{agePersona}}"
product = "curious_kelly"
url = "s3://lotd-reinmaker-assets/{day}/{{dir}}{{stem}}.{{sha256:8}}{{ext}}"

[source]
phaseDNAId = "{day}"
locale = "{{lang}}"
agePersona = "{{age}}"

[values]
age = ["2-5", "6-12", "13-17", "18-35", "36-60", "61-102"]
lang = {{ en = "en-US", es = "es-ES", fr = "fr-FR" }}

[[rule]]
match = "audio/{{age}}-{{phase}}-{{lang}}.bin"
type = "audio"
"""
AGES = ("2-5", "6-12", "13-17", "18-35", "36-60", "61-102")
LANGUAGES = ("en", "es", "fr")
MANIFESTS_A_LESSON = len(AGES) * len(LANGUAGES)
A_YEAR = 365 * MANIFESTS_A_LESSON


def catalogue_name(manifests: int) -> str:
    """Return the name of the catalogue of so many manifests."""
    return f"catalogue-{manifests}"


def catalogue(folder: Path, *, manifests: int, phases: int) -> None:
    """Make a folder of lessons with up to 18 manifests each, and in each of those so many files of 2 KiB."""
    generator = random.Random(manifests)
    for number in range(manifests):
        day, place = divmod(number, MANIFESTS_A_LESSON)
        age, language = AGES[place // len(LANGUAGES)], LANGUAGES[place % len(LANGUAGES)]
        audio = folder / f"lesson-{day:03}" / "audio"
        if place == 0:
            audio.mkdir(parents=True)
            (audio.parent / "reinmaker.toml").write_text(LESSON_TOML.format(day=f"day-{day:03}"))
        for phase in range(phases):
            (audio / f"{age}-p{phase:02}-{language}.bin").write_bytes(generator.randbytes(2048))


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


def linked_files(folder: Path, tree: Path) -> None:
    """Make 20 folders of 50,000 files, hard links to a tree of 100,000, each folder with a reinmaker.toml."""
    thousands = sorted((tree / "fx").iterdir())
    for number in range(20):
        made = folder / f"{number:02}"
        for thousand in thousands[:50] if number % 2 else thousands[50:]:
            below = made / "fx" / thousand.name
            below.mkdir(parents=True)
            for file in thousand.iterdir():
                os.link(file, below / file.name)
        (made / "reinmaker.toml").write_text(TOML.replace("bench-{locale}", f"bench-{number:02}"))


def fill_cache(tree: Path) -> None:
    """Scan until every digest is kept: a file is, from two seconds after its last change on."""
    scan = [str(Path(sys.executable).with_name("reinmaker")), "scan", str(tree), "--quiet", "--verbose"]
    while True:
        done = subprocess.run(scan, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
        if done.stderr.startswith("0 files read"):
            return


def main(made: Path) -> None:
    """Make one of the trees, by its name."""
    if made.name == MANIFEST:
        large_manifest(made, assets=100_000)
        return
    if made.name == LARGE:
        sized_files(made, [32 * MIB] * 64)
    elif made.name == LESSON:
        sized_files(made, [32 * MIB] * 56 + [MIB] * 224 + [2048] * 16384)
    elif made.name == MILLION:
        linked_files(made, few := made.with_name(small_name(100_000)))
        fill_cache(few)  # another link to a file changes its ctime: it would be read again
    elif made.name.startswith("catalogue-"):
        catalogue(made, manifests=int(made.name.removeprefix("catalogue-")), phases=15)
    else:
        small_files(made, files=int(made.name.removeprefix("small-")))
    fill_cache(made)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Small lessons for the tests of this room: folders as they come from an export, and the project that reads them."""

from __future__ import annotations

from pathlib import Path

from reinmaker_cli.assets.project import Project, load_project

TOML = """
[manifest]
id = "2026-11-23-water-cycle-{locale}-{agePersona}"
product = "curious_kelly"
url = "s3://lotd-reinmaker-assets/water-cycle/{dir}{stem}.{sha256:8}{ext}"

[manifest.url_for]
staging = "s3://lotd-reinmaker-assets-staging/water-cycle/{path}"

[source]
phaseDNAId = "water-cycle"
locale = "{lang}"
agePersona = "{age}"

[values]
age = ["2-5", "6-12"]
lang = { en = "en-US", es = "es-ES", fr = "fr-FR" }

[[rule]]
match = "{age}-{phase}-{lang}.txt"
type = "audio"
metadata = { phase = "{phase}" }

[extra]
dependencies = ["kelly-vo-2025.10.15"]
campaign = { name = "Wasser für alle", startAt = "2026-11-23T00:00:00Z" }

[coverage]
locale = ["en-US", "es-ES", "fr-FR"]
"""

NAMES = tuple(
    f"{age}-{phase}-{lang}.txt"
    for age in ("2-5", "6-12")
    for phase in ("welcome", "main")
    for lang in ("en", "es", "fr")
)


def write_lesson(folder: Path, *, toml: str | None = TOML) -> Path:
    """Write 12 files for 6 manifests, and the project file unless there is to be none; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / name).write_text(f"bytes of {name}\n", encoding="utf-8")
    if toml is not None:
        (folder / "reinmaker.toml").write_text(toml, encoding="utf-8")
    return folder


def lesson_project(folder: Path) -> Project:
    """Write the lesson and return its project."""
    return load_project(write_lesson(folder))

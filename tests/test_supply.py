"""What is shipped and what it is made of: the wheel, the lock file, the threat model."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCK = ROOT / "requirements-dev.lock"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> list[Path]:
    """The wheel, built twice: in two folders, of files with different times, under different settings."""
    built = []
    for name, mtime, variables in (("one", 1_000_000_000, {"TZ": "UTC"}), ("two", 1_700_000_000, {"TZ": "Asia/Tokyo"})):
        folder = tmp_path_factory.mktemp(name)
        for part in ("reinmaker_cli", *PROJECT["license-files"], PROJECT["readme"], "pyproject.toml", "docs/man"):
            _copy(ROOT / part, folder / part, mtime)
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"]
        environment = {**os.environ, **variables}
        made = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        built += (folder / "dist").iterdir()
    return built


def test_the_same_source_gives_the_same_wheel(wheels):
    one, two = wheels
    assert one.name == two.name
    assert one.read_bytes() == two.read_bytes()


def test_the_wheel_holds_the_package_and_nothing_else(wheels):
    held = {name for name in zipfile.ZipFile(wheels[0]).namelist() if ".dist-info/" not in name}
    data = {name for name in held if name.startswith("reinmaker-")}  # man pages
    assert held - data == {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "reinmaker_cli").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert sum("/share/man/man1/reinmaker" in name for name in data) == len(data) > 40


def test_the_lock_file_has_one_version_and_digests_for_whatever_is_wanted():
    locked = dict(
        re.findall(r"^([a-z0-9-]+)==([^ ;]+)[^\\\n]*\\\n    --hash=sha256:[0-9a-f]{64}", LOCK.read_text(), re.M)
    )
    pinned = re.findall(r"^([a-z0-9-]+)==", LOCK.read_text(), re.M)
    assert set(pinned) == set(locked), "one without a digest"
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for requirement in (Requirement(text) for group in groups for text in group):
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert name in locked, f"`make lock`: {name} is not in it"
        assert requirement.specifier.contains(locked[name]), f"`make lock`: {requirement} is {locked[name]} there"


def test_the_lock_file_names_no_host():
    assert re.findall(r"https?:|--(?:extra-)?index-url|--find-links", LOCK.read_text()) == []


def test_every_test_that_the_threat_model_names_is_there():
    named = re.findall(r"`((?:tests/)[a-z_/0-9]*(?:\.py)?)`", (ROOT / "SECURITY.md").read_text("utf-8"))
    assert len(named) > 15
    assert [path for path in named if not (ROOT / path).exists()] == []


def _copy(source: Path, target: Path, mtime: int) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    elif source.exists():
        shutil.copy(source, target)
    for file in (target, *target.rglob("*")) if target.exists() else ():
        os.utime(file, (mtime, mtime))

"""Folders that nobody would make: any names, contents and links. Never a traceback, a hang, or an undocumented exit."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reinmaker_cli.cli.app import run_command_line
from tests.fuzz.conftest import fuzzing
from tests.lessons import lfs_pointer, mp3, png

PROJECT = """
[manifest]
id = "lesson-{locale}-{agePersona}"
product = "reinmaker"
url = "s3://bucket/{dir}{stem}.{sha256:8}{ext}"
[source]
phaseDNAId = "lesson"
locale = "{lang}"
agePersona = "{age}"
[values]
age = ["2-5", "6-12"]
lang = { en = "en-US", fr = "fr-FR" }
[[rule]]
match = "**/{age}-{phase}-{lang}.mp3"
type = "audio"
"""
ODD = [
    "\n",
    "\r",
    "\t",
    "\x1b[31m",
    "\u202e",
    "é",
    "e\u0301",
    "İ",
    "ß",
    "\udcff",
    "%2e",
    "{",
    "}",
    "*",
    "|",
    "::error::",
]
WORDS = ["2-5", "6-12", "en", "fr", "a", "A", "-", ".", " ", "con", "~", "mp3", "png", "json", "meta", "reinmaker.toml"]
part = st.lists(st.sampled_from(ODD + WORDS), min_size=1, max_size=5).map("".join)
asset_name = st.builds("{}-{}-{}.mp3".format, st.sampled_from(["2-5", "6-12"]), part, st.sampled_from(["en", "fr"]))
name = st.one_of(part, asset_name, part.map(lambda text: text + ".png"), part.map(lambda text: text + ".meta.json"))
path = st.lists(name, min_size=1, max_size=3).map("/".join)
content = st.one_of(
    st.binary(max_size=64),
    st.integers(0, 3).map(lambda number: mp3(str(number))),
    st.integers(0, 3).map(lambda number: png(str(number))),
    st.integers(0, 10**6).map(lfs_pointer),
    st.just(b"<!doctype html><title>404</title>"),
    st.just(b"{"),
)
link = st.sampled_from(["..", "/etc/passwd", ".", "missing", "a", "/dev/zero", "2-5-a-en.mp3"]).map(Path)


@fuzzing
@given(st.dictionaries(path, st.one_of(content, link), max_size=8), st.sampled_from(["scan", "check", "build"]))
def test_any_folder_ends_in_a_documented_way(capfdbinary, files, verb):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "lesson")
        fill(folder, files)
        before = sorted(folder.rglob("*"))
        words = [
            verb,
            str(folder),
            "--json",
            "--no-cache",
            *(["-o", str(Path(place, "out"))] if verb == "build" else []),
        ]
        code = run_command_line(words)
        out, err = capfdbinary.readouterr()
        document = json.loads(out)
        assert (document["exitCode"], b"Traceback" in err) == (code, False), err
        assert code in (0, 2, 3), document["error"]
        assert code == 0 or document["error"]["hint"], document["error"]
        assert sorted(folder.rglob("*")) == before, "something was written into the folder of assets"
        assert b"\x1b[31m" not in err, "a name steers the terminal"


@fuzzing
@given(st.dictionaries(asset_name, st.binary(min_size=1, max_size=64), min_size=1, max_size=5))
def test_init_writes_what_check_can_read(capfdbinary, files):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "lesson")
        fill(folder, files)
        (folder / "reinmaker.toml").unlink(missing_ok=True)
        asked = run_command_line(["init", str(folder), "--no-input", "--json"])
        checked = run_command_line(["check", str(folder), "--json", "--no-cache"])
        _, err = capfdbinary.readouterr()
        assert asked in (0, 2, 3), err
        assert checked in (0, 2, 3), err
        assert b"Traceback" not in err


def fill(folder: Path, files: dict[str, bytes | Path]) -> None:
    """Make the files and links, as far as the file system takes them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "reinmaker.toml").write_text(PROJECT, "utf-8")
    for where, what in files.items():
        target = folder / where.lstrip("/")
        if ".." in target.parts or target.name == "reinmaker.toml":
            continue
        with contextlib.suppress(OSError):  # a name that no file can have here, or a folder where a file is
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(what, Path):
                os.symlink(what, target)
            else:
                target.write_bytes(what)

"""A link is put in the place of a file or a folder while that is scanned: no byte from outside the folder is read."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path

import pytest

from reinmaker_cli.assets.digest import Digest, hash_small, hash_walked
from reinmaker_cli.assets.guards import lfs_pointers
from reinmaker_cli.assets.own import own_document
from reinmaker_cli.assets.reading import NotRegular
from reinmaker_cli.assets.walk import walk_folder
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ConfigError
from tests.swapping import swapping

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1\n".encode()
BETWEEN = 100 if os.environ.get("REINMAKER_SOAK") else 10
"""Times that the file was there for the walk and another thing for the read: counted, as nobody can time that."""
INSIDE, OUTSIDE = (b"inside", hashlib.sha256(b"inside").hexdigest()), b"outside"


@pytest.mark.parametrize("swapped", ["in", "in/a.bin"], ids=["folder", "file"])
@pytest.mark.parametrize("hashing", ["one", "many"])
def test_what_is_swapped_for_a_link_at_any_instant_never_leads_out(tmp_path: Path, say, swapped: str, hashing: str):
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder, content in ((root / "in", INSIDE[0]), (outside, OUTSIDE)):
        folder.mkdir(parents=True)
        (folder / "a.bin").write_bytes(content)
    found: Counter[str] = Counter()
    with swapping(root / swapped, outside if swapped == "in" else outside / "a.bin"):
        while not found["inside"] or found.total() - found["inside"] - found["not there"] < BETWEEN:
            walked = [file for file in walk_folder(root).files if file.path == "in/a.bin"]
            outcomes = hash_small(walked, None) if hashing == "many" else map(hash_walked, walked)
            for outcome in outcomes:
                if isinstance(outcome, Digest):
                    assert outcome.sha256 == INSIDE[1], "a file outside of the folder was read"
                found["inside" if isinstance(outcome, Digest) else outcome.code] += 1
            found["not there"] += not walked
    say(f"{found.total()} scans, 0 of them led out: {dict(found)}")


def test_no_look_inside_follows_a_folder_that_became_a_link(tmp_path: Path) -> None:
    manifest = b'{"manifestId": "m", "version": "1", "product": "p", "source": {}, "assets": []}'
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root / "in", outside):
        folder.mkdir(parents=True)
        (folder / "m.json").write_bytes(manifest)
        (folder / "p.png").write_bytes(POINTER)
    json_file, pointer = walk_folder(root, own=lambda _: None).files

    def looks() -> tuple[object, ...]:
        return own_document(json_file.os_path, seen=json_file.place), len(list(lfs_pointers([pointer])))

    assert looks() == ("manifest", 1)
    for path, content in ((root / "in" / "m.json", manifest), (root / "in" / "p.png", POINTER)):
        (tmp_path / "made").write_bytes(content)
        (tmp_path / "made").rename(path)
    assert looks() == ("manifest", 1)  # saved again: another file, at the same place
    (root / "in").rename(root / "was")
    (root / "in").symlink_to(outside)
    with pytest.raises(NotRegular):
        looks()
    assert list(lfs_pointers([pointer])) == []


def test_an_ignore_file_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("*.bin\n")
    root = tmp_path / "root"
    root.mkdir()
    (root / ".reinmakerignore").symlink_to(tmp_path / "outside")
    with pytest.raises(ConfigError) as caught:
        walk_folder(root)
    assert caught.value.code == codes.CONFIG_UNREADABLE

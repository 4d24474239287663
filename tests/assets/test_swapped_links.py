"""A link is put in the place of a file or a folder while that is scanned: no byte from outside the folder is read."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path

import pytest

from reinmaker_cli.assets.digest import Digest, hash_small, hash_walked
from reinmaker_cli.assets.walk import walk_folder
from tests.swapping import swapping

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

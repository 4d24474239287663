"""What `make proof` installs is pinned, and names no registry."""

from __future__ import annotations

import json
import re

from tests.proof.verdict import HERE

LOCK = json.loads((HERE / "node" / "package-lock.json").read_text("utf-8"))["packages"]
WANTED = json.loads((HERE / "node" / "package.json").read_text("utf-8"))["devDependencies"]


def test_every_npm_package_is_one_version_with_its_digest():
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in WANTED.values())
    assert {name: LOCK[f"node_modules/{name}"]["version"] for name in WANTED} == WANTED
    assert [place for place, one in LOCK.items() if place and "integrity" not in one and not one.get("inBundle")] == []


def test_the_lock_file_names_no_registry():
    assert [place for place, one in LOCK.items() if "resolved" in one] == []


def test_every_python_package_is_one_version():
    lines = (HERE / "python" / "requirements.txt").read_text("utf-8").splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", line) for line in lines if not line.startswith("#"))

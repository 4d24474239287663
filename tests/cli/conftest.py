"""The command line in this process, away from whoever runs the tests: own home, own variables, own folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.command import Command

KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "VIRTUAL_ENV")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder; every variable that could steer the command is gone."""
    for name in list(os.environ):
        if name not in KEPT_VARIABLES and not name.startswith("PYTEST"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")  # the role of this machine is gone too
    return folder


@pytest.fixture
def work(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def reinmaker(work: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """`reinmaker(*words)` runs a command line in this process and returns what came of it."""
    return Command(capfdbinary)

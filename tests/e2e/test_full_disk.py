"""The disk is full in the middle of what a command writes: the cache of digests, a manifest, a receipt."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import Result
from tests.lessons import lesson

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no ulimit there")


@pytest.fixture
def folder(reinmaker, tmp_path):
    folder = lesson(tmp_path / "water-cycle", languages=["en"])
    assert reinmaker("init", folder).code == 0
    return folder


@pytest.fixture
def full(reinmaker):
    """Run a command on a disk that takes half a KiB of each file: the middle of all that is written here."""

    def run(*words):
        # Python 3.11 itself leaves half of a .pyc there, and stumbles over it in the next run.
        variables = {**reinmaker.environment, "PYTHONDONTWRITEBYTECODE": "1"}
        limited = ["sh", "-c", 'ulimit -f 1 && exec "$@"', "sh", *reinmaker.command(*words)]
        ended = subprocess.run(limited, cwd=reinmaker.home, env=variables, capture_output=True, check=False)
        return Result(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    return run


def files(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def digests_in(home: Path) -> dict[str, bytes]:
    """Return what is in the cache of digests, without the empty file that says when it was last swept."""
    return {name: content for name, content in files(home / ".cache").items() if content}


def test_digests_that_cannot_be_kept_change_no_result(reinmaker, full, folder):
    while sum(map(len, digests_in(reinmaker.home).values())) <= 512:  # what has only just changed is not kept
        usual = reinmaker("scan", folder, "--json")
        assert usual.code == 0
    shutil.rmtree(reinmaker.home / ".cache")
    scanned = full("scan", folder, "--json")
    assert digests_in(reinmaker.home) == {}, "half a cache, or a file on the way to one, was left"
    assert (scanned.code, scanned.document["assets"]) == (0, usual.document["assets"])


def test_a_manifest_is_written_whole_or_not_at_all(reinmaker, full, folder, tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    wanted = ("build", folder, "--only", "agePersona=2-5", "-o", results / "m.json")
    for already in ({}, {"m.json": b"{}\n"}):
        for name, content in already.items():
            (results / name).write_bytes(content)
        stopped = full(*wanted, "--json")
        assert stopped.code == 2
        assert stopped.document["error"]["code"] == "output-failed"
        assert "hint: " in stopped.err
        assert files(results) == already
    assert reinmaker(*wanted).code == 0
    assert json.loads((results / "m.json").read_text())["assets"]


def test_a_receipt_that_cannot_be_written_is_had_later_without_a_second_submission(
    reinmaker, serve, full, folder, tmp_path
):
    server = serve()
    receipts = tmp_path / "receipts"
    stopped = full("publish", folder, "--receipt", receipts, "--json")
    assert stopped.code == 2
    assert stopped.document["error"]["code"] == "output-failed"
    assert "hint: " in stopped.err
    assert files(receipts) == {}
    again = reinmaker("publish", folder, "--receipt", receipts, "--json")
    assert (again.code, again.outcomes) == (0, ["unchanged"] * 2), again.err
    assert len(files(receipts)) == 2
    server.stop()
    with closing(sqlite3.connect(Path(server.ready["data"]) / "reinmaker.sqlite3")) as database:
        assert database.execute("SELECT status FROM submissions").fetchall() == [("active",)] * 2

"""What a tired or hostile person types: each a clear end, and no traceback; what is said is kept in snapshots/."""

import subprocess

import pytest

from tests.lessons import lesson, lfs_pointer, png
from tests.snapshots import check_snapshot, in_order

FLAGS = ("--id", "runner", "--product", "reinmaker", "--phase-dna", "runner", "--locale", "en-US", "--persona", "2-5")
BUCKET = ("--base-url", "s3://lotd-reinmaker-assets/runner/")


def test_a_reader_that_leaves_after_one_byte_changes_nothing(reinmaker, serve, tmp_path):
    serve()
    folder = lesson(tmp_path / "water-cycle")
    reinmaker("init", folder)
    process = reinmaker.start("publish", folder, "--json")
    with subprocess.Popen(["head", "-c", "1"], stdin=process.stdout, stdout=subprocess.PIPE) as head:
        process.stdout.close()
        assert head.communicate()[0] == b"{"
    _, err = process.communicate()
    assert process.returncode == 0
    check_snapshot("reader-that-leaves", in_order(err), folder)
    assert reinmaker("publish", folder, "--json").outcomes == ["unchanged"] * 6


def test_twenty_thousand_files_are_no_trouble(reinmaker, tmp_path):
    folder = tmp_path / "many" / "overlays"
    folder.mkdir(parents=True)
    image = png("many")
    for number in range(20_000):
        (folder / f"{number:05}.png").write_bytes(image)
    scanned = reinmaker("scan", folder.parent, *FLAGS, *BUCKET, "--json")
    assert scanned.code == 0, scanned.err
    assert len(scanned.document["assets"]) == 20_000
    check_snapshot("twenty-thousand-files", scanned.err, folder.parent)


@pytest.fixture
def runner(tmp_path):
    """The shape of the real runner folder: 14 pointers named .png, one named .wav, and three real files."""
    folder = tmp_path / "runner"
    for name, count in (("stones", 7), ("banners", 7)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number}.png").write_bytes(lfs_pointer(40_000 + number))
    (folder / "kelly.wav").write_bytes(lfs_pointer(900_000))
    (folder / "overlays").mkdir()
    (folder / "overlays" / "kelly.png").write_bytes(png("kelly"))
    return folder


def test_every_lfs_pointer_is_named_with_the_size_it_stands_for(reinmaker, runner):
    checked = reinmaker("check", runner, *FLAGS, *BUCKET, "--json")
    assert checked.code == 3
    pointers = [finding for finding in checked.document["findings"] if finding["code"] == "lfs-pointer"]
    assert len(pointers) == 15
    assert all("40" in finding["message"] or "900" in finding["message"] for finding in pointers)
    assert all(f"git -C {runner} lfs pull" in finding["hint"] for finding in pointers)

"""What a tired or hostile person types: each a clear end, and no traceback."""

import os
import re
import signal
import subprocess

import pytest

from tests.lessons import lesson, lfs_pointer, png

FLAGS = ("--id", "runner", "--product", "reinmaker", "--phase-dna", "runner", "--locale", "en-US", "--persona", "2-5")
BUCKET = ("--base-url", "s3://lotd-reinmaker-assets/runner/")


def clear_end(result, code):
    """The exit code, an error with its code, a hint, and no traceback."""
    assert result.code == code, result.err
    assert "Traceback" not in result.err
    assert re.search(r"error\[[a-z-]+\]: ", result.err)
    assert "hint: " in result.err


def test_a_reader_that_leaves_after_one_byte_changes_nothing(reinmaker, serve, tmp_path):
    serve()
    folder = lesson(tmp_path / "water-cycle")
    reinmaker("init", folder)
    process = reinmaker.start("publish", folder, "--json")
    with subprocess.Popen(["head", "-c", "1"], stdin=process.stdout, stdout=subprocess.PIPE) as head:
        process.stdout.close()
        assert head.communicate()[0] == b"{"
    _, err = process.communicate()
    assert (process.returncode, "Traceback" in err, "BrokenPipe" in err) == (0, False, False)
    assert reinmaker("publish", folder, "--json").outcomes == ["unchanged"] * 6


def test_an_interrupt_while_hashing_leaves_at_once(reinmaker, tmp_path):
    folder = tmp_path / "large"
    (folder / "fx").mkdir(parents=True)
    for number in range(4):
        with open(folder / "fx" / f"{number}.bin", "wb") as file:
            file.truncate(8 * 1024**3)  # sparse: hashing them takes minutes
    process = reinmaker.start("scan", folder, *FLAGS, *BUCKET, "--verbose", "--json", "--events", "/dev/stderr")
    while "scan.progress" not in (line := process.stderr.readline()):
        assert line, "the scan ended by itself"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert '"interrupted"' in out


def test_a_full_disk_is_named(reinmaker, tmp_path):
    folder = lesson(tmp_path / "water-cycle", ages=["2-5"], languages=["en"])
    reinmaker("init", folder)
    clear_end(reinmaker("build", folder, "-o", "/dev/full"), 2)
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            reinmaker.command("build", folder, "--json"),
            env=reinmaker.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert process.returncode == 2
    assert "error[output-failed]" in process.stderr


def test_twenty_thousand_files_are_no_trouble(reinmaker, tmp_path):
    folder = tmp_path / "many" / "overlays"
    folder.mkdir(parents=True)
    image = png("many")
    for number in range(20_000):
        (folder / f"{number:05}.png").write_bytes(image)
    scanned = reinmaker("scan", folder.parent, *FLAGS, *BUCKET, "--json")
    assert scanned.code == 0, scanned.err
    assert len(scanned.document["assets"]) == 20_000


@pytest.mark.parametrize("words", [("scan",), ("check",), ("publish",), ("build",)])
def test_a_folder_without_files_is_named(reinmaker, tmp_path, words):
    empty = tmp_path / "empty"
    empty.mkdir()
    clear_end(reinmaker(*words, empty, *FLAGS, *BUCKET), 3)


def test_a_file_instead_of_a_folder_is_named(reinmaker, tmp_path):
    file = tmp_path / "a.mp3"
    file.write_bytes(b"ID3")
    clear_end(reinmaker("scan", file), 2)
    clear_end(reinmaker("init", file), 2)


def test_a_folder_that_is_not_there_is_named(reinmaker, tmp_path):
    clear_end(reinmaker("scan", tmp_path / "nowhere"), 2)


def test_a_configuration_that_cannot_be_used_is_named_with_its_place(reinmaker, tmp_path):
    folder = lesson(tmp_path / "water-cycle")
    (folder / "reinmaker.toml").write_bytes(b"[manifest\n")
    clear_end(reinmaker("scan", folder), 2)
    (folder / "reinmaker.toml").write_bytes(b"\xff\xfe")
    clear_end(reinmaker("scan", folder), 2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_configuration_without_permission_is_named(reinmaker, tmp_path):
    folder = lesson(tmp_path / "water-cycle")
    (folder / "reinmaker.toml").write_text("")
    (folder / "reinmaker.toml").chmod(0)
    clear_end(reinmaker("scan", folder), 2)


def test_flags_before_the_verb_are_answered_with_the_corrected_line(reinmaker):
    wrong = reinmaker("--env", "staging", "publish", "lesson")
    clear_end(wrong, 2)
    assert (
        "reinmaker publish lesson --env staging" in wrong.err or "reinmaker publish --env staging lesson" in wrong.err
    )


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
    assert all("git lfs pull" in finding["hint"] for finding in pointers)


def test_lfs_pointers_cannot_be_allowed(reinmaker, runner):
    clear_end(reinmaker("check", runner, *FLAGS, *BUCKET, "--allow", "lfs-pointer"), 2)

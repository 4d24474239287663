"""The whole journey from a folder to its assets, on real files."""

import hashlib
import io
import os
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reinmaker_cli.assets.project import Project, Rule
from reinmaker_cli.assets.scan import Scan, ScanProgress, scan_folder
from reinmaker_cli.errors import ContentInvalid, UsageError

REAL = Path(__file__).parents[3] / "shared" / "real-assets"
A2F = b'{"fps": 30, "frames": [{"jawOpen": 0.05}]}'
MP3 = b"ID3\x04\0\0\0\0\0\0" + (b"\xff\xfb\x90\x00" + bytes(413)) * 8
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"


def project(root: Path, **changes: Any) -> Project:
    return Project(root=root, path=None, id="m", product="reinmaker", url="s3://bucket/{path}", **changes)


def write(root: Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def codes_of(scan: Scan) -> list[tuple[str, str | None]]:
    return [(finding.code, finding.path) for finding in scan.findings]


def wav(milliseconds: int) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(8000)
        writer.writeframes(b"\x80" * (8 * milliseconds))
    return target.getvalue()


def test_a_folder_becomes_assets_sorted_by_id(tmp_path: Path) -> None:
    write(tmp_path, {"audio/B.wav": wav(250), "audio/a.wav": wav(100), "model.fbx": b"; FBX 7.7.0 project file\n"})
    scan = scan_folder(project(tmp_path))
    assert [asset.id for asset in scan.assets] == ["audio-a-wav", "audio-b-wav", "model-fbx"]
    first = scan.assets[0]
    assert (first.path, first.type, first.bytes) == ("audio/a.wav", "audio", 844)
    assert first.sha256 == hashlib.sha256(wav(100)).hexdigest()
    assert first.metadata == {"durationMs": 100, "format": "wav"}
    assert scan.findings == ()
    assert (scan.stats.files, scan.stats.hashed, scan.stats.cached) == (3, 3, 0)
    assert scan.stats.bytes == sum(asset.bytes for asset in scan.assets)


def test_without_probes_no_metadata_is_made_up(tmp_path: Path) -> None:
    write(tmp_path, {"a.wav": wav(100)})
    (asset,) = scan_folder(project(tmp_path), probe=False).assets
    assert asset.metadata == {}


def test_metadata_is_probed_then_the_rules_then_the_sidecars(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "2-5-welcome.wav": wav(100),
            "2-5-welcome.wav.meta.json": b'{"phase": "by hand", "safeZone": {"x": 1}}',
        },
    )
    rule = Rule(match="{age}-{phase}.wav", type="audio", metadata={"phase": "{phase}", "engine": "unity"})
    values = {"age": {"2-5": "2-5"}}
    scan = scan_folder(project(tmp_path, rules=(rule,), values=values))
    (asset,) = scan.assets
    assert asset.captures == {"age": "2-5", "phase": "welcome"}
    assert asset.metadata == {
        "durationMs": 100,
        "format": "wav",
        "engine": "unity",
        "phase": "by hand",
        "safeZone": {"x": 1},
    }
    assert [ignored.path for ignored in scan.ignored] == ["2-5-welcome.wav.meta.json"]


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"{", "sidecar is not usable JSON"),
        (b"[]", "sidecar is not a JSON object"),
        (b'{"a": 1, "a": 2}', "sidecar is not usable JSON"),
        (b"", "sidecar is not usable JSON"),
        (POINTER, "sidecar is a Git LFS pointer"),
        (b'{"a": "' + b"x" * 1024 * 1024 + b'"}', "sidecar of 1048585 bytes"),
    ],
)
def test_a_broken_sidecar_is_a_finding_and_the_file_stays_an_asset(tmp_path: Path, content: bytes, fact: str) -> None:
    write(tmp_path, {"a.wav": wav(100), "a.wav.meta.json": content})
    scan = scan_folder(project(tmp_path))
    assert codes_of(scan) == [("broken-sidecar", "a.wav.meta.json")]
    assert scan.findings[0].message.startswith(fact)
    assert len(scan.assets) == 1


def test_json_is_an_animation_only_with_audio2face_frames(tmp_path: Path) -> None:
    write(tmp_path, {"face.json": A2F, "other.json": b'{"a": 1}', "animation/any.json": b'{"a": 1}'})
    scan = scan_folder(project(tmp_path))
    assert [(asset.path, asset.type) for asset in scan.assets] == [
        ("animation/any.json", "animation"),
        ("face.json", "animation"),
    ]
    assert codes_of(scan) == [("unmatched-file", "other.json")]


def test_all_findings_are_collected_and_unusable_files_are_no_assets(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "audio/empty.mp3": b"",
            "audio/good.mp3": MP3,
            "audio/page.mp3": b"<!doctype html><html>",
            "audio/pointer.mp3": POINTER,
            "audio/nul.mp3": MP3,
            "stones/pointer.png": POINTER,
            "notes.txt": b"notes",
        },
    )
    os.mkfifo(tmp_path / "audio/pipe.mp3")
    scan = scan_folder(project(tmp_path))
    assert codes_of(scan) == [
        ("empty-file", "audio/empty.mp3"),
        ("unportable-name", "audio/nul.mp3"),
        ("magic-mismatch", "audio/page.mp3"),
        ("special-file", "audio/pipe.mp3"),
        ("lfs-pointer", "audio/pointer.mp3"),
        ("unmatched-file", "notes.txt"),
        ("lfs-pointer", "stones/pointer.png"),
        ("unmatched-file", "stones/pointer.png"),
    ]
    # A name or a format that others may object to can be allowed; a pointer cannot be published whatever one says.
    assert [asset.path for asset in scan.assets] == ["audio/good.mp3", "audio/nul.mp3", "audio/page.mp3"]


def test_progress_is_told_with_totals_and_ends_complete(tmp_path: Path) -> None:
    write(tmp_path, {f"{number}.wav": wav(10) for number in range(20)})
    told: list[ScanProgress] = []
    scan = scan_folder(project(tmp_path), progress=told.append)
    assert told[-1] == ScanProgress(20, 20, scan.stats.bytes, scan.stats.bytes)


def test_the_same_folder_gives_the_same_scan_whatever_the_jobs(tmp_path: Path) -> None:
    write(tmp_path, {f"{number}.mp3": MP3 * (1 + 500 * number) for number in range(6)})
    assert scan_folder(project(tmp_path), jobs=1) == scan_folder(project(tmp_path), jobs=4)


def test_an_interrupt_leaves_the_scan(tmp_path: Path) -> None:
    import gc

    (tmp_path / "huge.wav").touch()
    os.truncate(tmp_path / "huge.wav", 64 * 1024**3)

    def interrupt(_: ScanProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan_folder(project(tmp_path), progress=interrupt)
    assert gc.isenabled()


def test_a_missing_folder_is_told_apart_from_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as missing:
        scan_folder(project(tmp_path / "gone"))
    assert missing.value.code == "folder-not-found"
    write(tmp_path, {"file": b"x"})
    with pytest.raises(UsageError) as file:
        scan_folder(project(tmp_path / "file"))
    assert file.value.code == "not-a-folder"


def test_a_folder_without_assets_is_an_error_with_a_way_to_see_why(tmp_path: Path) -> None:
    write(tmp_path, {".DS_Store": b"x", "a.bak": b"x"})
    with pytest.raises(ContentInvalid) as empty:
        scan_folder(project(tmp_path, ignore=("*.bak",)))
    assert empty.value.code == "folder-empty"
    assert "--ignored` lists what was passed over" in empty.value.hint


@pytest.mark.skipif(not REAL.is_dir(), reason="the real assets are not beside this checkout")
def test_the_real_runner_folder_names_all_its_pointers() -> None:
    scan = scan_folder(project(REAL / "runner"))
    pointers = [finding for finding in scan.findings if finding.code == "lfs-pointer"]
    assert len(pointers) == 15
    assert all(f'git lfs pull --include="{finding.path}"' in finding.hint for finding in pointers)
    assert [asset.path for asset in scan.assets] == ["iclone_unity_kelly_export1.fbx", "kelly_a2f_cache.json"]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real assets are not beside this checkout")
def test_the_real_lesson_is_all_audio_with_a_duration() -> None:
    scan = scan_folder(project(REAL / "water-cycle"))
    assert len(scan.assets) == 24
    assert scan.findings == ()
    assert all(asset.type == "audio" and asset.metadata["durationMs"] > 0 for asset in scan.assets)

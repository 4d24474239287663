"""Are these the real bytes? Heads of real and of false files."""

import subprocess
from pathlib import Path

import pytest

from reinmaker_cli.assets.guards import check_head, looks_like_audio2face
from reinmaker_cli.contract.findings import Finding

REAL = Path(__file__).parents[3] / "shared" / "real-assets"
OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
# The example of the Git LFS specification, docs/spec.md.
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 12345\n".encode()


def check(path: str, content: bytes) -> Finding | None:
    return check_head(path, content[:1024], len(content))


def found(path: str, content: bytes) -> str:
    finding = check(path, content)
    assert finding is not None and finding.code == "magic-mismatch"
    assert finding.path == path and finding.message.endswith(f"`{path}`")
    return finding.found or ""


def test_an_lfs_pointer_says_what_it_stands_for_and_how_to_get_it() -> None:
    finding = check("stones/a b.png", POINTER)
    assert finding is not None
    assert finding.code == "lfs-pointer"
    assert finding.expected == OID
    assert "12345 bytes" in finding.message
    assert finding.hint == '`git lfs pull --include="stones/a b.png"`'


@pytest.mark.parametrize(
    "content",
    [
        POINTER.replace(b"git-lfs", b"hawser"),
        POINTER.replace(b"\n", b"\r\n"),
        POINTER.replace(b"oid", b"ext-0-foo sha256:" + OID.encode() + b"\noid"),
    ],
)
def test_old_converted_and_extended_pointers_are_pointers(content: bytes) -> None:
    finding = check("a.mp3", content)
    assert finding is not None and finding.expected == OID


def test_a_damaged_pointer_is_still_a_pointer() -> None:
    finding = check("a.mp3", POINTER[:60])
    assert finding is not None and finding.code == "lfs-pointer" and finding.expected is None


def test_a_long_text_that_begins_like_a_pointer_is_none() -> None:
    assert check("notes.txt", POINTER + b"x" * 1000) is None


@pytest.mark.parametrize("path", ['a"b.png', "a$(b).png", "a`b.png"])
def test_the_pull_command_is_safe_to_paste(path: str) -> None:
    finding = check(path, POINTER)
    assert finding is not None
    command = finding.hint[1:-1].replace("git lfs pull", "printf %s")
    answer = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True)
    assert answer.stdout == f"--include={path}"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real assets are not beside this checkout")
def test_the_real_assets_are_told_apart() -> None:
    codes = {}
    for path in sorted((REAL / "runner").rglob("*.*")) + sorted((REAL / "water-cycle").iterdir()):
        content = path.read_bytes()
        finding = check(path.name, content)
        codes[path.name] = finding.code if finding else None
    assert sum(code == "lfs-pointer" for code in codes.values()) == 15
    assert {name for name, code in codes.items() if code is None and not name.endswith(".mp3")} == {
        "kelly-overlay-5.png",
        "iclone_unity_kelly_export1.fbx",
        "kelly_a2f_cache.json",
    }
    assert sum(code is None for code in codes.values()) == 27


def test_an_empty_file_is_a_finding_whatever_its_name() -> None:
    finding = check("a.unknown", b"")
    assert finding is not None and finding.code == "empty-file"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.mp3", b"ID3\x04\x00"),
        ("a.mp3", b"\xff\xfb\x90\x00"),
        ("a.mp3", b"\xff\xf3\xe4\xc4"),
        ("a.mp3", b"\0\0\0\xff\xfb\x90\x00"),
        ("A.MP3", b"ID3\x03"),
        ("a.wav", b"RIFF\x24\0\0\0WAVEfmt "),
        ("a.wav", b"RF64\xff\xff\xff\xffWAVEds64"),
        ("a.ogg", b"OggS\0"),
        ("a.m4a", b"\0\0\0\x20ftypM4A "),
        ("a.mp4", b"\0\0\0\x18ftypisom"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0"),
        ("a.jpg", b"\xff\xd8\xff\xe0"),
        ("a.jpeg", b"\xff\xd8\xff\xe1"),
        ("a.gif", b"GIF89a"),
        ("a.webp", b"RIFF\x24\0\0\0WEBPVP8 "),
        ("a.glb", b"glTF\x02\0\0\0"),
        ("a.fbx", b"Kaydara FBX Binary  \0"),
        ("a.fbx", b"; FBX 7.7.0 project file\n"),
        ("a.json", b'\xef\xbb\xbf \r\n{"a": 1}'),
        ("a.json", b"[1]"),
        ("a.json", b" " * 2000 + b"{}"),
        ("a.html", b"<!doctype html>"),
        ("a.anim", b"%YAML 1.1\n"),
        ("no-extension", b"anything"),
    ],
)
def test_bytes_that_are_what_the_name_says_pass(name: str, content: bytes) -> None:
    assert check(name, content) is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.mp3", b"<!DOCTYPE html>\n<html>", "an HTML page"),
        ("a.mp3", b"\xef\xbb\xbf\n<HTML><head>", "an HTML page"),
        ("a.png", b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code>', "an XML error answer"),
        ("a.wav", b'<?xml version="1.0"?>\n<smil/>', "an XML document"),
        ("a.tga", b"<html><body>404</body>", "an HTML page"),
        ("a.anim", b"<Error><Code>NoSuchKey</Code></Error>", "an XML error answer"),
        ("a.mp3", b'{"message": "Not Found"}', "a JSON document"),
        ("a.mp3", b"404: Not Found", "plain text"),
        ("a.mp3", "Datei fehlt: größer".encode(), "plain text"),
        ("a.mp3", b"\xff\xfe<\0h\0", "UTF-16 text"),
        ("a.mp3", b"\xff\xf1\x50\x80", "raw AAC audio"),
        ("a.mp3", b"RIFF\x24\0\0\0WAVEfmt ", "a WAV"),
        ("a.mp3", b"\0" * 2000, "nothing but zero bytes"),
        ("a.wav", b"ID3\x04", "an MP3"),
        ("a.webp", b"RIFF\x24\0\0\0WAVEfmt ", "a WAV"),
        ("a.jpg", b"\x89PNG\r\n\x1a\n\0", "a PNG image"),
        ("a.png", b"\xff\xd8\xff\xe0", "a JPEG image"),
        ("a.fbx", b"PK\x03\x04", "a ZIP archive"),
        ("a.json", b"\x1f\x8b\x08\0", "gzip data"),
        ("a.json", b"version: 1", "plain text"),
        ("a.png", b"\x01\x02\x03\x04\x05", "binary data that begins with 01 02 03 04"),
    ],
)
def test_a_mismatch_says_what_the_bytes_look_like(name: str, content: bytes, words: str) -> None:
    assert found(name, content) == words


@pytest.mark.parametrize(
    "head",
    [
        b'{\n  "fps": 30,\n  "frames": [\n    { "jawOpen": 0.05, "eyeBlink_L": 0.0',
        b'{"frames": [{"jawOpen": 0.05',
        b'{"exportFps": 30.0, "trackPath": "/World/audio.wav", "numPoses": 52',
        b'\xef\xbb\xbf{"facsNames": ["browLowerL"',
    ],
)
def test_audio2face_json_is_recognised(head: bytes) -> None:
    assert looks_like_audio2face(head)


@pytest.mark.parametrize(
    "head", [b"", b"[]", b'{"frames": 3, "fps": 30}', b'{"a": 1}', b'["frames", "fps"]', b'{"fps": 3}']
)
def test_other_json_is_not_audio2face(head: bytes) -> None:
    assert not looks_like_audio2face(head)

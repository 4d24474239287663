"""A folder -> its files: real folders, with everything in them that people and systems leave there."""

import errno
import os
import random
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyfakefs.fake_filesystem import OSType
from pyfakefs.fake_filesystem_unittest import Patcher

from reinmaker_cli.assets.walk import Walk, walk_folder
from reinmaker_cli.errors import ConfigError


def write(root: Path, *paths: str, content: bytes = b"x") -> None:
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def paths_of(walk: Walk) -> list[str]:
    return [file.path for file in walk.files]


def codes_of(walk: Walk) -> list[tuple[str, str | None]]:
    return [(finding.code, finding.path) for finding in walk.findings]


def ignored_of(walk: Walk) -> dict[str, str]:
    return {ignored.path: ignored.reason for ignored in walk.ignored}


@contextmanager
def without_privileges() -> Iterator[None]:
    """Run as `nobody` where the tests run as root, for whom permissions mean nothing."""
    if not hasattr(os, "geteuid"):
        pytest.skip("permissions of this system are not POSIX")
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that `nobody` may enter, which pytest's own are not."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="reinmaker-"))
    folder.chmod(0o755)
    yield folder
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


def test_files_are_sorted_by_path_whatever_the_order_of_the_disk(tmp_path: Path) -> None:
    names = ["b.mp3", "a/z.mp3", "a-b/x.mp3", "a/B.mp3", "ä.mp3", "10.mp3", "9.mp3"]
    random.Random(4).shuffle(names)
    write(tmp_path, *names)
    assert paths_of(walk_folder(tmp_path)) == sorted(names)


def test_a_walked_file_carries_what_stat_says(tmp_path: Path) -> None:
    write(tmp_path, "audio/a.mp3", content=b"12345")
    (file,) = walk_folder(tmp_path).files
    status = (tmp_path / "audio/a.mp3").stat()
    assert (file.size, file.mtime_ns, file.inode) == (5, status.st_mtime_ns, status.st_ino)
    assert Path(file.os_path).read_bytes() == b"12345"


def test_junk_and_dotfiles_are_listed_as_ignored_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path, ".DS_Store", "Thumbs.db", "desktop.ini", "a.mp3~", "~$notes.docx", ".git/config", "a.mp3")
    walk = walk_folder(tmp_path)
    assert paths_of(walk) == ["a.mp3"]
    assert walk.findings == ()
    assert ignored_of(walk) == {
        ".DS_Store": "dotfile",
        ".git/": "dotfile",
        "Thumbs.db": "left by the operating system",
        "desktop.ini": "left by the operating system",
        "a.mp3~": "left by an editor",
        "~$notes.docx": "left by an editor",
    }


def test_a_tilde_inside_a_name_is_no_junk(tmp_path: Path) -> None:
    write(tmp_path, "a~1.mp3", "Thumbs.db.mp3", "a.b.mp3")
    assert paths_of(walk_folder(tmp_path)) == ["Thumbs.db.mp3", "a.b.mp3", "a~1.mp3"]


def test_what_reinmaker_reads_is_no_asset(tmp_path: Path) -> None:
    write(tmp_path, "reinmaker.toml", ".reinmakerignore", "a.mp3", "a.mp3.meta.json", content=b"")
    walk = walk_folder(tmp_path)
    assert paths_of(walk) == ["a.mp3"]
    assert ignored_of(walk) == {
        "reinmaker.toml": "configuration of reinmaker",
        ".reinmakerignore": "ignore file of reinmaker",
        "a.mp3.meta.json": "sidecar of `a.mp3`",
    }
    assert list(walk.sidecars) == ["a.mp3"]


MANIFEST = (
    b'{"manifestId": "m", "version": "2026.11.23", "product": "reinmaker", "source": {"locale": "en-US"}, "assets": ['
)
CANONICAL = b'{"assets":[%s],"manifestId":"m","product":"reinmaker","source":{},"version":"2026.11.23"}' % b",".join(
    [b'{"bytes":1,"hash":"00","id":"a","type":"audio","url":"s3://b/a"}'] * 500
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (MANIFEST + b"]}", "manifest"),
        (MANIFEST + b'{"id": "a"}' * 10_000, "manifest"),
        (CANONICAL, "manifest"),
        (
            b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://x/reinmaker/receipt/v1"}',
            "receipt of reinmaker",
        ),
        (b'{"schema": "reinmaker.scan/1", "ok": true}', "output of reinmaker"),
    ],
)
def test_what_reinmaker_wrote_is_known_by_content(tmp_path: Path, content: bytes, reason: str) -> None:
    write(tmp_path, "animation/some-name.json", content=content)
    walk = walk_folder(tmp_path)
    assert walk.files == ()
    assert ignored_of(walk) == {"animation/some-name.json": reason}


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"manifestId": 1}', b'{"frames": [{"jawOpen": 1}]}', b'{"assets": []}', b"\xff\xfe{"]
)
def test_other_json_is_a_file_like_any_other(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, "a.json", content=content)
    assert paths_of(walk_folder(tmp_path)) == ["a.json"]


def test_a_sidecar_without_its_file_is_broken(tmp_path: Path) -> None:
    write(tmp_path, "gone.mp3.meta.json", content=b"{}")
    walk = walk_folder(tmp_path)
    assert codes_of(walk) == [("broken-sidecar", "gone.mp3.meta.json")]
    assert walk.files == ()


def test_a_sidecar_of_a_folder_or_of_a_link_to_itself_breaks_nothing(tmp_path: Path) -> None:
    write(tmp_path, "folder/a.mp3", "folder.meta.json", "loop.mp3.meta.json")
    (tmp_path / "loop.mp3").symlink_to("loop.mp3")
    walk = walk_folder(tmp_path)
    assert codes_of(walk) == [("broken-sidecar", "folder.meta.json"), ("link-outside-root", "loop.mp3")]


def test_a_sidecar_of_an_ignored_file_is_not_orphaned(tmp_path: Path) -> None:
    write(tmp_path, "a.bak", "a.bak.meta.json")
    walk = walk_folder(tmp_path, ignore=["*.bak"])
    assert walk.findings == ()


def test_a_folder_with_a_project_of_its_own_is_a_border(tmp_path: Path) -> None:
    write(tmp_path, "reinmaker.toml", "a.mp3", "other/reinmaker.toml", "other/b.mp3", "other/deep/c.mp3")
    walk = walk_folder(tmp_path)
    assert paths_of(walk) == ["a.mp3"]
    assert ignored_of(walk)["other/"] == "a project of its own, with a reinmaker.toml"


def test_patterns_of_the_project_and_of_the_ignore_file_work_together(tmp_path: Path) -> None:
    write(tmp_path, "a.bak", "keep.bak", "old/a.mp3", "new/a.mp3", "a.mp3")
    (tmp_path / ".reinmakerignore").write_text("# older takes\nold/\n!keep.bak\n")
    walk = walk_folder(tmp_path, ignore=["*.bak"])
    assert paths_of(walk) == ["a.mp3", "keep.bak", "new/a.mp3"]
    assert ignored_of(walk)["old/"] == "pattern `old/`"
    assert ignored_of(walk)["a.bak"] == "pattern `*.bak`"


def test_an_ignore_file_below_counts_from_its_own_folder(tmp_path: Path) -> None:
    write(tmp_path, "a.mp3", "in/a.mp3", "in/deep/a.mp3", "in/deep/b.mp3")
    (tmp_path / "in/.reinmakerignore").write_text("/a.mp3\ndeep/b.mp3\n")
    assert paths_of(walk_folder(tmp_path)) == ["a.mp3", "in/deep/a.mp3"]


@pytest.mark.parametrize("pattern", ["!", "[z-a].mp3"])
def test_a_bad_pattern_names_its_file_and_itself(pattern: str, tmp_path: Path) -> None:
    (tmp_path / ".reinmakerignore").write_text(f"*.bak\n{pattern}\n")
    with pytest.raises(ConfigError, match=r"a pattern of \.reinmakerignore cannot be read") as caught:
        walk_folder(tmp_path)
    assert f"`{pattern}`" in caught.value.message


def test_an_ignore_file_that_is_not_text_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / ".reinmakerignore").write_bytes(b"\xff\xfe*\x00")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 0"):
        walk_folder(tmp_path)


PATTERNS = [
    "*.bak",
    "/a",
    "b/",
    "a/**/c",
    "!b.bak",
    "a/*",
    "!a/b",
    "**/c",
    "b?",
    "[ab].mp3",
    "a/b/",
    "\\!x",
    "c.*",
    "!c.mp3",
]
NAMES = ["a", "b", "c", "b1", "!x", "a.mp3", "b.bak", "c.mp3", "c.bak"]


@pytest.mark.parametrize("seed", range(12))
def test_patterns_mean_what_git_takes_them_for(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    patterns = chance.sample(PATTERNS, 5)
    for _ in range(40):
        parts = [chance.choice(NAMES) for _ in range(chance.randint(1, 3))]
        if not any((tmp_path.joinpath(*parts[:depth])).is_file() for depth in range(1, len(parts))):
            target = tmp_path.joinpath(*parts)
            if not target.exists():
                write(tmp_path, "/".join(parts))
    (tmp_path / ".gitignore").write_text("\n".join(patterns) + "\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    listed = subprocess.run(
        ["git", "-c", "core.excludesFile=/dev/null", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    expected = sorted(path for path in listed if path and path != ".gitignore")
    assert paths_of(walk_folder(tmp_path, ignore=patterns)) == expected


def test_a_name_that_is_not_utf8_is_a_finding_and_no_file(tmp_path: Path) -> None:
    write(tmp_path, "good.mp3")
    with open(os.fsencode(tmp_path) + b"/caf\xe9.mp3", "wb") as file:
        file.write(b"x")
    os.mkdir(os.fsencode(tmp_path) + b"/d\xff")
    with open(os.fsencode(tmp_path) + b"/d\xff/inside.mp3", "wb") as file:
        file.write(b"x")
    walk = walk_folder(tmp_path)
    assert paths_of(walk) == ["good.mp3"]
    assert codes_of(walk) == [("unportable-name", "caf\\xe9.mp3"), ("unportable-name", "d\\xff")]
    assert all(finding.message.isprintable() for finding in walk.findings)


def test_a_name_that_is_not_utf8_can_be_ignored(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9.bak", "wb") as file:
        file.write(b"x")
    walk = walk_folder(tmp_path, ignore=["*.bak"])
    assert walk.findings == ()
    assert ignored_of(walk) == {"caf\\xe9.bak": "pattern `*.bak`"}


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("a:b.mp3", "name holds :, which Windows forbids"),
        ("a?.mp3", "name holds ?, which Windows forbids"),
        ("a\\b.mp3", "name holds \\, which Windows forbids"),
        ("CON", "name is the Windows device CON"),
        ("nul.mp3", "name is the Windows device NUL"),
        ("Com1.tar.gz", "name is the Windows device COM1"),
        ("LPT¹.mp3", "name is the Windows device LPT¹"),
        ("ends.", "name ends in a dot, which Windows drops"),
        ("ends ", "name ends in a space, which Windows drops"),
        ("bell\x07.mp3", "name holds the control character U+0007"),
        ("line\nfeed.mp3", "name holds the control character U+000A"),
    ],
)
def test_a_name_that_windows_cannot_hold_is_a_finding(tmp_path: Path, name: str, fact: str) -> None:
    write(tmp_path, f"audio/{name}")
    walk = walk_folder(tmp_path)
    assert [finding.code for finding in walk.findings] == ["unportable-name"]
    assert walk.findings[0].message.startswith(fact)
    assert walk.findings[0].message.isprintable()
    assert paths_of(walk) == [f"audio/{name}"]


def test_names_that_only_resemble_devices_are_fine(tmp_path: Path) -> None:
    write(tmp_path, "console.mp3", "common.mp3", "com10.mp3", "auxiliary/a.mp3", "lpt.mp3", "null.mp3", "a.con")
    assert walk_folder(tmp_path).findings == ()


def test_names_that_differ_in_case_only_collide(tmp_path: Path) -> None:
    write(tmp_path, "a.mp3", "A.mp3", "b.mp3")
    assert codes_of(walk_folder(tmp_path)) == [("case-collision", "a.mp3")]


def test_folders_that_differ_in_case_only_collide(tmp_path: Path) -> None:
    write(tmp_path, "Audio/a.mp3", "audio/b.mp3")
    assert codes_of(walk_folder(tmp_path)) == [("case-collision", "audio")]


def test_accents_in_two_unicode_forms_collide(tmp_path: Path) -> None:
    write(tmp_path, "caf\u00e9.mp3", "cafe\u0301.mp3")
    walk = walk_folder(tmp_path)
    assert [finding.code for finding in walk.findings] == ["unicode-collision"]
    assert "NFC" in walk.findings[0].message and "NFD" in walk.findings[0].message


def test_letters_outside_ascii_differ_in_case_too_and_sharp_s_is_not_two_letters(tmp_path: Path) -> None:
    write(tmp_path, "É.mp3", "é.mp3", "straße.mp3", "strasse.mp3")
    assert codes_of(walk_folder(tmp_path)) == [("case-collision", "é.mp3")]


def test_an_ignored_file_collides_with_nothing(tmp_path: Path) -> None:
    write(tmp_path, "a.bak", "A.bak", "A.mp3")
    assert walk_folder(tmp_path, ignore=["*.bak"]).findings == ()


def test_links_inside_the_root_are_followed(tmp_path: Path) -> None:
    write(tmp_path, "real/a.mp3", content=b"abc")
    (tmp_path / "one.mp3").symlink_to("real/a.mp3")
    (tmp_path / "all").symlink_to("real", target_is_directory=True)
    walk = walk_folder(tmp_path)
    assert walk.findings == ()
    assert paths_of(walk) == ["all/a.mp3", "one.mp3", "real/a.mp3"]
    assert {file.size for file in walk.files} == {3}


def test_links_out_of_the_root_are_findings(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(tmp_path, "outside/a.mp3", "root/b.mp3", "root-too/c.mp3")
    (root / "file.mp3").symlink_to(tmp_path / "outside/a.mp3")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "prefix").symlink_to(tmp_path / "root-too")
    (root / "dangling.mp3").symlink_to("nowhere.mp3")
    (root / "self").symlink_to("self")
    walk = walk_folder(root)
    assert paths_of(walk) == ["b.mp3"]
    assert codes_of(walk) == [
        ("link-outside-root", name) for name in ["dangling.mp3", "file.mp3", "folder", "prefix", "self"]
    ]


def test_links_in_circles_end(tmp_path: Path) -> None:
    write(tmp_path, "a/x.mp3", "b/y.mp3")
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "a/b").symlink_to("../b")
    (tmp_path / "b/a").symlink_to("../a")
    walk = walk_folder(tmp_path)
    assert ("link-outside-root", "a/up") in codes_of(walk)
    assert ("link-outside-root", "a/b/a") in codes_of(walk)
    assert paths_of(walk) == ["a/b/y.mp3", "a/x.mp3", "b/a/x.mp3", "b/y.mp3"]


def test_folders_that_all_link_each_other_do_not_multiply(tmp_path: Path) -> None:
    names = [f"d{number}" for number in range(8)]
    write(tmp_path, *(f"{name}/a.mp3" for name in names))
    for name in names:
        for other in names:
            if name != other:
                (tmp_path / name / other).symlink_to(f"../{other}")
    walk = walk_folder(tmp_path)
    assert len(walk.files) == 8 + 8 * 7 + 8 * 7 * 6 + 8 * 7 * 6 * 5


def test_a_root_that_is_a_link_is_walked(tmp_path: Path) -> None:
    write(tmp_path, "real/a.mp3", "real/deep/b.mp3")
    (tmp_path / "real/c.mp3").symlink_to("a.mp3")
    (tmp_path / "link").symlink_to("real")
    assert paths_of(walk_folder(tmp_path / "link")) == ["a.mp3", "c.mp3", "deep/b.mp3"]


def test_fifos_and_sockets_are_named_and_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    os.mkfifo(tmp_path / "pipe.mp3")
    monkeypatch.chdir(tmp_path)  # a socket's path has room for 107 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("talk.mp3")
    (tmp_path / "link.mp3").symlink_to("pipe.mp3")
    walk = walk_folder(tmp_path)
    assert {(finding.path, finding.message.split(":")[0]) for finding in walk.findings} == {
        ("link.mp3", "a FIFO"),
        ("pipe.json", "a FIFO"),
        ("pipe.mp3", "a FIFO"),
        ("talk.mp3", "a socket"),
    }
    assert {finding.code for finding in walk.findings} == {"special-file"}


def test_a_device_is_a_special_file(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "zero.mp3", 0o20666, os.makedev(1, 5))
    except OSError as error:
        pytest.skip(f"devices cannot be made here: {errno.errorcode[error.errno or 0]}")
    assert codes_of(walk_folder(tmp_path)) == [("special-file", "zero.mp3")]


def test_a_folder_without_permission_is_unreadable_and_the_rest_is_walked(open_folder: Path) -> None:
    write(open_folder, "shut/a.mp3", "open/b.mp3")
    (open_folder / "shut").chmod(0)
    with without_privileges():
        walk = walk_folder(open_folder)
    assert codes_of(walk) == [("unreadable", "shut")]
    assert paths_of(walk) == ["open/b.mp3"]


def test_a_root_without_permission_is_unreadable(open_folder: Path) -> None:
    (open_folder / "shut").mkdir(mode=0)
    with without_privileges():
        walk = walk_folder(open_folder / "shut")
    assert codes_of(walk) == [("unreadable", ".")]


def test_a_very_deep_folder_is_no_recursion(tmp_path: Path) -> None:
    depth = 1500
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(depth):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("a.mp3", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        assert paths_of(walk_folder(tmp_path)) == ["d/" * depth + "a.mp3"]
    finally:
        os.close(here)
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # shutil.rmtree, and so pytest, recurses


def test_names_do_not_depend_on_the_locale(tmp_path: Path) -> None:
    import sys

    write(tmp_path, "é.mp3")
    script = "import sys; from pathlib import Path; from reinmaker_cli.assets.walk import walk_folder\n"
    script += "print(ascii([file.path for file in walk_folder(Path(sys.argv[1])).files]))"
    answer = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", script, str(tmp_path)],
        env={**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert answer.stdout.strip() == "['\\xe9.mp3']"


def test_on_windows_paths_have_slashes() -> None:
    with Patcher() as patcher:
        assert patcher.fs is not None
        patcher.fs.os = OSType.WINDOWS
        patcher.fs.create_file("C:\\lesson\\audio\\a.mp3", contents="x")
        patcher.fs.create_file("C:\\lesson\\reinmaker.toml", contents="")
        walk = walk_folder(Path("C:\\lesson"))
    assert paths_of(walk) == ["audio/a.mp3"]
    assert walk.findings == ()


def test_on_a_system_that_folds_case_one_file_is_one_file() -> None:
    with Patcher() as patcher:
        assert patcher.fs is not None
        patcher.fs.os = OSType.MACOS
        patcher.fs.create_file("/lesson/Audio/A.mp3", contents="x")
        Path("/lesson/audio/a.MP3").write_text("y")
        walk = walk_folder(Path("/LESSON"))
    assert paths_of(walk) == ["Audio/A.mp3"]
    assert walk.findings == ()

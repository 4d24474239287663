"""Where the bytes of a URL are looked for, and that nothing leads out of a folder."""

from __future__ import annotations

import hashlib
import os
import pickle
from contextlib import suppress
from pathlib import Path

import pytest

from reinmaker_cli.server.folders import Content, FileRefused, read_content
from reinmaker_cli.server.sources import (
    BadPlace,
    InFolder,
    Locator,
    Nowhere,
    OnTheWeb,
    RegisteredFolder,
    Sources,
    origin_of,
)
from tests.swapping import swapping

CONTENT = Path("content")


def _mapped(prefix="s3://bucket/", **rest):
    return Locator(Sources(maps=((prefix, CONTENT),), **rest))


def test_the_registered_folder_comes_first_then_the_map_then_the_web():
    url = "https://cdn.example.com/a.mp3"
    registered = RegisteredFolder(Path("registered"), {url: "audio/a.mp3"})
    maps = (("https://cdn.example.com/", CONTENT),)
    assert Locator(Sources((registered,), maps)).place_of(url) == InFolder(Path("registered"), ("audio", "a.mp3"))
    assert Locator(Sources((), maps)).place_of(url) == InFolder(CONTENT, ("a.mp3",))
    assert Locator(Sources()).place_of(url) == OnTheWeb(url)


def test_without_the_network_a_web_address_is_nowhere():
    assert Locator(Sources(network=False)).place_of("https://cdn.example.com/a.mp3") == Nowhere()


@pytest.mark.parametrize("url", ["s3://bucket/a", "gs://bucket/a", "az://box/a", "file:///etc/passwd", "junk", ""])
def test_what_nothing_reads_is_nowhere(url):
    assert Locator(Sources()).place_of(url) == Nowhere()


def test_scheme_and_host_are_compared_without_case_and_the_path_with():
    locator = Locator(
        Sources((RegisteredFolder(CONTENT, {"S3://Bucket/Ä.mp3": "x.mp3"}),), (("S3://OTHER/", CONTENT),))
    )
    assert locator.place_of("s3://bucket/Ä.mp3") == InFolder(CONTENT, ("x.mp3",))
    assert locator.place_of("s3://bucket/ä.mp3") == Nowhere()
    assert locator.place_of("s3://Other/A") == InFolder(CONTENT, ("A",))


@pytest.mark.parametrize("prefix", ["s3://bucket", "s3://bucket/"])
def test_a_prefix_ends_where_a_part_of_the_path_ends(prefix):
    assert _mapped(prefix).place_of("s3://bucket/a/b.mp3") == InFolder(CONTENT, ("a", "b.mp3"))
    assert _mapped(prefix).place_of("s3://bucket-2/a/b.mp3") == Nowhere()


def test_the_longest_prefix_wins():
    locator = Locator(Sources(maps=(("s3://b/", CONTENT), ("s3://b/deep/", Path("deep")))))
    assert locator.place_of("s3://b/deep/a") == InFolder(Path("deep"), ("a",))


def test_the_path_is_decoded_once_and_has_no_query():
    place_of = _mapped().place_of
    assert place_of("s3://bucket/a%20b/%C3%A4.mp3?versionId=1#t=5") == InFolder(CONTENT, ("a b", "ä.mp3"))
    assert place_of("s3://bucket/a%3Fb%23c") == InFolder(CONTENT, ("a?b#c",))
    assert place_of("s3://bucket/%252e%252e/a") == InFolder(CONTENT, ("%2e%2e", "a"))


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "a/../../secret",
        "%2e%2e/secret",
        "%2E%2e/secret",
        ".%2e/secret",
        "./a",
        "a/%2e/b",
        "/etc/passwd",
        "a//b",
        "a/",
        "",
        "..%2fsecret",
        "a%2Fb",
        "%2fetc%2fpasswd",
        "..%5csecret",
        "a%5Cb",
        "..\\secret",
        "a%00b",
        "a\0b",
        "%ff%fe",
    ],
)
def test_a_path_that_could_leave_the_folder_is_a_bad_place(path):
    assert isinstance(_mapped().place_of("s3://bucket/" + path), BadPlace)


def test_a_registered_path_is_not_trusted_either():
    locator = Locator(Sources((RegisteredFolder(CONTENT, {"s3://b/a": "../secret", "s3://b/b": "/etc/passwd"}),)))
    assert isinstance(locator.place_of("s3://b/a"), BadPlace)
    assert isinstance(locator.place_of("s3://b/b"), BadPlace)


def test_sources_travel_to_a_worker_process():
    sources = Sources((RegisteredFolder(CONTENT, {"s3://b/a": "a"}),), (("s3://c/", CONTENT),), network=False)
    assert pickle.loads(pickle.dumps(sources)) == sources


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://user:secret@host:8443/a@b?x", "https://host:8443"),
        ("s3://bucket/a", "s3://bucket"),
        ("http://[::1]:80?x@y", "http://[::1]:80"),
        ("http://[bad", "http://[bad"),
        ("junk", "junk"),
    ],
)
def test_the_origin_of_a_url_has_no_credentials(url, origin):
    assert origin_of(url) == origin


# --- reading below a folder ------------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "a.mp3").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    (tmp_path / "root-2").mkdir()
    (tmp_path / "root-2" / "a").write_bytes(b"outside")
    return folder


INSIDE = Content(6, hashlib.sha256(b"inside").hexdigest())


def _refusal(root, *parts):
    with pytest.raises(FileRefused) as refused:
        read_content(root, parts)
    return str(refused.value)


def test_a_file_gives_its_size_and_hash(root):
    assert read_content(root, ("deep", "er", "a.mp3")) == INSIDE


def test_a_large_file_is_read_whole(root):
    data = os.urandom(3 * 1024 * 1024 + 7)
    (root / "large").write_bytes(data)
    assert read_content(root, ("large",)) == Content(len(data), hashlib.sha256(data).hexdigest())


def test_an_empty_file_has_no_bytes_and_a_hash(root):
    (root / "empty").write_bytes(b"")
    assert read_content(root, ("empty",)) == Content(0, hashlib.sha256(b"").hexdigest())


@pytest.mark.parametrize("parts", [("missing",), ("deep", "missing"), ("deep", "er", "a.mp3", "below-a-file")])
def test_a_missing_file_is_named(root, parts):
    assert _refusal(root, *parts) == f"no such file in the folder: `{'/'.join(parts)}`"


def test_a_missing_root_gives_no_file(tmp_path):
    assert _refusal(tmp_path / "gone", "a") == "no such file in the folder: `a`"


def test_links_inside_the_root_are_followed(root):
    (root / "file-link").symlink_to("deep/er/a.mp3")
    (root / "folder-link").symlink_to("deep")
    (root / "absolute").symlink_to(root / "deep")
    for parts in (("file-link",), ("folder-link", "er", "a.mp3"), ("absolute", "er", "a.mp3")):
        assert read_content(root, parts) == INSIDE


def test_the_root_itself_may_be_a_link(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    (root / "file-link").symlink_to("deep/er/a.mp3")
    assert read_content(tmp_path / "link", ("deep", "er", "a.mp3")) == INSIDE
    assert read_content(tmp_path / "link", ("file-link",)) == INSIDE


@pytest.mark.parametrize("target", ["../secret", "../root-2/a", "/etc/passwd", "deep/../../secret"])
def test_a_link_to_a_file_outside_is_refused(root, target):
    (root / "out").symlink_to(target)
    assert _refusal(root, "out") == "link that leaves the folder: `out`"


@pytest.mark.parametrize("target", ["..", "../root-2", "/etc"])
def test_a_folder_link_to_the_outside_is_refused(root, target):
    (root / "out").symlink_to(target)
    name = {"..": "secret", "../root-2": "a", "/etc": "passwd"}[target]
    assert _refusal(root, "out", name) == f"link that leaves the folder: `out/{name}`"


def test_a_dangling_link_and_a_ring_of_links_are_refused(root):
    (root / "dangling").symlink_to("nothing")
    (root / "ring").symlink_to("ring")
    assert _refusal(root, "dangling") == "no such file in the folder: `dangling`"
    assert "ring" in _refusal(root, "ring")


def test_a_fifo_is_refused_at_once_and_does_not_block(root):
    os.mkfifo(root / "fifo")
    assert _refusal(root, "fifo") == "not a regular file: `fifo`"


def test_a_folder_is_not_a_file(root):
    assert _refusal(root, "deep") == "not a regular file: `deep`"


def test_a_link_to_a_device_is_refused(root):
    (root / "null").symlink_to("/dev/null")
    assert _refusal(root, "null") == "link that leaves the folder: `null`"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(root):
    (root / "closed").write_bytes(b"x")
    (root / "closed").chmod(0)
    assert _refusal(root, "closed") == "cannot read `closed`: permission denied"


def test_a_name_too_long_for_the_system_is_refused(root):
    assert _refusal(root, "x" * 5000).startswith("cannot read `xxx")


def test_a_folder_exchanged_for_a_link_while_it_is_read_never_leads_outside(root, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.mp3").write_bytes(b"outside")
    with swapping(root / "deep" / "er", outside):
        for _ in range(2000):
            with suppress(FileRefused):
                assert read_content(root, ("deep", "er", "a.mp3")) == INSIDE

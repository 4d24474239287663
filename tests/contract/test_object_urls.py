"""A URL means one object, wherever it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from reinmaker_cli.contract.object_urls import NotAnObject, ObjectUrl, literal_url, object_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://bucket/a/b.mp3", ObjectUrl("s3", "bucket", "a/b.mp3")),
        ("S3://Bucket/A.mp3", ObjectUrl("s3", "bucket", "A.mp3")),
        ("gs://my_bucket/a%20b.mp3", ObjectUrl("gs", "my_bucket", "a b.mp3")),
        ("az://$web/100%25.mp3", ObjectUrl("az", "$web", "100%.mp3")),
        ("s3://bucket/%C3%BC.mp3", ObjectUrl("s3", "bucket", "ü.mp3")),
        ("s3://bucket/%2541", ObjectUrl("s3", "bucket", "%41")),
    ],
)
def test_the_key_is_the_path_percent_decoded_once(url: str, expected: ObjectUrl) -> None:
    assert object_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example.com/a.mp3",
        "file:///etc/passwd",
        "s3://bucket",
        "s3://bucket/",
        "s3:///key",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://bucket/%2e%2e/b",
        "s3://bucket/a%2fb",
        "s3://bucket/a%5cb",
        "s3://bucket/a%00b",
        "s3://bucket/a%0ab",
        "s3://bucket/%ff",
        "s3://bucket/a?versionId=1",
        "s3://bucket/a#b",
        "s3://user:secret@bucket/a",
        "s3://bucket:9000/a",
        "s3://a..b/a",
        "s3://bucket/" + "a" * 1025,
    ],
)
def test_what_could_mean_another_place_means_none(url: str) -> None:
    with pytest.raises(NotAnObject) as caught:
        object_url(url)
    assert "secret" not in str(caught.value)


def test_the_longest_prefix_of_a_map_is_taken_where_it_ends_at_a_slash() -> None:
    maps = [("s3://bucket", Path("/one")), ("s3://bucket/sub/", Path("/two"))]
    assert object_url("s3://bucket/a%20b", maps) == ObjectUrl("folder", "/one", "a b")
    assert object_url("s3://bucket/sub/a", maps) == ObjectUrl("folder", "/two", "a")
    assert object_url("s3://bucket-2/a", maps) == ObjectUrl("s3", "bucket-2", "a")
    assert object_url("https://cdn/a?v=1", [("https://cdn/", Path("/cdn"))]) == ObjectUrl("folder", "/cdn", "a")


def test_tools_that_know_keys_only_are_given_the_key() -> None:
    assert literal_url("s3://bucket/a%20b.mp3") == "s3://bucket/a b.mp3"
    assert literal_url("https://cdn.example.com/a%20b.mp3") == "https://cdn.example.com/a%20b.mp3"

"""`serve --webhook`, `--allow-target` and `--allow-bucket`, as they are written."""

from __future__ import annotations

import pytest

from reinmaker_cli.cli.receivers import check_ranges, parse_buckets, parse_webhook
from reinmaker_cli.errors import UsageError

URL = "http://localhost:9000/hooks?a=b"


@pytest.mark.parametrize(
    ("text", "types"),
    [
        (URL, ()),
        (f"entitlement.updated={URL}", ("reinmaker.entitlement.updated",)),
        (
            f"reinmaker.content.requested, telemetry.flushed={URL}",
            ("reinmaker.content.requested", "reinmaker.telemetry.flushed"),
        ),
        (f"={URL}", ()),
    ],
)
def test_types_stand_before_the_url(text, types):
    assert parse_webhook(text) == (types, URL)


@pytest.mark.parametrize("text", ["other=http://localhost/", "localhost:9000", "ftp://localhost/", "", "http://u:p@h/"])
def test_what_is_no_receiver_is_refused(text):
    with pytest.raises(UsageError):
        parse_webhook(text)


def test_a_range_is_a_network_and_nothing_else():
    assert check_ranges(["10.1.0.0/16", "fd00::/8"]) == ("10.1.0.0/16", "fd00::/8")
    with pytest.raises(UsageError, match=r"10\.1\.2\.3/16"):
        check_ranges(["10.1.2.3/16"])


def test_a_bucket_may_be_named_with_a_folder_in_it():
    named = ["S3://bucket", "s3://bucket/", "gs://bucket/a%20b", "az://container/a/b/"]
    assert parse_buckets(named) == ("s3://bucket/", "s3://bucket/", "gs://bucket/a b/", "az://container/a/b/")


@pytest.mark.parametrize(
    "text", ["bucket", "https://bucket/", "s3://", "s3://bucket/../a", "s3://bucket/a?b", "s3:///a"]
)
def test_what_is_no_bucket_is_refused(text):
    with pytest.raises(UsageError, match="--allow-bucket"):
        parse_buckets([text])

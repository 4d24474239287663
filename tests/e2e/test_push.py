"""Show: a lesson goes to a bucket over a slow line, killed again and again, and nothing is uploaded twice.

The bucket is moto's S3, which keeps every version of an object; a proxy before it takes 10 MB a second and counts.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections import Counter

import pytest

from tests.buckets.fixtures import s3, s3_server
from tests.buckets.s3 import BUCKET, SECRET, aws_variables
from tests.faults import fault_proxy
from tests.lessons import mp3

__all__ = ["s3", "s3_server"]

SOAK = bool(os.environ.get("REINMAKER_SOAK"))
FILES = 40
FILE_BYTES = (8 << 20) // (1 if SOAK else 10)
LINE_BYTES_PER_S = 10_000_000
KILLS_AT = (0.05, 0.25, 0.45, 0.65, 0.85)
"""Parts of all bytes that have gone over the line since the first start."""


@pytest.fixture
def folder(reinmaker, tmp_path):
    folder = tmp_path / "water-cycle"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"2-5-part{number}-en.mp3").write_bytes(mp3(f"part {number}", frames=FILE_BYTES // 417))
    (folder / "reinmaker.toml").write_text(
        f"""
[manifest]
id = "2026-11-23-water-cycle"
product = "curious_kelly"
url = "s3://{BUCKET}/water-cycle/{{stem}}.{{sha256:8}}{{ext}}"
[source]
phaseDNAId = "water-cycle"
locale = "en-US"
agePersona = "2-5"
[[rule]]
match = "2-5-{{part}}-en.mp3"
type = "audio"
"""
    )
    return folder


@pytest.mark.timeout(3600 if SOAK else 600)  # eight processes, one after another
def test_killed_at_five_instants_publish_with_push_uploads_nothing_twice(reinmaker, serve, folder, s3, say):
    total = sum(path.stat().st_size for path in folder.glob("*.mp3"))
    server = serve("--verify", "strict", variables=aws_variables(s3.url))
    with fault_proxy(s3.url, bytes_per_s=LINE_BYTES_PER_S) as proxy:
        variables = aws_variables(proxy.url)
        found_there = []
        for number, part in enumerate(KILLS_AT):
            process = reinmaker.start("publish", folder, "--push", **variables)
            assert proxy.line.wait_for(int(total * part), timeout_s=240), process.communicate()
            process.kill()
            if number % 2:  # as if the whole machine had gone: what its system still held is lost too
                proxy.line.cut()
            process.communicate()
            found_there.append(len(s3.versions()))
        ended = reinmaker("publish", folder, "--push", "--json", **variables)
        again = reinmaker("publish", folder, "--push", "--json", **variables)
    assert (ended.code, ended.outcomes) == (0, ["active"]), ended.err
    # Nothing was uploaded twice, and nothing replaced: each object was written once, and has the right bytes.
    puts = Counter(one.path for one in proxy.passed if one.method == "PUT" and one.status == 200)
    assert (len(puts), set(puts.values())) == (FILES, {1})
    assert set(s3.versions().values()) == {1}
    local = {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.mp3")}
    assert set(s3.digests().values()) == local
    stats = ended.document["stats"]
    assert stats["uploaded"] + stats["present"] == FILES
    assert (again.code, again.outcomes, again.document["stats"]["uploaded"]) == (0, ["unchanged"], 0)
    assert SECRET not in ended.out + ended.err + server.stop().err
    cut = proxy.line.came - total
    say(
        f"push: {FILES} files, {total / 2**20:.0f} MiB, killed {len(KILLS_AT)} times with {found_there} there:"
        f" each written once, {cut / 2**20:.1f} MiB more than that went over the line for what a kill cut off"
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_push_with_its_document(reinmaker, folder, s3, number, code):
    total = sum(path.stat().st_size for path in folder.glob("*.mp3"))
    with fault_proxy(s3.url, bytes_per_s=LINE_BYTES_PER_S / 10) as proxy:  # half a minute
        process = reinmaker.start("push", folder, "--json", **aws_variables(proxy.url))
        assert proxy.line.wait_for(total // 20), process.communicate()
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert '"code": "interrupted"' in out
    assert '"unsent"' not in out
    assert '"missing"' in out


def test_what_the_server_finds_in_the_bucket_is_its_verdict(reinmaker, serve, folder, s3):
    """Somebody replaces an object after it was pushed: the server has read the bytes, and says no."""
    serve("--verify", "strict", variables=aws_variables(s3.url))
    variables = aws_variables(s3.url)
    assert reinmaker("push", folder, **variables).code == 0
    key = s3.keys()[0]
    s3.client.put_object(Bucket=BUCKET, Key=key, Body=bytes(len(s3.read(key))), Metadata=claim_of(s3, key))
    refused = reinmaker("publish", folder, "--push", "--json", **variables)
    assert (refused.code, refused.outcomes) == (6, ["rejected"]), refused.err
    assert [finding["code"] for finding in refused.document["results"][0]["findings"]] == ["asset-hash"]


def test_other_bytes_in_the_bucket_are_not_replaced_and_nothing_is_submitted(reinmaker, serve, folder, s3):
    serve()
    variables = aws_variables(s3.url)
    wanted = reinmaker("push", folder, "--dry-run", "--json", **variables).document["results"]
    s3.put(wanted[0]["url"].removeprefix(f"s3://{BUCKET}/"), b"other")
    refused = reinmaker("publish", folder, "--push", "--json", **variables)
    assert (refused.code, refused.outcomes) == (3, ["invalid"]), refused.err
    assert [finding["code"] for finding in refused.document["results"][0]["findings"]] == ["asset-immutable"]
    assert len(s3.keys()) == 1
    assert reinmaker("list", "--quiet").out == ""


def test_what_fails_to_push_is_not_submitted(reinmaker, serve, folder, s3):
    serve()
    toml = folder / "reinmaker.toml"
    toml.write_text(toml.read_text().replace(BUCKET, "nowhere-to-be-found"))
    failed = reinmaker("publish", folder, "--push", "--json", **aws_variables(s3.url))
    assert (failed.code, failed.document["error"]["code"]) == (2, "bucket-missing")
    assert reinmaker("list", "--quiet").out == ""


def claim_of(s3, key):
    return s3.client.head_object(Bucket=BUCKET, Key=key)["Metadata"]

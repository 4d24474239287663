"""The server reads assets in buckets, where it has library and credentials: all of their bytes.

The bucket is moto's, a real server on a port of its own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest

from reinmaker_cli.server.running import Started, running_server
from reinmaker_cli.server.sources import Sources
from reinmaker_cli.server.verifier import AssetRef, VerificationStopped, verify
from tests.buckets.fixtures import cloud, s3, s3_server
from tests.buckets.s3 import BUCKET
from tests.faults import Fault, fault_proxy
from tests.server.live import MANIFESTS, QUIET, live_server, manifest

__all__ = ["cloud", "s3", "s3_server"]

CONTENT = os.urandom(300_000)
REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


def ref(key: str, content: bytes = CONTENT, index: int = 0) -> AssetRef:
    return AssetRef(index, key, f"s3://{BUCKET}/{key}", hashlib.sha256(content).hexdigest(), len(content))


def run(*assets: AssetRef, strict: bool = True, **options):
    return verify(assets, Sources(**options.pop("sources", {})), strict=strict, immutable=dict, **options)


def checks(validation) -> dict[str, tuple]:
    return {check.name: (check.status, check.checked, check.failed, check.source) for check in validation.checks}


def codes_of(validation) -> list[str]:
    return [str(error.code) for error in validation.errors]


def test_the_bytes_in_the_bucket_are_read_and_the_checks_say_so(s3, cloud):
    cloud(s3.url)
    s3.put("a b.mp3", CONTENT)
    validation = run(ref("a%20b.mp3"))
    assert validation.error_count == 0
    assert {name: check for name, check in checks(validation).items() if name != "asset-immutable"} == {
        "asset-reachable": ("passed", 1, 0, "bucket"),
        "asset-bytes": ("passed", 1, 0, "bucket"),
        "asset-hash": ("passed", 1, 0, "bucket"),
    }


@pytest.mark.parametrize(
    ("there", "expected"),
    [(CONTENT[:-1] + b"x", ["asset-hash"]), (CONTENT[:-1], ["asset-bytes"]), (None, ["asset-unreachable"])],
    ids=["other bytes", "another size", "nothing"],
)
def test_what_is_wrong_in_the_bucket_is_an_error(s3, cloud, there, expected):
    cloud(s3.url)
    if there is not None:
        s3.put("a.mp3", there)
    assert codes_of(run(ref("a.mp3"))) == expected


def test_a_checksum_that_the_uploader_wrote_is_not_believed(s3, cloud):
    cloud(s3.url)
    claim = {"reinmakersha256": hashlib.sha256(CONTENT).hexdigest()}
    s3.client.put_object(Bucket=BUCKET, Key="a.mp3", Body=bytes(len(CONTENT)), Metadata=claim)
    assert codes_of(run(ref("a.mp3"))) == ["asset-hash"]


def test_without_credentials_a_bucket_is_nothing_that_can_be_read(cloud):
    assert codes_of(run(ref("a.mp3"))) == ["asset-unverified"]
    assert codes_of(run(ref("a.mp3"), strict=False)) == []


def test_a_bucket_that_refuses_these_credentials_cannot_be_read_either(s3, cloud):
    with fault_proxy(s3.url, Fault(0, "answer", "GET", f"/{BUCKET}/a.mp3", REFUSED)) as proxy:
        cloud(proxy.url)
        assert codes_of(run(ref("a.mp3"))) == ["asset-unverified"]


def test_without_network_no_bucket_is_asked(s3, cloud):
    with fault_proxy(s3.url) as proxy:
        cloud(proxy.url)
        assert codes_of(run(ref("a.mp3"), sources={"network": False})) == ["asset-unverified"]
    assert proxy.requests == []


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        (None, []),
        ((f"s3://{BUCKET}/",), []),
        ((f"s3://{BUCKET}/open/",), []),
        (("gs://other/", f"s3://{BUCKET}/open/"), []),
        ((), ["asset-unreachable"]),
        ((f"s3://{BUCKET}-2/",), ["asset-unreachable"]),
        ((f"gs://{BUCKET}/",), ["asset-unreachable"]),
        ((f"s3://{BUCKET}/ope/",), ["asset-unreachable"]),
        ((f"s3://{BUCKET}/open/a.mp3/",), ["asset-unreachable"]),
    ],
)
def test_only_what_may_be_read_for_others_is_asked_for(s3, cloud, buckets, expected):
    s3.put("open/a.mp3", CONTENT)
    with fault_proxy(s3.url) as proxy:
        cloud(proxy.url)
        validation = run(ref("open/a.mp3"), sources={"buckets": buckets}, strict=False)
    assert codes_of(validation) == expected
    assert bool(proxy.requests) == (not expected)


def test_a_path_that_leaves_an_allowed_folder_is_not_read(s3, cloud):
    cloud(s3.url)
    s3.put("secret.mp3", CONTENT)
    for way in ("open/../secret.mp3", "open/%2e%2e/secret.mp3", "open%2f..%2fsecret.mp3", "secret.mp3"):
        assert codes_of(run(ref(way), sources={"buckets": (f"s3://{BUCKET}/open/",)})) == ["asset-unreachable"]


@contextmanager
def behind(started: Started) -> Iterator[httpx.Client]:
    """Yield a client with a token, that asks as the proxy in front does."""
    host, port = started.address
    with httpx.Client(
        base_url=f"http://{host}:{port}", headers={"Host": "twin.test"}, timeout=120, trust_env=False
    ) as client:
        secret = (started.client.client_id, started.client.client_secret)
        answer = client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=secret)
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({}, "rejected"),
        ({"allow_buckets": (f"s3://{BUCKET}/",)}, "active"),
        ({"allow_buckets": ("s3://another/",)}, "rejected"),
    ],
)
def test_beyond_this_machine_a_server_lends_its_credentials_for_named_buckets_alone(s3, cloud, options, status):
    cloud(s3.url)
    s3.put("a.mp3", CONTENT)
    asset = ref("a.mp3")
    submitted = manifest("m", url=asset.url, sha256=asset.sha256, size=asset.bytes)
    config = replace(QUIET, behind_proxy=True, public_url="https://twin.test", network=True, **options)
    with running_server(config) as started, behind(started) as client:
        verdict = client.post(MANIFESTS, json=submitted, headers={"Prefer": "wait=20"}).json()
    assert verdict["status"] == status
    details = [error["detail"] for error in verdict["validation"]["errors"]]
    assert ["--allow-bucket" in detail for detail in details] == [True] * (status == "rejected")


def test_a_store_that_is_down_is_not_asked_for_each_of_many(cloud):
    cloud("http://127.0.0.1:1")
    validation = run(*(ref(f"{index}.mp3", index=index) for index in range(40)))
    assert codes_of(validation) == ["asset-unreachable"] * 40
    assert sum("not asked again" in error.detail for error in validation.errors) >= 20


def test_a_path_that_is_no_key_is_unreachable(s3, cloud):
    cloud(s3.url)
    (error,) = run(ref("..%2fa.mp3")).errors
    assert (error.code, "encoded slash" in error.detail) == ("asset-unreachable", True)


def test_reading_ends_as_soon_as_the_server_stops(s3, cloud):
    cloud(s3.url)
    s3.put("a.mp3", CONTENT)
    answers = iter([False, False])  # before all, before the first; then it stops
    with pytest.raises(VerificationStopped):
        run(ref("a.mp3"), stop=lambda: next(answers, True))


def test_a_server_gives_its_verdict_on_what_is_in_the_bucket(s3, cloud):
    cloud(s3.url)
    s3.put("a.mp3", CONTENT)
    asset = {"id": "a", "type": "audio", "url": f"s3://{BUCKET}/a.mp3", "hash": ref("a").sha256, "bytes": len(CONTENT)}
    manifest = {
        "manifestId": "m",
        "version": "2026.11.23",
        "product": "curious_kelly",
        "source": {"phaseDNAId": "p", "locale": "en-US", "agePersona": "2-5"},
        "assets": [asset],
    }
    with live_server(verify="strict", network=True) as caller:
        answer = caller.submit(manifest)
    verdict = answer.json()
    assert (answer.status_code, verdict["status"]) == (200, "active")
    assert {check["source"] for check in verdict["validation"]["checks"]} == {"bucket", "none"}

"""An S3 for tests: moto's server on a free port, and the environment in which programs find it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import httpx
from botocore.config import Config
from moto.server import ThreadedMotoServer

BUCKET = "lotd-reinmaker-assets"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"  # the example of the AWS documentation
DEAD_PROXY = "http://127.0.0.1:9"


def aws_variables(endpoint: str) -> dict[str, str]:
    """Return the variables of somebody who may use the S3 at an endpoint, and has a proxy for the rest of the world."""
    return {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HTTP_PROXY": DEAD_PROXY,
        "http_proxy": DEAD_PROXY,
        "NO_PROXY": "",
    }


class S3:
    """A live S3 with one bucket that keeps every version of an object."""

    def __init__(self, url: str) -> None:
        self.url = url
        variables = aws_variables(url)
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=SECRET,
            config=Config(proxies={}, s3={"addressing_style": "path"}),
        )
        self.reset()

    def reset(self) -> None:
        """Empty it."""
        httpx.post(self.url + "/moto-api/reset", trust_env=False, timeout=120)
        self.client.create_bucket(Bucket=BUCKET)
        self.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})

    def put(self, key: str, content: bytes) -> None:
        """Put an object as other programs do: over whatever is there."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def keys(self) -> list[str]:
        """Return the keys that are there, sorted."""
        return sorted(one["Key"] for one in self._versions())

    def versions(self) -> dict[str, int]:
        """Return how often each object was written."""
        counts: dict[str, int] = {}
        for one in self._versions():
            counts[one["Key"]] = counts.get(one["Key"], 0) + 1
        return counts

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each object."""
        return {key: hashlib.sha256(self.read(key)).hexdigest() for key in set(self.keys())}

    def read(self, key: str) -> bytes:
        """Return an object."""
        content: bytes = self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content

    def _versions(self) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("list_object_versions").paginate(Bucket=BUCKET)
        return [one for page in pages for one in page.get("Versions", ())]


@contextmanager
def live_s3() -> Iterator[S3]:
    """Yield an S3 on a free port of this machine."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        yield S3(f"http://127.0.0.1:{port}")
    finally:
        server.stop()

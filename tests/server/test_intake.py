"""What is made of a body before it is stored."""

import gzip
import json

import pytest

from reinmaker_cli.server.intake import Manifest, examine_manifest
from tests.server.live import manifest


@pytest.mark.parametrize("size", [0, 2**12 - 1, 2**12, 2**12 + 1, 2**15 - 1, 2**15, 2**15 + 1, 2**17])
def test_a_manifest_of_any_size_is_kept_as_it_came(size):
    body = json.dumps(manifest()).encode()
    body += b" " * (size - len(body))
    examined = examine_manifest(body)
    assert isinstance(examined, Manifest)
    assert gzip.decompress(examined.gzipped) == body

"""Programs for node that tests run, with the packages that `npm ci` put into `tests/proof/node`."""

from __future__ import annotations

import shutil

import pytest

from tests.generate import ROOT

NODE = ROOT / "tests" / "proof" / "node"
NODE_MODULES = NODE / "node_modules"

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE_MODULES / "standardwebhooks").is_dir(),
    reason="wants node and `npm ci` in tests/proof/node",
)

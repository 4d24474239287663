"""`build` and `check` of one manifest of 100,000 assets, and the schema alone beside `jsonschema`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tests.benchmarks import trees
from tests.benchmarks.bench import REINMAKER, Bench
from tests.benchmarks.measure import Comparison
from tests.benchmarks.scanning import warm_scan

TITLE = "Building and checking"
FILES = 100_000

_JSONSCHEMA = """
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[2]))
validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
assert not list(validator.iter_errors(json.load(open(sys.argv[1]))))
"""


def measure(bench: Bench) -> None:
    """Measure both commands with all digests kept."""
    tree, manifest = bench.tree(trees.small_name(FILES)), bench.tree(trees.MANIFEST)
    schema = Path(__file__).parents[2] / "reinmaker_cli" / "contract" / "content-manifest.schema.json"
    build = [REINMAKER, "build", str(tree), "-o", str(bench.folder / "built.json"), "--quiet"]
    check = [REINMAKER, "check", str(tree), "--quiet"]
    check_file = [REINMAKER, "check", str(manifest), "--quiet"]
    load = [sys.executable, "-I", "-c", f"import json; json.load(open({str(manifest)!r}))"]
    jsonschema = [sys.executable, "-c", _JSONSCHEMA, str(manifest), str(schema)]
    both = ["sh", "-c", f"{shlex.join(build)} && {shlex.join(check)}"]
    assets = f"{FILES:,} assets"
    bench.table(
        [
            Comparison(f"build, {assets}, warm", build, "warm scan", warm_scan(tree)),
            Comparison(f"check, {assets}, warm", check, "warm scan", warm_scan(tree)),
            Comparison(f"build and check, {assets}, warm", both, "warm scan", warm_scan(tree), aim=3),
            Comparison(f"check of a manifest file, {assets}", check_file, "python json.load of it", load, runs=3),
            Comparison(f"check of a manifest file, {assets}", check_file, "jsonschema", jsonschema, runs=2),
        ]
    )

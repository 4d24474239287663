"""A lesson of 2 GiB from folder to `active` at a local server, beside the shell script that people write."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import trees
from tests.benchmarks.bench import REINMAKER, Bench
from tests.benchmarks.measure import Comparison

TITLE = "Publishing"
_SCRIPT = Path(__file__).with_name("publish.sh")


def measure(bench: Bench) -> None:
    """Measure ours with all bytes validated, and the script against a server that accepts without a look."""
    if not all(bench.has(tool, instead_of="the shell script") for tool in ("sha256sum", "jq", "curl")):
        return
    lesson, cores = bench.tree(trees.LESSON), os.cpu_count() or 1
    ours, scripts = bench.folder / "real", bench.folder / "immediate"
    with _server(bench, ours, "real"), _server(bench, scripts, "immediate") as url:
        publish = [REINMAKER, "publish", str(lesson), "--data", str(ours), "--quiet"]
        reset = [REINMAKER, "local", "reset", "--data"]
        before = ["sh", "-c", f"{' '.join([*reset, str(ours)])} && {' '.join([*reset, str(scripts)])}"]

        def beside(name: str, hash_command: str, aim: float | None) -> Comparison:
            script = ["sh", str(_SCRIPT), str(lesson), str(scripts), url, hash_command]
            return Comparison(
                "publish a lesson of 2 GiB, bytes validated", publish, name, script, aim, runs=3, before=before
            )

        bench.say("The script's server accepts without a look at the bytes; ours reads and hashes all of them again.")
        bench.table(
            [
                beside("find, sha256sum, jq, curl", "sha256sum", 1),
                beside(f"the same with openssl, xargs -P{cores}", f"-P{cores} -n8 openssl dgst -r -sha256", None),
            ]
        )
    bench.remove(lesson)


@contextmanager
def _server(bench: Bench, data: Path, validation: str) -> Iterator[str]:
    words = [REINMAKER, "serve", "--port", "0", "--data", str(data), "--validation", validation, "--log", "off"]
    with subprocess.Popen([*words, "--json"], stdout=subprocess.PIPE, env=bench.environment, text=True) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.terminate()

"""The receivers of docs/webhooks.md do what `webhooks probe` asks, as programs of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reinmaker_cli.contract.signing import new_secret
from tests.cli.command import as_process, environment
from tests.generate import ROOT
from tests.node import NODE_MODULES, needs_node
from tests.ports import own_port

SECRET = new_secret()


def example(language: str, port: int) -> str:
    page = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    text = page.split(f"```{language}\n")[1].split("```")[0]
    assert "8080" in text
    return text.replace("8080", str(port))


@contextmanager
def running(words: list[str]) -> Iterator[None]:
    variables = environment(REINMAKER_WEBHOOK_SECRET=SECRET, PYTHONUNBUFFERED="1")
    with subprocess.Popen(words, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def probed(port: int) -> int:
    """Return the exit code of a probe; asks again while nobody is there yet."""
    while True:
        ended = as_process(
            *("webhooks", "probe", f"http://127.0.0.1:{port}/"), env=environment(REINMAKER_WEBHOOK_SECRET=SECRET)
        )
        if ended.returncode != 7:
            return ended.returncode


def test_the_python_receiver_is_right(tmp_path: Path) -> None:
    port = own_port()
    (tmp_path / "receiver.py").write_text(example("python", port))
    with running([sys.executable, str(tmp_path / "receiver.py")]):
        assert probed(port) == 0


@needs_node
def test_the_javascript_receiver_is_right(tmp_path: Path) -> None:
    port = own_port()
    (tmp_path / "receiver.mjs").write_text(example("js", port))
    os.symlink(NODE_MODULES, tmp_path / "node_modules")
    with running(["node", str(tmp_path / "receiver.mjs")]):
        assert probed(port) == 0

"""Running command lines in tests: in this process where that is enough, as a process of its own where it is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reinmaker_cli.cli.app import run_command_line


@dataclass(frozen=True)
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @cached_property
    def document(self) -> dict[str, Any]:
        """The one document on stdout, held to its shipped schema; nothing may stand around it."""
        document: dict[str, Any] = json.loads(self.out)
        assert document["exitCode"] == self.code
        hold_to_schema(document)
        return document


class Command:
    """`reinmaker(*words)`, in this process."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture

    def __call__(self, *words: str | Path) -> Ended:
        """Run a command line."""
        self._capture.readouterr()
        code = run_command_line([str(word) for word in words])
        captured = self._capture.readouterr()
        return Ended(code, captured.out.decode(), captured.err.decode())


def in_time(reinmaker: Command, *words: str | Path, is_enough: Callable[[Ended], bool]) -> Ended:
    """Return how a command ended that had time to come as far as it should, and no more; a busy machine wants more."""
    for seconds in (0.2, 2, 20, 100):
        ended = reinmaker(*words, "--timeout", f"{seconds:g}", "--json")
        if is_enough(ended):
            break
    return ended


def hold_to_schema(document: dict[str, Any]) -> None:
    """Fail where a document is not what its schema says, or has a member that the schema does not know."""
    name = document["schema"].removeprefix("reinmaker.").removesuffix("/1")
    text = resources.files("reinmaker_cli.cli").joinpath("schemas", f"{name}.schema.json").read_text()
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    # Readers must bear new members; our own tests must not, or the schema would fall behind.
    jsonschema.Draft202012Validator({**schema, "additionalProperties": False}).validate(document)


def as_process(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a command line as a process of its own, without a terminal."""
    options = {"capture_output": True, "stdin": subprocess.DEVNULL, "timeout": 240} | options
    return subprocess.run(command_line(*words), check=False, **options)


def command_line(*words: str | Path) -> Sequence[str]:
    """Return the words that start `reinmaker` in this interpreter."""
    return [sys.executable, "-m", "reinmaker_cli", *map(str, words)]


def environment(**more: str) -> dict[str, str]:
    """Return the variables for a process of its own, with some more."""
    return {**os.environ, **more}

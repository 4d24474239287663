"""Configuration files and manifests that nobody would write, given to the command line."""

from __future__ import annotations

import json
import tempfile
import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reinmaker_cli.cli.app import run_command_line
from tests.fuzz.conftest import fuzzing
from tests.fuzz.strategies import any_json, broken_manifests, mutated
from tests.fuzz.test_folders import PROJECT
from tests.lessons import mp3

SNIPPETS = [
    "[",
    "]",
    "=",
    '"',
    "\n",
    "{",
    "}",
    "{sha256:0}",
    "{nothing}",
    "true",
    "-1",
    "1979-05-27",
    "[[rule]]",
    "\0",
    "é",
]
SNIPPETS += [
    "[env.production]\napi_url = 'https://evil.example'\n",
    "client_secret = 'x'\n",
    "[settings]\nenv = 'staging'\n",
]


@fuzzing
@given(mutated(PROJECT, SNIPPETS), st.sampled_from(["check", "config show", "publish --dry-run", "doctor"]))
def test_any_project_file_ends_in_a_documented_way(capfdbinary, text, verb):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "2-5-welcome-en.mp3").write_bytes(mp3("a"))
        (folder / "reinmaker.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
        where = [] if verb == "config show" else [place]
        code = run_command_line([*verb.split(), *where, "--json", "--data", f"{place}/data", "--no-input"])
        out, err = capfdbinary.readouterr()
        assert b"Traceback" not in err, err
        assert json.loads(out)["exitCode"] == code
        assert code in (0, 2, 3, 4, 7), err
        assert b"evil.example" not in out or code != 0 or verb in ("config show", "doctor"), "a project file redirects"


@fuzzing
@given(st.one_of(broken_manifests.map(json.dumps), any_json.map(json.dumps), st.text(max_size=80)))
def test_any_manifest_file_ends_in_a_documented_way(capfdbinary, text):
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "m.json")
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        code = run_command_line(["check", str(file), "--json"])
        out, err = capfdbinary.readouterr()
        assert b"Traceback" not in err, err
        document = json.loads(out)
        assert (document["exitCode"], code in (0, 2, 3)) == (code, True), err
        assert document["ok"] or document["error"]["hint"]


def test_the_valid_text_that_is_mutated_is_valid():
    """Or every example would be refused at the first line, and nothing behind it would ever be reached."""
    assert tomllib.loads(PROJECT)["rule"]

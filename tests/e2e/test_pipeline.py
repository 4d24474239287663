"""A release engineer's pipeline: the pieces of docs/ci.md as they stand there, and what a runner is told."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.lessons import lesson
from tests.snapshots import WRITES, in_order

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "ci.md"
LINE = "reinmaker publish lessons --yes --json > result.json"


def pieces(section):
    """The code blocks of a section of docs/ci.md."""
    text = PAGE.read_text(encoding="utf-8")
    part = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return re.findall(r"^```\w*\n(.*?)^```", part[1], re.M | re.S)


@pytest.fixture
def checkout(reinmaker, tmp_path):
    """A checkout with one lesson, whose `ci` environment is told of by the user's own file."""
    folder = tmp_path / "checkout"
    lesson(folder / "lessons" / "water-cycle", languages=("en", "fr"))
    assert reinmaker("init", folder / "lessons" / "water-cycle").code == 0
    return folder


class Pipeline:
    """Runs lines of a shell as a CI system does: stops at the first that fails, without a terminal."""

    def __init__(self, reinmaker, checkout, tmp_path):
        self.checkout = checkout
        self.files = {name: tmp_path / name for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
        commands = tmp_path / "bin"
        commands.mkdir()
        (commands / "reinmaker").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reinmaker_cli "$@"\n')
        (commands / "reinmaker").chmod(0o755)
        self.config = tmp_path / "config.toml"
        self.variables = {
            **reinmaker.environment,
            "PATH": f"{commands}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "CI": "true",
            "REINMAKER_CONFIG": str(self.config),
            "REINMAKER_ENV": "ci",
        }

    def at(self, server):
        """Use a server as environment `ci`, with its client in the variables, as a secret store gives it."""
        client = json.loads((Path(server.ready["data"]) / "client.json").read_text())
        self.config.write_text(f'[env.ci]\napi_url = "{server.url}"\n')
        self.variables |= {
            "REINMAKER_CLIENT_ID": client["clientId"],
            "REINMAKER_CLIENT_SECRET": client["clientSecret"],
        }

    def run(self, script, **more):
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.checkout,
            env={**self.variables, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def on_github(self, script):
        """Run it on a runner: with its variables, and its two files emptied first."""
        for file in self.files.values():
            file.write_text("")
        runner = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(self.checkout)}
        return self.run(script, **runner, **{name: str(file) for name, file in self.files.items()})

    def outputs(self):
        """The outputs of the step, read as the runner reads them."""
        found, lines = {}, iter(self.files["GITHUB_OUTPUT"].read_text().splitlines())
        for line in lines:
            name, delimiter = re.fullmatch(r"([a-z-]+)(?:=.*|<<(.+))", line).groups()
            if delimiter is None:
                found[name] = line.partition("=")[2]
            else:
                found[name] = "\n".join(iter(lambda: next(lines), delimiter))
        return found


@pytest.fixture
def pipeline(reinmaker, checkout, tmp_path):
    return Pipeline(reinmaker, checkout, tmp_path)


def is_installation(line):
    return re.fullmatch(r"(pipx|pip) install (--user )?reinmaker", line) is not None


# --- the ready-made pieces ------------------------------------------------------------------------------------------


def test_the_steps_for_github_run_as_they_stand(pipeline, serve):
    pipeline.at(serve())
    (text,) = pieces("GitHub Actions")
    jobs = yaml.safe_load(text)["jobs"]
    scripts = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert [is_installation(script) for script in scripts] == [True, False, True, False, False]
    for script in scripts:
        if not is_installation(script):
            ended = pipeline.on_github(script)
            assert ended.returncode == 0, (script, ended.stderr)
        if script.startswith("reinmaker publish"):
            given = pipeline.outputs()
            pipeline.variables |= {"EXIT_CODE": given["exit-code"], "PUBLISHED": given["published"]}
    assert "exit 0; published: " in ended.stdout and ended.stdout.count("water-cycle") == 4
    assert len(list((pipeline.checkout / "receipts").iterdir())) == 4
    assert given["ok"] == "true" and json.loads((pipeline.checkout / "result.json").read_text())["ok"]
    used = {name for step in jobs["publish"]["steps"] for name in re.findall(r"outputs\.([a-z-]+)", str(step))}
    assert used <= set(given)


def test_the_scripts_for_gitlab_run_as_they_stand(pipeline, serve):
    pipeline.at(serve())
    (text,) = pieces("GitLab")
    document = yaml.safe_load(text)
    assert all(map(is_installation, document[".reinmaker"]["before_script"]))
    for name in ("check", "publish"):
        for script in document[name]["script"]:
            ended = pipeline.run(script)
            assert ended.returncode == 0, (script, ended.stderr)
            assert "::" not in ended.stderr
    assert document["publish"]["retry"]["exit_codes"] == [7, 8]


def test_the_steps_for_jenkins_run_as_they_stand(pipeline, serve):
    pipeline.at(serve())
    (text,) = pieces("Jenkins")
    assert text.count("{") == text.count("}") and text.count("(") == text.count(")")
    scripts = re.findall(r"\bsh '([^']*)'", text)
    assert [is_installation(script) for script in scripts] == [True, False, False]
    for script in scripts[1:]:
        ended = pipeline.run(script)
        assert ended.returncode == 0, (script, ended.stderr)


def test_the_hook_for_pre_commit_refuses_what_check_refuses(pipeline):
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (text,) = pieces("Before a commit")
    ((used,),) = (repo["hooks"] for repo in yaml.safe_load(text)["repos"])
    assert {"id", "name", "entry", "language"} <= set(hook) and hook["pass_filenames"] is False
    assert used["id"] == hook["id"]
    script = " ".join([hook["entry"], *used["args"]])
    for name in ("REINMAKER_CONFIG", "REINMAKER_ENV"):  # on the machine of whoever commits
        del pipeline.variables[name]
    assert pipeline.run(script).returncode == 0
    (pipeline.checkout / "lessons" / "water-cycle" / "2-5-welcome-en.mp3").write_bytes(b"")
    refused = pipeline.run(script)
    assert (refused.returncode, "error[empty-file]" in refused.stderr) == (3, True)


# --- what a runner is told ------------------------------------------------------------------------------------------


def held_to_the_page(title, ended, pipeline):
    """Compare stderr, summary and outputs with a section of docs/ci.md; REINMAKER_UPDATE_SNAPSHOTS=1 writes it anew."""
    blocks = [f"Exit {ended.returncode}, and on stderr:", "", "```text", *normal(ended.stderr, pipeline), "```", ""]
    summary = normal(pipeline.files["GITHUB_STEP_SUMMARY"].read_text(), pipeline)
    blocks += ["The summary of the step:", "", "```markdown", *summary, "```", ""]
    outputs = (f"{name}: {value}" for name, value in pipeline.outputs().items() if name != "results")
    blocks += ["Outputs, beside `results`:", "", "```text", *normal("\n".join(outputs), pipeline), "```"]
    wanted = f"### {title}\n\n" + "\n".join(blocks) + "\n"
    text = PAGE.read_text(encoding="utf-8")
    section = re.compile(rf"^### {title}\n.*?(?=^### (?!reinmaker )|\Z)", re.M | re.S)  # a summary has a heading too
    if WRITES:
        text = section.sub(lambda _: f"{wanted}\n", text).rstrip() + "\n"
        PAGE.write_text(text, encoding="utf-8")
    assert section.search(text)[0].rstrip() == wanted.rstrip()


def normal(text, pipeline):
    text = text.replace(str(pipeline.checkout.parent), "")
    text = re.sub(r"\d{4}([.-])\d{2}\1\d{2}", "<today>", text)
    text = re.sub(r" --port \d+", "", text)
    text = re.sub(r"localhost:\d+", "api.example.org", text).replace("http://api", "https://api")
    text = re.sub(r"\b[0-9a-f]{32}\b", "<trace id>", text)
    text = re.sub(
        r"\bclient(?=[A-Za-z]*\d)[A-Za-z0-9]{14}\b|\bclient[A-Z][A-Za-z0-9]{13}\b|\bclient[A-Za-z0-9]{14}\b",
        "<client>",
        text,
    )
    return [line.rstrip() for line in in_order(text).rstrip().splitlines()]


def test_success(pipeline, serve):
    pipeline.at(serve())
    ended = pipeline.on_github(LINE)
    assert (ended.returncode, ended.stdout) == (0, "")
    held_to_the_page("Success", ended, pipeline)


def test_rejected_content(pipeline, serve):
    pipeline.at(serve("--verify", "strict"))
    ended = pipeline.on_github(LINE)
    assert ended.returncode == 6
    annotations = [line for line in ended.stderr.splitlines() if line.startswith("::error ")]
    assert annotations[0].startswith("::error file=lessons/water-cycle/2-5-")
    assert len(annotations) == 10 and annotations[-1].endswith("more findings; see the log")
    held_to_the_page("Rejected content", ended, pipeline)


def test_expired_secret(pipeline, serve, reinmaker):
    pipeline.at(serve("--clock", "virtual"))
    assert reinmaker("local", "clock", "advance", "91d").code == 0
    ended = pipeline.on_github(LINE)
    assert ended.returncode == 4
    assert sum(line.startswith("::error ") for line in ended.stderr.splitlines()) == 1
    held_to_the_page("Expired secret", ended, pipeline)


def test_api_down(pipeline, serve):
    server = serve()
    pipeline.at(server)
    server.stop()
    ended = pipeline.on_github(LINE)
    assert ended.returncode == 7
    assert json.loads((pipeline.checkout / "result.json").read_text())["error"]["retryable"]
    held_to_the_page("API down", ended, pipeline)

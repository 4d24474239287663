"""The documentation that is generated is what the code says today, and points at things that exist."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import reinmaker_cli
from reinmaker_cli import errors
from reinmaker_cli.assets.project import load_project
from reinmaker_cli.cli import tree
from reinmaker_cli.contract import codes
from tests.generate import EXIT_CODES, ROOT, generated


@pytest.mark.parametrize("path", generated())
def test_generated_file_is_up_to_date(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == generated()[path], "run `make generated`"


def test_every_exit_code_is_documented() -> None:
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.ReinmakerError)]
    used = {one.exit_code for one in classes} | {0, 1, 130, 143}
    assert used == set(EXIT_CODES)


def test_manual_pages_are_well_formed() -> None:
    if shutil.which("mandoc") is None:
        assert "CI" not in os.environ, "CI installs mandoc"
        pytest.skip("mandoc is not here to read them")
    pages = sorted((ROOT / "docs" / "man" / "man1").glob("*.1"))
    assert {page.stem for page in pages} == {"reinmaker", *(f"reinmaker-{n.replace(' ', '-')}" for n in tree.COMMANDS)}
    read = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True, check=False
    )
    # The same commit gives the same pages, so they have no date.
    assert [line for line in read.stdout.splitlines() if "missing date" not in line] == []


def documents() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


def commands_in(text: str) -> set[str]:
    """Return what follows `reinmaker` in back quotes, and in the lines of sessions that start with $."""
    quoted = re.findall(r"`reinmaker ([a-z][a-z ]*)", text)
    typed = re.findall(r"^\s*\$ reinmaker ([a-z][a-z ]*)", text, flags=re.MULTILINE)
    return {" ".join(words.split()) for words in quoted + typed}


def is_command(words: str) -> bool:
    """Return whether the words start with a command, or are a group."""
    parts = words.split()
    return any(" ".join(parts[:length]) in tree.COMMANDS for length in (1, 2)) or parts[0] in tree.GROUPS


@pytest.mark.parametrize(
    "document", [one for one in documents() if one.name != "errors.md"], ids=lambda path: path.name
)
def test_commands_in_the_documentation_exist(document: Path) -> None:
    unknown = {words for words in commands_in(document.read_text(encoding="utf-8")) if not is_command(words)}
    assert unknown == set()


def test_commands_in_cures_exist() -> None:
    for code in codes.ALL.values():
        assert all(is_command(words) for words in commands_in(f"{code.cure}\n{code.meaning}")), code


def test_commands_in_hints_exist() -> None:
    unknown = {
        (file.name, words)
        for file in (ROOT / "reinmaker_cli").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for words in commands_in(node.value)
        if not is_command(words)
    }
    assert unknown == set()


def test_the_documented_project_file_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reinmaker-toml.md").read_text(encoding="utf-8")
    (tmp_path / "reinmaker.toml").write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    project = load_project(tmp_path)
    assert (project.version, len(project.rules), dict(project.values["lang"])["fr"]) == ("auto", 1, "fr-FR")
    for heading in ("manifest", "source", "values", "rule", "ignore", "extra", "coverage"):
        assert f"[{heading}]" in page


def test_the_page_about_python_runs(tmp_path: Path) -> None:
    """In a process of its own, as a script would run it: what it leaves in memory disturbs nobody."""
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    lesson = shutil.copytree(ROOT / "examples" / "first-lesson", tmp_path / "lesson")
    script = "\n".join(examples)
    command = [sys.executable, "-W", "error", "-c", script]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=lesson, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_the_page_about_python_names_all_that_is_public() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    table = page.partition("## All names")[2]
    assert set(re.findall(r"`([A-Za-z_]+)`", table.replace("`reinmaker.toml`", ""))) == set(reinmaker_cli.__all__) - {
        "__version__"
    }


def test_public_names_lead_somewhere_and_load_nothing_before() -> None:
    look = "import sys, reinmaker_cli; print([name for name in sys.modules if name.startswith('reinmaker_cli.')])"
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=ROOT)
    assert loaded.stdout == "[]\n"
    assert all(getattr(reinmaker_cli, name) is not None for name in reinmaker_cli.__all__)
    with pytest.raises(AttributeError):
        reinmaker_cli.no_such_name  # noqa: B018

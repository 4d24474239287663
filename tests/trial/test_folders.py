"""Mistakes in folders, files and reinmaker.toml."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.folders import wav
from tests.lessons import lesson
from tests.trial.world import World


def test_wrong_folder(world: World) -> None:
    """A misspelt folder."""
    world.mistake("reinmaker check leson", code="folder-not-found")
    world.cure(again=False)


def test_no_config(world: World) -> None:
    """No reinmaker.toml."""
    lesson(world.work / "water-cycle")
    world.mistake("reinmaker check water-cycle", code="config-missing")
    world.cure()


def test_file_instead_of_a_folder(world: World) -> None:
    """A file where a folder is meant."""
    world.mistake("reinmaker scan lesson/hello-en.wav", code="not-a-folder")
    world.cure(again=False)


def test_a_file_of_the_lesson(world: World) -> None:
    """An asset, where a manifest or a folder is meant."""
    world.mistake("reinmaker check lesson/hello-en.wav", code="not-a-folder")
    world.cure(again=False)


def test_the_project_file(world: World) -> None:
    """The lesson's reinmaker.toml instead of its folder."""
    world.mistake("reinmaker check lesson/reinmaker.toml", code="not-a-folder")
    world.cure(again=False)


def test_inside_the_folder_already(world: World) -> None:
    """The name of a folder, typed inside it."""
    world.ready("cd lesson")
    world.mistake("reinmaker check lesson", code="folder-not-found")
    world.cure(again=False)


def test_inside_the_project(world: World) -> None:
    """A folder inside the lesson."""
    (world.work / "lesson" / "audio").mkdir()
    world.mistake("reinmaker check lesson/audio", code="inside-project")
    world.cure(again=False)


def test_init_twice(world: World) -> None:
    """init where there is a reinmaker.toml."""
    world.mistake("reinmaker init lesson", code="config-exists")
    world.cure(again=False)


def test_no_assets(world: World) -> None:
    """A folder without assets."""
    (world.work / "empty").mkdir()
    (world.work / "empty" / ".DS_Store").write_bytes(b"")
    world.mistake("reinmaker init empty", code="folder-empty")
    world.not_cured("the assets are somewhere else, or were never copied")


def test_typo_in_a_rule(world: World) -> None:
    """A misspelt capture in a rule."""
    world.edit("lesson/reinmaker.toml", "{phase}-{lang}.wav", "{phase}-{lnag}.wav")
    world.mistake("reinmaker check lesson", code="config-invalid")
    world.not_cured("the file is yours to edit")


def test_typo_in_the_file(world: World) -> None:
    """A misspelt name in reinmaker.toml."""
    world.edit("lesson/reinmaker.toml", "[values]", "[valeus]")
    world.mistake("reinmaker check lesson", code="config-invalid")
    world.not_cured("the file is yours to edit")


def test_not_toml(world: World) -> None:
    """A quote forgotten in reinmaker.toml."""
    world.edit("lesson/reinmaker.toml", '"tiny-{locale}"', '"tiny-{locale}')
    world.mistake("reinmaker check lesson", code="config-invalid")
    world.not_cured("the file is yours to edit")


def test_unmatched_file(world: World) -> None:
    """A file that no rule knows."""
    (world.work / "lesson" / "notes.txt").write_text("to do")
    world.mistake("reinmaker check lesson", code="unmatched-file")
    world.cure(number=1)


def test_half_pulled_lfs(world: World) -> None:
    """A checkout whose files were never pulled from Git LFS."""
    if shutil.which("git-lfs") is None:
        pytest.skip("no git-lfs here")
    _git_lfs_checkout(world.work)
    world.monkeypatch.chdir(world.work / "checkout")
    world.mistake("reinmaker check lesson", code="lfs-pointer")
    world.cure(number=1)


def _git_lfs_checkout(work: Path) -> None:
    script = """
        git init -q --bare origin.git && git init -q source && mv lesson source/ && cd source
        git lfs install --local && git lfs track '*.wav' && git add . && git commit -qm lesson
        git remote add origin "file://$PWD/../origin.git" && git push -q origin HEAD:main
        cd .. && git -C origin.git symbolic-ref HEAD refs/heads/main
        GIT_LFS_SKIP_SMUDGE=1 git clone -q "file://$PWD/origin.git" checkout && cd checkout && git lfs install --local
    """
    identity = "git config --global user.email a@example.org; git config --global user.name A; set -e\n"
    ended = subprocess.run(["bash", "-c", identity + script], cwd=work, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_empty_file(world: World) -> None:
    """An export that was interrupted."""
    (world.work / "lesson" / "hello-en.wav").write_bytes(b"")
    world.mistake("reinmaker check lesson", code="empty-file")
    world.not_cured("whoever exported it has to export it again")


def test_page_instead_of_a_file(world: World) -> None:
    """A download that is an error page."""
    (world.work / "lesson" / "hello-en.wav").write_bytes(b"<!DOCTYPE html><title>403</title>")
    world.mistake("reinmaker check lesson", code="magic-mismatch")
    world.not_cured("whoever downloaded it has to download it again")


def test_language_missing(world: World) -> None:
    """A language that was never exported."""
    world.edit("lesson/reinmaker.toml", "[[rule]]", '[coverage]\nlocale = ["en-US", "fr-FR", "es-ES"]\n\n[[rule]]')
    world.mistake("reinmaker check lesson", code="coverage-gap")
    world.not_cured("the files have to be made")


def test_dead_link(world: World) -> None:
    """A symbolic link that leads out of the lesson."""
    (world.work / "other.wav").write_bytes(wav(level=9))
    (world.work / "lesson" / "more-en.wav").symlink_to("../other.wav")
    world.mistake("reinmaker check lesson", code="link-outside-root")
    world.cure(number=1)


def test_broken_manifest(world: World) -> None:
    """A manifest file that somebody edited by hand."""
    world.ready("reinmaker build lesson --only locale=fr-FR -o fr.json")
    world.edit("fr.json", '"assets": [', '"assets": [,')
    world.mistake("reinmaker check fr.json", code="not-json")
    world.not_cured("the place is named, and the file is yours to edit")


def test_disk_full(world: World) -> None:
    """A disk that is full."""
    world.mistake("reinmaker build lesson -o /dev/full --only locale=fr-FR", code="output-failed")
    world.not_cured("which files may go is yours to say", types=False)


def test_output_into_nowhere(world: World) -> None:
    """A result for a folder that is not there."""
    world.mistake("reinmaker build lesson -o results/today/fr.json --only locale=fr-FR", code="output-failed")
    world.cure()

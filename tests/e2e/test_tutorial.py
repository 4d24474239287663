"""docs/tutorial.md, typed line by line: a lesson of the shape of the real one, from `init` to `production`."""

import re

import pytest

from tests.cli.terminals import needs_terminals
from tests.e2e.newcomer import ROOT, Newcomer, held_to
from tests.lessons import AGES, PHASES, lesson, mp3
from tests.secret_service import needs_keyring, secret_service

PAGE = ROOT / "docs" / "tutorial.md"


@pytest.fixture
def newcomer(reinmaker, serve, tmp_path):
    """Somebody with the lesson, a keyring, and servers and folders in the place of staging and production."""
    somebody = Newcomer(reinmaker, tmp_path)
    folder = lesson(somebody.folder / "water-cycle")
    for age in AGES:
        for phase in PHASES:
            (folder / f"{age}-{phase}.mp3").write_bytes(mp3(f"{age} {phase}"))
    (somebody.folder / "exports").mkdir()
    (somebody.folder / "exports" / "2-5-welcome-fr.mp3").write_bytes(mp3("recorded anew", frames=24))
    somebody.stand_in(serve, tmp_path)
    somebody.answers["reinmaker publish water-cycle --env production --push"] = {"[y/N] ": "y"}
    with secret_service(tmp_path / "run", somebody.variables) as variables:
        somebody.variables |= variables
        yield somebody
        somebody.leave()


@needs_terminals
@needs_keyring
@pytest.mark.timeout(600)  # thirty commands in a row
def test_the_tutorial_is_as_it_was_recorded(newcomer):
    def typed(block):
        lines = [line.removeprefix("$ ") for line in block[1].splitlines() if line.startswith("$ ")]
        return "```console\n" + "\n\n".join(map(newcomer.shown, lines)) + "\n```"

    page = PAGE.read_text(encoding="utf-8")
    held_to(PAGE, re.sub(r"^```console\n(.*?)\n```$", typed, page, flags=re.M | re.S))

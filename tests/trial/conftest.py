"""A world for each mistake, and its section of docs/errors.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.cli.conftest import home, reinmaker, work  # noqa: F401  fixtures of the command line in this process
from tests.cli.folders import make_project
from tests.snapshots import WRITES
from tests.trial.page import PAGE, Entry, sections, titles, whole_page
from tests.trial.world import World


@pytest.fixture
def world(
    request: pytest.FixtureRequest,
    work: Path,  # noqa: F811
    home: Path,  # noqa: F811
    reinmaker: Command,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """A current folder with a project `lesson`; after the test its section must be what docs/errors.md has."""
    title, _, story = (request.function.__doc__ or "").partition("\n")
    entry = Entry(request.node.name, title.rstrip("."), " ".join(story.split()))
    make_project(work / "lesson")
    monkeypatch.setenv("REINMAKER_DATA", str(work.parent / "data"))
    yield World(work, home, reinmaker, monkeypatch, entry)
    if request.node.stash.get(FAILED, False):
        return
    if WRITES:
        _write(entry)
    assert sections(PAGE.read_text(encoding="utf-8")).get(entry.title, "").rstrip() == entry.text().rstrip()


FAILED: pytest.StashKey[bool] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed or report.skipped
    return report


def _write(entry: Entry) -> None:
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    found = sections(page) | {entry.title: entry.text()}
    PAGE.write_text(whole_page(found, [title for title in titles() if title in found]), encoding="utf-8")

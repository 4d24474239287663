"""docs/errors.md as a whole: every mistake is on it, nothing else is, and most of them are cured by what is said."""

from __future__ import annotations

from tests.trial.page import PAGE, sections, titles, whole_page


def test_the_page_has_each_mistake_and_its_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert list(sections(page)) == titles()
    assert page == whole_page(sections(page), titles())


def test_at_least_forty_mistakes_of_which_thirty_are_cured_by_the_hint() -> None:
    found = sections(PAGE.read_text(encoding="utf-8"))
    cured = [title for title, text in found.items() if "*Cured.*" in text]
    assert len(found) >= 40 and len(cured) >= 30
    assert all("Not cured by that: " in text for title, text in found.items() if title not in cured)

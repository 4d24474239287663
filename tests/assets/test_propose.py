"""What `init` proposes reads the folder it was made for."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reinmaker_cli.assets.project import Project, load_project, project_from_document
from reinmaker_cli.assets.propose import Proposal, propose_project, slug_of
from reinmaker_cli.assets.rules import Match, Matcher
from reinmaker_cli.assets.scan import scan_folder
from reinmaker_cli.contract.names import PERSONAS
from reinmaker_cli.errors import ConfigError

TODAY = date(2026, 11, 23)
REAL = Path(__file__).parents[2] / ".." / "shared" / "real-assets"
LOCALE_OF = {"en": "en-US", "es": "es-ES", "fr": "fr-FR", "en-US": "en-US", "es-ES": "es-ES", "fr-FR": "fr-FR"}


def propose(files: list[str], **options: bool) -> Proposal:
    return propose_project(files, folder_name="Water Cycle", today=TODAY, **options)


def project_of(proposal: Proposal) -> Project:
    """Return the project as its reader completes it."""
    text = proposal.toml.replace('locale = ""', 'locale = "es-ES"').replace('agePersona = ""', 'agePersona = "2-5"')
    return project_from_document(tomllib.loads(text), root=Path(), path=None)


def fill(layout: str, phases: list[str], ages: list[str], langs: list[str]) -> dict[str, tuple[str, str, str]]:
    """Return path -> (phase, persona, language) for every combination."""
    return {
        layout.format(phase=phase, age=age, lang=lang): (phase, age, lang)
        for phase in phases
        for age in ages
        for lang in langs
    }


@pytest.mark.parametrize(
    "layout",
    [
        "{age}-{phase}-{lang}.mp3",
        "{lang}/{age}/{phase}.mp3",
        "{phase}_{lang}_{age}.wav",
        "audio/{lang}/{phase} ({age}).ogg",
        "{phase}/{age}.{lang}.m4a",
    ],
)
def test_the_usual_layouts_are_found_as_they_are(layout: str) -> None:
    files = fill(layout, ["welcome", "main-content"], ["2-5", "6-12"], ["en", "es", "fr"])
    proposal = propose(list(files))
    assert proposal.patterns == (layout,)
    assert proposal.captures == ("locale", "agePersona")
    assert proposal.leftovers == () and len(proposal.matched) == 12
    project = project_of(proposal)
    assert project.id == "2026-11-23-water-cycle-{locale}-{agePersona}"
    assert project.url == "s3://lotd-reinmaker-assets/water-cycle/{dir}{stem}.{sha256:8}{ext}"
    assert "staging" in project.url_for and project.version == "auto"
    assert dict(project.values["phase"]) == {"main-content": "main-content", "welcome": "welcome"}
    assert tuple(project.values["age"]) == PERSONAS
    assert project.values["lang"] == {"en": "en-US", "es": "es-ES", "fr": "fr-FR"}
    assert project.coverage == {"locale": ("en-US", "es-ES", "fr-FR"), "agePersona": ("2-5", "6-12")}


WORDS = ["welcome", "mainContent", "main-content", "wisdom_moment", "en-route", "phase2", "q.a", "größe", "x"]
SEPARATORS = st.sampled_from(["-", "_", "--", ".", " ", "/", " - ", "+"])


@st.composite
def layouts(draw: st.DrawFn) -> str:
    names = draw(st.permutations(["{age}", "{phase}", "{lang}"]))
    prefix = draw(st.sampled_from(["", "audio/", "lesson 7/", "fx/v2/"]))
    return prefix + names[0] + draw(SEPARATORS) + names[1] + draw(SEPARATORS) + names[2]


@given(
    layouts(),
    st.lists(st.sampled_from(WORDS), min_size=3, max_size=5, unique=True),
    st.lists(st.sampled_from(PERSONAS), min_size=1, max_size=6, unique=True),
    st.sampled_from([["en", "es", "fr"], ["en-US", "fr-FR"], ["fr"], ["es", "en"]]),
    st.sampled_from([[".mp3"], [".wav", ".mp3"], [".mp3", ".png"]]),
)
@settings(max_examples=150, deadline=None)
def test_generated_layouts_are_read_with_the_right_captures(
    layout: str, phases: list[str], ages: list[str], langs: list[str], extensions: list[str]
) -> None:
    files: dict[str, tuple[str, str, str]] = {}
    for extension in extensions:
        files |= fill(layout + extension, phases, ages, langs)
    proposal = propose(list(files))
    assert proposal.leftovers == ()
    matcher = Matcher(project_of(proposal))
    for path, (phase, age, lang) in files.items():
        match = matcher.match(path)
        assert isinstance(match, Match)
        assert match.captures == {"phase": phase, "age": age, "lang": LOCALE_OF[lang]}


def test_leftovers_are_listed_and_not_silently_ignored() -> None:
    files = list(fill("{age}-{phase}-{lang}.mp3", ["a", "b"], ["2-5"], ["en", "fr"]))
    odd = ["2-5-a.mp3", "notes [old]?.txt", "x/ends with space ", 'quote".mp3']
    proposal = propose(files + odd)
    assert proposal.leftovers == tuple(sorted(odd))
    assert project_of(proposal).ignore == ()
    assert '  # "/2-5-a.mp3",' in proposal.toml


def test_leftovers_are_ignored_on_request_each_by_its_own_pattern(tmp_path: Path) -> None:
    files = list(fill("{age}-{phase}-{lang}.mp3", ["a", "b"], ["2-5"], ["en", "fr"]))
    odd = ["2-5-a.mp3", "notes [old].txt", "#one.txt", "!two.txt", "x/star*.txt"]
    for name in [*files, *odd]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"ID3\x04" + name.encode())
    proposal = propose(files + odd, ignore_leftovers=True)
    (tmp_path / "reinmaker.toml").write_text(proposal.toml, encoding="utf-8")
    scan = scan_folder(load_project(tmp_path), probe=False)
    assert sorted(asset.path for asset in scan.assets) == sorted(files)


def test_the_majority_decides_where_a_phase_looks_like_a_language() -> None:
    files = fill("{age}-{phase}-{lang}.mp3", ["welcome", "en-route", "the-end"], ["2-5", "6-12"], ["en", "es"])
    assert propose(list(files)).patterns == ("{age}-{phase}-{lang}.mp3",)


def test_of_two_places_that_look_like_a_language_the_one_that_varies_is_it() -> None:
    files = fill("{age}-en-route-{phase}-{lang}.mp3", ["a", "b"], ["2-5", "6-12"], ["en", "es"])
    project = project_of(propose(list(files)))
    captured = {match.captures["lang"] for path in files if isinstance(match := Matcher(project).match(path), Match)}
    assert captured == {"en-US", "es-ES"}


@pytest.mark.parametrize(
    "layout", ["age{age}/{lang}/{phase}.wav", "{phase}_{lang}_Age-{age}.wav", "ages {age}/{phase}-{lang}.wav"]
)
def test_the_word_age_before_a_persona_is_no_part_of_it(layout: str) -> None:
    files = list(fill(layout, ["welcome", "main"], ["2-5", "6-12"], ["en", "fr"]))
    assert propose(files).patterns == (layout,)


def test_languages_may_be_written_out() -> None:
    files = fill("{age}-{lang}-{phase}.mp3", ["welcome", "main"], ["2-5", "6-12"], ["English", "Spanish", "French"])
    project = project_of(propose(list(files)))
    assert project.values["lang"] == {"English": "en-US", "Spanish": "es-ES", "French": "fr-FR"}


def test_each_folder_that_says_a_type_has_a_rule_of_its_own() -> None:
    files: list[str] = []
    for layout in ("fx/{age}-{phase}-{lang}.png", "Overlays/{age}-{phase}-{lang}.png", "animation/{lang}/{age}.json"):
        files += fill(layout, ["welcome", "main"], ["2-5", "6-12"], ["en", "fr"])
    project = project_of(propose(files))
    assert {(rule.match.partition("/")[0], rule.type) for rule in project.rules} == {
        ("fx", "fx"),
        ("Overlays", "overlay"),
        ("animation", "animation"),
    }


def test_a_folder_that_may_be_a_lesson_is_pointed_out() -> None:
    files = fill("day/{phase}/{age}-intro-{lang}.mp3", ["23", "24"], ["2-5", "6-12"], ["en", "fr"])
    assert "if each {part1} is a lesson of its own" in propose(list(files)).toml
    assert "a lesson of its own" not in propose(["2-5-a-en.mp3"]).toml


def test_the_date_of_a_folder_is_that_of_its_manifests() -> None:
    for name, day in [("2026-12-24-water", "2026-12-24"), ("2026-13-45-water", TODAY.isoformat())]:
        toml = propose_project(["2-5-a-en.mp3"], folder_name=name, today=TODAY).toml
        assert f'id = "{day}-water-{{locale}}-{{agePersona}}"' in toml


def test_other_spellings_of_persona_and_language_are_mapped() -> None:
    files = fill("{phase}.{age}.{lang}.mp3", ["a", "b"], ["2_5", "6_12"], ["en_US", "fr_FR"])
    project = project_of(propose(list(files)))
    assert project.values["age"] == {"2_5": "2-5", "6_12": "6-12"}
    assert project.values["lang"] == {"en_US": "en-US", "fr_FR": "fr-FR"}


def test_languages_that_no_manifest_can_have_are_left_over() -> None:
    files = list(fill("{age}-{phase}-{lang}.mp3", ["a", "b"], ["2-5", "6-12"], ["en", "es"]))
    proposal = propose([*files, "2-5-a-de.mp3", "2-5-a-en-GB.mp3"])
    assert proposal.leftovers == ("2-5-a-de.mp3", "2-5-a-en-GB.mp3")


def test_a_persona_that_lacks_a_locale_is_no_complete_set() -> None:
    files = list(fill("{age}-{phase}-{lang}.mp3", ["a", "b"], ["2-5", "6-12"], ["en", "es"]))
    files = [file for file in files if not (file.startswith("6-12") and file.endswith("es.mp3"))]
    assert project_of(propose(files)).coverage == {}


def test_a_layout_without_persona_leaves_it_empty_to_complete() -> None:
    proposal = propose(["en/a.mp3", "en/b.mp3", "fr/a.mp3", "fr/b.mp3"])
    assert proposal.patterns == ("{lang}/{phase}.mp3",) and proposal.captures == ("locale",)
    assert project_of(proposal).source == {"phaseDNAId": "water-cycle", "locale": "{lang}", "agePersona": "2-5"}
    assert 'agePersona = ""  # complete: 2-5 | 6-12' in proposal.toml and proposal.missing == ("agePersona",)


def test_a_folder_without_such_names_gets_a_file_that_is_refused_until_it_is_completed() -> None:
    proposal = propose(["overlays/a.png", "fx/b.json", "audio/c.wav", "readme.txt"])
    project = project_of(proposal)
    assert project.rules == () and project.source["locale"] == "es-ES"
    assert proposal.missing == ("locale", "agePersona")
    with pytest.raises(ConfigError, match=r"`\[source\] locale, agePersona` are empty") as caught:
        project_from_document(tomllib.loads(proposal.toml), root=Path(), path=None)
    assert caught.value.hint.startswith('write locale = "en-US" or "es-ES" or "fr-FR", and agePersona = "2-5" or ')
    assert proposal.leftovers == ("readme.txt",)


def test_images_outside_the_known_folders_are_proposed_as_a_guess_to_check() -> None:
    proposal = propose(["stones/a.png", "stones/b.png", "fx/c.png", "d.wav"])
    assert proposal.patterns == ("/stones/*.png", "*")
    matcher = Matcher(project_of(proposal))
    assert [matcher.match(path).type for path in proposal.matched] == ["audio", "fx", "overlay", "overlay"]  # type: ignore[union-attr]
    assert "check this: a guess" in proposal.toml


@given(st.lists(st.text(min_size=1, max_size=20).filter(lambda name: "\0" not in name), max_size=6, unique=True))
@settings(max_examples=100, deadline=None)
def test_whatever_the_names_are_the_proposal_loads(names: list[str]) -> None:
    files = [name.strip("/") or "x" for name in names]
    for ignore_leftovers in (False, True):
        proposal = propose(files, ignore_leftovers=ignore_leftovers)
        project_of(proposal)
        assert sorted({*proposal.matched, *proposal.leftovers}) == sorted(set(files))


@pytest.mark.parametrize(
    ("folder", "slug"),
    [("Water Cycle!", "water-cycle"), ("2026-11-23-été", "ete"), ("水", "lesson"), ("x" * 200, "x" * 60)],
)
def test_the_slug_is_fit_for_a_manifest_id(folder: str, slug: str) -> None:
    assert slug_of(folder) == slug


def test_the_real_lesson_gives_six_manifests_and_six_leftovers() -> None:
    if not REAL.is_dir():
        pytest.skip("the real assets are not beside this checkout")
    files = [path.name for path in (REAL / "water-cycle").iterdir()]
    proposal = propose(files)
    assert proposal.patterns == ("{age}-{phase}-{lang}.mp3",)
    assert (len(proposal.matched), len(proposal.leftovers)) == (18, 6)


def test_the_real_game_folder_gets_a_file_that_loads() -> None:
    if not REAL.is_dir():
        pytest.skip("the real assets are not beside this checkout")
    files = [path.relative_to(REAL / "runner").as_posix() for path in (REAL / "runner").rglob("*") if path.is_file()]
    proposal = propose(files)
    assert proposal.leftovers == ()
    assert proposal.missing == ("locale", "agePersona")
    assert project_of(proposal).rules

"""A file's name says what it is: one reading, or a finding that shows why not."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reinmaker_cli.assets.patterns import PatternInvalid, compile_pattern
from reinmaker_cli.assets.project import Project, Rule
from reinmaker_cli.assets.rules import Match, Matcher, UnknownCapture, asset_id_for, expand
from reinmaker_cli.assets.splits import TooManySplits
from reinmaker_cli.assets.templates import TemplateInvalid, expand_urls, file_fields
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.contract.names import PERSONAS

AGES = {persona: persona for persona in PERSONAS}
LANGS = {"en": "en-US", "es": "es-ES", "fr": "fr-FR"}


def matcher(*rules: Rule | str, values: Mapping[str, Mapping[str, str]] | None = None) -> Matcher:
    given_rules = tuple(Rule(rule, "audio") if isinstance(rule, str) else rule for rule in rules)
    return Matcher(Project(Path("."), None, "id", "reinmaker", "s3://b/{path}", rules=given_rules, values=values or {}))


def matched(verdict: Match | Finding) -> Match:
    assert isinstance(verdict, Match), verdict
    return verdict


def finding(verdict: Match | Finding) -> Finding:
    assert isinstance(verdict, Finding), verdict
    return verdict


LESSON = matcher("{age}-{phase}-{lang}.mp3", values={"age": AGES, "lang": LANGS})


@pytest.mark.parametrize(
    ("name", "captures"),
    [
        ("2-5-welcome-en.mp3", ("2-5", "welcome", "en-US")),
        ("13-17-main-content-fr.mp3", ("13-17", "main-content", "fr-FR")),
        ("deep/er/61-102-en-es.mp3", ("61-102", "en", "es-ES")),
    ],
)
def test_a_persona_with_a_hyphen_is_told_from_the_phase_by_its_list(name: str, captures: tuple[str, str, str]) -> None:
    assert tuple(matched(LESSON.match(name)).captures.values()) == captures


def test_a_name_that_no_split_satisfies_is_unmatched_and_the_near_miss_is_shown() -> None:
    leftover = finding(LESSON.match("2-5-welcome.mp3"))
    assert leftover.code == codes.UNMATCHED_FILE and leftover.path == "2-5-welcome.mp3"
    german = finding(LESSON.match("2-5-welcome-de.mp3"))
    assert "is `de` a `lang`?" in german.hint


def test_a_name_with_two_readings_is_ambiguous_and_both_are_shown() -> None:
    ambiguous = finding(matcher("{age}-{phase}.mp3").match("2-5-welcome.mp3"))
    assert ambiguous.code == codes.AMBIGUOUS_MATCH
    assert "age=`2-5`, phase=`welcome`" in ambiguous.message and "age=`2`, phase=`5-welcome`" in ambiguous.message


def test_an_ambiguous_first_rule_is_no_case_for_the_second() -> None:
    rules = matcher("{a}-{b}.mp3", "*.mp3")
    assert finding(rules.match("x-y-z.mp3")).code == codes.AMBIGUOUS_MATCH
    assert matched(rules.match("x.mp3")).captures == {}


def test_the_first_rule_that_matches_decides() -> None:
    rules = matcher(Rule("special/*.mp3", "fx"), Rule("*.mp3", "audio"))
    assert matched(rules.match("special/a.mp3")).type == "fx"
    assert matched(rules.match("other/a.mp3")).type == "audio"


def test_with_rules_a_file_that_none_matches_is_an_error_even_in_a_folder_with_a_meaning() -> None:
    assert finding(matcher("*.wav").match("audio/a.mp3")).code == codes.UNMATCHED_FILE


@pytest.mark.parametrize(
    ("path", "asset_type", "needs_look"),
    [
        ("overlays/a.png", "overlay", False),
        ("fx/a.bin", "fx", False),
        ("lesson/audio/a.json", "audio", False),
        ("audio/fx/a.wav", "fx", False),
        ("a.MP3", "audio", False),
        ("a.m4a", "audio", False),
        ("a.glb", "animation", False),
        ("a.json", "animation", True),
        ("animation/a.json", "animation", False),
    ],
)
def test_without_rules_the_folder_decides_then_the_extension(path: str, asset_type: str, needs_look: bool) -> None:
    match = matched(matcher().match(path))
    assert (match.type, match.needs_look) == (asset_type, needs_look)


@pytest.mark.parametrize("path", ["a.png", "notes.txt", "README", "overlays"])
def test_without_rules_everything_else_is_unmatched(path: str) -> None:
    assert finding(matcher().match(path)).code == codes.UNMATCHED_FILE


def test_a_rule_without_a_type_leaves_it_to_folder_and_extension() -> None:
    rules = matcher(Rule("**/*"))
    assert matched(rules.match("fx/a.png")).type == "fx"
    assert matched(rules.match("x/a.json")).needs_look
    assert "gives no type" in finding(rules.match("x/a.png")).message


def test_id_and_metadata_of_a_rule_are_templates() -> None:
    metadata = {"phase": "{phase}", "deep": [{"stem": "{stem}"}], "n": 1, "brace": "{{x}}"}
    rules = matcher(Rule("{phase}-{lang}.mp3", "audio", "{phase}.{lang}", metadata), values={"lang": LANGS})
    match = matched(rules.match("x/main-fr.mp3"))
    assert match.asset_id == "main.fr-FR"
    assert match.metadata == {"phase": "main", "deep": [{"stem": "main-fr"}], "n": 1, "brace": "{x}"}


@pytest.mark.parametrize(
    ("path", "asset_id"),
    [
        ("audio/2-5 Welcome!.MP3", "audio-2-5-welcome-mp3"),
        ("Überraschung/Ça va.wav", "überraschung-ça-va-wav"),
        ("U\u0308ber.wav", "über-wav"),
        ("_--_x_.y-", "x-y"),
        ("水の循環/①.mp3", "水の循環-mp3"),
    ],
)
def test_asset_ids_are_made_of_letters_and_digits(path: str, asset_id: str) -> None:
    assert asset_id_for(path) == asset_id


def test_names_in_nfd_match_patterns_and_lists_in_nfc() -> None:
    rules = matcher("{who}-grüße.mp3", values={"who": {"zoë": "z"}})
    assert matched(rules.match("zoe\u0308-gru\u0308ße.mp3")).captures == {"who": "z"}


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.mp3", ["a.mp3", "x/y/a.mp3", ".mp3"], ["a.mp3/b", "a.wav"]),
        ("/*.mp3", ["a.mp3"], ["x/a.mp3"]),
        ("x/*.mp3", ["x/a.mp3"], ["a.mp3", "y/x/a.mp3", "x/y/a.mp3"]),
        ("**/x/*.mp3", ["x/a.mp3", "y/x/a.mp3", "y/z/x/a.mp3"], ["x/y/a.mp3", "xx/a.mp3"]),
        ("x/**", ["x/a", "x/y/a"], ["x", "y/x/a"]),
        ("x/**/a", ["x/a", "x/y/a", "x/y/z/a"], ["xa", "x/ya"]),
        ("a?c", ["abc", "x/a-c"], ["ac", "a/c", "abbc"]),
        ("a**c", ["ac", "abbc"], ["ab/bc"]),
        ("[ab].mp3", ["[ab].mp3"], ["a.mp3"]),
        ("{{x}}.mp3", ["{x}.mp3"], ["x.mp3"]),
        ("{n}/{n}-{m}.mp3", ["a/a-b.mp3", "a-b/a-b-c.mp3"], ["a/b-c.mp3"]),
    ],
)
def test_patterns_mean_what_gitignore_means(pattern: str, yes: list[str], no: list[str]) -> None:
    compiled = compile_pattern(pattern, {})
    assert [path for path in yes if not compiled.readings(path)] == []
    assert [path for path in no if compiled.readings(path)] == []


@pytest.mark.parametrize(
    "pattern", ["", "a//b", "a/", "../x", "./x", "a\\b", "{", "}", "{a", "{a b}", "{1}", "{path}", "x" * 1025]
)
def test_a_pattern_that_cannot_be_meant_is_refused(pattern: str) -> None:
    with pytest.raises(PatternInvalid) as caught:
        compile_pattern(pattern, {})
    assert caught.value.hint


PIECES = st.lists(
    st.sampled_from(["{a}", "{b}", "{c}", "*", "?", "-", "/", "x", "--", "**/", "/**"]), min_size=1, max_size=7
).map("".join)
PATHS = st.lists(st.text("x-y", min_size=1, max_size=6), min_size=1, max_size=3).map("/".join)


def every_reading(pattern: str, path: str, values: Mapping[str, Any]) -> set[tuple[tuple[str, str], ...]]:
    """Try all substrings as captures, and ask a regular expression without captures about each choice."""
    compiled = compile_pattern(pattern, values)
    substrings = {path[i:j] for i, j in itertools.combinations(range(len(path) + 1), 2) if "/" not in path[i:j]}
    text = path if "/" in pattern else path.rpartition("/")[2]
    found = set()
    for texts in itertools.product(sorted(substrings), repeat=len(compiled.captures)):
        chosen = dict(zip(compiled.captures, texts, strict=True))
        allowed = all(text in values.get(name, (text,)) for name, text in chosen.items())
        if allowed and re.fullmatch(plain_regex(pattern, chosen), text):
            found.add(tuple(sorted(chosen.items())))
    return found


def plain_regex(pattern: str, chosen: Mapping[str, str]) -> str:
    parts = pattern.removeprefix("/").split("/")
    written = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**" and "/" in pattern:
            written += ".+" if last else "(?:[^/]+/)*"
        else:
            written += "".join(regex_pieces(part, chosen)) + ("" if last else "/")
    return written


def regex_pieces(part: str, chosen: Mapping[str, str]) -> Iterator[str]:
    for piece in re.findall(r"\{[a-c]\}|\*+|.", part):
        if piece[0] == "{":
            yield re.escape(chosen[piece[1]])
        else:
            yield {"*": "[^/]*", "?": "[^/]"}.get(piece[0], re.escape(piece))


@given(PIECES, PATHS, st.sampled_from([{}, {"a": ("x", "x-", "-")}, {"b": ("xx", "y-x"), "c": ("x", "y")}]))
@settings(max_examples=400, deadline=None)
def test_readings_are_those_that_brute_force_finds(pattern: str, path: str, values: Mapping[str, Any]) -> None:
    try:
        compiled = compile_pattern(pattern, values)
    except PatternInvalid:
        return
    expected = every_reading(pattern, path, values)
    readings = {tuple(sorted(reading.items())) for reading in compiled.readings(path)}
    assert len(readings) == min(len(expected), 3)
    assert readings <= expected


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{a}-{b}-{c}-{d}-{e}-{f}.mp3", "-" * 250 + ".mp4"),
        ("{a}{b}{c}{d}{e}{f}.mp3", "a" * 250 + ".mp4"),
        ("*a*a*a*a*a*a*a*a*a*b", "a" * 250),
        ("**/a/**/a/**/a/**/a/**/b", "a/" * 1000 + "c"),
        ("{a}-{b}-{c}-{a}-{b}-{c}.mp3", "ab-" * 80 + "x.mp3"),
        ("{a}-{b}-{a}-{b}-{a}-{b}.mp3", "-" * 250 + ".mp3"),
    ],
)
def test_hostile_names_and_patterns_end_soon(pattern: str, name: str) -> None:
    compiled = compile_pattern(pattern, {})
    start = time.process_time()
    with contextlib.suppress(TooManySplits):
        compiled.readings(name)
    assert time.process_time() - start < 20  # a tenth of a second; without a bound, longer than anyone waits


def test_what_cannot_be_counted_is_called_ambiguous() -> None:
    rules = matcher("{a}{b}{c}{d}{a}{b}{c}{d}.mp3")
    assert finding(rules.match("ab" * 60 + "x.mp3")).code == codes.AMBIGUOUS_MATCH


def test_a_name_that_gives_no_id_is_a_finding() -> None:
    found = finding(matcher("*").match("🎵"))
    assert (found.code, "`id`" in found.hint) == (codes.UNMATCHED_FILE, True)


def test_templates_expand_plainly_and_for_urls() -> None:
    fields = file_fields("ton/höre mal.tar.gz") | {"sha256": "0123456789abcdef" * 4, "lang": "fr-FR"}
    assert expand("{dir}{stem}|{ext}|{sha256:8}|{lang}|{{x}}", fields) == "ton/höre mal.tar|.gz|01234567|fr-FR|{x}"
    urls = expand_urls(
        "s3://b%/{lang}/{path}?{ext}{sha256:2}", {"lang": "é%s"}, ["ton/höre mal.gz", "b"], ["01" * 32] * 2
    )
    assert urls == ["s3://b%/%C3%A9%25s/ton/h%C3%B6re%20mal.gz?.gz01", "s3://b%/%C3%A9%25s/b?01"]
    assert expand_urls("s3://b%/{{lang}}", {}, ["a", "b"], ["", ""]) == ["s3://b%/{lang}"] * 2
    with pytest.raises(UnknownCapture) as caught:
        expand("{phase}", fields)
    assert caught.value.name == "phase"
    for wrong in ("{", "}", "{a b}", "{lang:3}", "{sha256:0}", "{sha256:65}", "{sha256:x}", "{}"):
        with pytest.raises(TemplateInvalid):
            expand(wrong, fields)


def test_the_lesson_among_the_real_assets_is_read_as_its_readme_says() -> None:
    folder = Path(__file__).parents[2] / ".." / "shared" / "real-assets" / "water-cycle"
    if not folder.is_dir():
        pytest.skip("the real assets are not beside this checkout")
    verdicts = [LESSON.match(path.name) for path in sorted(folder.iterdir())]
    assert sum(isinstance(verdict, Match) for verdict in verdicts) == 18
    assert {one.code for one in verdicts if isinstance(one, Finding)} == {codes.UNMATCHED_FILE}

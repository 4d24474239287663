"""A folder of lessons: what is wrong with one of them, and what only shows where several are looked at together."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.cli.folders import make_project


def make_lesson(folder: Path, name: str, *, url: str = "") -> Path:
    """Write a lesson of two manifests, `NAME-en-US` and `NAME-fr-FR`."""
    make_project(folder)
    file = folder / "reinmaker.toml"
    toml = (
        file.read_text()
        .replace('id = "tiny-', f'id = "{name}-')
        .replace('phaseDNAId = "tiny"', f'phaseDNAId = "{name}"')
    )
    file.write_text(toml.replace("s3://bucket/tiny/{dir}{stem}.{sha256:8}{ext}", url) if url else toml)
    return folder


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    for name in ("one", "two", "three"):
        make_lesson(tmp_path / "catalogue" / name, name)
    return tmp_path / "catalogue"


def outcomes(document: dict[str, object]) -> dict[str, str]:
    results = document["results"]
    assert isinstance(results, list)
    return {result["manifestId"]: result["outcome"] for result in results}


def test_a_broken_lesson_among_good_ones_stops_all_of_them(reinmaker: Command, catalogue: Path) -> None:
    (catalogue / "two" / "stray.txt").write_text("x")
    ended = reinmaker("rehearse", catalogue, "--json")
    assert ended.code == 3
    assert [(one["code"], one["path"]) for one in ended.document["findings"]] == [
        ("unmatched-file", f"{catalogue.as_posix()}/two/stray.txt")
    ]
    assert set(outcomes(ended.document).values()) == {"skipped", "invalid"}


def test_with_keep_going_the_good_lessons_go_and_the_broken_one_stays(reinmaker: Command, catalogue: Path) -> None:
    (catalogue / "two" / "stray.txt").write_text("x")
    ended = reinmaker("rehearse", catalogue, "--keep-going", "--json")
    assert ended.code == 10
    assert outcomes(ended.document) == {
        **{f"{name}-{locale}": "active" for name in ("one", "three") for locale in ("en-US", "fr-FR")},
        **{f"two-{locale}": "invalid" for locale in ("en-US", "fr-FR")},
    }


@pytest.mark.parametrize(
    ("broken", "code"),
    [("[manifest\n", "config-invalid"), ("[manifest]\nidd = 1\n", "config-invalid"), (None, "folder-empty")],
)
def test_a_lesson_that_cannot_be_looked_at_hides_nothing_of_the_others(
    reinmaker: Command, catalogue: Path, broken: str | None, code: str
) -> None:
    if broken is None:
        for file in (catalogue / "one").glob("*.wav"):
            file.unlink()
    else:
        (catalogue / "one" / "reinmaker.toml").write_text(broken)
    (catalogue / "two" / "stray.txt").write_text("x")
    ended = reinmaker("check", catalogue, "--json")
    assert ended.code == 3
    assert {one["code"] for one in ended.document["findings"]} == {code, "unmatched-file"}
    going = reinmaker("rehearse", catalogue, "--keep-going", "--json")
    assert going.code == 10
    assert {name for name, outcome in outcomes(going.document).items() if outcome == "active"} == {
        "three-en-US",
        "three-fr-FR",
    }


def test_a_lesson_that_gives_no_manifest_is_no_success_although_all_others_go(
    reinmaker: Command, catalogue: Path
) -> None:
    for file in (catalogue / "one").glob("*.wav"):
        file.unlink()
    ended = reinmaker("rehearse", catalogue, "--keep-going", "--json")
    assert (ended.code, set(outcomes(ended.document).values())) == (10, {"active"})
    assert ended.document["error"]["code"] == "partly-done"


def test_an_id_that_two_lessons_share_is_a_finding_that_names_both(reinmaker: Command, catalogue: Path) -> None:
    make_lesson(catalogue / "four", "one")
    ended = reinmaker("publish", catalogue, "--json")
    assert ended.code == 3
    assert {(one["code"], one["manifestId"]) for one in ended.document["findings"]} == {
        ("manifest-id", "one-en-US"),
        ("manifest-id", "one-fr-FR"),
    }
    assert "catalogue/four" in ended.err and "catalogue/one" in ended.err


def test_one_url_with_other_bytes_in_two_lessons_is_found_before_anything_is_sent(
    reinmaker: Command, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        make_lesson(tmp_path / "catalogue" / name, name, url="s3://bucket/shared/{path}")
    same = reinmaker("rehearse", tmp_path / "catalogue", "--json")
    assert (same.code, set(outcomes(same.document).values())) == (0, {"active"})
    file = tmp_path / "catalogue" / "two" / "hello-en.wav"
    file.write_bytes(file.read_bytes() + b"\0")
    ended = reinmaker("rehearse", tmp_path / "catalogue", "--json")
    assert ended.code == 3
    (finding,) = ended.document["findings"]
    assert (finding["code"], finding["manifestId"]) == ("asset-immutable", "two-en-US")
    assert "one-en-US" in finding["message"] and finding["path"].endswith("two/hello-en.wav")


def test_a_lesson_that_is_reached_by_two_names_is_taken_once(reinmaker: Command, catalogue: Path) -> None:
    (catalogue / "again").symlink_to(catalogue / "one", target_is_directory=True)
    ended = reinmaker("build", catalogue, catalogue / "one", catalogue / "again", "--json")
    assert ended.code == 0
    assert len(ended.document["results"]) == 6
    assert ended.document["stats"]["files"] == 3 * 4


def test_a_project_file_that_is_a_link_to_elsewhere_describes_its_own_folder(
    reinmaker: Command, catalogue: Path, tmp_path: Path
) -> None:
    elsewhere = (catalogue / "one" / "reinmaker.toml").rename(tmp_path / "shared.toml")
    (catalogue / "one" / "reinmaker.toml").symlink_to(elsewhere)
    ended = reinmaker("build", catalogue, "--json")
    assert (ended.code, len(ended.document["results"])) == (0, 6)


def test_a_gap_in_one_lesson_stops_that_lesson_alone(reinmaker: Command, catalogue: Path) -> None:
    with (catalogue / "two" / "reinmaker.toml").open("a") as file:
        file.write('\n[coverage]\nlocale = ["en-US", "es-ES", "fr-FR"]\n')
    ended = reinmaker("rehearse", catalogue, "--keep-going", "--json")
    assert ended.code == 10
    assert [one["code"] for one in ended.document["findings"]] == ["coverage-gap"]
    assert {name for name, outcome in outcomes(ended.document).items() if outcome == "invalid"} == {
        "two-en-US",
        "two-fr-FR",
    }
    allowed = reinmaker("rehearse", catalogue, "--allow", "coverage-gap", "--json")
    assert (allowed.code, set(outcomes(allowed.document).values())) == (0, {"active"})

"""The offline verbs on small real folders: init, scan, build, check, diff, verify."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.cli.folders import make_project, wav
from tests.lessons import REAL_ASSETS, lfs_pointer, needs_real_assets

FLAGS = ("--id", "loose", "--product", "reinmaker", "--phase-dna", "loose", "--locale", "en-US")
FLAGS = (*FLAGS, "--persona", "2-5", "--base-url", "s3://bucket/loose/")


# --- scan ------------------------------------------------------------------------------------------------------------


def test_scan_lists_type_size_hash_and_path(reinmaker: Command, work: Path) -> None:
    make_project(work)
    ended = reinmaker("scan")
    assert ended.code == 0
    assert [line.split()[0] for line in ended.out.splitlines()] == ["audio"] * 4
    assert "4 assets" in ended.err


def test_scan_as_json_has_the_exact_sizes(reinmaker: Command, work: Path) -> None:
    make_project(work)
    document = reinmaker("scan", "--json").document
    assert document["assets"][0]["bytes"] == len(wav())
    assert "folder" not in document["assets"][0]
    assert document["stats"]["files"] == 4


def test_scan_of_several_folders_is_one_list_that_names_them(reinmaker: Command, work: Path) -> None:
    for name in ("one", "two"):
        make_project(work / name)
    document = reinmaker("scan", "one", "two", "--ignored", "--json").document
    assert [(row["folder"], row["path"]) for row in document["assets"]] == [
        (folder, path) for folder in ("one", "two") for path in sorted(file.name for file in work.glob("one/*.wav"))
    ]
    assert [(row["folder"], row["path"]) for row in document["ignored"]] == [
        ("one", "reinmaker.toml"),
        ("two", "reinmaker.toml"),
    ]
    assert (document["folders"], document["ignoredCount"]) == (["one", "two"], 2)


def test_scan_needs_no_project(reinmaker: Command, work: Path) -> None:
    (work / "a.wav").write_bytes(wav())
    assert reinmaker("scan", "--quiet").out == "a-wav\n"


def test_scan_lists_what_it_passed_over(reinmaker: Command, work: Path) -> None:
    make_project(work)
    (work / ".hidden").write_text("x")
    assert "(`--ignored` lists them)" in reinmaker("scan").err
    assert ".hidden" in reinmaker("scan", "--ignored").out
    ignored = reinmaker("scan", "--ignored", "--json").document["ignored"]
    assert {row["path"] for row in ignored} == {".hidden", "reinmaker.toml"}


def test_scan_goes_up_to_the_project(reinmaker: Command, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(work)
    (work / "below").mkdir()
    monkeypatch.chdir(work / "below")
    assert len(reinmaker("scan", "--quiet").out.splitlines()) == 4


# --- build -----------------------------------------------------------------------------------------------------------


def test_build_writes_one_file_per_manifest(reinmaker: Command, work: Path) -> None:
    make_project(work)
    document = reinmaker("build", "-o", "../out/", "--json").document
    assert [row["manifestId"] for row in document["results"]] == ["tiny-en-US", "tiny-fr-FR"]
    for row in document["results"]:
        assert json.loads(Path(row["file"]).read_text())["manifestId"] == row["manifestId"]


def test_build_is_the_same_bytes_every_time(reinmaker: Command, work: Path) -> None:
    make_project(work)
    first = reinmaker("build", "-o", "-").out
    assert first == reinmaker("build", "-o", "-", "--jobs", "1").out
    assert '"tiny-en-US"' in first


def test_build_of_one_manifest_takes_a_file(reinmaker: Command, work: Path) -> None:
    make_project(work)
    assert reinmaker("build", "--only", "locale=fr-FR", "-o", "../fr.json").code == 0
    assert json.loads((work.parent / "fr.json").read_text())["source"]["locale"] == "fr-FR"


def test_build_takes_the_longest_name_that_the_system_takes(reinmaker: Command, work: Path) -> None:
    make_project(work)
    name = "水" * 83 + ".json"  # 254 bytes
    assert reinmaker("build", "--only", "locale=en-US", "-o", name).code == 0
    assert (work / name).is_file()


def test_build_into_the_project_leaves_the_next_scan_alone(reinmaker: Command, work: Path) -> None:
    make_project(work)
    assert reinmaker("build", "-o", "manifests/").code == 0
    assert reinmaker("check").code == 0


def test_build_writes_nothing_while_a_finding_stops_it(reinmaker: Command, work: Path) -> None:
    make_project(work)
    (work / "bye-fr.wav").write_bytes(b"")
    ended = reinmaker("build", "-o", "../out/")
    assert ended.code == 3
    assert not (work.parent / "out").exists()


def test_copy_plan_is_a_line_per_asset(reinmaker: Command, work: Path) -> None:
    make_project(work)
    lines = reinmaker("build", "--copy-plan", "-").out.splitlines()
    assert len(lines) == 4
    for line in lines:
        local, url = line.split("\t")
        assert Path(local).is_file()
        assert url.startswith("s3://bucket/tiny/")


def test_a_folder_without_project_works_with_flags(reinmaker: Command, work: Path) -> None:
    (work / "a.wav").write_bytes(wav())
    document = reinmaker("build", *FLAGS, "--json").document
    assert document["results"][0]["manifestId"] == "loose"


def test_flags_and_project_together_are_refused(reinmaker: Command, work: Path) -> None:
    make_project(work)
    assert reinmaker("build", "--id", "other").code == 2


def test_url_follows_the_environment(reinmaker: Command, work: Path) -> None:
    make_project(work)
    toml = (work / "reinmaker.toml").read_text()
    (work / "reinmaker.toml").write_text(
        toml.replace("[source]", '[manifest.url_for]\nstaging = "s3://staging/{path}.{sha256:8}"\n\n[source]')
    )
    assert "s3://bucket/" in reinmaker("build", "-o", "-").out
    assert "s3://staging/" in reinmaker("build", "-o", "-", "--env", "staging").out


# --- several folders -------------------------------------------------------------------------------------------------


def test_a_folder_of_projects_is_a_catalogue(reinmaker: Command, work: Path) -> None:
    for name in ("one", "two"):
        make_project(work / name)
        toml = work / name / "reinmaker.toml"
        toml.write_text(toml.read_text().replace("tiny-{locale}", f"{name}-{{locale}}"))
    (work / "two" / "hello-en.wav").write_bytes(b"")
    ended = reinmaker("check", "--json")
    assert ended.code == 3
    assert [row["path"] for row in ended.document["findings"]] == ["two/hello-en.wav"]
    assert len(ended.document["results"]) == 4


def test_two_folders_must_not_make_one_manifest(reinmaker: Command, work: Path) -> None:
    make_project(work / "one")
    make_project(work / "two")
    ended = reinmaker("check", "--json")
    assert ended.code == 3
    assert {row["code"] for row in ended.document["findings"]} == {"manifest-id"}


def test_a_folder_beside_the_project_is_not_inside_it(
    reinmaker: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(work / "lesson")
    (work / "manifests").mkdir()
    (work / "lesson" / "audio").mkdir()
    monkeypatch.chdir(work / "lesson")
    assert reinmaker("check", "../manifests", "--json").document["error"]["code"] == "config-missing"
    assert reinmaker("check", "../lesson").code == 0
    assert reinmaker("check", "audio/..").code == 0
    assert reinmaker("check", "../lesson/audio", "--json").document["error"]["code"] == "inside-project"


# --- check -----------------------------------------------------------------------------------------------------------


def test_check_shows_everything_at_once(reinmaker: Command, work: Path) -> None:
    make_project(work)
    (work / "hello-en.wav").write_bytes(b"")
    (work / "bye-en.wav").write_bytes(lfs_pointer(12345))
    (work / "leftover.xyz").write_bytes(b"?")
    codes = {row["code"] for row in reinmaker("check", "--json").document["findings"]}
    assert codes >= {"empty-file", "lfs-pointer", "unmatched-file"}


def test_allow_makes_a_warning_of_a_finding(reinmaker: Command, work: Path) -> None:
    make_project(work)
    (work / "leftover.xyz").write_bytes(b"?")
    assert reinmaker("check").code == 3
    ended = reinmaker("check", "--allow", "unmatched-file")
    assert ended.code == 0
    assert "warning[unmatched-file]" in ended.err


def test_check_takes_manifest_files(reinmaker: Command, work: Path) -> None:
    make_project(work)
    reinmaker("build", "-o", "../out/")
    files = sorted((work.parent / "out").iterdir())
    assert reinmaker("check", *files).code == 0
    broken = json.loads(files[0].read_text())
    broken["assets"][0]["hash"] = "short"
    files[0].write_text(json.dumps(broken))
    ended = reinmaker("check", *files, "--json")
    assert ended.code == 3
    assert ended.document["findings"][0]["pointer"] == "/assets/0/hash"
    assert ended.document["findings"][0]["path"] == str(files[0])


@needs_real_assets
def test_check_names_every_lfs_pointer_of_the_runner(reinmaker: Command) -> None:
    ended = reinmaker("check", REAL_ASSETS / "runner", *FLAGS)
    assert ended.code == 3
    assert ended.err.count("error[lfs-pointer]") == 15
    assert "lfs pull --include=" in ended.err


def test_the_pull_command_works_where_it_is_typed(
    reinmaker: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(work / "my lessons" / "water")
    for name in ("hello-en.wav", "bye-en.wav"):
        (work / "my lessons" / "water" / name).write_bytes(lfs_pointer(12345))
    place = "-C 'my lessons/water'"
    ended = reinmaker("check", "my lessons/water")
    assert f'hint: `git {place} lfs pull --include="bye-en.wav,hello-en.wav"`' in ended.err
    assert ended.err.count("a" * 64) == 2
    # Git LFS reads --include from the top of the repository.
    (work / ".git").mkdir()
    names = "my lessons/water/bye-en.wav,my lessons/water/hello-en.wav"
    assert f'`git {place} lfs pull --include="{names}"`' in reinmaker("check", "my lessons/water").err
    monkeypatch.chdir(work / "my lessons" / "water")
    assert f'`git lfs pull --include="{names}"`' in reinmaker("check").err


# --- init ------------------------------------------------------------------------------------------------------------


@needs_real_assets
def test_init_then_check_on_a_real_lesson(reinmaker: Command, work: Path) -> None:
    shutil.copytree(REAL_ASSETS / "water-cycle", work / "water-cycle")
    ended = reinmaker("init", "water-cycle", "--json")
    assert len(ended.document["leftovers"]) == 6
    ended = reinmaker("check", "water-cycle", "--json")
    assert ended.code == 3
    assert len(ended.document["findings"]) == 6
    assert reinmaker("init", "water-cycle", "--force", "--ignore-leftovers").code == 0
    document = reinmaker("check", "water-cycle", "--json").document
    assert [row["assets"]["count"] for row in document["results"]] == [3] * 6


def test_init_force_keeps_what_somebody_wrote(reinmaker: Command, work: Path) -> None:
    (work / "2-5-welcome-en.wav").write_bytes(wav())
    (work / "reinmaker.toml").write_text("# three hours of work\n")
    forced = reinmaker("init", "--force")
    assert (forced.code, "kept what was there: .reinmaker.toml.old" in forced.err) == (0, True)
    assert (work / ".reinmaker.toml.old").read_text() == "# three hours of work\n"
    assert "kept" not in reinmaker("init", "--force").err, "nothing was lost the second time"
    assert (work / ".reinmaker.toml.old").read_text() == "# three hours of work\n"
    assert len(reinmaker("scan", "--json").document["assets"]) == 1


def test_init_force_replaces_nothing_that_it_cannot_keep(reinmaker: Command, work: Path) -> None:
    (work / "2-5-welcome-en.wav").write_bytes(wav())
    (work / "reinmaker.toml").write_text("# three hours of work\n")
    (work / ".reinmaker.toml.old").mkdir()
    assert reinmaker("init", "--force", "--json").document["error"]["code"] == "output-failed"
    assert (work / "reinmaker.toml").read_text() == "# three hours of work\n"


def test_init_dry_run_writes_nothing(reinmaker: Command, work: Path) -> None:
    (work / "hello-en.wav").write_bytes(wav())
    ended = reinmaker("init", "--dry-run")
    assert "[manifest]" in ended.out
    assert not (work / "reinmaker.toml").exists()


def test_what_the_names_do_not_say_is_to_be_completed_before_anything_is_built(reinmaker: Command, work: Path) -> None:
    (work / "bienvenida.wav").write_bytes(wav())
    ended = reinmaker("init")
    assert "complete [source] locale and agePersona" in ended.err
    assert 'check [manifest] product = "reinmaker"' in ended.err
    ended = reinmaker("check")
    assert ended.code == 2
    assert "reinmaker.toml: `[source] locale, agePersona` are empty" in ended.err
    assert 'write locale = "en-US" or "es-ES" or "fr-FR"' in ended.err


def test_init_inside_a_project_is_refused_for_the_project_would_lose_the_files(
    reinmaker: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(work / "lesson")
    (work / "lesson" / "audio").mkdir()
    (work / "lesson" / "audio" / "more.wav").write_bytes(wav())
    error = reinmaker("init", "lesson/audio", "--json").document["error"]
    assert error["code"] == "inside-project" and str(work / "lesson") in error["message"]
    monkeypatch.chdir(work / "lesson" / "audio")
    assert reinmaker("init", "--json").document["error"]["code"] == "inside-project"
    assert not (work / "lesson" / "audio" / "reinmaker.toml").exists()
    assert reinmaker("init", "--force").code == 0


def test_a_project_names_the_projects_inside_that_are_not_scanned(reinmaker: Command, work: Path) -> None:
    make_project(work)
    make_project(work / "audio")
    for verb in ("scan", "check"):
        assert "not scanned: `audio/` is a project of its own" in reinmaker(verb).err
    ignored = reinmaker("scan", "--ignored", "--json").document["ignored"]
    assert {"path": "audio/", "reason": "a project of its own, with a reinmaker.toml"} in ignored
    for file in work.glob("*.wav"):
        file.unlink()
    error = reinmaker("check", "--json").document["error"]
    assert error["code"] == "folder-empty" and "`audio/`" in error["hint"]


def test_init_of_an_empty_folder_is_refused(reinmaker: Command) -> None:
    assert reinmaker("init", "--json").document["error"]["code"] == "folder-empty"


# --- diff ------------------------------------------------------------------------------------------------------------


def test_diff_against_files_names_what_changed(reinmaker: Command, work: Path) -> None:
    make_project(work)
    reinmaker("build", "-o", "../out/")
    assert reinmaker("diff", "--against", "../out").code == 0
    (work / "hello-en.wav").write_bytes(wav(level=9))
    (work / "new-fr.wav").write_bytes(wav(level=10))
    ended = reinmaker("diff", "--against", "../out", "--json")
    assert ended.code == 9
    english, french = ended.document["results"]
    assert [one["id"] for one in english["changed"]] == ["hello-en-wav"]
    assert [one["id"] for one in french["added"]] == ["new-fr-wav"]
    shown = reinmaker("diff", "--against", "../out").out
    assert "~ hello-en-wav: url, hash" in shown
    assert "+ new-fr-wav" in shown


def test_diff_against_nothing_that_fits_is_refused(reinmaker: Command, work: Path) -> None:
    make_project(work)
    (work.parent / "empty").mkdir()
    assert reinmaker("diff", "--against", "../empty").code == 2


# --- verify ----------------------------------------------------------------------------------------------------------


def test_verify_finds_changed_missing_and_added(reinmaker: Command, work: Path) -> None:
    make_project(work)
    reinmaker("build", "-o", "../out/")
    assert reinmaker("verify", "../out").code == 0
    (work / "hello-en.wav").write_bytes(wav(level=9))
    (work / "bye-en.wav").unlink()
    (work / "more-en.wav").write_bytes(wav(level=11))
    ended = reinmaker("verify", "../out/tiny-en-US.json", "--root", work, "--json")
    assert ended.code == 9
    assert ended.document["error"]["code"] == "content-differs"
    assert len(ended.document["findings"]) == 3
    assert {row["code"] for row in ended.document["findings"]} == {"drift"}


def test_verify_in_a_wrong_folder_says_just_that(reinmaker: Command, work: Path) -> None:
    make_project(work / "lesson")
    (work / "elsewhere").mkdir()
    (work / "elsewhere" / "other.wav").write_bytes(wav())
    assert reinmaker("rehearse", "lesson", "--receipt", "receipts/").code == 0
    assert reinmaker("verify", "receipts", "--root", "lesson").code == 0
    receipt = sorted(Path("receipts").iterdir())[0]
    ended = reinmaker("verify", receipt, "--root", "elsewhere", "--json")
    assert (ended.code, ended.document["findings"]) == (9, [])
    assert ended.document["error"]["message"] == f"none of the 2 files of `{receipt}` is in `elsewhere`"
    hint = f"name their folder: `reinmaker verify {receipt} --json --root DIR`"
    assert ended.document["error"]["hint"] == hint


def test_verify_refuses_what_is_neither(reinmaker: Command, work: Path) -> None:
    make_project(work)
    (work.parent / "x.json").write_text("{}")
    assert reinmaker("verify", "../x.json", "--json").document["error"]["code"] == "receipt-invalid"


# --- the rest --------------------------------------------------------------------------------------------------------


def test_explain_knows_every_code(reinmaker: Command) -> None:
    from reinmaker_cli.contract import codes

    assert len(reinmaker("explain", "--json").document["codes"]) == len(codes.ALL)
    assert "git lfs pull" in reinmaker("explain", "lfs-pointer").out
    assert "did you mean `reinmaker explain lfs-pointer`?" in reinmaker("explain", "lsf-pointer").err


def test_spec_prints_documents_that_parse(reinmaker: Command, work: Path) -> None:
    assert json.loads(reinmaker("spec", "schema").out)["$id"].endswith("content-manifest.json")
    assert "\nopenapi: 3.1" in reinmaker("spec", "openapi").out
    assert "\n  /_local/clock:" in reinmaker("spec", "openapi", "--control").out
    assert (
        json.loads(reinmaker("spec", "schema", "publish").out)["properties"]["schema"]["const"] == "reinmaker.publish/1"
    )
    assert len(json.loads(reinmaker("spec", "postman").out)["item"]) >= 5
    assert reinmaker("spec", "schema", "nonsense").code == 2
    assert reinmaker("spec", "schema", "-o", "schema.json", "--json").document["file"] == "schema.json"
    assert json.loads((work / "schema.json").read_text())["required"]


def test_init_says_what_git_lfs_has_not_fetched(reinmaker: Command, work: Path) -> None:
    make_project(work / "lesson")
    (work / "lesson" / "reinmaker.toml").unlink()
    (work / "lesson" / "hello-en.wav").write_bytes(lfs_pointer(2048))
    ended = reinmaker("init", "lesson")
    assert (ended.code, "error[lfs-pointer]" in ended.err, "git -C lesson lfs pull" in ended.err) == (0, True, True)

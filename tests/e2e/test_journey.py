"""From a folder to `active`: the main job, with a server in a process of its own."""

import json
import re
from datetime import UTC, datetime

import pytest

from tests.lessons import REAL_ASSETS, change_one_byte, lesson, needs_real_assets


def copy_of_the_real_lesson(folder):
    folder.mkdir(parents=True)
    for file in (REAL_ASSETS / "water-cycle").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


@needs_real_assets
def test_the_real_lesson_goes_from_init_to_six_active_manifests(reinmaker, tmp_path):
    folder = copy_of_the_real_lesson(tmp_path / "water-cycle")

    begun = reinmaker("init", folder)
    assert begun.code == 0, begun.err
    assert all(
        f"{age}-{phase}.mp3" in begun.out + begun.err
        for age in ("2-5", "6-12")
        for phase in ("welcome", "wisdomMoment")
    )

    checked = reinmaker("check", folder, "--json")
    assert checked.code == 3
    unmatched = [finding["path"] for finding in checked.document["findings"] if finding["code"] == "unmatched-file"]
    assert unmatched == sorted(
        f"{age}-{phase}.mp3" for age in ("2-5", "6-12") for phase in ("welcome", "mainContent", "wisdomMoment")
    )

    again = reinmaker("init", folder, "--force", "--ignore-leftovers")
    assert again.code == 0, again.err
    rehearsed = reinmaker("rehearse", folder, "--json")
    assert (rehearsed.code, rehearsed.outcomes) == (0, ["active"] * 6), rehearsed.err
    assert [result["assets"]["count"] for result in rehearsed.document["results"]] == [3] * 6


@pytest.mark.parametrize(
    ("layout", "phases"),
    [
        ("{lang}/{age}/{phase}.mp3", ("welcome", "mainContent", "wisdomMoment")),
        ("{phase}_{lang}_{age}.wav", ("welcome", "mainContent", "wisdomMoment")),
        ("{age}-{phase}-{lang}.mp3", ("main-content", "wisdom-moment", "welcome")),
    ],
)
def test_other_layouts_need_no_more_than_init_and_rehearse(reinmaker, tmp_path, layout, phases):
    folder = lesson(tmp_path / "rainbow", layout, phases=phases)
    assert reinmaker("init", folder).code == 0
    rehearsed = reinmaker("rehearse", folder, "--json")
    assert (rehearsed.code, rehearsed.outcomes) == (0, ["active"] * 6), rehearsed.err + rehearsed.out
    assert [result["assets"]["count"] for result in rehearsed.document["results"]] == [3] * 6


@pytest.fixture
def published(reinmaker, serve, tmp_path):
    """A lesson of six manifests that is active at a running server; returns (folder, server)."""
    server = serve()
    folder = lesson(tmp_path / "water-cycle")
    assert reinmaker("init", folder).code == 0
    first = reinmaker("publish", folder, "--json")
    assert (first.code, first.outcomes) == (0, ["active"] * 6), first.err + first.out
    return folder, server


def posts(server_log):
    return [line for line in server_log.splitlines() if "POST" in line and "/v1/content/manifests" in line]


def test_publishing_again_sends_nothing(reinmaker, published):
    folder, server = published
    again = reinmaker("publish", folder, "--json")
    assert (again.code, again.outcomes) == (0, ["unchanged"] * 6)
    assert len(posts(server.stop().err)) == 6


def test_one_changed_byte_gives_one_new_version_and_supersedes_the_old(reinmaker, published):
    folder, _ = published
    change_one_byte(folder / "2-5-welcome-en.mp3")
    before = datetime.now(UTC)
    second = reinmaker("publish", folder, "--json")
    assert second.code == 0, second.err
    assert sorted(second.outcomes) == ["active", *["unchanged"] * 5]
    (changed,) = (result for result in second.document["results"] if result["outcome"] == "active")
    days = {f"{one:%Y.%m.%d}" for one in (before, datetime.now(UTC))}  # two, where midnight lies between them
    assert changed["version"].removesuffix("-2") in days
    assert changed["assets"] == {
        "count": 3,
        "bytes": changed["assets"]["bytes"],
        "added": 0,
        "changed": 1,
        "removed": 0,
        "newBytes": changed["assets"]["newBytes"],
    }

    known = reinmaker("status", changed["manifestId"], "--json").document["results"][0]
    assert (known["status"], known["version"]) == ("active", changed["version"])
    old = reinmaker("list", "--json")
    assert old.code == 0


def with_setting(folder, pattern, replacement):
    toml = folder / "reinmaker.toml"
    text, changed = re.subn(pattern, replacement, toml.read_text(encoding="utf-8"), flags=re.M)
    assert changed, f"no {pattern} in reinmaker.toml"
    toml.write_text(text, encoding="utf-8")


def test_with_a_fixed_version_other_content_is_a_conflict_with_what_changed(reinmaker, serve, tmp_path):
    serve()
    folder = lesson(tmp_path / "water-cycle")
    reinmaker("init", folder)
    with_setting(folder, r"^(#\s*)?version = .*", 'version = "2026.11.23"')
    assert reinmaker("publish", folder).code == 0
    change_one_byte(folder / "2-5-welcome-en.mp3")
    second = reinmaker("publish", folder, "--json")
    assert (second.code, sorted(second.outcomes)) == (10, ["conflict", *["unchanged"] * 5])
    of_several = reinmaker("publish", folder)
    assert "en-US-2-5: error[version-conflict]" in of_several.err
    assert "as-new-version" in of_several.err or 'version = "auto"' in of_several.err
    talk = reinmaker("publish", folder, "--only", "locale=en-US", "--only", "agePersona=2-5")
    assert talk.code == 5
    assert "2-5-welcome-en-mp3" in talk.err + talk.out


def test_with_a_plain_path_url_a_changed_file_is_refused_before_anything_is_sent(reinmaker, serve, tmp_path):
    server = serve()
    folder = lesson(tmp_path / "water-cycle")
    reinmaker("init", folder)
    with_setting(folder, r"\{dir\}\{stem\}\.\{sha256:8\}\{ext\}", "{path}")
    assert reinmaker("publish", folder).code == 0
    change_one_byte(folder / "2-5-welcome-en.mp3")
    second = reinmaker("publish", folder)
    assert second.code in (3, 10)
    assert "asset-immutable" in second.err
    assert "{sha256:8}" in second.err
    assert len(posts(server.stop().err)) == 6


def test_the_same_folder_goes_to_the_buckets_of_each_environment(reinmaker, tmp_path):
    folder = lesson(tmp_path / "water-cycle")
    reinmaker("init", folder)
    buckets = {}
    for environment in ("production", "staging"):
        out = tmp_path / environment
        assert reinmaker("build", folder, "--env", environment, "-o", out).code == 0
        manifest = json.loads(sorted(out.glob("*.json"))[0].read_text())
        buckets[environment] = {asset["url"].split("/")[2] for asset in manifest["assets"]}
    assert buckets == {"production": {"lotd-reinmaker-assets"}, "staging": {"lotd-reinmaker-assets-staging"}}


def test_the_same_folder_is_published_to_two_environments_with_other_buckets(reinmaker, serve, tmp_path):
    serve()
    mirror = serve("--data", tmp_path / "mirror")
    folder = lesson(tmp_path / "water-cycle", ages=["2-5"], languages=["en"])
    reinmaker("init", folder)
    with_setting(folder, r"^staging = (.*)-staging(.*)$", r"mirror = \1-mirror\2")
    config = tmp_path / "config.toml"
    config.write_text(f'[env.mirror]\napi_url = "{mirror.url}"\n')
    client = json.loads((tmp_path / "mirror" / "client.json").read_text())
    variables = {"REINMAKER_CLIENT_ID": client["clientId"], "REINMAKER_CLIENT_SECRET": client["clientSecret"]}
    plan = {}
    for environment in ("local", "mirror"):
        words = (folder, "--env", environment, "--config", config)
        published = reinmaker("publish", *words, "--json", **variables)
        assert (published.code, published.outcomes) == (0, ["active"]), published.err
        compared = reinmaker("diff", *words, "--json", **variables)
        assert (compared.code, compared.document["results"][0]["same"]) == (0, True), compared.err
        plan[environment] = reinmaker("build", *words, "--copy-plan", "-").out
    assert (
        plan["local"].count("s3://lotd-reinmaker-assets/")
        == plan["mirror"].count("s3://lotd-reinmaker-assets-mirror/")
        == 3
    )


def test_bytes_that_changed_under_map_are_rejected_with_expected_and_found(reinmaker, serve, tmp_path):
    folder = lesson(tmp_path / "water-cycle", ages=["2-5"], languages=["en"])
    reinmaker("init", folder)
    with_setting(folder, r"\{dir\}\{stem\}\.\{sha256:8\}\{ext\}", "{path}")
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    for file in folder.glob("*.mp3"):
        (bucket / file.name).write_bytes(file.read_bytes())
    serve("--map", f"s3://lotd-reinmaker-assets/water-cycle/={bucket}")
    manifest = tmp_path / "m.json"
    assert reinmaker("build", folder, "-o", manifest).code == 0
    change_one_byte(bucket / "2-5-welcome-en.mp3")

    rejected = reinmaker("publish", manifest, "--json")
    assert (rejected.code, rejected.outcomes) == (6, ["rejected"]), rejected.err
    (finding,) = rejected.document["results"][0]["findings"]
    import hashlib

    assert finding["code"] == "asset-hash"
    assert finding["assetId"] == "2-5-welcome-en-mp3"
    assert finding["found"] == hashlib.sha256((bucket / "2-5-welcome-en.mp3").read_bytes()).hexdigest()
    assert finding["expected"] == hashlib.sha256((folder / "2-5-welcome-en.mp3").read_bytes()).hexdigest()


def test_a_dry_run_asks_nothing_and_says_what_it_would_publish(reinmaker, published):
    folder, server = published
    (folder / "2-5-welcome-en.mp3").unlink()
    refused = reinmaker("publish", folder, "--json")
    assert (refused.code, refused.document["error"]["code"]) == (2, "confirmation-needed")
    tried = reinmaker("publish", folder, "--dry-run")
    assert tried.code == 0, tried.err
    assert [line.split()[0] for line in tried.out.splitlines()].count("unchanged") == 5
    assert any(line.startswith("to publish") for line in tried.out.splitlines())
    assert len(posts(server.stop().err)) == 6


def test_check_online_says_what_it_could_not_ask(reinmaker, published):
    folder, _ = published
    checked = reinmaker("check", folder, "--online", "--json")
    assert checked.code == 0, checked.err
    assert {(one["code"], one["severity"]) for one in checked.document["findings"]} == {("asset-unverified", "warning")}

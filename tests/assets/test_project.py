"""A reinmaker.toml says what a folder becomes, and every mistake in it is named with its place."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reinmaker_cli.assets.project import (
    Project,
    find_catalogue,
    find_project_root,
    load_project,
    project_from_flags,
    read_toml,
)
from reinmaker_cli.assets.secret_shapes import secret_in_text
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import ConfigError

DOCUMENTED = """
[manifest]
id = "2026-11-23-water-cycle-{locale}-{agePersona}"
version = "auto"
product = "curious_kelly"
url = "s3://lotd-reinmaker-assets/water-cycle/{dir}{stem}.{sha256:8}{ext}"

[manifest.url_for]
staging = "s3://lotd-reinmaker-assets-staging/water-cycle/{dir}{stem}.{sha256:8}{ext}"

[source]
phaseDNAId = "water-cycle"
locale = "{lang}"
agePersona = "{age}"

[values]
age = ["2-5", "6-12", "13-17", "18-35", "36-60", "61-102"]
lang = { en = "en-US", es = "es-ES", fr = "fr-FR" }

[[rule]]
match = "{age}-{phase}-{lang}.mp3"
type = "audio"
metadata = { phase = "{phase}" }

[ignore]
patterns = ["*.bak"]

[extra]
dependencies = ["kelly-vo-2025.10.15"]

[coverage]
locale = ["en-US", "es-ES", "fr-FR"]

[settings]
timeout = 60

[env.lab]
api_url = "https://lab.example"
token_url = "https://lab.example/oauth/token"
"""


def load(folder: Path, text: str) -> Project:
    (folder / "reinmaker.toml").write_text(text, encoding="utf-8")
    return load_project(folder)


def refused(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    assert str(folder / "reinmaker.toml") in caught.value.message
    return caught.value


def test_the_documented_file_is_read_whole(tmp_path: Path) -> None:
    project = load(tmp_path, DOCUMENTED)
    assert project.root == tmp_path and project.path == tmp_path / "reinmaker.toml"
    assert project.version == "auto" and project.product == "curious_kelly"
    assert project.url_for["staging"].startswith("s3://lotd-reinmaker-assets-staging/")
    assert project.values["lang"] == {"en": "en-US", "es": "es-ES", "fr": "fr-FR"}
    assert project.values["age"]["2-5"] == "2-5"
    assert project.rules[0].metadata == {"phase": "{phase}"}
    assert project.ignore == ("*.bak",)
    assert project.extra == {"dependencies": ["kelly-vo-2025.10.15"]}
    assert project.coverage == {"locale": ("en-US", "es-ES", "fr-FR")}


def test_base_url_is_short_for_a_url_with_the_path(tmp_path: Path) -> None:
    for base in ("s3://bucket/x/", "s3://bucket/x"):
        text = DOCUMENTED.replace("url = ", f'base_url = "{base}" # ', 1)
        assert load(tmp_path, text).url == "s3://bucket/x/{path}"


@pytest.mark.parametrize(
    ("old", "new", "fact", "hint"),
    [
        ("product =", "prodct =", "unknown name `prodct` in [manifest]", "did you mean `product`?"),
        ("[manifest]", "[manifst]", "unknown name `manifst`", "did you mean `manifest`?"),
        ("[coverage]", "[Coverage]", "unknown name `Coverage`", "did you mean `coverage`?"),
        ('type = "audio"', 'tpye = "audio"', "unknown name `tpye` in [[rule]] 1", "did you mean `type`?"),
        ('"audio"', '"audo"', "`[[rule]] 1 type` cannot be `audo`", "did you mean `audio`?"),
        ('"curious_kelly"', '"curious-kelly"', "`[manifest] product` cannot be `curious-kelly`", "`curious_kelly`"),
        ('"curious_kelly"', "7", "`[manifest] product` must be text, not a number", 'product = "…"'),
        ('product = "curious_kelly"', "", "`[manifest] product` is missing", 'add product = "…"'),
        ("agePersona =", "agepersona =", "`[source] agePersona` is missing", "did you mean it by `agepersona`?"),
        ('locale = "{lang}"', 'locale = "en-UK"', "`[source] locale` cannot be `en-UK`", "did you mean `en-US`?"),
        ('locale = "{lang}"', 'locale = "{lnag}"', "unknown placeholder `{lnag}`", "did you mean `lang`?"),
        ("{dir}{stem}", "{dir}{stam}", "unknown placeholder `{stam}`", "did you mean `stem`?"),
        ("{sha256:8}", "{sha256:99}", "only {sha256:1} to {sha256:64}", ""),
        ("{sha256:8}", "{version}", "{version}", "{sha256:8}"),
        ("{sha256:8}", "{sha256:8", "`[manifest] url` cannot be read", "literal brace"),
        ('version = "auto"', 'version = "2026-11-23"', "is not a version", "YYYY.MM.DD"),
        ('version = "auto"', 'base_url = "s3://b/"', "are both there", "keep one"),
        ("age = [", "ages = [", "`[values] ages` is a list for a capture", "did you mean `age`?"),
        ("age = [", 'age = ["a/b", ', "`[values] age` holds `a/b`", "`/`"),
        ("age = [", 'age = ["2-5", ', "holds the same text twice", ""),
        ("[coverage]\nlocale", "[coverage]\nlocales", "is not a field of [source]", "did you mean `locale`?"),
        ("{phase}-{lang}.mp3", "{phase}-{lang.mp3", "`[[rule]] 1 match` cannot be read", "brace"),
        ("{phase}-{lang}.mp3", "{path}-{lang}.mp3", "has a meaning of its own", "another name"),
        ('match = "', 'match = "audio\\\\\\\\', "`\\` in a pattern", "`/`"),
        ('"{phase}" }', '"{phse}" }', "`[[rule]] 1 metadata` uses an unknown placeholder `{phse}`", "`phase`"),
        ('dependencies = ["', 'assets = ["', "`[extra] assets` is a member", ""),
        ("dependencies = [", "startAt = 2026-11-23T00:00:00Z # [", "date or time, which JSON does not have", "text"),
        ("dependencies = [", "n = 9007199254740992 # [", "2^53-1", "text"),
        ("dependencies = [", "n = nan # [", "nan, which JSON does not have", "finite"),
        ("patterns =", "pattern =", "unknown name `pattern` in [ignore]", "did you mean `patterns`?"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_nearest_right_name(
    tmp_path: Path, old: str, new: str, fact: str, hint: str
) -> None:
    assert old in DOCUMENTED
    error = refused(tmp_path, DOCUMENTED.replace(old, new, 1))
    assert fact in error.message and hint in error.hint
    assert error.code == codes.CONFIG_INVALID and error.exit_code == 2


def test_version_in_the_url_is_fine_where_the_version_is_fixed(tmp_path: Path) -> None:
    fixed = DOCUMENTED.replace('"auto"', '"2026.11.23"').replace("{sha256:8}", "{version}", 1)
    assert load(tmp_path, fixed).version == "2026.11.23"


JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "line",
    [
        '[extra]\nclient_secret = "hunter2hunter2"',
        '[extra]\nclientSecret = "hunter2hunter2"',
        '[extra]\nclient_secret_2 = "hunter2hunter2"',
        '[extra]\ntoken_staging = "hunter2hunter2"',
        '[extra.deep.er]\napi-key = "hunter2hunter2"',
        "[extra]\npassword = 123456",
        '[env.other]\ntoken = "hunter2hunter2"',
        '[extra]\nnote = "whsec_aHVudGVyMmh1bnRlcjI="',
        '[extra]\nnote = "Bearer hunter2hunter2"',
        '[extra]\nnote = "Authorization: Basic aHVudGVyMmh1bnRlcjI="',
        f'[extra]\nlist = ["{JWT}"]',
        f"# {JWT}",
        '[extra]\nkey = """-----BEGIN RSA PRIVATE KEY-----\nhunter2hunter2"""',
        '[extra]\nfrom = "https://kelly:hunter2hunter2@bucket.example/x"',
    ],
)
def test_what_looks_like_a_secret_is_refused_and_never_repeated(tmp_path: Path, line: str) -> None:
    error = refused(tmp_path, DOCUMENTED.replace('[extra]\ndependencies = ["kelly-vo-2025.10.15"]', line))
    assert error.code == codes.SECRET_IN_FILE
    for secret in ("hunter2", JWT, "aHVudGVyMm", "123456"):
        assert secret not in error.message + error.hint


@pytest.mark.parametrize("text", ["a", "eyJ-", "x://a", "Bearer "])
def test_a_long_line_is_searched_for_secrets_in_one_pass(text: str) -> None:
    started = time.process_time()
    assert secret_in_text(text * 100_000) is None
    assert time.process_time() - started < 10  # 0.1 s; a search from each letter to the end takes minutes


def test_names_that_only_resemble_secrets_pass(tmp_path: Path) -> None:
    words = "# Basic internationalization for every bearer of good-news-for-all\n"
    text = words + DOCUMENTED.replace("[extra]", '[extra]\ntokens = 3\nsecretGarden = "a lesson"')
    assert load(tmp_path, text).extra["tokens"] == 3


@pytest.mark.parametrize(
    "line",
    [
        'environment = "production"',
        'env = "production"',
        'ca_file = "/tmp/ca.pem"',
        '[settings]\nca-file = "/tmp/ca.pem"',
        '[settings]\nenv = "production"',
        'https_proxy = "http://evil.example"',
        '[env.lab]\nproxy = "http://evil.example"',
        '[manifest]\nenvironment = "production"',
    ],
)
def test_a_project_file_cannot_steer_where_a_publication_goes(tmp_path: Path, line: str) -> None:
    text = DOCUMENTED.split("[settings]")[0]
    text = text.replace("[manifest]\n", line + "\n", 1) if line.startswith("[manifest]") else line + "\n" + text
    error = refused(tmp_path, text)
    assert "a project file cannot set" in error.message and "flag or a variable" in error.hint


def test_a_file_that_is_no_toml_is_refused_with_line_and_column(tmp_path: Path) -> None:
    error = refused(tmp_path, "[manifest]\nid = \n")
    assert "line 2" in error.message


def test_a_file_that_is_not_utf8_or_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "reinmaker.toml"
    path.write_bytes(b'a = "\xff"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_toml(path)
    with pytest.raises(ConfigError, match="cannot read") as caught:
        read_toml(tmp_path / "absent.toml")
    assert caught.value.code == codes.CONFIG_UNREADABLE


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "reinmaker.toml").write_bytes(b"\xef\xbb\xbf" + DOCUMENTED.encode())
    assert load_project(tmp_path).product == "curious_kelly"


def test_flags_stand_in_for_a_file_and_missing_ones_are_listed(tmp_path: Path) -> None:
    flags = {"id": "2026-11-23-x", "product": "reinmaker", "phase_dna": "x", "locale": "en-US", "persona": "2-5"}
    assert project_from_flags(tmp_path, **flags, base_url="s3://b/").url == "s3://b/{path}"
    with pytest.raises(ConfigError, match="--locale, --base-url") as caught:
        project_from_flags(tmp_path, **{**flags, "locale": None})
    assert caught.value.code == codes.CONFIG_MISSING
    with pytest.raises(ConfigError, match="the flags: `\\[manifest\\] product` cannot be"):
        project_from_flags(tmp_path, **{**flags, "product": "raymaker"}, base_url="s3://b/")


def test_the_nearest_project_upward_is_found(tmp_path: Path) -> None:
    inner = tmp_path / "lesson" / "audio"
    inner.mkdir(parents=True)
    assert find_project_root(inner) is None
    (tmp_path / "lesson" / "reinmaker.toml").touch()
    assert find_project_root(inner) == tmp_path / "lesson"
    assert find_project_root(tmp_path / "lesson") == tmp_path / "lesson"


def test_a_path_with_dots_is_looked_up_from_where_it_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lesson/audio", "manifests"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "lesson" / "reinmaker.toml").touch()
    (tmp_path / "link").symlink_to(tmp_path / "lesson" / "audio")
    monkeypatch.chdir(tmp_path / "lesson")
    assert find_project_root(Path("../manifests")) is None
    assert find_project_root(Path("..")) is None
    assert find_project_root(Path("audio/..")) == tmp_path / "lesson"
    assert find_project_root(Path("../link/..")) == tmp_path / "lesson"
    assert find_project_root(tmp_path / "lesson" / ".." / "manifests") is None


def test_a_catalogue_is_the_outermost_projects_below(tmp_path: Path) -> None:
    for name in ("b", "a/deep", "b/inside", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "reinmaker.toml").touch()
    assert find_catalogue(tmp_path) == (tmp_path / "a" / "deep", tmp_path / "b")


def test_a_url_for_an_environment_that_is_misspelt_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, DOCUMENTED.replace("staging = ", "stagging = "))
    assert "did you mean `staging`?" in error.hint


def test_a_url_for_an_environment_of_the_users_own_is_taken(tmp_path: Path) -> None:
    project = load(tmp_path, DOCUMENTED.replace("staging = ", "qa-europe = "))
    assert list(project.url_for) == ["qa-europe"]


def test_a_folder_that_cannot_be_has_no_project_above() -> None:
    assert find_project_root(Path("/nowhere") / ("x" * 5000)) is None


def test_a_url_with_a_fragment_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, DOCUMENTED.replace("{ext}", "{ext}#{lang}", 1))
    assert "%23" in error.hint

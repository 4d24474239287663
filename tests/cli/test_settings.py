"""Where a setting comes from, and who may say what."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from reinmaker_cli.errors import ConfigError, ReinmakerError, UsageError
from reinmaker_cli.settings import BY_NAME, KNOBS, Document, Settings, resolve_settings
from tests.cli.command import Command
from tests.cli.folders import make_project


def project(**settings: Any) -> Document:
    return Document("reinmaker.toml", {"settings": settings})


def user(**settings: Any) -> Document:
    return Document("config.toml", {"settings": settings})


def test_every_knob_is_a_member_of_the_settings_with_its_default() -> None:
    members = {field.name: field.default for field in fields(Settings) if field.name != "claims"}
    assert members == {knob.name: knob.default for knob in KNOBS}


def test_flag_beats_variable_beats_project_beats_user_beats_default() -> None:
    sources: dict[str, Any] = {"flags": {"jobs": 1}, "variables": {"REINMAKER_JOBS": "2"}}
    sources |= {"project": project(jobs=3), "user": user(jobs=4)}
    settings = resolve_settings(**sources)
    assert settings.jobs == 1
    assert [(claim.source, claim.value) for claim in settings.claims["jobs"]] == [
        ("flag", 1),
        ("REINMAKER_JOBS", 2),
        ("reinmaker.toml", 3),
        ("config.toml", 4),
        ("default", None),
    ]


def test_an_empty_variable_is_an_unset_one() -> None:
    assert resolve_settings({}, {"REINMAKER_ENV": ""}, None, None).env == "local"


@pytest.mark.parametrize(("text", "value"), [("1", True), ("yes", True), ("ON", True), ("0", False), ("false", False)])
def test_switches_read_yes_and_no(text: str, value: bool) -> None:
    assert resolve_settings({}, {"REINMAKER_JSON": text}, None, None).json is value


@pytest.mark.parametrize(
    ("name", "text"),
    [("JSON", "maybe"), ("JOBS", "0"), ("JOBS", "two"), ("TIMEOUT", "-1"), ("TIMEOUT", "nan"), ("COLOR", "red")],
)
def test_a_variable_that_cannot_be_meant_is_named(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"REINMAKER_{name}"):
        resolve_settings({}, {f"REINMAKER_{name}": text}, None, None)


@pytest.mark.parametrize("name", [knob.name for knob in KNOBS if knob.files != "both" and "secret" not in knob.name])
def test_a_project_file_may_not_set_what_is_not_its_business(name: str) -> None:
    with pytest.raises(ConfigError, match=f"settings.{name} cannot be set by a project file"):
        resolve_settings({}, {}, project(**{name: "x"}), None)


def test_a_user_file_may_name_its_own_certificates() -> None:
    assert resolve_settings({}, {}, None, user(ca_file="/ca.pem")).ca_file == "/ca.pem"


def test_no_file_chooses_the_environment() -> None:
    with pytest.raises(ConfigError, match=r"settings\.env"):
        resolve_settings({}, {}, None, user(env="production"))


@pytest.mark.parametrize("name", ["client_secret", "access_token", "password", "api_key"])
def test_a_secret_in_a_file_is_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_settings({}, {}, None, user(**{name: "hunter2"}))
    assert caught.value.code == "secret-in-file"
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_a_misspelt_setting_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_settings({}, {}, project(colour="never"), None)
    assert caught.value.hint == "did you mean `color`?"


def test_a_value_of_the_wrong_kind_names_file_and_place() -> None:
    with pytest.raises(ConfigError, match=r"`reinmaker.toml`: settings.jobs: `many`"):
        resolve_settings({}, {}, project(jobs="many"), None)


def test_the_secret_is_in_no_repr() -> None:
    settings = resolve_settings({}, {"REINMAKER_CLIENT_SECRET": "hunter2"}, None, None)
    assert "hunter2" not in repr(settings)


def test_there_is_no_flag_for_a_secret() -> None:
    assert BY_NAME["client_secret"].flag == ""


# --- config show -----------------------------------------------------------------------------------------------------


def test_config_show_names_the_winner_and_what_it_beat(
    reinmaker: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(work, settings="\n[settings]\njobs = 3\n")
    monkeypatch.setenv("REINMAKER_JOBS", "2")
    shown = reinmaker("config", "show", "--origin").out
    assert "from REINMAKER_JOBS" in shown
    assert "beats reinmaker.toml 3, default -" in shown


def test_config_show_never_shows_the_secret(reinmaker: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REINMAKER_CLIENT_SECRET", "hunter2")
    for words in ([], ["--origin"], ["--json"]):
        ended = reinmaker("config", "show", *words)
        assert ended.code == 0
        assert "hunter2" not in ended.out + ended.err


def test_config_show_is_valid_json(reinmaker: Command, work: Path) -> None:
    make_project(work)
    document = reinmaker("config", "show", "--json").document
    assert {row["name"] for row in document["settings"]} == set(BY_NAME)
    assert document["environment"] == {"name": "local", "apiUrl": "http://localhost:7040"}


def test_config_path_works_with_a_broken_file(reinmaker: Command, home: Path) -> None:
    file = home / ".config" / "reinmaker" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("[broken")
    assert reinmaker("config", "show").code == 2
    assert reinmaker("config", "path", "--json").document["user"] == str(file)
    assert reinmaker("explain", "config-invalid").code == 0


# --- environments ----------------------------------------------------------------------------------------------------


def shown_environment(reinmaker: Command, *words: str) -> dict[str, Any]:
    ended = reinmaker("config", "show", "--json", *words)
    if ended.code:
        raise AssertionError(ended.document["error"])
    found: dict[str, Any] = ended.document["environment"]
    return found


def test_built_in_environments(reinmaker: Command) -> None:
    assert shown_environment(reinmaker, "--env", "production")["apiUrl"] == "https://api.reinmaker.com"
    staging = "https://staging.api.reinmaker.lessonoftheday.com"
    assert shown_environment(reinmaker, "-e", "staging")["apiUrl"] == staging


def test_a_project_adds_an_environment(reinmaker: Command, work: Path) -> None:
    make_project(work, settings='\n[env.preview]\napi_url = "https://preview.example"\n')
    assert shown_environment(reinmaker, "--env", "preview")["apiUrl"] == "https://preview.example"


@pytest.mark.parametrize("name", ["local", "staging", "production"])
def test_nobody_redirects_a_built_in_environment(reinmaker: Command, work: Path, name: str) -> None:
    make_project(work, settings=f'\n[env.{name}]\napi_url = "https://evil.example"\n')
    ended = reinmaker("config", "show", "--json", "--env", "staging")
    assert ended.document["error"]["code"] == "config-invalid"


@pytest.mark.parametrize("address", ["https://api.reinmaker.com", "https://API.reinmaker.com:443/"])
def test_production_under_another_name_is_asked_about_too(reinmaker: Command, work: Path, address: str) -> None:
    make_project(work, settings=f'\n[env.preview]\napi_url = "{address}"\nissuer = "https://auth.lessonoftheday.com"\n')
    ended = reinmaker("publish", "--env", "preview", "--json")
    assert (ended.code, ended.document["error"]["code"]) == (2, "confirmation-needed")


def test_a_project_does_not_redirect_the_users_environment(reinmaker: Command, work: Path) -> None:
    make_project(work, settings='\n[env.mine]\napi_url = "https://evil.example"\n')
    (work / "config.toml").write_text('[env.mine]\napi_url = "https://good.example"\n')
    ended = reinmaker("config", "show", "--json", "--env", "mine", "--config", "config.toml")
    assert ended.document["error"]["message"].endswith("is defined in your own config.toml already")


def test_plain_http_beyond_this_machine_is_refused(reinmaker: Command, work: Path) -> None:
    make_project(work, settings='\n[env.preview]\napi_url = "http://preview.example"\n')
    assert reinmaker("config", "show", "--json", "-e", "preview").document["error"]["code"] == "plain-http"


@pytest.mark.parametrize(
    "table",
    [
        'api_url = "https://a.example"\nclient_secret = "x"',
        'issuer = "https://a.example"',
        "api_url = 3",
        'api_uri = "x"',
    ],
)
def test_an_environment_that_cannot_be_meant_is_refused(reinmaker: Command, work: Path, table: str) -> None:
    make_project(work, settings=f"\n[env.preview]\n{table}\n")
    assert reinmaker("config", "show", "-e", "preview").code == 2


def test_local_is_where_the_data_folder_says(reinmaker: Command, work: Path) -> None:
    (work / "data").mkdir()
    (work / "data" / "client.json").write_text('{"apiUrl": "http://localhost:7099"}')
    assert shown_environment(reinmaker, "--data", "data")["apiUrl"] == "http://localhost:7099"


@pytest.mark.parametrize("content", [b"[]", b"", b'{"apiUrl": "\xff"}'])
def test_a_damaged_client_file_is_a_clear_error(reinmaker: Command, work: Path, content: bytes) -> None:
    (work / "data").mkdir()
    (work / "data" / "client.json").write_bytes(content)
    assert reinmaker("config", "show", "--data", "data", "--json").document["error"]["code"] == "config-invalid"


def test_errors_carry_a_hint() -> None:
    with pytest.raises(ReinmakerError) as caught:
        resolve_settings({}, {"REINMAKER_COLOR": "red"}, None, None)
    assert caught.value.hint == "give it auto | always | never, or `unset REINMAKER_COLOR`"

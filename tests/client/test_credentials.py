"""Whose secret is used where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reinmaker_cli.client.credentials import (
    Credentials,
    StoredCredentials,
    find_credentials,
    keyring_service,
    locate_credentials,
    store,
)
from reinmaker_cli.client.environment import Environment
from reinmaker_cli.client.keyring_store import KeyringStore
from reinmaker_cli.contract.models import LocalClient
from reinmaker_cli.errors import AccessDenied, ServerUnreachable
from tests.client.keyrings import MemoryKeyring

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STAGING = Environment.checked("staging", "https://api.staging.example", issuer="https://auth.example")
PRODUCTION = Environment.checked("production", "https://api.example", issuer="https://auth.example")
GIVEN = {"REINMAKER_CLIENT_ID": "ci", "REINMAKER_CLIENT_SECRET": "s3cret"}


@pytest.fixture
def backend() -> MemoryKeyring:
    return MemoryKeyring()


@pytest.fixture
def keyring(backend: MemoryKeyring) -> KeyringStore:
    return KeyringStore(lambda: backend)


def project_env(api_url: str = "https://api.theirs.example", **urls: str) -> Environment:
    return Environment.checked("theirs", api_url, defined_in="project", **urls)


def find(env: Environment, variables: dict[str, str], keyring: KeyringStore) -> Credentials:
    return find_credentials(env, variables=variables, keyring=keyring, local=None, now=NOW)


def refusal(env: Environment, variables: dict[str, str], keyring: KeyringStore) -> AccessDenied:
    with pytest.raises(AccessDenied) as caught:
        find(env, variables, keyring)
    return caught.value


def test_variables_come_before_the_keyring(keyring: KeyringStore) -> None:
    store(STAGING, Credentials("kept", "old", "keyring", created_at=NOW), keyring)
    assert find(STAGING, GIVEN, keyring) == Credentials("ci", "s3cret", "variables")
    assert find(STAGING, {}, keyring).client_id == "kept"


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"s3cret\n", "s3cret"), (b"s3cret\r\n", "s3cret"), (b"s3cret", "s3cret"), (b" s3cret \n\n", " s3cret \n")],
)
def test_a_secret_file_loses_one_newline_and_nothing_else(
    tmp_path: Path, keyring: KeyringStore, content: bytes, secret: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    variables = {"REINMAKER_CLIENT_ID": "ci", "REINMAKER_CLIENT_SECRET_FILE": str(file)}
    assert find(STAGING, variables, keyring) == Credentials("ci", secret, "file")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 70_000])
def test_an_unusable_secret_file_is_said_without_its_content(
    tmp_path: Path, keyring: KeyringStore, content: bytes
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    error = refusal(STAGING, {"REINMAKER_CLIENT_ID": "ci", "REINMAKER_CLIENT_SECRET_FILE": str(file)}, keyring)
    assert error.code == "secret-unusable"
    assert "xxxx" not in error.message


@pytest.mark.parametrize(
    "variables",
    [
        {"REINMAKER_CLIENT_ID": "ci"},
        {"REINMAKER_CLIENT_SECRET": "s3cret"},
        {"REINMAKER_CLIENT_SECRET_FILE": "/nonexistent"},
        {"REINMAKER_CLIENT_ID": "ci", "REINMAKER_CLIENT_SECRET_FILE": "/nonexistent"},
        {**GIVEN, "REINMAKER_CLIENT_SECRET_FILE": "/nonexistent"},
    ],
)
def test_half_given_variables_are_an_error_and_not_a_silent_keyring(
    variables: dict[str, str], keyring: KeyringStore
) -> None:
    store(STAGING, Credentials("kept", "old", "keyring", created_at=NOW), keyring)
    error = refusal(STAGING, variables, keyring)
    assert error.code == "secret-unusable"
    assert "s3cret" not in error.message + error.hint


def test_empty_variables_are_unset_ones(keyring: KeyringStore) -> None:
    store(STAGING, Credentials("kept", "old", "keyring", created_at=NOW), keyring)
    assert find(STAGING, dict.fromkeys(GIVEN, ""), keyring).client_id == "kept"


def test_no_credentials_at_all_names_both_ways(keyring: KeyringStore) -> None:
    error = refusal(STAGING, {}, keyring)
    assert error.code == "credentials-missing"
    assert "reinmaker auth login --env staging" in error.hint
    assert "REINMAKER_CLIENT_ID" in error.hint


def test_a_project_file_cannot_draw_the_variables_to_its_address(keyring: KeyringStore) -> None:
    assert refusal(project_env(), GIVEN, keyring).code == "credentials-unbound"
    assert refusal(project_env(), {**GIVEN, "REINMAKER_CLIENT_ORIGIN": PRODUCTION.api_url}, keyring).code == (
        "credentials-unbound"
    )


def test_the_user_can_agree_to_a_projects_address(keyring: KeyringStore) -> None:
    variables = {**GIVEN, "REINMAKER_CLIENT_ORIGIN": "https://API.theirs.example:443/"}
    assert find(project_env(), variables, keyring).client_id == "ci"


def test_agreeing_to_an_api_does_not_agree_to_a_token_endpoint_elsewhere(keyring: KeyringStore) -> None:
    """The attack: a project file names an API that is trusted, and its own token endpoint."""
    env = project_env(PRODUCTION.api_url, token_url="https://evil.example/token")
    error = refusal(env, {**GIVEN, "REINMAKER_CLIENT_ORIGIN": PRODUCTION.api_url}, keyring)
    assert error.code == "credentials-unbound"
    assert "https://evil.example" in error.hint
    agreed = {**GIVEN, "REINMAKER_CLIENT_ORIGIN": f"{PRODUCTION.api_url}|https://evil.example"}
    assert find(env, agreed, keyring).client_id == "ci"


def test_an_environment_of_the_users_own_needs_no_agreement(keyring: KeyringStore) -> None:
    env = Environment.checked("mine", "https://api.mine.example", defined_in="user")
    assert find(env, GIVEN, keyring).client_id == "ci"


def test_staging_and_production_are_two_entries_although_they_share_an_issuer(
    keyring: KeyringStore, backend: MemoryKeyring
) -> None:
    store(STAGING, Credentials("kept", "old", "keyring", created_at=NOW), keyring)
    assert list(backend.entries) == [("reinmaker:https://api.staging.example|https://auth.example", "client")]
    assert refusal(PRODUCTION, {}, keyring).code == "credentials-missing"


def test_a_project_file_that_moves_the_token_endpoint_finds_no_entry(keyring: KeyringStore) -> None:
    store(PRODUCTION, Credentials("kept", "old", "keyring", created_at=NOW), keyring)
    moved = project_env(PRODUCTION.api_url, issuer="https://evil.example")
    assert refusal(moved, {}, keyring).code == "credentials-missing"


def test_environment_local_has_the_development_client_and_nothing_else(keyring: KeyringStore) -> None:
    env = Environment.checked("local", "http://localhost:7040", defined_in="local")
    local = LocalClient(client_id="dev", client_secret="d", api_url=env.api_url, control_token="c")
    found = locate_credentials(env, variables=GIVEN, keyring=keyring, local=local)
    assert (found.client_id, found.source) == ("dev", "local")
    with pytest.raises(ServerUnreachable) as caught:
        find(env, GIVEN, keyring)
    assert caught.value.code == "no-local-server"


@pytest.mark.parametrize(("days", "warned"), [(0, False), (74, False), (75, True), (89, True)])
def test_an_old_secret_is_a_warning(days: int, warned: bool, keyring: KeyringStore) -> None:
    store(STAGING, Credentials("kept", "old", "keyring", created_at=NOW - timedelta(days=days)), keyring)
    found = find(STAGING, {}, keyring)
    assert [finding.code for finding in found.age_findings(NOW)] == ["secret-old"] * warned


def test_a_secret_of_90_days_is_refused_before_any_request(keyring: KeyringStore) -> None:
    store(STAGING, Credentials("kept", "old", "keyring", created_at=NOW - timedelta(days=90)), keyring)
    error = refusal(STAGING, {}, keyring)
    assert (error.code, error.exit_code) == ("credentials-refused", 4)
    assert "reinmaker auth rotate --env staging" in error.hint


@pytest.mark.parametrize("text", ["s3cret", '{"clientSecret": "s3cret"}', '{"clientId": 5, "clientSecret": "s3cret"}'])
def test_a_damaged_entry_is_said_without_its_content(text: str, keyring: KeyringStore) -> None:
    keyring.set(keyring_service(STAGING), text)
    error = refusal(STAGING, {}, keyring)
    assert error.code == "secret-unusable"
    assert "s3cret" not in error.message + error.hint


def test_what_was_stored_is_what_is_found(keyring: KeyringStore) -> None:
    stored = Credentials("kept", 'o"ld\n', "keyring", ("reinmaker.content.write",), NOW)
    store(STAGING, stored, keyring)
    assert find(STAGING, {}, keyring) == stored


def test_no_repr_shows_a_secret() -> None:
    assert "s3cret" not in repr(Credentials("ci", "s3cret", "variables"))
    assert "s3cret" not in repr(StoredCredentials(client_id="ci", client_secret="s3cret", created_at=NOW))
    assert "s3cret" not in str(StoredCredentials(client_id="ci", client_secret="s3cret", created_at=NOW))

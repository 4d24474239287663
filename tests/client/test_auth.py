"""`reinmaker auth`: a secret is proved before it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from reinmaker_cli.client.api import open_token_source
from reinmaker_cli.client.auth import login, logout, rotate, rotate_local, status
from reinmaker_cli.client.credentials import Credentials, find_credentials, read_stored, store
from reinmaker_cli.client.environment import Environment
from reinmaker_cli.client.keyring_store import KeyringStore
from reinmaker_cli.client.local import ClientSecret, LocalControl, read_local_client
from reinmaker_cli.client.tokens import TokenSource
from reinmaker_cli.contract.models import TokenAnswer
from reinmaker_cli.errors import AccessDenied, ConfigError, UsageError
from reinmaker_cli.server.running import ServerConfig, Started, running_server
from tests.client.conftest import development_credentials, local_environment
from tests.client.keyrings import MemoryKeyring

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def keyring() -> KeyringStore:
    backend = MemoryKeyring()
    return KeyringStore(lambda: backend)


@pytest.fixture
def env(server: Started) -> Environment:
    """The live server under another name, so that it has a keyring entry."""
    return Environment.checked("mine", server.url, defined_in="user")


@pytest.fixture
def control(server: Started) -> Iterator[LocalControl]:
    with LocalControl(server.url, server.client.control_token) as opened:
        yield opened


@pytest.fixture
def client(control: LocalControl) -> ClientSecret:
    return control.add_client("tests", ["reinmaker.content.write"])


def prover(env: Environment):  # type: ignore[no-untyped-def]
    def prove(credentials: Credentials) -> TokenAnswer:
        tokens: TokenSource = open_token_source(env, credentials)
        try:
            return tokens.fetch()
        finally:
            tokens.close()

    return prove


def test_login_keeps_what_works_with_its_date_and_scopes(
    env: Environment, client: ClientSecret, keyring: KeyringStore
) -> None:
    login(env, client.client_id, client.client_secret, prove=prover(env), keyring=keyring, now=NOW)
    kept = read_stored(env, keyring)
    assert kept == Credentials(client.client_id, client.client_secret, "keyring", ("reinmaker.content.write",), NOW)


def test_login_keeps_nothing_that_does_not_work(env: Environment, client: ClientSecret, keyring: KeyringStore) -> None:
    with pytest.raises(AccessDenied):
        login(env, client.client_id, "wrong", prove=prover(env), keyring=keyring, now=NOW)
    assert read_stored(env, keyring) is None


def test_rotation_proves_the_new_secret_before_the_old_one_goes(
    env: Environment, client: ClientSecret, keyring: KeyringStore, control: LocalControl
) -> None:
    login(env, client.client_id, client.client_secret, prove=prover(env), keyring=keyring, now=NOW - timedelta(days=80))
    with pytest.raises(AccessDenied):
        rotate(env, "wrong", prove=prover(env), keyring=keyring, now=NOW)
    kept = read_stored(env, keyring)
    assert kept is not None and kept.client_secret == client.client_secret
    new = control.rotate_client(client.client_id).client_secret
    rotated = rotate(env, new, prove=prover(env), keyring=keyring, now=NOW)
    assert (rotated.client_id, rotated.client_secret, rotated.created_at) == (client.client_id, new, NOW)


def test_an_expired_secret_can_still_be_rotated(env: Environment, client: ClientSecret, keyring: KeyringStore) -> None:
    store(env, Credentials(client.client_id, "old", "keyring", created_at=NOW - timedelta(days=200)), keyring)
    rotate(env, client.client_secret, prove=prover(env), keyring=keyring, now=NOW)
    assert find_credentials(env, variables={}, keyring=keyring, local=None, now=NOW).age_days(NOW) == 0


def test_rotation_without_an_entry_names_login(env: Environment, keyring: KeyringStore) -> None:
    with pytest.raises(AccessDenied) as caught:
        rotate(env, "new", prove=prover(env), keyring=keyring, now=NOW)
    assert "reinmaker auth login --env mine" in caught.value.hint


def test_logout_removes_the_entry(env: Environment, client: ClientSecret, keyring: KeyringStore) -> None:
    login(env, client.client_id, client.client_secret, prove=prover(env), keyring=keyring, now=NOW)
    assert (logout(env, keyring=keyring), logout(env, keyring=keyring)) == (True, False)


def test_status_says_who_and_how_old_and_never_the_secret(env: Environment, keyring: KeyringStore) -> None:
    created_at = NOW - timedelta(days=95)
    store(env, Credentials("kept", "s3cret", "keyring", ("a",), created_at), keyring)
    found = status(env, variables={}, keyring=keyring, local=None, now=NOW)
    assert (found.client_id, found.age_days, found.expires_at) == ("kept", 95, created_at + timedelta(days=90))
    assert [finding.code for finding in found.findings] == ["secret-old"]
    assert "s3cret" not in repr(found)


def test_environment_local_keeps_nothing_in_the_keyring(server: Started, keyring: KeyringStore) -> None:
    env = local_environment(server.url)
    with pytest.raises(UsageError):
        login(env, "id", "secret", prove=prover(env), keyring=keyring, now=NOW)
    with pytest.raises(UsageError):
        logout(env, keyring=keyring)


def test_the_local_servers_own_secret_is_renewed_by_itself() -> None:
    with running_server(ServerConfig(port=0, log="off", limits="off", network=False)) as started:
        with LocalControl(started.url, started.client.control_token) as control:
            assert rotate_local(control, started.client) == started.client.client_id
        renewed = read_local_client(started.data)
        assert renewed is not None and renewed.client_secret != started.client.client_secret
        tokens = open_token_source(
            local_environment(started.url), Credentials(renewed.client_id, renewed.client_secret, "local")
        )
        assert tokens.fetch().token_type == "Bearer"
        tokens.close()


def test_a_data_folder_without_a_server_has_no_client(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert read_local_client(tmp_path) is None
    (tmp_path / "client.json").write_text('{"clientSecret": "s3cret"')
    with pytest.raises(ConfigError) as caught:
        read_local_client(tmp_path)
    assert "s3cret" not in caught.value.message


def test_a_control_token_that_is_wrong_is_exit_4(server: Started) -> None:
    with LocalControl(server.url, "wrong") as control, pytest.raises(AccessDenied) as caught:
        control.clients()
    assert caught.value.code == "control-refused"


def test_what_the_local_server_cannot_do_is_a_usage_error(control: LocalControl) -> None:
    with pytest.raises(UsageError) as caught:
        control.decide("nothing-here", "2026.11.23", "active")
    assert caught.value.code == "manifest-not-found"


def test_the_development_client_is_listed_without_its_secret(server: Started, control: LocalControl) -> None:
    listed = next(found for found in control.clients() if found.is_development)
    assert listed.client_id == development_credentials(server).client_id
    assert server.client.client_secret not in repr(control.clients())

"""Mistakes with credentials, against a real issuer and a real keyring."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from reinmaker_cli.server.running import Started
from tests.cli.terminals import Session, needs_terminals
from tests.secret_service import needs_keyring, secret_service
from tests.trial.world import World


@contextmanager
def unlocked_keyring(world: World) -> Iterator[None]:
    """Have a real keyring, unlocked and empty, and wait for it as long as a busy machine wants without a word."""
    for limit in ("UNATTENDED_LIMIT_S", "SAY_WAITING_AFTER_S"):
        world.monkeypatch.setattr(f"reinmaker_cli.client.keyring_store.{limit}", 60.0)
    with secret_service(world.work.parent / "run", dict(os.environ)) as variables:
        for name, value in variables.items():
            world.monkeypatch.setenv(name, value)
        yield


def given(world: World, started: Started, *, secret: str = "") -> None:
    """Set the variables of a pipeline."""
    world.monkeypatch.setenv("REINMAKER_CLIENT_ID", started.client.client_id)
    world.monkeypatch.setenv("REINMAKER_CLIENT_SECRET", secret or started.client.client_secret)


PUBLISH = "reinmaker publish lesson --env mirror --no-input"


@needs_keyring
@needs_terminals
def test_nobody_logged_in(world: World) -> None:
    """An environment that nobody logged in to."""
    with world.server() as started, unlocked_keyring(world):
        world.mirror(started.url)
        world.mistake(PUBLISH, code="credentials-missing")
        line = world.next()
        assert line == "reinmaker auth login --env mirror"
        with Session(line.split()[1:]) as session:
            session.wait_for("client id: ")
            session.type(f"{started.client.client_id}\n")
            session.wait_for("secret of ")
            session.type(f"{started.client.client_secret}\n")
            assert session.end().code == 0
        world.cured(line, again=True)


def test_no_keyring(world: World) -> None:
    """A machine without a keyring.

    A container, or a session without a desktop.
    """
    with world.server() as started:
        world.mirror(started.url)
        world.mistake(PUBLISH, code="keyring-unavailable")
        client = started.client
        world.cure(filled={"ID=…": f"ID={client.client_id}", "SECRET=…": f"SECRET={client.client_secret}"})


@needs_keyring
def test_locked_keyring(world: World) -> None:
    """A keyring that is locked, and nobody there to unlock it."""
    with world.server() as started, unlocked_keyring(world):
        world.mirror(started.url)
        lock = "dbus-send --session --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets "
        lock += "org.freedesktop.Secret.Service.Lock array:objpath:/org/freedesktop/secrets/collection/login"
        world.ready(lock)
        world.mistake(PUBLISH, code="keyring-locked")
        client = started.client
        world.cure(filled={"ID=…": f"ID={client.client_id}", "SECRET=…": f"SECRET={client.client_secret}"})


def test_wrong_secret(world: World) -> None:
    """A secret that was copied without its end."""
    with world.server() as started:
        world.mirror(started.url)
        given(world, started, secret=started.client.client_secret[:-3])
        world.mistake(PUBLISH, code="credentials-refused")
        client = started.client
        world.cure(filled={"ID=…": f"ID={client.client_id}", "SECRET=…": f"SECRET={client.client_secret}"})


def test_expired_secret(world: World) -> None:
    """A secret that has expired.

    The issuer ends a secret after 90 days; its clock was moved there.
    """
    with world.server(clock="virtual") as started:
        world.mirror(started.url)
        given(world, started)
        world.ready("reinmaker local clock advance 91d")
        world.mistake(PUBLISH, code="credentials-refused")
        world.monkeypatch.delenv("REINMAKER_CLIENT_ID")
        world.ready("reinmaker local client rotate")
        fresh = json.loads((started.data / "client.json").read_text())
        world.monkeypatch.setenv("REINMAKER_CLIENT_ID", fresh["clientId"])
        world.cure(filled={"ID=…": f"ID={fresh['clientId']}", "SECRET=…": f"SECRET={fresh['clientSecret']}"})


def test_variables_for_another_address(world: World) -> None:
    """A project file that sends a secret to an address of its own."""
    with world.server() as started:
        world.mirror(started.url, where="project")
        given(world, started)
        world.mistake(PUBLISH, code="credentials-unbound")
        world.cure()


def test_secret_forgotten(world: World) -> None:
    """A client id without its secret."""
    with world.server() as started:
        world.mirror(started.url)
        world.monkeypatch.setenv("REINMAKER_CLIENT_ID", started.client.client_id)
        world.mistake(PUBLISH, code="secret-unusable")
        world.cure(filled={"…": started.client.client_secret})


def test_secret_file_not_there(world: World) -> None:
    """A secret file that is not there."""
    with world.server() as started:
        world.mirror(started.url)
        (world.work.parent / "secret").write_text(started.client.client_secret)
        world.monkeypatch.setenv("REINMAKER_CLIENT_ID", started.client.client_id)
        world.monkeypatch.setenv("REINMAKER_CLIENT_SECRET_FILE", "/run/secrets/reinmaker")
        world.mistake(PUBLISH, code="secret-unusable")
        world.cure(filled={"…": str(world.work.parent / "secret")})


def test_scope_missing(world: World) -> None:
    """A client that may not publish."""
    with world.server() as started:
        world.mirror(started.url)
        made = world.run("reinmaker local client add --name reader --scope reinmaker.telemetry.write --json").document
        (client,) = made["results"]
        world.monkeypatch.setenv("REINMAKER_CLIENT_ID", client["clientId"])
        world.monkeypatch.setenv("REINMAKER_CLIENT_SECRET", client["clientSecret"])
        world.mistake(PUBLISH, code="scope-refused")
        world.not_cured("only the issuer grants scopes")

"""The keys that sign the tokens of the local server."""

from __future__ import annotations

from typing import Literal

from reinmaker_cli.client.local import LocalControl
from reinmaker_cli.contract.models import Wire


class SigningKey(Wire):
    """One key, by what is public of it."""

    kid: str
    state: Literal["next", "signing", "retiring"]
    """`next` is published and does not sign yet, `retiring` signs no more and verifies the tokens that it signed."""
    signs_from: str
    ends_at: str | None = None
    """When the last token that it signed has expired; None: no other key is to follow it yet."""


class KeyList(Wire):
    """The keys that are published, oldest first."""

    items: tuple[SigningKey, ...]


def signing_keys(control: LocalControl) -> tuple[SigningKey, ...]:
    """Return the keys that are published."""
    return control.ask("GET", "/keys").read(KeyList).items


def rotate_keys(control: LocalControl) -> tuple[SigningKey, ...]:
    """Return the keys with the next one among them; it is made unless it is there already."""
    return control.ask("POST", "/keys/rotate").read(KeyList).items

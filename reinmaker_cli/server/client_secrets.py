"""Ids and secrets of clients: letters and digits only, because clients disagree about encoding them in HTTP Basic."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits
_SECRET_LENGTH = 40  # 238 bits: too many for any search, so a plain hash of it may be stored


def new_client_id() -> str:
    """Return an id for a new client."""
    return "client" + _random(14)


def new_secret() -> str:
    """Return a new secret, or control token."""
    return _random(_SECRET_LENGTH)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))

"""Header fields of a request in its ASGI scope, without an object for all of them."""

from __future__ import annotations

from starlette.types import Scope


def field_of(scope: Scope, name: bytes) -> str | None:
    """Return the first field of this name, in lower case, or None."""
    for given, value in scope["headers"]:
        if given == name:
            return str(value, "latin-1")
    return None

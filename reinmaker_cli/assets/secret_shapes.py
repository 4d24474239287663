"""What looks like a secret, and must not stand in a file that is shared and committed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

# Shapes that prose and asset names do not have: long enough, and a digit where words could be meant. Each repetition
# has a limit or a first letter that it cannot pass again: without, a line of 200,000 letters takes a minute.
_SHAPES: Final = (
    ("a private key", re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")),
    ("a webhook secret", re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]{8,}")),
    ("a bearer token", re.compile(r"\bBearer\s+(?=\S*[0-9])[A-Za-z0-9._~+/=-]{12,}", re.IGNORECASE)),
    ("a Basic authorization", re.compile(r"\bBasic\s+(?=\S*[0-9=])[A-Za-z0-9+/]{16,}={0,2}")),
    ("a JSON web token", re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.")),
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[opsur]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})")),
    ("a password in a URL", re.compile(r"[A-Za-z0-9+.-]://[^\s/:@{}\"']+:[^\s/@\"']+@")),
    ("a signed URL", re.compile(r"[?&](?:X-Amz-Signature|X-Goog-Signature|sig)=[A-Za-z0-9%+/=_-]{16,}", re.IGNORECASE)),
)
# Compared in lower case, letters and digits only.
_SECRET_NAMES: Final = frozenset({"bearer", "authorization", "credential", "credentials", "accountkey"})
_SECRET_ENDINGS: Final = (
    *("secret", "password", "passwd", "passphrase", "token"),
    *("apikey", "privatekey", "secretkey", "accesskey"),
)
# What people write behind such a name: `token_staging`, `client_secret_2`, `passwordValue`.
_ADDED: Final = re.compile(r"(?:[0-9]+|value|text|new|old|local|dev|development|test|staging|prod|production)\Z")


def secret_in_text(text: str) -> tuple[int, str] | None:
    """Return the line, from 1, and the kind of the first thing that looks like a secret; comments count too."""
    first = min(
        ((found.start(), kind) for kind, shape in _SHAPES if (found := shape.search(text))),
        default=None,
    )
    return None if first is None else (text.count("\n", 0, first[0]) + 1, first[1])


def secret_in_value(value: Any, place: str = "") -> tuple[str, str] | None:
    """Return the place and the kind of the first thing that looks like a secret, by its name or by its shape."""
    if isinstance(value, str):
        found = secret_in_text(value)
        return None if found is None else (place, found[1])
    if isinstance(value, Mapping):
        for name, item in value.items():
            inner = f"{place}.{name}" if place else name
            if names_secret(name) and isinstance(item, str | int | float) and not isinstance(item, bool):
                return inner, "a secret by its name"
            if inside := secret_in_value(name, inner) or secret_in_value(item, inner):
                return inside
    if isinstance(value, list):
        for index, item in enumerate(value):
            if inside := secret_in_value(item, f"{place}[{index}]"):
                return inside
    return None


def names_secret(name: str) -> bool:
    """Return whether a member of this name is there to hold a secret: `client_secret`, `apiKey`, `TOKEN_2`.

    Not `token_url`, `tokens` or `secretGarden`: the secret is what the name ends in.
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    bare = _ADDED.sub("", plain)
    return any(one in _SECRET_NAMES or one.endswith(_SECRET_ENDINGS) for one in (plain, bare))

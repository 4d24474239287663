"""CORS: which web pages may read the API's answers. None, unless `--allow-origin` names them; never the control API."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from starlette.types import Scope

from reinmaker_cli.contract import codes, names
from reinmaker_cli.errors import UsageError
from reinmaker_cli.server.routes.fields import field_of

PREFLIGHT_LIFETIME_S = 600  # what Chromium keeps at most is 7200, and a changed --allow-origin is to be seen soon

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")
_EXPOSED = "ETag, Idempotent-Replayed, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After"
_ACCEPTED = "Authorization, Content-Encoding, Content-Type, If-None-Match, Prefer"


def checked_origins(origins: Collection[str]) -> frozenset[str]:
    """Return the origins as browsers write them; UsageError where one is none."""
    for origin in origins:
        if not _ORIGIN.fullmatch(origin.lower()):
            raise UsageError(
                f"--allow-origin is no origin: `{origin}`",
                code=codes.USAGE,
                hint="write scheme and host, with the port where it is unusual: `--allow-origin https://play.example`",
            )
    return frozenset(origin.lower() for origin in origins)


def cross_origin_fields(scope: Scope, allowed: Collection[str]) -> Mapping[str, str]:
    """Return the fields that let the page read the answer; none for a page that may not. Fetch standard, CORS."""
    if not allowed or scope["path"].startswith(names.CONTROL_PATH + "/"):
        return {}
    fields = {"Vary": "Origin"}  # also without the field: a cache must not hand one page's answer to another
    origin = field_of(scope, b"origin")
    if origin is None or origin not in allowed:
        return fields
    fields["Access-Control-Allow-Origin"] = origin
    if scope["method"] == "OPTIONS" and field_of(scope, b"access-control-request-method") is not None:
        fields["Access-Control-Allow-Methods"] = "GET, HEAD, POST"
        fields["Access-Control-Allow-Headers"] = f"{_ACCEPTED}, {names.TRACE_HEADER}"
        fields["Access-Control-Max-Age"] = str(PREFLIGHT_LIFETIME_S)
    else:
        fields["Access-Control-Expose-Headers"] = f"{_EXPOSED}, {names.TRACE_HEADER}"
    return fields

"""Where a command talks to: an API, the issuer of its tokens, and whether plain http may go there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from reinmaker_cli.contract import codes, loopback
from reinmaker_cli.contract.host_names import hint_for_host_of
from reinmaker_cli.contract.names import TOKEN_PATH
from reinmaker_cli.errors import ConfigError, UsageError

DefinedIn = Literal["built-in", "user", "project", "local"]

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# Where readers of URLs disagree about the host (a backslash, white space, a user name), there is no safe answer.
_CONFUSING = re.compile(r"[\\\s\x00-\x1f\x7f@]")


@dataclass(frozen=True, slots=True)
class Environment:
    """One place to publish to. Made through `checked`, it holds only addresses that are safe to use."""

    name: str
    api_url: str
    """Without a slash at the end."""
    issuer: str | None = None
    """Where `token_url` is discovered (RFC 8414); None together with `token_url`: the API issues its own tokens."""
    token_url: str | None = None
    defined_in: DefinedIn = "built-in"
    local_host: str | None = None
    """The one host beside loopback that environment `local` may reach over plain http (containers)."""

    @classmethod
    def checked(
        cls,
        name: str,
        api_url: str,
        *,
        issuer: str | None = None,
        token_url: str | None = None,
        defined_in: DefinedIn = "built-in",
        local_host: str | None = None,
    ) -> Environment:
        """Return the environment; UsageError where an address is malformed or plain http beyond this machine."""
        host = local_host if name == "local" else None
        for url in (api_url, issuer, token_url):
            if url is not None:
                require_safe_transport(url, local_host=host)
        return cls(name, api_url.rstrip("/"), issuer, token_url, defined_in, host)

    @property
    def api_origin(self) -> str:
        """Scheme, host and port of the API: the only place its tokens are sent to."""
        return origin_of(self.api_url)

    @property
    def token_origin(self) -> str:
        """Where the client secret goes. Known before any request: a discovered endpoint must be at the issuer's."""
        return origin_of(self.token_url or self.issuer or self.api_url)

    @property
    def is_local(self) -> bool:
        """True for the local server: its development client and nothing else."""
        return self.name == "local"

    @property
    def known_token_url(self) -> str | None:
        """The token endpoint where it needs no discovery, else None."""
        if self.token_url is not None:
            return self.token_url
        return None if self.issuer is not None else self.api_url + TOKEN_PATH


def origin_of(url: str) -> str:
    """Return `scheme://host[:port]`, lower case, without a default port; ConfigError where the URL is no address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _not_an_address(url) from error
    if (
        not url.isascii()
        or parts.scheme not in DEFAULT_PORTS
        or not host
        or _CONFUSING.search(url)
        or parts.query
        or parts.fragment
    ):
        raise _not_an_address(url)
    shown = f"[{host}]" if ":" in host else host
    if port is None or port == DEFAULT_PORTS[parts.scheme]:
        return f"{parts.scheme}://{shown}"
    return f"{parts.scheme}://{shown}:{port}"


def is_loopback(url: str) -> bool:
    """Return whether the URL's host is this machine; UsageError for what is no address."""
    return loopback.is_loopback_url(origin_of(url))


def stays_here(url: str, *, local_host: str | None = None) -> bool:
    """Return whether the address is loopback or the named local host: no proxy, and plain http is allowed."""
    host = (urlsplit(origin_of(url)).hostname or "").removesuffix(".")
    return is_loopback(url) or (local_host is not None and host == local_host.lower().removesuffix("."))


def require_safe_transport(url: str, *, local_host: str | None = None) -> None:
    """Raise UsageError for plain http that would leave this machine."""
    if origin_of(url).startswith("https:") or stays_here(url, local_host=local_host):
        return
    raise UsageError(
        f"plain http beyond this machine: `{url}`",
        code=codes.PLAIN_HTTP,
        hint="use its https address; for a container running `reinmaker serve`, name its host in REINMAKER_LOCAL_HOST",
    )


def _not_an_address(url: str) -> ConfigError:
    # A URL with a user name may hold a password: only what follows it is shown.
    return ConfigError(
        f"not an address of a server: `{url.rpartition('@')[2]}`",
        code=codes.CONFIG_INVALID,
        hint=hint_for_host_of(url) or "write it as https://host or https://host:port",
    )

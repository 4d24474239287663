"""A URL from a user -> one that can be asked over http(s), or why it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpcore

from reinmaker_cli.contract.object_urls import without_query

if TYPE_CHECKING:
    import httpx


class NotHttp(Exception):
    """Not an http(s) URL that may be asked; the text says why and never holds a query, which may be signed."""


def http_url(url: str) -> httpx.URL:
    """Return the URL, parsed; NotHttp where it has another scheme, no host, or credentials."""
    import httpx  # not when the server starts: it loads a command line of its own, and rich with it, 5 MiB

    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise NotHttp(f"not an http(s) URL: `{without_query(url)[:200]}`") from error
    return checked_url(parsed)


def checked_url(url: httpx.URL) -> httpx.URL:
    """Return the URL; NotHttp as `http_url`."""
    if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 80) < 65536:
        raise NotHttp(f"not an http(s) URL: `{url.scheme}://{url.netloc.decode('ascii').rpartition('@')[2]}`")
    if url.userinfo:
        raise NotHttp(f"credentials in the URL: `{url.scheme}://{url.host}`")
    return url


def wire_url(url: httpx.URL) -> httpcore.URL:
    """Return the URL as it is asked on the wire: without fragment, and the host in its ASCII form."""
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)

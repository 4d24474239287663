"""What is this machine: plain http goes there and nowhere else, and proxies stay out of the way."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine: `localhost`, 127.0.0.0/8, `::1`, also IPv4-mapped.

    `*.localhost` is not: many resolvers ask the network for it. Odd spellings (`127.1`, `0x7f.1`) are not either.
    """
    name = host.strip("[]").removesuffix(".").lower()
    if name == "localhost":
        return True
    try:
        address: IPv4Address | IPv6Address = ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def is_loopback_url(url: str) -> bool:
    """Return whether the host of a URL is this machine; ValueError where the URL has no form."""
    return is_loopback(urlsplit(url).hostname or "")

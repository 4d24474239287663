"""May this address be asked? For URLs that come from users, decided on the concrete address at connect time.

A name proves nothing: it may resolve to the cloud's metadata service, or to another address a second later. So a name
is resolved, each address is judged, and the connection goes to an address that passed. `ipaddress.is_global` alone
calls Azure's metadata address, 6to4 and NAT64 forms of private addresses global, so the ranges are written out here.

Sources: the IANA special-purpose address registries (RFC 6890), RFC 4291, RFC 6052, RFC 3056, RFC 4380, RFC 5214.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final

IPAddress = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Sequence[tuple[Any, ...]]]
"""Name, port -> what `socket.getaddrinfo` gives: the address is the first item of the fifth member."""


class AddressRefused(Exception):
    """The address must not be asked; the text says why."""


class Reach(Enum):
    """Who lives at an address."""

    PUBLIC = "public"
    PRIVATE = "private"
    """This machine or its networks: only for a server that itself listens on loopback, or where allowed by range."""
    NEVER = "never"
    """Metadata services, link-local, multicast, reserved and documentation ranges."""


_NEVER_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # "this network": Linux connects 0.0.0.0 to loopback
        "100.100.100.200/32",  # metadata, Alibaba Cloud
        "168.63.129.16/32",  # metadata and agent, Azure: a public address
        "169.254.0.0/16",  # link-local, with most metadata services
        "192.0.0.0/24",  # protocol assignments, with Oracle's older metadata address
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PRIVATE_V4: Final = tuple(
    IPv4Network(network)
    for network in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15")
)
_NEVER_V6: Final = tuple(
    IPv6Network(network)
    for network in (
        "fd00:ec2::/32",  # metadata, AWS: inside the private range
        "fd20:ce::254/128",  # metadata, Google Cloud
        "fd00:c1::a9fe:a9fe/128",  # metadata, Oracle Cloud
        "2001:10::/28",
        "2001:20::/28",
        "2001:db8::/32",
        "3fff::/20",
    )
)
_PRIVATE_V6: Final = tuple(IPv6Network(network) for network in ("::1/128", "fc00::/7", "fec0::/10"))
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_ISATAP_MARKS: Final = (0x0000_5EFE, 0x0200_5EFE)
"""Bits 64 to 95 of an ISATAP address, RFC 5214 section 6.1."""


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What may be asked beside public addresses."""

    allow_private: bool = False
    allow_networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def from_ranges(cls, *, allow_private: bool, allow_targets: Sequence[str]) -> AddressPolicy:
        """Return the policy for CIDR ranges as text; ValueError where one is none."""
        return cls(allow_private, tuple(ipaddress.ip_network(target) for target in allow_targets))

    def refusal(self, address: IPAddress) -> str | None:
        """Return why the address must not be asked, None where it may."""
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            return f"address with a zone: `{address}`"
        for target in effective_addresses(address):
            reach = reach_of(target)
            if reach is Reach.NEVER:
                return f"address that is never asked: `{address}`"
            if reach is Reach.PRIVATE and not self._allows(target):
                return f"private address: `{address}`"
        return None

    def _allows(self, target: IPAddress) -> bool:
        return self.allow_private or any(target in network for network in self.allow_networks)


def reach_of(address: IPAddress) -> Reach:
    """Return who lives at an address, taken as it stands (see `effective_addresses` for wrapped ones)."""
    if isinstance(address, IPv4Address):
        if any(address in network for network in _NEVER_V4):
            return Reach.NEVER
        return Reach.PRIVATE if any(address in network for network in _PRIVATE_V4) else Reach.PUBLIC
    if any(address in network for network in _NEVER_V6):
        return Reach.NEVER
    if any(address in network for network in _PRIVATE_V6):
        return Reach.PRIVATE
    # Whatever is outside global unicast (link-local, multicast, discard, local NAT64, the old IPv4 forms) has no
    # business in an asset URL.
    return Reach.PUBLIC if address in _GLOBAL_UNICAST else Reach.NEVER


def effective_addresses(address: IPAddress) -> tuple[IPAddress, ...]:
    """Return all addresses that a packet for this one may reach: the IPv4 addresses wrapped inside it count."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    low = int(address) & 0xFFFF_FFFF
    if address in _NAT64:
        return (IPv4Address(low),)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo  # the Teredo server and the client behind it
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP_MARKS:
        return (address, IPv4Address(low))
    return (address,)


def literal_address(host: str) -> IPAddress | None:
    """Return the address that a host is when it is no name, in any spelling that the C library takes, else None.

    `2130706433`, `0x7f.1` and `017700000001` are all 127.0.0.1 to `inet_aton`, and so to `connect`.
    """
    bare = host.removeprefix("[").removesuffix("]").removesuffix(".")
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        pass  # not in the strict form
    try:
        return IPv4Address(socket.inet_aton(bare))
    except (OSError, UnicodeEncodeError):
        return None


def system_lookup(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    """Ask the system's resolver for stream addresses, in the order it prefers (RFC 6724); OSError where it has none."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # an empty label, or one of more than 63 letters, is refused before anybody is asked
        raise socket.gaierror(socket.EAI_NONAME, "not a name of DNS") from error


def permitted_addresses(
    host: str, port: int, policy: AddressPolicy, lookup: Lookup = system_lookup
) -> tuple[IPAddress, ...]:
    """Return the addresses of a host that may be asked, best first.

    AddressRefused where it has addresses and none may be; OSError where the name does not resolve.
    """
    literal = literal_address(host)
    if literal is not None:
        found = [literal]
    else:
        found = [ipaddress.ip_address(answer[4][0]) for answer in lookup(host, port)]
    refusals = [policy.refusal(address) for address in found]
    permitted = [address for address, refusal in zip(found, refusals, strict=True) if refusal is None]
    if not permitted:
        raise AddressRefused(next((text for text in refusals if text), f"no address: `{host}`"))
    return tuple(dict.fromkeys(permitted))

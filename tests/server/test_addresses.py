"""Which concrete addresses a URL from a user may lead to."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from reinmaker_cli.server.addresses import (
    AddressPolicy,
    AddressRefused,
    Reach,
    effective_addresses,
    literal_address,
    permitted_addresses,
    reach_of,
)

STRICT = AddressPolicy()
AT_HOME = AddressPolicy(allow_private=True)

# literal, who lives there: the worst of all addresses that a packet for it may reach
ADDRESSES = [
    # public
    ("93.184.216.34", Reach.PUBLIC),
    ("8.8.8.8", Reach.PUBLIC),
    ("172.15.255.255", Reach.PUBLIC),
    ("172.32.0.1", Reach.PUBLIC),
    ("100.63.255.255", Reach.PUBLIC),
    ("2606:2800:220:1:248:1893:25c8:1946", Reach.PUBLIC),
    ("::ffff:8.8.8.8", Reach.PUBLIC),
    ("64:ff9b::8.8.8.8", Reach.PUBLIC),
    ("2002:808:808::1", Reach.PUBLIC),
    ("2a00:1450:4001:81b::5efe", Reach.PUBLIC),
    # this machine and its networks
    ("127.0.0.1", Reach.PRIVATE),
    ("127.255.255.254", Reach.PRIVATE),
    ("127.1", Reach.PRIVATE),
    ("2130706433", Reach.PRIVATE),
    ("0x7f000001", Reach.PRIVATE),
    ("0x7f.0.0.1", Reach.PRIVATE),
    ("017700000001", Reach.PRIVATE),
    ("0177.0.0.1", Reach.PRIVATE),
    ("10.0.0.1", Reach.PRIVATE),
    ("012.0.0.1", Reach.PRIVATE),
    ("172.16.0.1", Reach.PRIVATE),
    ("192.168.1.1", Reach.PRIVATE),
    ("3232235777", Reach.PRIVATE),
    ("100.64.0.1", Reach.PRIVATE),
    ("198.18.0.1", Reach.PRIVATE),
    ("::1", Reach.PRIVATE),
    ("[::1]", Reach.PRIVATE),
    ("fc00::1", Reach.PRIVATE),
    ("fd12:3456::1", Reach.PRIVATE),
    ("fec0::1", Reach.PRIVATE),
    ("::ffff:127.0.0.1", Reach.PRIVATE),
    ("::ffff:7f00:1", Reach.PRIVATE),
    ("64:ff9b::10.0.0.1", Reach.PRIVATE),
    ("2002:7f00:1::", Reach.PRIVATE),
    ("2002:c0a8:101::1", Reach.PRIVATE),
    ("2001:0:808:808:0:0:f5ff:fffe", Reach.PRIVATE),  # Teredo, client 10.0.0.1
    ("2001:0:a00:1::f7f7:f7f7", Reach.PRIVATE),  # Teredo, server 10.0.0.1
    ("2a00:1450::5efe:10.0.0.1", Reach.PRIVATE),  # ISATAP
    ("2a00:1450::200:5efe:a00:1", Reach.PRIVATE),
    # never
    ("169.254.169.254", Reach.NEVER),
    ("2852039166", Reach.NEVER),
    ("0xa9fea9fe", Reach.NEVER),
    ("0xa9.0xfe.0xa9.0xfe", Reach.NEVER),
    ("0251.0376.0251.0376", Reach.NEVER),
    ("169.254.43518", Reach.NEVER),
    ("169.254.170.2", Reach.NEVER),
    ("168.63.129.16", Reach.NEVER),
    ("100.100.100.200", Reach.NEVER),
    ("192.0.0.192", Reach.NEVER),
    ("0.0.0.0", Reach.NEVER),
    ("0", Reach.NEVER),
    ("255.255.255.255", Reach.NEVER),
    ("224.0.0.1", Reach.NEVER),
    ("240.0.0.1", Reach.NEVER),
    ("203.0.113.7", Reach.NEVER),
    ("::", Reach.NEVER),
    ("::7f00:1", Reach.NEVER),  # IPv4-compatible, deprecated
    ("::ffff:169.254.169.254", Reach.NEVER),
    ("::ffff:a9fe:a9fe", Reach.NEVER),
    ("::ffff:0:169.254.169.254", Reach.NEVER),  # IPv4-translated
    ("64:ff9b::169.254.169.254", Reach.NEVER),
    ("64:ff9b:1::7f00:1", Reach.NEVER),  # local NAT64
    ("2002:a9fe:a9fe::1", Reach.NEVER),
    ("2001:0:808:808:0:0:5601:5601", Reach.NEVER),  # Teredo, client 169.254.169.254
    ("2a00:1450::5efe:169.254.169.254", Reach.NEVER),
    ("fe80::1", Reach.NEVER),
    ("febf::1", Reach.NEVER),
    ("fe80::1%eth0", Reach.NEVER),
    ("ff02::1", Reach.NEVER),
    ("fd00:ec2::254", Reach.NEVER),
    ("fd20:ce::254", Reach.NEVER),
    ("fd00:c1::a9fe:a9fe", Reach.NEVER),
    ("100::1", Reach.NEVER),
    ("2001:db8::1", Reach.NEVER),
]


@pytest.mark.parametrize(("literal", "reach"), ADDRESSES, ids=[literal for literal, _ in ADDRESSES])
def test_an_address_is_judged_by_all_it_may_reach(literal, reach):
    address = literal_address(literal)
    assert address is not None
    judged = [reach_of(target) for target in effective_addresses(address)]
    worst = max(judged, key=[Reach.PUBLIC, Reach.PRIVATE, Reach.NEVER].index)
    assert worst is reach
    assert (STRICT.refusal(address) is None) == (reach is Reach.PUBLIC)
    assert (AT_HOME.refusal(address) is None) == (reach is not Reach.NEVER)


@pytest.mark.parametrize("name", ["localhost", "example.com", "1.2.3.4.example", "0xfoo", "256.1.1.1", "münchen.de"])
def test_a_name_is_no_literal(name):
    assert literal_address(name) is None


def test_a_zone_is_refused_even_on_an_address_that_is_allowed():
    address = ipaddress.ip_address("fd12::1%eth0")
    assert AT_HOME.refusal(address) == "address with a zone: `fd12::1%eth0`"


def test_an_allowed_range_opens_itself_and_nothing_else():
    policy = AddressPolicy.from_ranges(allow_private=False, allow_targets=("10.1.0.0/16", "0.0.0.0/0", "fd00::/8"))
    assert policy.refusal(ipaddress.ip_address("10.1.2.3")) is None
    assert policy.refusal(ipaddress.ip_address("::ffff:10.1.2.3")) is None
    assert policy.refusal(ipaddress.ip_address("fd12::1")) is None
    for never in ("169.254.169.254", "fd00:ec2::254", "0.0.0.0"):
        assert policy.refusal(ipaddress.ip_address(never)) is not None
    only = AddressPolicy.from_ranges(allow_private=False, allow_targets=("10.1.0.0/16",))
    assert only.refusal(ipaddress.ip_address("10.2.0.1")) == "private address: `10.2.0.1`"


def test_a_range_that_is_none_is_an_error():
    with pytest.raises(ValueError, match=r"10\.1\.2\.3"):
        AddressPolicy.from_ranges(allow_private=False, allow_targets=("10.1.2.3/16",))


def _resolver(*addresses):
    def lookup(host, port):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return lookup


def test_a_public_name_for_a_metadata_address_is_refused():
    with pytest.raises(AddressRefused, match=r"169\.254\.169\.254"):
        permitted_addresses("cdn.example.com", 443, AT_HOME, _resolver("169.254.169.254"))


def test_of_several_addresses_only_the_permitted_are_used():
    lookup = _resolver("10.0.0.1", "93.184.216.34", "93.184.216.34")
    assert permitted_addresses("cdn.example.com", 443, STRICT, lookup) == (ipaddress.ip_address("93.184.216.34"),)


def test_a_literal_is_never_looked_up():
    def lookup(host, port):
        raise AssertionError("looked up")

    assert permitted_addresses("0x7f000001", 80, AT_HOME, lookup) == (ipaddress.ip_address("127.0.0.1"),)


def test_a_name_without_address_is_refused():
    with pytest.raises(AddressRefused, match="no address"):
        permitted_addresses("nothing.example", 443, STRICT, _resolver())

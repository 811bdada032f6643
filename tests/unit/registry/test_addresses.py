"""Addresses in their networks."""

from __future__ import annotations

import pytest

from provisioner.model.address import AddressPattern
from provisioner.model.written import Network
from provisioner.registry.addresses import ipv4_of, ipv6_of

NETWORK = Network.model_validate(
    {
        "cidr": "10.0.0.0/16",
        "cidr6": "fd00::/64",
        "server": "10.0.0.1",
        "gateway": "10.0.0.2",
        "pool": "10.0.255.1-10.0.255.254",
    }
)


@pytest.mark.parametrize(
    ("node", "pattern", "expected"),
    [
        ("n003", "10.0.1.7", "10.0.1.7/16"),
        ("n001", "10.0.1.1+", "10.0.1.1/16"),
        ("n300", "10.0.1.1+", "10.0.2.44/16"),
        ("r2n017", "10.0.1.1+", "10.0.1.17/16"),
    ],
)
def test_an_address_counts_by_the_number_of_the_node(node: str, pattern: str, expected: str) -> None:
    assert str(ipv4_of(node, AddressPattern(pattern), NETWORK)) == expected


@pytest.mark.parametrize(
    ("node", "pattern", "reason"),
    [
        ("n1", "10.1.0.1", "outside the network 10.0.0.0/16"),
        ("n70000", "10.0.1.1+", "outside the network"),
        ("n1", "10.0.0.0", "the network itself"),
        ("n1", "10.0.255.255", "broadcast"),
        ("n1", "10.0.0.1", "the address of the server"),
        ("n1", "10.0.0.2", "the address of the gateway"),
        ("n1", "10.0.255.7", "in the pool"),
        ("login", "10.0.1.1+", "has none"),
        ("n99999999999", "10.0.1.1+", "cannot be counted"),
        ("n1", "fd00::1", "write it as ip6"),
    ],
)
def test_an_address_that_a_node_cannot_have_is_refused(node: str, pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ipv4_of(node, AddressPattern(pattern), NETWORK)


def test_an_ipv6_address_counts_too() -> None:
    assert str(ipv6_of("n010", AddressPattern("fd00::1+"), NETWORK)) == "fd00::a/64"


@pytest.mark.parametrize(
    ("pattern", "reason"), [("10.0.0.9", "write it as ip"), ("fd01::1", "outside the network fd00::/64")]
)
def test_an_ipv6_address_that_a_node_cannot_have_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ipv6_of("n1", AddressPattern(pattern), NETWORK)


def test_a_network_without_ipv6_has_no_ipv6_addresses() -> None:
    with pytest.raises(ValueError, match="no cidr6"):
        ipv6_of("n1", AddressPattern("fd00::1"), Network.model_validate({"cidr": "10.0.0.0/16"}))


def test_the_first_address_is_the_head_nodes_where_no_server_is_named() -> None:
    network = Network.model_validate({"cidr": "10.0.0.0/16"})

    with pytest.raises(ValueError, match=r"10\.0\.0\.1 is the address of the server"):
        ipv4_of("n1", AddressPattern("10.0.0.1+"), network)


def test_the_first_ipv6_address_is_the_head_nodes_where_it_gives_such_addresses_out() -> None:
    written = {"cidr": "10.0.0.0/16", "cidr6": "fd00::/64"}

    assert str(ipv6_of("n1", AddressPattern("fd00::1"), Network.model_validate(written))) == "fd00::1/64"
    with pytest.raises(ValueError, match="fd00::1 is the address of the server"):
        ipv6_of("n1", AddressPattern("fd00::1"), Network.model_validate({**written, "dhcp6": "authoritative"}))
